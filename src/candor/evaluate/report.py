"""The page of an evaluation folder: figures with intervals, pictures, and answers to look at."""

from pathlib import Path
from typing import Any

from candor import files
from candor.evaluate import pictures
from candor.evaluate.page import page
from candor.evaluate.result import EvalResult, Sample, compare_folders, read_result, results_in, samples_of
from candor.evaluate.statistics import Figure
from candor.problems import Grade
from candor.problems.readers import READERS

_SHOWN = 5
"""Answers of each grade on the page; all of them are in the samples file."""

MEANING: dict[str, tuple[str, str]] = {
    "pass@1": ("chance that one sample is right", "单次采样正确的概率"),
    "pass@": ("chance that one of that many samples is right, unbiased", "多次采样中至少一次正确的概率（无偏估计）"),
    "majority@": ("score of the most frequent answer", "多数投票答案的得分"),
    "acc": ("the likeliest option is right", "概率最高的选项正确"),
    "acc_norm": ("the likeliest option for its length is right", "按长度归一后概率最高的选项正确"),
    "mass": ("probability of the right options among all (MC2)", "正确选项在所有选项中的概率占比（MC2）"),
    "f1": ("overlap of words with the gold answer", "与标准答案的词重叠 F1"),
    "instructions": ("instructions followed, one by one", "逐条指令遵循率"),
    "loose": ("all instructions followed, read loosely", "宽松判定下全部遵循"),
    "answered": ("an answer was found in the response", "回答中能找到答案"),
    "abstained": ("it said that it does not know", "表示不知道"),
    "truncated": ("ended by the limit of tokens", "因长度上限被截断"),
    "tokens": ("length of a response in tokens", "回答的词元数"),
    "bits_per_byte": ("-log2 p per UTF-8 byte; less is better", "每字节比特数，越低越好"),
    "gzip": ("gzip -9 on the same bytes", "gzip -9 压缩同一文本"),
    "xz": ("xz -9e on the same bytes", "xz -9e 压缩同一文本"),
}


_SIZES = ("tokens", "bits_per_byte", "gzip", "xz")
"""Figures that are no shares."""


def meaning(name: str) -> tuple[str, str]:
    """What a figure says, in English and Chinese."""
    return MEANING.get(name) or MEANING.get(name.split("@")[0] + "@", ("", ""))


def shown(name: str, figure: Figure, value: float | None) -> str:
    """A value of a figure for people: shares in percent."""
    if value is None:
        return "-"
    share = name not in _SIZES and 0 <= figure.value <= 1
    return f"{value:.1%}" if share else f"{value:.4g}"


def write_report(folder: Path, baseline: Path | None = None) -> None:
    """Write `index.html` from the results and samples in `folder`, beside those of `baseline` where given."""
    results = [read_result(path) for path in results_in(folder)]
    comparisons = compare_folders(folder, baseline) if baseline else {}
    sections = [_section(result, folder, baseline) for result in results]
    html = page(
        "candor.evaluate",
        "evaluation.html.jinja",
        title=f"Evaluation: {results[0].model}",
        models=sorted({result.model for result in results}),
        sections=sections,
        baseline=baseline,
        comparisons=comparisons,
        meaning=meaning,
        shown=shown,
    )
    files.atomic_write(folder / "index.html", html)


def _section(result: EvalResult, folder: Path, baseline: Path | None) -> dict[str, Any]:
    name, figure = result.headline
    samples = samples_of(result, folder)
    other = baseline and baseline / f"{result.task.label}.json"
    theirs = read_result(other).figures.get(name) if other and other.is_file() else None
    passes = [(int(key[5:]), value) for key, value in result.figures.items() if key.startswith("pass@")]
    lengths = [sample.tokens for sample in samples if sample.tokens]
    return {
        "result": result,
        "headline": name,
        "interval": pictures.interval(figure, theirs) if 0 <= figure.value <= 1 else "",
        "curve": pictures.curve(passes) if len(passes) > 1 else "",
        "histogram": pictures.histogram(lengths) if lengths else "",
        "answers": {} if result.task.name in READERS and READERS[result.task.name].hidden else _answers(samples),
        "file": f"{result.task.label}.samples.jsonl",
    }


def _answers(samples: list[Sample]) -> dict[Grade, list[Sample]]:
    return {grade: [sample for sample in samples if sample.grade is grade][:_SHOWN] for grade in Grade}
