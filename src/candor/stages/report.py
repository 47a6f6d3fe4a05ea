"""The report of a run: every headline figure as flat keys, the stage table, the curves, and a bilingual page."""

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from candor import files
from candor.evaluate.audits.find import REGISTER
from candor.evaluate.audits.report import gather
from candor.evaluate.compression import Compression
from candor.evaluate.page import page
from candor.evaluate.safety.register import register, write_register
from candor.evaluate.statistics import Figure, compare
from candor.model.hub import config_from_hf
from candor.plan.counts import count_parameters
from candor.records import Provenance
from candor.stages.audits import audit_figures
from candor.stages.plots import plot_pretraining, plot_rl
from candor.stages.rl import TRANSCRIPTS
from candor.stages.scores import SCORES, read_each, read_scores

NAMES = {
    "base": "Base · 基座",
    "r1_zero": "R1-Zero",
    "dev1": "R1 Dev1 (cold start · 冷启动)",
    "dev2": "R1 Dev2 (RL + language · 语言奖励)",
    "dev3": "R1 Dev3 (SFT)",
    "r1": "R1",
    "student": "small base · 小模型基座",
    "distilled": "small, distilled · 小模型蒸馏",
    "student_rl": "small, RL alone · 小模型强化学习",
}
"""Rows of the stage table, in the order in which they are made."""
COLUMNS = {
    "pass_at_1": "pass@1",
    "pass_at_k": "pass@k",
    "majority_at_k": "majority@k · 多数票",
    "format_rate": "format · 格式",
    "language_rate": "language · 语言一致",
    "no_answer": "no answer known · 无解题",
    "over_abstention": "declines solvable ↓ · 误弃答",
    "refusal": "refuses harmful · 拒答有害",
    "over_refusal": "refuses harmless ↓ · 误拒",
    "helpful": "helpful · 有用",
    "tokens": "tokens · 长度",
    "reflection": "reflection words · 反思词",
}
"""Columns of the stage table; shares but for the last two."""


def write_report(name: str, run: Path, stages: Sequence[str], folder: Path) -> None:
    """Write `summary.json` (flat keys), the pictures and `index.html` from what `stages` left in `run`.

    Then, by these figures, `risk_register.json`, and in `audits` the page of the audits where there were any.
    """
    base = run / "base"
    rows = {model: read_scores(run / model / "scores") for model in NAMES if f"{model}/scores" in stages}
    settings = _settings(run, rows)
    summary: dict[str, Any] = {"run": name, **_model_figures(base / "model"), **_table_figures(rows)}
    summary |= {f"scores.{key}": settings[key] for key in ("k", "k_other", "temperature", "seed") if key in settings}
    summary |= _claims(run, rows) | (audit_figures(run / "audits") if "audits" in stages else {})
    pictures: dict[str, str] = {}
    heldout = sample = None
    if "corpus" in stages:
        manifest = files.read_json(run / "corpus" / "manifest.json")
        heldout = Compression(**files.read_json(base / "evals" / "heldout.json"))
        sample = files.read_json(base / "evals" / "sample.json")
        lines = files.read_lines(base / "checkpoints" / "metrics.jsonl")
        summary |= _pretraining_figures(manifest, heldout, lines)
        plot_pretraining(lines, folder / "curves.png")
        pictures["pre-training · 预训练"] = _inline(folder / "curves.png")
    told = {}
    for model in rows:
        metrics = run / model / "checkpoints" / "metrics.jsonl"
        lines = files.read_lines(metrics) if metrics.exists() else []
        if any("reward" in line for line in lines):
            plot_rl(lines, folder / f"{model}.png")
            pictures[NAMES[model]] = _inline(folder / f"{model}.png")
            if (transcripts := run / model / "checkpoints" / TRANSCRIPTS).exists():
                told[NAMES[model]] = _transcripts(transcripts)
            summary |= {f"{model}.{key}": value for key, value in _rl_figures(lines).items()}
    files.write_json(folder / "summary.json", summary)
    risks = register(run, summary=folder / "summary.json")
    write_register(risks, folder / REGISTER)
    if "audits" in stages:
        gather(run, risks).write(folder / "audits")
    html = page(
        "candor.stages",
        "report.html.jinja",
        title=f"Candor report: {name}",
        name=name,
        summary=summary,
        heldout=heldout,
        sample=sample,
        table=_table(rows),
        columns=COLUMNS,
        settings=settings,
        pictures=pictures,
        transcripts=told,
        notes=notes(summary),
        audited="audits" in stages,
        provenance={stage: Provenance.read(run / stage) for stage in stages},
    )
    files.atomic_write(folder / "index.html", html)


def _model_figures(model: Path) -> dict[str, Any]:
    counts = count_parameters(config_from_hf(files.read_json(model / "config.json")))
    return {
        "model.parameters": counts.main,
        "model.parameters_activated": counts.activated,
        "model.parameters_mtp": counts.mtp,
    }


