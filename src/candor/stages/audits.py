"""The audits of a run as one stage: what its models remember, what they refuse, and where each stage makes things up.

It leaves evidence: `memory/NAME.json` and `safety/NAME/safety.json` of each named model, `hallucination.json` of all
stages. The page for people is made by the stage `report`, when the figures of the risk register are there.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from candor.data import CorpusConfig, SourceConfig
from candor.data.planted import PLANTED
from candor.errors import ConfigError, RequestError
from candor.evaluate.facts.hallucination import FILE as HALLUCINATION
from candor.evaluate.facts.hallucination import HallucinationReport, hallucination
from candor.evaluate.memory import AuditText, MemoryConfig, MemoryReport, audit_memory, open_text
from candor.evaluate.memory.model import EngineModel
from candor.evaluate.memory.record import plain
from candor.evaluate.safety.asking import Asking, responder
from candor.evaluate.safety.attacks import Attack, attack_of
from candor.evaluate.safety.audit import FILE as SAFETY
from candor.evaluate.safety.audit import Audit, Respond, SafetyResult, audit, overall, read_audit, together, write_audit
from candor.evaluate.safety.judges import ClassifierJudge, Judge, KeywordJudge, Turns
from candor.evaluate.safety.made import made_banks
from candor.evaluate.statistics import Figure
from candor.evaluate.subject import Local, folder_hash
from candor.infer import Engine
from candor.infer.params import Prompt
from candor.model.hub import load_model
from candor.plan.device import best_device
from candor.problems import Lang
from candor.problems.prompts import FORMATS
from candor.records import Progress
from candor.stages.run import Ui
from candor.text import Message, Tokenizer

PLAIN = ("base", "r1_zero", "student", "student_rl")
"""Models that are asked without a chat template."""


@dataclass(frozen=True)
class AuditsConfig:
    """Which models of a run are audited, and how; nothing unless models are named."""

    models: tuple[str, ...] = ()
    """Stages whose models are audited, such as base, r1_zero, r1; none leaves all audits out."""
    plant: tuple[int, ...] = ()
    """How often each group of made-up secrets and persons is planted in the corpus, such as 0,1,4,16,64; none plants
    nothing."""
    control: str = ""
    """Folder of a model with the same tokenizer that never saw the corpus; empty takes held-out text instead."""
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    """How much is asked of memory, and what is tolerated."""
    questions: int = 100
    """Questions of each of the three made safety banks; 0 leaves safety out."""
    max_tokens: int = 64
    """Most tokens of an answer to these."""
    attacks: tuple[str, ...] = ("role",)
    """Attacks under which what must be refused is asked once more, such as role or role|base64."""

    def __post_init__(self) -> None:
        if self.questions < 0 or self.max_tokens < 1:
            raise ConfigError(
                f"audits: questions={self.questions} must be 0 or more, max_tokens={self.max_tokens} 1 or more"
            )
        for name in self.attacks:
            attack_of(name)

    def planted(self, corpus: CorpusConfig) -> CorpusConfig:
        """The corpus with what is planted."""
        if not self.plant:
            return corpus
        if any(source.path == PLANTED for source in corpus.sources):
            raise ConfigError(f"audits.plant={self.plant} and a source {PLANTED} of the corpus: keep one of them")
        made = SourceConfig(PLANTED, form="made", kind="synthetic", licence="MIT", copies=self.plant)
        return replace(corpus, sources=(*corpus.sources, made))


def audit_stage(
    config: AuditsConfig, out: Path, scores: Sequence[str], last: str, seed: int, folder: Path, ui: Ui
) -> None:
    """Audit the models of the run in `out`; `scores` are the stages with scores, `last` the one that the run is for."""
    with ExitStack() as stack, ui.progress("audits") as progress:
        first = Tokenizer.load(out / config.models[0] / "model")
        text = stack.enter_context(open_text(out / "corpus", first, config.memory))
        control = stack.enter_context(_engine(Path(config.control))) if config.control else None
        beside = EngineModel(control, config.control) if control else None
        for name in config.models:
            with _engine(out / name / "model") as engine:
                if engine.tokenizer.fingerprint != first.fingerprint:
                    raise ConfigError(f"audits.models: {name} has another tokenizer than {config.models[0]}")
                memory = _memory(config, engine, name, text, beside, progress)
                memory.write(folder / "memory" / f"{name}.json")
                ui.say(f"  memory of {name}: {said(memory)}")
                if config.questions:
                    subject = (_Plain if name in PLAIN else Local)(_is(engine), name, folder_hash(out / name / "model"))
                    safety = _safety(config, subject, seed, progress)
                    write_audit(safety, folder / "safety" / name)
                    ui.say(f"  safety of {name}: {_safety_said(safety)}")
    if not scores:
        ui.say("  hallucination: left out, for no stage of this run has scores")
        return
    counted = hallucination({name: out / name / "scores" for name in scores}, base="base", last=last)
    counted.write(folder / HALLUCINATION)
    ui.say(f"  hallucination: {_hallucination_said(counted)}")


def _memory(
    config: AuditsConfig, engine: Engine, name: str, text: AuditText, control: EngineModel | None, progress: Progress
) -> MemoryReport:
    model = EngineModel(engine, name, chat=name not in PLAIN)
    return audit_memory(model, text, config.memory, control=control, progress=progress)


class _Plain(Local):
    """A model that is asked without a chat template: it goes on behind a question."""

    opening = ""  # no template, so nothing is opened

    def chat(self, message: str | Sequence[Message]) -> Prompt:
        """Questions and answers as the format `plain` has them."""
        messages: Sequence[Message] = [{"role": "user", "content": message}] if isinstance(message, str) else message
        parts = []
        for one in messages:
            words = str(one["content"])
            lang: Lang = "zh" if any("\u4e00" <= char <= "\u9fff" for char in words) else "en"
            asked = FORMATS["plain"].text[lang].replace("{prompt}", words)
            parts.append(f" {words}\n\n" if one["role"] == "assistant" else asked)
        return "".join(parts)


def _is(engine: Engine) -> Any:
    return lambda: engine


def _safety(config: AuditsConfig, subject: Local, seed: int, progress: Progress) -> Audit:
    """Every made bank, and what must be refused once more under each attack. Words show refusals; whether a text that
    was written is harmful, only the classifier can tell."""
    stop = tuple(FORMATS["plain"].stop.values()) if isinstance(subject, _Plain) else ()
    asking = Asking(max_tokens=config.max_tokens, seed=seed, stop=stop)
    found = []
    for bank in made_banks(seed=seed):
        judges: list[Judge] = [ClassifierJudge() if bank.kind == "generation" else KeywordJudge()]
        attacks: list[Attack | None] = [None]
        if bank.kind == "should-refuse":
            attacks += map(attack_of, config.attacks)
        for attack in attacks:
            respond = _all_or_none(responder(subject, asking, None, progress, f"{subject.name}, {bank.kind}"))
            found.append(audit(bank, respond, judges, model=subject.name, n=config.questions, seed=seed, attack=attack))
    return together(found)


def _all_or_none(respond: Respond) -> Respond:
    """The same, but where each request was refused, as where an attack makes every prompt too long for the model, there
    are no answers: nothing can be judged, which a run survives."""

    def asked(turns: Sequence[Turns]) -> Sequence[tuple[str | None, ...]]:
        try:
            return respond(turns)
        except RequestError:
            return [(None,) * len(own) for own in turns]

    return asked


def said(report: MemoryReport) -> str:
    """The report in a line."""
    every = [f"{audit.name} {audit.measured.value:.3g} ({audit.outcome})" for audit in report.audits]
    every += [f"{name} left out" for name in report.left_out]
    return f"{report.outcome} in {report.seconds:.0f} s: {', '.join(every)}"


def _safety_said(found: Audit) -> str:
    every = [
        f"{_kind(one).replace('_', '-')} {one.name} {one.figure.value:.1%} of {one.n} ({one.outcome})"
        for one in found.results
    ]
    return f"{overall(found.results)[0]}: {', '.join(every)}"


def _hallucination_said(report: HallucinationReport) -> str:
    wrong = {one.stage: one.unanswerable["wrong"].value for one in report.stages if one.unanswerable}
    told = ", ".join(f"{stage} {value:.1%}" for stage, value in wrong.items())
    return f"{report.outcome}; made-up answers where there is none: {told or 'not asked'}"


def audit_figures(folder: Path) -> dict[str, Any]:
    """Flat keys for the summary of a run from what the stage left: `memory.MODEL.AUDIT`, `safety.MODEL.KIND`,
    `hallucination.MODEL.correct`, each with `_low`, `_high` and `_n`, the first two with `_outcome`."""
    found: dict[str, Any] = {}
    for path in sorted((folder / "memory").glob("*.json")):
        report = MemoryReport.read(path)
        found[f"memory.{report.model}.outcome"] = report.outcome
        for one in report.audits:
            key = f"memory.{report.model}.{one.name}"
            found |= _flat(key, one.measured)
            found |= {f"{key}_control": one.control and one.control.value, f"{key}_outcome": one.outcome}
    for path in sorted((folder / "safety").glob(f"*/{SAFETY}")):
        results = read_audit(path).results
        found[f"safety.{path.parent.name}.outcome"] = overall(results)[0]
        for result in results:
            key = f"safety.{result.model}.{_kind(result)}"
            found |= {**_flat(key, result.figure), f"{key}_outcome": result.outcome}
    if (folder / HALLUCINATION).is_file():
        counted = HallucinationReport.read(folder / HALLUCINATION)
        found["hallucination.outcome"] = counted.outcome
        if counted.difference:
            found |= _flat("hallucination.difference", counted.difference)
        for stage in counted.stages:
            every: Mapping[str, Figure] = stage.every | {
                f"unanswerable_{name}": one for name, one in stage.unanswerable.items()
            }
            for name, figure in every.items():
                found |= _flat(f"hallucination.{stage.stage}.{name}", figure)
    return {key: plain(value) for key, value in found.items()}


def _kind(result: SafetyResult) -> str:
    """`should_refuse`, under an attack `should_refuse.role`."""
    return result.kind.replace("-", "_") + (f".{result.attack}" if result.attack else "")


def _flat(key: str, figure: Figure) -> dict[str, Any]:
    return {key: figure.value, f"{key}_low": figure.low, f"{key}_high": figure.high, f"{key}_n": figure.n}


def _engine(folder: Path) -> Engine:
    device = best_device()
    model = load_model(folder, dtype=torch.float32 if device.type == "cpu" else None, device=device)
    return Engine(model, Tokenizer.load(folder))
