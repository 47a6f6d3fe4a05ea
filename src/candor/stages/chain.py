"""Stages of a run put together: folders by name, and what every trained model has: checkpoints and model."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from candor import files
from candor.errors import ConfigError, ModelError
from candor.plan.device import best_device
from candor.stages.export import export_like
from candor.stages.run import PLAN, Stage, Ui, execute, indented
from candor.train.loop import LoopConfig

Template = Literal["v3", "r1"]
Train = Callable[[LoopConfig, Path, Ui], None]
"""`train(loop, folder, ui)`: fill a checkpoints folder, or go on in it."""


@dataclass
class Chain:
    """The stages of one run, in order.

    >>> chain = Chain(out, seed=0, loop=LoopConfig())
    >>> chain.add("corpus", make_corpus, {"source": "python-docs"})
    """

    out: Path
    """Folder of the run."""
    seed: int
    """Its seed."""
    loop: LoopConfig
    """What every training stage does around its steps."""
    stages: list[Stage] = field(default_factory=list)
    """Those so far."""
    trained: list[str] = field(default_factory=list)
    """Those of them that train."""
    resumed: str = ""
    """The one that `train.resume` speaks of, where it is a path."""

    def add(
        self,
        name: str,
        make: Callable[[Path, Ui], None],
        settings: dict[str, Any],
        inputs: Sequence[str] = (),
        *,
        draws: bool = False,
        in_place: bool = False,
        by_hand: bool = False,
    ) -> None:
        """One stage; `draws` where its result depends on the seed.

        With `train.resume=never` those in place start over too, but for what people did `by_hand`.
        """
        seed = self.seed if draws else None
        fresh = in_place and not by_hand and self.loop.resume == "never"
        made = partial(_anew, make) if fresh else make
        self.stages.append(Stage(name, made, settings, tuple(inputs), seed, in_place=in_place, fresh=fresh))

    def train(self, name: str, train: Train, settings: dict[str, Any], inputs: Sequence[str]) -> None:
        """A training stage in the folder `name`.

        `train.resume` is its own where it is a path in this folder, or for the first one a path outside of the run.
        """
        loop = self.loop
        if loop.resume not in ("auto", "never"):
            path, first = Path(loop.resume).resolve(), not self.trained
            outside = not path.is_relative_to(self.out.resolve())
            if path.is_relative_to((self.out / name).resolve()) or (first and outside):
                self.resumed = name
            else:
                loop = replace(loop, resume="auto")
        self.trained.append(name)
        self.stages.append(
            Stage(
                name,
                partial(train, loop),
                settings,
                tuple(inputs),
                self.seed,
                in_place=True,
                fresh=loop.resume == "never",
                again=loop.resume not in ("auto", "never"),
            )
        )

    def tuned(
        self,
        name: str,
        source: str,
        train: Train,
        settings: dict[str, Any],
        inputs: Sequence[str] = (),
        *,
        template: Template | None = None,
    ) -> None:
        """A model trained from the model of the stage `source`: `NAME/checkpoints` and `NAME/model`."""
        origin = f"{source}/model"
        self.train(f"{name}/checkpoints", train, settings, (origin, *inputs))
        make = partial(_export, self.out / origin, self.out / name / "checkpoints", template)
        self.add(f"{name}/model", make, {"template": template}, (f"{name}/checkpoints", origin))

    def check(self) -> None:
        """ConfigError where `train.resume` is a path that no stage can go on from."""
        resume = self.loop.resume
        if self.trained and resume not in ("auto", "never") and not self.resumed:
            raise ConfigError(
                f"train.resume={resume} is in no folder of checkpoints of this run; there are "
                f"{', '.join(self.trained)} in {self.out}"
            )


def _anew(make: Callable[[Path, Ui], None], folder: Path, ui: Ui) -> None:
    """Fill a folder in which an earlier run may have left something."""
    for left in folder.iterdir():
        if left.is_dir():
            files.remove_dir(left)
        elif left.name != PLAN:
            left.unlink()
    make(folder, ui)


def _export(source: Path, checkpoints: Path, template: Template | None, folder: Path, ui: Ui) -> None:
    export_like(source, checkpoints, folder, template)


def training(name: str, work: Callable[..., object]) -> Train:
    """`work` as a stage that trains: it is called with `loop`, `folder`, `say`, `progress` and `device`."""

    def train(loop: LoopConfig, folder: Path, ui: Ui) -> None:
        with ui.progress(name) as progress:
            work(loop=loop, folder=folder, say=indented(ui), progress=progress, device=best_device())

    return train


def train_alone(
    train: Train,
    settings: dict[str, Any],
    export: Callable[[Path, Ui], None],
    out: Path,
    seed: int,
    loop: LoopConfig,
    ui: Ui,
) -> None:
    """Train into `out/checkpoints` and export to `out/model`, with no run around it; what is there and fits is kept."""
    chain = Chain(out, seed, loop)
    chain.train("checkpoints", train, settings, ())
    chain.add("model", export, {}, ("checkpoints",))
    chain.check()
    execute(chain.stages, out, ui)


def link_folder(source: Path, folder: Path) -> None:
    """The files of a model folder under another name, without taking room twice where the disk allows it."""
    if not (source / "config.json").is_file():
        raise ModelError(f"{source} is no model folder: it has no config.json; give one in Hugging Face format")
    for file in sorted(source.rglob("*")):
        target = folder / file.relative_to(source)
        if file.is_dir():
            target.mkdir()
        elif file.name != "provenance.json":
            try:
                os.link(file.resolve(), target)
            except OSError:
                shutil.copyfile(file, target)
