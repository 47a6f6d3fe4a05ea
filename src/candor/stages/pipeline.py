"""A run from text to a measured model: its configuration and its stages in order."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from candor import files
from candor.config import check, to_dict
from candor.data import CorpusConfig, PackConfig, TokenIndex, build_corpus, fingerprint, pack, read_corpus
from candor.errors import ConfigError
from candor.model import ModelConfig
from candor.model.config import nano
from candor.plan.counts import count_parameters
from candor.plan.device import best_device, device_memory
from candor.plan.estimate import HardwareConfig
from candor.stages.export import ExportConfig, export
from candor.stages.measure import EvaluateConfig, evaluate
from candor.stages.pretrain import PretrainConfig, pretrain
from candor.stages.report import write_report
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
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    """Machines, for the estimate of memory and time."""

    def __post_init__(self) -> None:
        check(self)
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed={self.seed} must be a number from 0 to below 2^63")
        longest = self.model.max_position_embeddings
        for name, length in {
            "pretrain.sequence_length": self.pretrain.sequence_length,
            "evaluate.context": self.evaluate.context,
        }.items():
            if length > longest:
                raise ConfigError(
                    f"{name}={length} exceeds model.max_position_embeddings={longest}; lower one or raise the other"
                )


def run(config: RunConfig, out: Path, ui: Ui) -> None:
    """Carry out a run in the folder `out`; ConfigError where its training cannot fit into memory."""
    counts = count_parameters(config.model)
    parameters = counts.main + counts.mtp
    need = parameters * config.hardware.bytes_per_parameter
    have = device_memory(best_device())
    if need > have:
        raise ConfigError(
            f"training {parameters:,} parameters needs {need / 2**30:,.1f} GiB for weights and optimizer, "
            f"this machine has {have / 2**30:,.1f}; choose a smaller model, or see --dry-run"
        )
    execute(stages_of(config, out), out, ui)


def stages_of(config: RunConfig, out: Path) -> tuple[Stage, ...]:
    """The stages of a run in order; their folders lie in `out`."""
    c = config
    return (
        Stage(
            "corpus",
            partial(_corpus, c.corpus),
            to_dict(c.corpus) | {"fingerprint": fingerprint(c.corpus)},
        ),
        Stage(
            "tokenizer", partial(_tokenizer, c.model.vocab_size, out), {"vocab_size": c.model.vocab_size}, ("corpus",)
        ),
        Stage("tokens", partial(_tokens, c, out), to_dict(c.tokens), ("corpus", "tokenizer"), c.seed),
        Stage(
            "checkpoints",
            partial(_checkpoints, c, out),
            {"model": to_dict(c.model), "pretrain": c.pretrain.deciding()},
            ("tokens",),
            c.seed,
            in_place=True,
            fresh=c.train.resume == "never",
            again=c.train.resume not in ("auto", "never"),
        ),
        Stage("model", partial(_model, c, out), to_dict(c.export), ("checkpoints", "tokenizer")),
        Stage("evals", partial(_evals, c, out), to_dict(c.evaluate), ("model", "corpus"), c.seed),
        Stage(
            "report",
            partial(_report, c, out),
            {"name": c.name},
            ("corpus", "tokenizer", "tokens", "checkpoints", "model", "evals"),
        ),
    )


def _corpus(config: CorpusConfig, folder: Path, ui: Ui) -> None:
    with ui.progress("corpus") as progress:
        build_corpus(config, folder, progress)
    manifest = files.read_json(folder / "manifest.json")
    train, held = manifest["train"], manifest["heldout"]
    ui.say(
        f"  {train['documents']:,} documents, {train['bytes'] / 1e6:,.1f} MB to train on; "
        f"{held['documents']:,}, {held['bytes'] / 1e6:,.2f} MB held out"
    )


def _tokenizer(vocab_size: int, out: Path, folder: Path, ui: Ui) -> None:
    tokenizer = Tokenizer.train((document.text for document in read_corpus(out / "corpus", "train")), vocab_size)
    tokenizer.save(folder)
    ui.say(f"  {tokenizer.vocab_size:,} tokens")


def _tokens(config: RunConfig, out: Path, folder: Path, ui: Ui) -> None:
    with ui.progress("tokens") as progress:
        pack(out / "corpus", Tokenizer.load(out / "tokenizer"), config.tokens, folder, config.seed, progress)
    index = TokenIndex.read(folder)
    ui.say(f"  {index.tokens:,} tokens, {index.bytes / index.tokens:.2f} bytes each")


def _checkpoints(config: RunConfig, out: Path, folder: Path, ui: Ui) -> None:
    with ui.progress("pretrain") as progress:
        pretrain(
            config.pretrain,
            config.train,
            config.model,
            out / "tokens",
            folder,
            config.seed,
            say=lambda text: ui.say(f"  {text}"),
            progress=progress,
            device=best_device(),
        )


def _model(config: RunConfig, out: Path, folder: Path, ui: Ui) -> None:
    export(config.export, config.model, out / "checkpoints", out / "tokenizer", folder)
    ui.say("  read back: logits and tokenizer are the trained model's")


def _evals(config: RunConfig, out: Path, folder: Path, ui: Ui) -> None:
    with ui.progress("evals") as progress:
        evaluate(config.evaluate, out / "model", out / "corpus", folder, config.seed, best_device(), progress)


def _report(config: RunConfig, out: Path, folder: Path, ui: Ui) -> None:
    write_report(config.name, config.model, out, folder)
    ui.say(f"  {out / 'report' / 'index.html'}")
