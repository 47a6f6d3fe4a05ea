"""The end of a run: the exported model measured on held-out text, and the report with every headline figure."""

import base64
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment

from candor import files
from candor.data import read_corpus
from candor.errors import ConfigError
from candor.evaluate.compression import Compression, bits_per_byte, compressed_bits_per_byte
from candor.infer import Completion, SamplingParams, generate
from candor.model.hub import load_model
from candor.plan.counts import count_parameters
from candor.records import Provenance
from candor.text import Tokenizer
from candor.train.loop import Progress
from candor.train.metrics import read_metrics
from candor.train.plots import plot_curves


@dataclass(frozen=True)
class EvaluateConfig:
    """What is measured after training."""

    context: int = 256
    """Most tokens before a predicted one, in bits per byte."""
    max_bytes: int = 500_000
    """Held-out text that is measured: whole documents in hash order, the last one cut here."""
    prompt: str = ""
    """Start of the sample; empty takes the beginning of a held-out document."""
    temperature: float = 0.7
    """Temperature of the sample."""
    sample_tokens: int = 120
    """Length of the sample in tokens."""

    def __post_init__(self) -> None:
        if self.context < 2 or self.max_bytes < 1:
            raise ConfigError("evaluate.context must be at least 2 and evaluate.max_bytes at least 1")


def evaluate(config: EvaluateConfig, run: Path, folder: Path, seed: int, progress: Progress) -> None:
    """Write `heldout.json` (bits per byte beside gzip and xz) and `sample.json` (one continuation)."""
    model, tokenizer = load_model(run / "model"), Tokenizer.load(run / "model")
    texts: list[str] = []
    left = config.max_bytes
    for document in read_corpus(run / "corpus", "heldout"):
        texts.append(document.text.encode()[:left].decode(errors="ignore"))
        left -= len(texts[-1].encode())
        if left < 4:
            break
    documents = [(ids, len(text.encode())) for ids, text in zip(tokenizer.encode_batch(texts), texts, strict=True)]
    bits, tokens = bits_per_byte(
        model.float(),
        documents,
        bos_id=tokenizer.bos_id,
        context=config.context,
        progress=lambda done, total: progress(done, total, "bits per byte"),
    )
    gzip, xz = compressed_bits_per_byte(texts)
    size = sum(length for _, length in documents)
    figures = Compression(bits, gzip, xz, len(texts), size, tokens, config.context)
    files.write_json(folder / "heldout.json", asdict(figures))

    prompt = config.prompt or texts[0].strip()[:60]
    params = SamplingParams(temperature=config.temperature, top_p=0.95, max_tokens=config.sample_tokens, seed=seed)
    *_, completion = generate(model, tokenizer, [tokenizer.bos_id, *tokenizer.encode(prompt)], params)
    assert isinstance(completion, Completion)
    files.write_json(folder / "sample.json", {"prompt": prompt, "sampling": asdict(params), **asdict(completion)})


def write_report(name: str, run: Path, folder: Path) -> None:
    """Write `summary.json` (flat keys), `curves.png` and `index.html` from what the stages left in `run`."""
    model = load_model(run / "model")
    counts = count_parameters(model.config)
    heldout = files.read_json(run / "evals" / "heldout.json")
    lines = read_metrics(run / "checkpoints" / "metrics.jsonl")
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
        "pretrain.steps": lines[-1]["step"],
        "pretrain.tokens": lines[-1]["tokens"],
        "pretrain.loss": mean("loss"),
        "pretrain.mtp_loss": mean("mtp_loss"),
        "pretrain.mtp_accuracy": mean("mtp_accuracy"),
        "pretrain.max_violation": mean("max_violation"),
        "pretrain.router_entropy": mean("router_entropy"),
        "pretrain.tokens_per_second": sorted(line["tokens_per_second"] for line in lines)[len(lines) // 2],
        "pretrain.bits_per_byte": heldout["bits_per_byte"],
        "pretrain.gzip_bits_per_byte": heldout["gzip"],
        "pretrain.xz_bits_per_byte": heldout["xz"],
        "pretrain.heldout_documents": heldout["documents"],
        "pretrain.heldout_bytes": heldout["bytes"],
    }
    files.write_json(folder / "summary.json", summary)
    plot_curves(lines, folder / "curves.png")
    template = resources.files("candor.stages").joinpath("templates/report.html.jinja").read_text(encoding="utf-8")
    page = Environment(autoescape=True).from_string(template)
    stages = ("corpus", "tokenizer", "tokens", "checkpoints", "model", "evals")
    files.atomic_write(
        folder / "index.html",
        page.render(
            name=name,
            summary=summary,
            heldout=heldout,
            sample=files.read_json(run / "evals" / "sample.json"),
            curves=base64.b64encode((folder / "curves.png").read_bytes()).decode(),
            provenance={stage: Provenance.read(run / stage) for stage in stages},
        ),
    )
