"""A run from text to a measured model, base or R1: its configuration and its stages in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from candor.config import check, to_dict
from candor.data import CorpusConfig, PackConfig, TokenIndex, pack, read_corpus
from candor.errors import ConfigError
from candor.evaluate.subject import folder_hash
from candor.model import ModelConfig
from candor.model.config import nano
from candor.plan.counts import count_parameters
from candor.plan.device import best_device, device_memory
from candor.plan.estimate import HardwareConfig
from candor.stages.audits import AuditsConfig, audit_stage
from candor.stages.chain import Chain, link_folder, training
from candor.stages.corpus import corpus_settings, corpus_stage
from candor.stages.export import ExportConfig, export
from candor.stages.measure import EvaluateConfig, evaluate
from candor.stages.pretrain import PretrainConfig, pretrain
from candor.stages.r1 import R1Config, Until, r1_stages
from candor.stages.report import NAMES, write_report
from candor.stages.run import Stage, Ui, execute
from candor.text import Tokenizer
from candor.train.loop import LoopConfig


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run; a recipe is a function that returns one."""

    name: str = "run"
    """Name of the recipe."""
    seed: int = 0
    """Seed of weights, order of data, FIM and samples."""
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    """Text and its split."""
    tokens: PackConfig = field(default_factory=PackConfig)
    """From documents to tokens."""
    model: ModelConfig = field(default_factory=nano)
    """Shape of the model; its vocabulary is the tokenizer's too."""
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    """Training of the base model."""
    train: LoopConfig = field(default_factory=LoopConfig)
    """What every training stage does around its steps."""
    export: ExportConfig = field(default_factory=ExportConfig)
    """The model folder."""
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    """What is measured at the end."""
    audits: AuditsConfig = field(default_factory=AuditsConfig)
    """Which models are audited for memory, safety and hallucination, and what is planted for that."""
    until: Until = "base"
    """How far the run goes: the base model, r1_zero, r1, or distilled, which also teaches a smaller model."""
    base_model: str = ""
    """Model folder to start from in place of pre-training; for r1_zero and r1."""
    r1: R1Config = field(default_factory=R1Config)
    """What happens after pre-training."""
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    """Machines, for the estimate of memory and time."""

    def __post_init__(self) -> None:
        check(self)
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed={self.seed} must be a number from 0 to below 2^63")
        if self.base_model and self.until not in ("r1_zero", "r1"):
            raise ConfigError(
                f"base_model={self.base_model} is where until=r1_zero or until=r1 starts; set one of them"
            )
        if self.base_model and (self.audits.models or self.audits.plant):
            raise ConfigError(
                f"base_model={self.base_model}: its corpus is not here; set audits.models= and audits.plant=, and use "
                "candor eval memory and safety instead"
            )
        if unknown := [name for name in self.audits.models if name not in NAMES]:
            raise ConfigError(f"audits.models names {unknown[0]}, and a run makes {', '.join(NAMES)}")
        longest = self.model.max_position_embeddings
        for name, length in {
            "pretrain.sequence_length": self.pretrain.sequence_length,
            "evaluate.context": self.evaluate.context,
        }.items():
            if length > longest and not self.base_model:
                raise ConfigError(
                    f"{name}={length} exceeds model.max_position_embeddings={longest}; lower one or raise the other"
                )

    def resolved_r1(self) -> R1Config:
        """`r1` with a smaller model that has this run's vocabulary."""
        return replace(self.r1, student=replace(self.r1.student, vocab_size=self.model.vocab_size))


def run(config: RunConfig, out: Path, ui: Ui) -> None:
    """Carry out a run in the folder `out`; ConfigError where its training cannot fit into memory."""
    counts = count_parameters(config.model)
    parameters = 0 if config.base_model else counts.main + counts.mtp
    need = parameters * config.hardware.bytes_per_parameter
    have = device_memory(best_device())
    if need > have:
        raise ConfigError(
            f"training {parameters:,} parameters needs {need / 2**30:,.1f} GiB for weights and optimizer, "
            f"this machine has {have / 2**30:,.1f}; choose a smaller model, or see --dry-run"
        )
    execute(stages_of(config, out), out, ui)


