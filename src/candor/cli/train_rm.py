"""What `candor train rm` does and shows."""

from pathlib import Path
from typing import TypeVar

from candor.cli import console
from candor.cli.evaluate import default_name
from candor.config import override
from candor.data.dialogues import ORIGINS, LeftOut
from candor.data.preferences import read_preferences, read_verdicts
from candor.errors import ConfigError
from candor.rl.reward_model import KINDS
from candor.stages.reward_model import RewardModelRun, make_reward_model
from candor.stages.supervised import read_heldout

T = TypeVar("T", bound=str)


def run_rm(
    model: Path,
    data: str,
    *,
    kind: str,
    out: Path | None = None,
    sets: list[str] | None = None,
    origin: str | None = None,
    skip_broken: bool = False,
) -> None:
    """Train a reward model from a model folder: helpfulness on pairs, safety on verdicts.

    `origin` is that of rows that name none; with `skip_broken` rows that cannot be used are left out and counted.
    """
    known = _one_of("--origin", origin, ORIGINS) if origin is not None else None
    run = override(RewardModelRun(), *(sets or ()), f"rm.kind={_one_of('--kind', kind, KINDS)}")
    terminal, left_out = console.Terminal(), LeftOut()
    read = read_preferences if run.rm.kind == "helpfulness" else read_verdicts
    judged = read(data, origin=known, skip_broken=left_out if skip_broken else None)
    folder = out or Path("runs") / f"rm-{run.rm.kind}-{default_name(str(model), '')}"
    terminal.say(f"reward model of {run.rm.kind} from {model} on {data}: into {folder}", "bold")
    make_reward_model(run, model, judged, folder, terminal, left_out)
    _show_figures(terminal, folder)


def _one_of(option: str, value: str, known: tuple[T, ...]) -> T:
    for one in known:
        if one == value:
            return one
    raise ConfigError(f"{option} {value!r} must be one of {', '.join(known)}")


def _show_figures(terminal: console.Terminal, folder: Path) -> None:
    figures = read_heldout(folder / "checkpoints")
    terminal.say("")
    if figures:
        terminal.say(f"Right on {figures['after'].n:,} held-out questions (more is better)", "bold")
        terminal.change(figures)
    else:
        terminal.say("no question was held out, so what was learnt is not measured; see rm.heldout_share")
    terminal.say("")
    terminal.say(f"left out, one by one  {folder / 'checkpoints' / 'left_out.jsonl'}")
    terminal.say(f"reward model  {folder / 'model'}")
