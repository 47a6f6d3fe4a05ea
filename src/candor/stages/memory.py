"""The audit of memory as a stage of a run: each model's figures in `memory/NAME.json`, on the corpus of the run.

Planted secrets and persons are a source of that corpus, marked synthetic in its manifest like any other.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from candor.data import CorpusConfig, SourceConfig
from candor.data.planted import PLANTED
from candor.errors import ConfigError
from candor.evaluate.memory import MemoryConfig, MemoryReport, audit_memory, open_text
from candor.evaluate.memory.model import EngineModel
from candor.infer import Engine
from candor.model.hub import load_model
from candor.plan.device import best_device
from candor.stages.run import Ui
from candor.text import Tokenizer

PLAIN = ("base", "r1_zero", "student", "student_rl")
"""Models that are asked without a chat template."""


@dataclass(frozen=True)
class MemoryStageConfig:
    """Whose memory is audited in a run, and what is planted for it; nothing unless models are named."""

    models: tuple[str, ...] = ()
    """Stages whose models are audited, such as base, r1_zero, r1; none leaves the audit out."""
    plant: tuple[int, ...] = ()
    """How often each group of made-up secrets and persons is planted in the corpus, such as 0,1,4,16,64; none plants
    nothing."""
    control: str = ""
    """Folder of a model with the same tokenizer that never saw the corpus; empty takes held-out text instead."""
    audit: MemoryConfig = field(default_factory=MemoryConfig)
    """How much is asked, and what is tolerated."""

    def planted(self, corpus: CorpusConfig) -> CorpusConfig:
        """The corpus with what is planted."""
        if not self.plant:
            return corpus
        if any(source.path == PLANTED for source in corpus.sources):
            raise ConfigError(f"memory.plant={self.plant} and a source {PLANTED} of the corpus: keep one of them")
        made = SourceConfig(PLANTED, form="made", kind="synthetic", licence="MIT", copies=self.plant)
        return replace(corpus, sources=(*corpus.sources, made))


def audit_stage(config: MemoryStageConfig, out: Path, folder: Path, ui: Ui) -> None:
    """Audit the models of the run in `out` and write `NAME.json` for each."""
    with ExitStack() as stack, ui.progress("memory") as progress:
        first = Tokenizer.load(out / config.models[0] / "model")
        text = stack.enter_context(open_text(out / "corpus", first, config.audit))
        control = stack.enter_context(_engine(Path(config.control))) if config.control else None
        for name in config.models:
            with _engine(out / name / "model") as engine:
                if engine.tokenizer.fingerprint != first.fingerprint:
                    raise ConfigError(f"memory.models: {name} has another tokenizer than {config.models[0]}")
                report = audit_memory(
                    EngineModel(engine, name, chat=name not in PLAIN),
                    text,
                    config.audit,
                    control=EngineModel(control, config.control) if control else None,
                    progress=progress,
                )
            report.write(folder / f"{name}.json")
            ui.say(f"  {name}: {said(report)}")


def said(report: MemoryReport) -> str:
    """The report in a line."""
    every = [f"{audit.name} {audit.measured.value:.3g} ({audit.outcome})" for audit in report.audits]
    every += [f"{name} left out" for name in report.left_out]
    return f"{report.outcome} in {report.seconds:.0f} s: {', '.join(every)}"


def memory_figures(folder: Path, models: Sequence[str]) -> dict[str, Any]:
    """Flat keys for the summary of a run: `memory.MODEL.AUDIT`, with `_low`, `_high`, `_n`, `_control`, `_outcome`."""
    found: dict[str, Any] = {}
    for name in models:
        report = MemoryReport.read(folder / f"{name}.json")
        found[f"memory.{name}.outcome"] = report.outcome
        for audit in report.audits:
            key, figure = f"memory.{name}.{audit.name}", audit.measured
            found |= {key: figure.value, f"{key}_low": figure.low, f"{key}_high": figure.high, f"{key}_n": figure.n}
            found |= {f"{key}_control": audit.control and audit.control.value, f"{key}_outcome": audit.outcome}
    return found


def _engine(folder: Path) -> Engine:
    device = best_device()
    model = load_model(folder, dtype=torch.float32 if device.type == "cpu" else None, device=device)
    return Engine(model, Tokenizer.load(folder))
