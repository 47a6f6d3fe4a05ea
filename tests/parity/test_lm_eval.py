"""The same task, samples and model by lm-eval with transformers and by Candor: the same scores and standard errors.

Four ways for each task: lm-eval on transformers, lm-eval on our engine, lm-eval's task in our runner, and our own task.
Three tasks: the most likely text, filtered by a pattern; the likeliest letter of four; the likeliest text of several.
"""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TQDM_DISABLE", "1")

from candor.errors import RequestError
from candor.evaluate.likelihood import Likelihood, LikelihoodDone
from candor.evaluate.run import evaluate
from candor.evaluate.subject import Subject, open_subject
from candor.evaluate.task import Task
from candor.problems import Grade
from tests.evaluate.conftest import ROWS, Scripted, parrot

__all__ = ["parrot"]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

YAML = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: {kind}
{more}
metadata: {{version: 1.0}}
"""
GENERATE = r"""doc_to_text: "Question: {{question}}\nAnswer:"
doc_to_target: "{{answer.split('#### ')[-1]}}"
generation_kwargs: {until: ["\nQuestion:"], max_gen_toks: 24, do_sample: false}
filter_list:
  - name: strict
    filter: [{function: regex, regex_pattern: '#### (-?[0-9]+)'}, {function: take_first}]
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]"""
LETTERS = r"""doc_to_text: "Question: {{question}}\nA. {{a}}\nB. {{b}}\nC. {{c}}\nD. {{d}}\nAnswer:"
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: "{{answer}}"
metric_list: [{metric: acc, aggregation: mean}, {metric: acc_norm, aggregation: mean}]"""
TEXTS = r"""doc_to_text: "Question: {{question}}\nAnswer:"
doc_to_choice: "{{options}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: acc, aggregation: mean}, {metric: acc_norm, aggregation: mean}]"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lm-eval's tasks, and the same problems as our readers take them."""
    folder = tmp_path_factory.mktemp("tasks")
    letters, texts, truthful = [], [], []
    for number, row in enumerate(ROWS):
        gold = int(row["answer"].split("#### ")[-1])
        options = [str(gold + shift) for shift in (0, 1, 2, 7)]
        options = options[number % 4 :] + options[: number % 4]
        lettered = dict(zip("abcd", options, strict=True))
        letters.append({"question": row["question"], "answer": options.index(str(gold)), **lettered})
        longer = [f"{option}, or so I think" if place % 2 else option for place, option in enumerate(options)]
        longer = [str(gold), *(text for place, text in enumerate(longer) if place != options.index(str(gold)))]
        texts.append({"question": row["question"], "options": longer, "answer": 0})
        truthful.append(
            {"question": row["question"], "mc1_targets": {text: int(not at) for at, text in enumerate(longer)}}
        )
    for name, kind, rows, more in (
        ("sums", "generate_until", ROWS, GENERATE),
        ("letters", "multiple_choice", letters, LETTERS),
        ("texts", "multiple_choice", texts, TEXTS),
    ):
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / f"{name}.yaml").write_text(YAML.format(name=name, data=data, kind=kind, more=more))
    with open(folder / "mmlu.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [row["question"], *(row[letter] for letter in "abcd"), "ABCD"[row["answer"]]] for row in letters
        )
    (folder / "mc_task.json").write_text(json.dumps(truthful))
    return folder


@pytest.fixture(scope="module")
def theirs(parrot: Path, tasks: Path) -> dict[str, Any]:
    """lm-eval on transformers, with the begin token that DeepSeek's models are read behind."""
    return harness("hf", parrot, tasks, ",dtype=float32,add_bos_token=True")


@pytest.fixture(scope="module")
def ours(parrot: Path, tasks: Path) -> dict[str, Any]:
    """lm-eval's command line on our engine."""
    return harness("candor", parrot, tasks, "")