def stages_of(config: RunConfig, out: Path) -> tuple[Stage, ...]:
    """The stages of a run in order; their folders lie in `out`, and `model` is the one that the run is for."""
    c, chain = config, Chain(out, config.seed, config.train)
    if c.base_model:
        given = Path(c.base_model)
        chain.add("base/model", partial(_linked, given), {"base_model": folder_hash(given)})
    else:
        corpus = c.audits.planted(c.corpus)
        chain.add("corpus", partial(corpus_stage, corpus), corpus_settings(corpus), in_place=True)
        size = c.model.vocab_size
        chain.add("tokenizer", partial(_tokenizer, size, out), {"vocab_size": size}, ("corpus",))
        chain.add("tokens", partial(_tokens, c, out), to_dict(c.tokens), ("corpus", "tokenizer"), draws=True)
        pretraining = {"model": to_dict(c.model), "pretrain": c.pretrain.deciding()}
        work = partial(pretrain, c.pretrain, model_config=c.model, tokens=out / "tokens", seed=c.seed)
        chain.train("base/checkpoints", training("pretrain", work), pretraining, ("tokens",))
        make = partial(_model, c, out, out / "base" / "checkpoints")
        chain.add("base/model", make, to_dict(c.export), ("base/checkpoints", "tokenizer"))
        evaluating = partial(_evals, c, out, out / "base" / "model")
        chain.add("base/evals", evaluating, to_dict(c.evaluate), ("base/model", "corpus"), draws=True)
    r1_stages(chain, c.resolved_r1(), c.until)
    last = {"base": "base", "r1_zero": "r1_zero"}.get(c.until, "r1")
    _audits(chain, c, last)
    chain.add("model", partial(_linked, out / last / "model"), {}, (f"{last}/model",))
    chain.check()
    everything = tuple(stage.name for stage in chain.stages)
    chain.add("report", partial(_report, c, out, everything), {"name": c.name, "until": c.until}, everything)
    return tuple(chain.stages)


def _audits(chain: Chain, config: RunConfig, last: str) -> None:
    """The stage `audits`, of those models that are named and as far as the run goes, and of all that have scores."""
    made = [stage.name for stage in chain.stages]
    scored = [name.removesuffix("/scores") for name in made if name.endswith("/scores")]
    c = replace(config.audits, models=tuple(name for name in config.audits.models if name in (scored or ["base"])))
    if not c.models:
        return
    settings = to_dict(c) | {"control": c.control and folder_hash(Path(c.control))}
    inputs = ("corpus", *(f"{name}/model" for name in c.models), *(f"{name}/scores" for name in scored))
    chain.add("audits", partial(audit_stage, c, chain.out, scored, last, config.seed), settings, inputs, draws=True)


def _linked(source: Path, folder: Path, ui: Ui) -> None:
    link_folder(source, folder)


def _tokenizer(vocab_size: int, out: Path, folder: Path, ui: Ui) -> None:
    tokenizer = Tokenizer.train((document.text for document in read_corpus(out / "corpus", "train")), vocab_size)
    tokenizer.save(folder)
    ui.say(f"  {tokenizer.vocab_size:,} tokens")


def _tokens(config: RunConfig, out: Path, folder: Path, ui: Ui) -> None:
    with ui.progress("tokens") as progress:
        pack(out / "corpus", Tokenizer.load(out / "tokenizer"), config.tokens, folder, config.seed, progress)
    index = TokenIndex.read(folder)
    ui.say(f"  {index.tokens:,} tokens, {index.bytes / index.tokens:.2f} bytes each")


def _model(config: RunConfig, out: Path, checkpoints: Path, folder: Path, ui: Ui) -> None:
    export(config.export, config.model, checkpoints, out / "tokenizer", folder)
    ui.say("  read back: logits and tokenizer are the trained model's")


def _evals(config: RunConfig, out: Path, model: Path, folder: Path, ui: Ui) -> None:
    with ui.progress("evals") as progress:
        evaluate(config.evaluate, model, out / "corpus", folder, config.seed, best_device(), progress)


def _report(config: RunConfig, out: Path, stages: Sequence[str], folder: Path, ui: Ui) -> None:
    write_report(config.name, out, stages, folder)
    ui.say(f"  {out / 'report' / 'index.html'}")
