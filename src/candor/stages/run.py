"""A run: its configuration and its stages, each a folder with its provenance, made only when something changed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from candor import files
from candor.config import to_dict
from candor.data import CorpusConfig, PackConfig, build_corpus, fingerprint, pack, read_corpus
from candor.errors import ConfigError, DataError, ModelError
from candor.model import ModelConfig, Transformer
from candor.model.config import nano
from candor.model.hub import load_model, write_model
from candor.plan.counts import count_parameters
from candor.plan.estimate import HardwareConfig, best_device, device_memory
from candor.records import Provenance, code_version
from candor.stages.measure import EvaluateConfig, evaluate, write_report
from candor.stages.pretrain import PretrainConfig, pretrain
from candor.text import TEMPLATES, Tokenizer
from candor.train.checkpoint import load_weights
from candor.train.loop import Progress


class Ui(Protocol):
    """Where a run tells how it goes."""

    def say(self, text: str) -> None:
        """One line."""

    def progress(self, label: str) -> AbstractContextManager[Progress]:
        """A bar for the length of a `with` block."""


@dataclass(frozen=True)
class ExportConfig:
    """The released weights."""

    dtype: str = "bfloat16"
    """float32 or bfloat16; the gate bias is always float32."""
    template: str = "v3"
    """Chat template in tokenizer_config.json: v3, or r1 which opens with <think>."""

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "bfloat16"):
            raise ConfigError(f"export.dtype={self.dtype!r} must be float32 or bfloat16")
        if self.template not in TEMPLATES:
            raise ConfigError(f"export.template={self.template!r} must be one of {', '.join(TEMPLATES)}")


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
    export: ExportConfig = field(default_factory=ExportConfig)
    """The model folder."""
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    """What is measured at the end."""
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    """Machines, for the estimate of --dry-run."""

    def __post_init__(self) -> None:
        longest = self.model.max_position_embeddings
        for name, length in {
            "pretrain.sequence_length": self.pretrain.sequence_length,
            "evaluate.context": self.evaluate.context,
        }.items():
            if length > longest:
                raise ConfigError(
                    f"{name}={length} exceeds model.max_position_embeddings={longest}; lower one or raise the other"
                )


@dataclass(frozen=True)
class Stage:
    """One step of a run and the folder it fills."""

    name: str
    """Name of the stage and of its folder in the run."""
    inputs: tuple[str, ...]
    """Stages whose folders it reads."""
    settings: Callable[[RunConfig], dict[str, Any]]
    """The part of the configuration that changes its result."""
    make: Callable[["Run", Path], None]
    """Fill the folder."""
    in_place: bool = False
    """Works in its final folder and saves its own progress there, instead of appearing whole."""


class Run:
    """A configuration and the folder in which it is carried out."""

    def __init__(self, config: RunConfig, out: Path, ui: Ui):
        self.config, self.out, self.ui = config, out, ui

    def execute(self) -> None:
        """Make every stage whose folder is missing, damaged or made from something else; the rest is kept."""
        self._check_memory()
        with files.lock(self.out):
            files.tidy(self.out)
            for stage in STAGES:
                self._make(stage)

    def _check_memory(self) -> None:
        counts = count_parameters(self.config.model)
        parameters = counts.main + counts.mtp
        need = parameters * self.config.hardware.bytes_per_parameter
        have = device_memory(best_device())
        if need > have:
            raise ConfigError(
                f"training {parameters:,} parameters needs {need / 2**30:,.1f} GiB for weights and optimizer, "
                f"this machine has {have / 2**30:,.1f}; choose a smaller model, or see --dry-run"
            )

    def _make(self, stage: Stage) -> None:
        folder = self.out / stage.name
        inputs = {name: Provenance.read(self.out / name).digest for name in stage.inputs}
        if not stage.inputs:
            inputs["source"] = fingerprint(self.config.corpus)
        settings = stage.settings(self.config)
        again = stage.in_place and self.config.pretrain.resume == "never"
        if (folder / Provenance.FILE).exists() and not again:
            try:
                made = Provenance.read(folder)
                if made.made_by(stage.name, inputs, settings, self.config.seed):
                    made.verify(folder)
                    other = "" if made.code == code_version() else f" by {made.code}"
                    self.ui.say(f"{stage.name}: done before{other}, kept ({folder})")
                    return
            except DataError as error:
                self.ui.say(f"{stage.name}: {error}; making it again")
        self.ui.say(f"{stage.name} ...")
        if stage.in_place:
            with files.disk_errors(folder):
                folder.mkdir(exist_ok=True)
                files.tidy(folder)
                (folder / Provenance.FILE).unlink(missing_ok=True)
                stage.make(self, folder)
            Provenance(stage.name, inputs, settings, self.config.seed, files.checksums(folder)).write(folder)
        else:
            with files.atomic_dir(folder) as tmp:
                stage.make(self, tmp)
                Provenance(stage.name, inputs, settings, self.config.seed, files.checksums(tmp)).write(tmp)

    # The stages, in order.

    def corpus(self, folder: Path) -> None:
        """Read the source and write the corpus in hash order."""
        with self.ui.progress("corpus") as progress:
            build_corpus(self.config.corpus, folder, progress)
        manifest = files.read_json(folder / "manifest.json")
        train, held = manifest["train"], manifest["heldout"]
        self.ui.say(
            f"  {train['documents']:,} documents, {train['bytes'] / 1e6:,.1f} MB to train on; "
            f"{held['documents']:,}, {held['bytes'] / 1e6:,.2f} MB held out"
        )

    def tokenizer(self, folder: Path) -> None:
        """Train the tokenizer on the training documents."""
        tokenizer = Tokenizer.train(
            (document.text for document in read_corpus(self.out / "corpus", "train")), self.config.model.vocab_size
        )
        tokenizer.save(folder)
        self.ui.say(f"  {tokenizer.vocab_size:,} tokens")

    def tokens(self, folder: Path) -> None:
        """Tokenise and pack."""
        tokenizer = Tokenizer.load(self.out / "tokenizer")
        with self.ui.progress("tokens") as progress:
            pack(self.out / "corpus", tokenizer, self.config.tokens, folder, self.config.seed, progress)
        index = files.read_json(folder / "index.json")
        per_token = index["heldout_bytes"] / max(1, index["heldout_tokens"])
        self.ui.say(f"  {index['train_tokens']:,} tokens, {per_token:.2f} bytes each on held-out text")

    def checkpoints(self, folder: Path) -> None:
        """Pre-train."""
        config = self.config
        with self.ui.progress("pretrain") as progress:
            pretrain(
                config.pretrain,
                config.model,
                self.out / "tokens",
                folder,
                config.seed,
                say=lambda text: self.ui.say(f"  {text}"),
                progress=progress,
                device=best_device(),
            )

    def model(self, folder: Path) -> None:
        """Export the last checkpoint and prove that the folder gives the same logits."""
        model = Transformer(self.config.model)
        load_weights(last_checkpoint(self.out / "checkpoints"), model)
        dtype: torch.dtype = getattr(torch, self.config.export.dtype)
        write_model(model, folder, dtype)
        tokenizer = Tokenizer.load(self.out / "tokenizer")
        tokenizer.save(folder, template=self.config.export.template)
        reread = load_model(folder)
        probe = torch.randint(0, model.config.vocab_size, (1, 64), generator=torch.Generator().manual_seed(0))
        model.eval()
        for name, parameter in model.named_parameters():
            if not name.endswith("correction_bias"):
                parameter.data = parameter.data.to(dtype)
        with torch.inference_mode():
            difference = float((reread(probe).float() - model(probe).float()).abs().max())
        if difference != 0 or Tokenizer.load(folder).fingerprint != tokenizer.fingerprint:
            raise ModelError(
                f"the exported folder differs from the trained model (logits by {difference}); not exported"
            )
        self.ui.say("  read back: logits and tokenizer are the trained model's")

    def evals(self, folder: Path) -> None:
        """Measure the exported model."""
        with self.ui.progress("evals") as progress:
            evaluate(self.config.evaluate, self.out, folder, self.config.seed, progress)

    def report(self, folder: Path) -> None:
        """Collect the figures and draw the curves."""
        write_report(self.config.name, self.out, folder)


STAGES = (
    Stage("corpus", (), lambda c: to_dict(c.corpus), Run.corpus),
    Stage("tokenizer", ("corpus",), lambda c: {"vocab_size": c.model.vocab_size}, Run.tokenizer),
    Stage("tokens", ("corpus", "tokenizer"), lambda c: to_dict(c.tokens), Run.tokens),
    Stage(
        "checkpoints",
        ("tokens",),
        lambda c: {"model": to_dict(c.model), "pretrain": c.pretrain.settings()},
        Run.checkpoints,
        in_place=True,
    ),
    Stage("model", ("checkpoints", "tokenizer"), lambda c: to_dict(c.export), Run.model),
    Stage("evals", ("model", "corpus"), lambda c: to_dict(c.evaluate), Run.evals),
    Stage("report", ("corpus", "tokens", "checkpoints", "model", "evals"), lambda c: {"name": c.name}, Run.report),
)
"""The stages of a run in order."""


def last_checkpoint(folder: Path) -> Path:
    """The newest `step-N` of a checkpoints folder."""
    steps = sorted(folder.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))
    if not steps:
        raise DataError(f"{folder} holds no checkpoint; run the training stage")
    return steps[-1]
