"""Stages on disk: each fills a folder that says what made it, and is carried out only when something changed."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from candor import files
from candor.config import difference
from candor.errors import CheckpointError, DataError
from candor.records import Progress, Provenance, code_version

PLAN = "plan.json"
"""What a stage in place keeps of what it is made from."""
_DEAR = ("step-*", "**/samples.jsonl")
"""Training, and answers that a model took long to give."""


class Ui(Protocol):
    """Where a run tells how it goes."""

    def say(self, text: str) -> None:
        """One line."""

    def progress(self, label: str) -> AbstractContextManager[Progress]:
        """A bar for the length of a `with` block."""


def indented(ui: Ui) -> Callable[[str], None]:
    """`ui.say` for what belongs to the line before."""
    return lambda text: ui.say(f"  {text}")


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    >>> Stage("tokens", make=..., inputs=("corpus", "tokenizer"), settings={"fim_rate": 0.1}, seed=0)
    """

    name: str
    """Name of the stage and of the folder it fills, like `corpus` or `base/model`."""
    make: Callable[[Path, Ui], None]
    """Fill the folder."""
    settings: dict[str, Any]
    """All that decides its result besides inputs and seed, as JSON."""
    inputs: tuple[str, ...] = ()
    """Earlier stages whose folders it reads."""
    seed: int | None = None
    """Seed, where it draws anything."""
    in_place: bool = False
    """Works in its final folder and saves its own progress there, instead of appearing whole."""
    fresh: bool = False
    """Start over, whatever is there."""
    again: bool = False
    """Make it although it is done, from what is there."""


def execute(stages: Sequence[Stage], out: Path, ui: Ui) -> None:
    """Make every stage whose folder in `out` is missing, damaged or made from something else; the rest is kept.

    Raises CheckpointError before anything is touched where a stage in place holds the work of another plan.
    """
    with files.lock(out):
        for parent in dict.fromkeys((out / stage.name).parent for stage in stages):
            files.tidy(parent)
        plans = {stage.name: _plan(stage, stages) for stage in stages if stage.in_place}
        for stage in stages:
            if stage.in_place and not stage.fresh:
                _refuse_other(out / stage.name, plans[stage.name])
        for stage in stages:
            _make(stage, out, ui, plans.get(stage.name))


def _plan(stage: Stage, stages: Sequence[Stage]) -> dict[str, Any]:
    """Settings and seeds of a stage and of all that it is made from, by stage."""
    plan: dict[str, Any] = {}
    for earlier in (other for other in stages if other.name in stage.inputs):
        plan |= _plan(earlier, stages)
    # Not the fingerprint: files that were only touched give the same corpus, and its digest is compared later.
    settings = {name: value for name, value in stage.settings.items() if name != "fingerprint"}
    return plan | {stage.name: {"seed": stage.seed, **settings}}


def _refuse_other(folder: Path, plan: dict[str, Any]) -> None:
    """What another plan has trained or sampled is not thrown away unasked."""
    if not any(any(folder.glob(dear)) for dear in _DEAR) or not (folder / PLAN).exists():
        return
    if changed := difference(files.read_json(folder / PLAN), plan):
        raise CheckpointError(
            f"{folder} holds the work of another run: {changed}; go back to that setting, choose another --out, "
            "or start over with --set train.resume=never"
        )


def _make(stage: Stage, out: Path, ui: Ui, plan: dict[str, Any] | None) -> None:
    folder = out / stage.name
    inputs = {name: Provenance.read(out / name).digest for name in stage.inputs}
    if (folder / Provenance.FILE).exists() and not (stage.fresh or stage.again):
        try:
            made = Provenance.read(folder)
            if made.made_by(stage.name, inputs, stage.settings, stage.seed):
                made.verify(folder)
                other = "" if made.code == code_version() else f" by {made.code}"
                ui.say(f"{stage.name}: done before{other}, kept ({folder})")
                return
        except DataError as error:
            ui.say(f"{stage.name}: {error}; making it again")
    ui.say(f"{stage.name} ...")
    if plan is not None:
        with files.disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            files.tidy(folder)
            (folder / Provenance.FILE).unlink(missing_ok=True)
            files.write_json(folder / PLAN, plan)
            stage.make(folder, ui)
        Provenance(stage.name, inputs, stage.settings, stage.seed, files.checksums(folder)).write(folder)
    else:
        with files.atomic_dir(folder) as tmp:
            stage.make(tmp, ui)
            Provenance(stage.name, inputs, stage.settings, stage.seed, files.checksums(tmp)).write(tmp)