def _pretraining_figures(
    manifest: dict[str, Any], heldout: Compression, lines: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    speeds = sorted(line["tokens_per_second"] for line in lines)
    return {
        "corpus.documents": manifest["train"]["documents"] + manifest["heldout"]["documents"],
        "corpus.bytes": manifest["train"]["bytes"] + manifest["heldout"]["bytes"],
        "pretrain.steps": lines[-1]["step"] if lines else None,
        "pretrain.tokens": lines[-1]["tokens"] if lines else None,
        **{
            f"pretrain.{name}": _last(lines, name)
            for name in ("loss", "mtp_loss", "mtp_accuracy", "max_violation", "router_entropy")
        },
        "pretrain.tokens_per_second": speeds[len(speeds) // 2] if speeds else None,
        "pretrain.bits_per_byte": heldout.bits_per_byte,
        "pretrain.bits_per_byte_stderr": heldout.stderr,
        "pretrain.gzip_bits_per_byte": heldout.gzip,
        "pretrain.xz_bits_per_byte": heldout.xz,
        "pretrain.heldout_documents": heldout.documents,
        "pretrain.heldout_bytes": heldout.bytes,
    }


def _last(lines: Sequence[dict[str, Any]], name: str, steps: int = 20) -> float | None:
    """Mean of a figure over the last steps that have it."""
    values = [line[name] for line in lines[-steps:] if line.get(name) is not None]
    return sum(values) / len(values) if values else None


def _rl_figures(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What reinforcement learning did: its length, and the means of the last steps."""
    names = ("reward", "response_length", "entropy", "kl", "zero_variance", "gap", "gap_kl")
    found = {f"train_{name}": _last(lines, name, 5) for name in names}
    return {"steps": lines[-1]["step"], **{name: value for name, value in found.items() if value is not None}}


def _table_figures(rows: dict[str, dict[str, Figure]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for model, figures in rows.items():
        for name, figure in figures.items():
            at = f"{model}.{name}"
            found |= {at: figure.value, f"{at}_stderr": figure.stderr, f"{at}_n": figure.n}
    return found


def _table(rows: dict[str, dict[str, Figure]]) -> dict[str, dict[str, Figure]]:
    """By row and column; `pass_at_16` stands in the column `pass_at_k`."""
    found: dict[str, dict[str, Figure]] = {}
    for model, figures in rows.items():
        named = {}
        for name, figure in figures.items():
            head, _, k = name.rpartition("_at_")
            named[f"{head}_at_k" if k.isdigit() and k != "1" else name] = figure
        found[NAMES[model]] = named
    return found


def _settings(run: Path, rows: dict[str, Any]) -> dict[str, Any]:
    first = next(iter(rows), None)
    found: dict[str, Any] = files.read_json(run / first / "scores" / SCORES)["settings"] if first else {}
    return found


_CLAIMS = {
    ("r1_zero", "base"): ("pure reinforcement learning (R1-Zero) over the base model",
     "纯强化学习（R1-Zero）相对基座模型"),
    ("r1", "r1_zero"): ("R1 over R1-Zero", "R1 相对 R1-Zero"),
    ("distilled", "student_rl"): ("distillation over reinforcement learning alone, for the small model",
     "小模型上，蒸馏相对单独强化学习"),
}  # fmt: skip
"""What the paper says is better than what, in English and Chinese."""


def _claims(run: Path, rows: Iterable[str]) -> dict[str, Any]:
    """How these claims stand in a run, for the summary: differences of pass@1 on the same problems, paired."""
    found: dict[str, Any] = {}
    for model, other in _CLAIMS:
        if {model, other} <= set(rows):
            each = [read_each(run / name / "scores") for name in (model, other)]
            if all(each):
                result, at = compare(*each), f"claims.{model}_over_{other}"
                found |= {at: result.difference, f"{at}_stderr": result.stderr, f"{at}_n": result.n,
                          f"{at}_p_value": result.p_value}  # fmt: skip
    return found


def notes(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What a run's summary says of the paper's claims, whichever way it went; English and Chinese."""
    said = []
    for (model, other), (en, zh) in _CLAIMS.items():
        if (at := f"claims.{model}_over_{other}") not in summary:
            continue
        points, error, p = 100 * summary[at], 100 * (summary[f"{at}_stderr"] or 0), summary[f"{at}_p_value"]
        better = ("better", "更好") if points > 0 else ("worse", "更差")
        verdict = better if p <= 0.05 else ("no difference can be told", "看不出差异")
        told, n = f"{points:+.1f} ± {error:.1f}", summary[f"{at}_n"]
        said.append(
            (f"pass@1 of {en}: {verdict[0]}, {told} points over {n} problems (p = {p:.2g}).",
             f"{zh}：{verdict[1]}，pass@1 变化 {told} 个百分点（{n} 道题，p = {p:.2g}）。")
        )  # fmt: skip
    return said


def _transcripts(path: Path) -> dict[str, list[dict[str, Any]]]:
    """By question, its answers at the first, a middle and the last step that were watched; the first four questions."""
    lines = files.read_lines(path)
    steps = sorted({line["step"] for line in lines})
    chosen = {steps[0], steps[len(steps) // 2], steps[-1]} if steps else set()
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line["step"] in chosen:
            found.setdefault(line["prompt"], []).append(line)
    return dict(list(found.items())[:4])


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