def harness(kind: str, parrot: Path, tasks: Path, more: str) -> dict[str, Any]:
    out = tasks / f"out-{kind}"
    done = subprocess.run(
        [sys.executable, "-m", "candor.evaluate.harness", "run", "--model", kind, "--model_args",
         f"pretrained={parrot}{more}", "--device", "cpu", "--batch_size", "16", "--include_path", str(tasks),
         "--tasks", "sums,letters,texts", "--output_path", str(out), "--log_samples"],
        capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (report,) = out.rglob("results_*.json")
    results: dict[str, Any] = json.loads(report.read_text())["results"]
    for name, figures in results.items():
        (file,) = out.rglob(f"samples_{name}_*.jsonl")
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        figures["samples"] = sorted(rows, key=lambda row: row["doc_id"])
    return results


@pytest.fixture(scope="module")
def subject(parrot: Path) -> Iterator[Subject]:
    with open_subject(str(parrot)) as subject:
        yield subject


OURS = {
    "sums": ("gsm8k", "sums.jsonl"),
    "letters": ("mmlu", "mmlu.csv"),
    "texts": ("truthfulqa_mc1", "mc_task.json"),
}
NAMES = {
    "sums": {"exact_match,strict": "pass@1"},
    "letters": {"acc,none": "acc", "acc_norm,none": "acc_norm"},
    "texts": {"acc,none": "acc", "acc_norm,none": "acc_norm"},
}


@pytest.mark.parametrize("name", OURS)
def test_scores_and_standard_errors_are_those_of_lm_eval(
    name: str, theirs: dict[str, Any], ours: dict[str, Any], subject: Subject, tasks: Path
) -> None:
    reader, data = OURS[name]
    task = Task(name=reader, data=str(tasks / data), n=0, temperature=0, max_tokens=24, strict=True)
    own, samples = evaluate(task, subject)
    hosted, kept = evaluate(Task(name=f"lm_eval:{name}", data=str(tasks), n=0), subject, tasks / f"hosted-{name}")
    assert own.problems == hosted.problems == len(kept) == len(samples) == 64
    # Sample by sample: the same text, and the same document right.
    if name == "sums":
        texts = [[row["resps"][0][0] for row in run[name]["samples"]] for run in (theirs, ours)]
        assert texts[0] == texts[1] == [sample.response for sample in samples] == [sample.response for sample in kept]
    first = next(iter(NAMES[name])).split(",")[0]
    right = [[row[first] == 1 for row in run[name]["samples"]] for run in (theirs, ours)]
    assert right[0] == right[1] == [sample.grade is Grade.RIGHT for sample in samples]
    assert right[0] == [sample.grade is Grade.RIGHT for sample in kept]
    for their_name, our_name in NAMES[name].items():
        value = theirs[name][their_name]
        error = theirs[name][their_name.replace(",", "_stderr,")]
        assert 0.1 < value < 0.9, "a score at the end of the scale would prove little"
        assert ours[name][their_name] == pytest.approx(value)
        assert ours[name][their_name.replace(",", "_stderr,")] == pytest.approx(error)
        for figure in (own.figures[our_name], hosted.figures[their_name]):
            assert figure.value == pytest.approx(value), our_name
            assert figure.stderr == pytest.approx(error), our_name


@pytest.mark.parametrize("kind", ["sums", "letters"])
def test_a_refused_request_scores_nothing_in_its_tasks(tasks: Path, kind: str) -> None:
    """lm-eval itself grades an empty answer, and of options without a likelihood the first."""
    refuse = RequestError("too long")

    def say(prompt: str, seed: int) -> str | Exception:
        return refuse if "2 +" in prompt else f"#### {sum(map(int, re.findall(r'[0-9]+', prompt)))}"

    class Some(Scripted):
        def likelihood(self, pairs: Sequence[tuple[str, str]], done: LikelihoodDone) -> list[Likelihood]:
            for place, (context, option) in enumerate(pairs):
                done(place, refuse if "2 +" in context else (-float(ord(option[-1])), False))
            return []

    result, samples = evaluate(Task(name=f"lm_eval:{kind}", data=str(tasks), n=0), Some(say))
    refused = [sample for sample in samples if "2 +" in sample.prompt]
    assert 0 < len(refused) == result.invalid < 64
    assert all(sample.grade is Grade.INVALID and sample.error == "too long" for sample in refused)
    right = sum(sample.grade is Grade.RIGHT for sample in samples)
    assert result.headline[1].value == pytest.approx(right / 64)
    assert kind != "sums" or right == 64 - len(refused)


def test_its_tasks_are_kept_like_ours(subject: Subject, tasks: Path, tmp_path: Path) -> None:
    """A run that was killed asks for what is missing; a finished one asks nothing."""
    task = Task(name="lm_eval:sums", data=str(tasks), n=12)
    whole, samples = evaluate(task, subject, tmp_path / "whole")
    path = tmp_path / "part" / "lm_eval_sums.requests.jsonl"
    path.parent.mkdir()
    lines = (tmp_path / "whole" / path.name).read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5]) + lines[5][:10])
    asked: list[int] = []
    generate = type(subject).generate

    def counted(self: Any, prompts: Any, params: Any, done: Any) -> Any:
        asked.append(len(prompts))
        return generate(self, prompts, params, done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(subject), "generate", counted)
        result, again = evaluate(task, subject, tmp_path / "part")
        assert asked == [7]
        assert (result.figures, again) == (whole.figures, samples)
        assert evaluate(task, subject, tmp_path / "part")[0].figures == result.figures and asked == [7, 0]
