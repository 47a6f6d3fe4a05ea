"""The report of a run: every headline figure as flat keys, the curves, and a bilingual page."""

import base64
from pathlib import Path
from typing import Any

from candor import files
from candor.evaluate.compression import Compression
from candor.evaluate.page import page
from candor.model import ModelConfig
from candor.plan.counts import count_parameters
from candor.records import Provenance
from candor.stages.plots import plot_curves


def write_report(name: str, model: ModelConfig, run: Path, folder: Path) -> None:
    """Write `summary.json` (flat keys), `curves.png` and `index.html` from what the stages left in `run`."""
    counts = count_parameters(model)
    heldout = Compression(**files.read_json(run / "evals" / "heldout.json"))
    lines = files.read_lines(run / "checkpoints" / "metrics.jsonl")
    manifest = files.read_json(run / "corpus" / "manifest.json")
    last = lines[-20:]

    def mean(key: str) -> float | None:
        values = [line[key] for line in last if line.get(key) is not None]
        return sum(values) / len(values) if values else None

    summary: dict[str, Any] = {
        "run": name,
        "corpus.documents": manifest["train"]["documents"] + manifest["heldout"]["documents"],
        "corpus.bytes": manifest["train"]["bytes"] + manifest["heldout"]["bytes"],
        "model.parameters": counts.main,
        "model.parameters_activated": counts.activated,
        "model.parameters_mtp": counts.mtp,
        "pretrain.steps": lines[-1]["step"] if lines else None,
        "pretrain.tokens": lines[-1]["tokens"] if lines else None,
        "pretrain.loss": mean("loss"),
        "pretrain.mtp_loss": mean("mtp_loss"),
        "pretrain.mtp_accuracy": mean("mtp_accuracy"),
        "pretrain.max_violation": mean("max_violation"),
        "pretrain.router_entropy": mean("router_entropy"),
        "pretrain.tokens_per_second": sorted(line["tokens_per_second"] for line in lines)[len(lines) // 2]
        if lines
        else None,
        "pretrain.bits_per_byte": heldout.bits_per_byte,
        "pretrain.bits_per_byte_stderr": heldout.stderr,
        "pretrain.gzip_bits_per_byte": heldout.gzip,
        "pretrain.xz_bits_per_byte": heldout.xz,
        "pretrain.heldout_documents": heldout.documents,
        "pretrain.heldout_bytes": heldout.bytes,
    }
    files.write_json(folder / "summary.json", summary)
    plot_curves(lines, folder / "curves.png")
    stages = ("corpus", "tokenizer", "tokens", "checkpoints", "model", "evals")
    html = page(
        "candor.stages",
        "report.html.jinja",
        title=f"Candor report: {name}",
        name=name,
        summary=summary,
        heldout=heldout,
        sample=files.read_json(run / "evals" / "sample.json"),
        curves=base64.b64encode((folder / "curves.png").read_bytes()).decode(),
        provenance={stage: Provenance.read(run / stage) for stage in stages},
    )
    files.atomic_write(folder / "index.html", html)
