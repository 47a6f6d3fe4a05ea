"""What `candor train sft`, `rl`, `rm` and `distill` do and show."""

from pathlib import Path
from typing import TypeVar

from candor import files
from candor.cli import console
from candor.cli.evaluate import carry_out, default_name, tasks_from
from candor.config import describe, override
from candor.data.dialogues import ORIGINS, Dialogue, LeftOut, read_dialogues
from candor.data.preferences import read_preferences, read_verdicts
from candor.errors import ConfigError, DataError
from candor.evaluate.subject import open_subject
from candor.model.hub import config_from_hf
from candor.plan.counts import count_parameters
from candor.plan.estimate import HardwareConfig, estimate_training
from candor.rl.reward_model import KINDS
from candor.stages.collect import CollectConfig, rejection_sample
from candor.stages.lessons import describe_data, loader_of, prepare
from candor.stages.reward_model import RewardModelRun, make_reward_model
from candor.stages.rl import TRANSCRIPTS, RLRun, reinforce
from candor.stages.sft import SftConfig, SftRun, finetune
from candor.stages.supervised import LEFT_OUT, read_heldout
from candor.text import Tokenizer
from candor.train.loop import METRICS

T = TypeVar("T", bound=str)


def run_sft(
    model: Path,
    data: str,
    *,
    out: Path | None = None,
    sets: list[str] | None = None,
    origin: str | None = None,
    tasks: str = "",
    problems: int = 100,
    dry_run: bool = False,
) -> None:
    """Train a model folder's model on dialogues, or with `dry_run` say what that comes to.

    `origin` is that of rows that name none. `tasks` are asked in the chat form before and after, `problems` of each.
    """
    known = _one_of("--origin", origin, ORIGINS) if origin is not None else None
    run = override(SftRun(), *(sets or ()))
    asked = tasks_from(tasks, [], format="chat", n=problems) if tasks else []
    terminal, left_out = console.Terminal(), LeftOut()
    dialogues = read_dialogues(data, origin=known, skip_broken=left_out if run.sft.skip_broken else None)
    if dry_run:
        _show_plan(terminal, run, model, dialogues, left_out)
        return
    folder = out or Path("runs") / f"sft-{default_name(str(model), '')}"
    terminal.say(f"sft of {model} on {data}: into {folder}", "bold")
    if asked:
        carry_out(str(model), "", asked, folder / "evals" / "before", None)
    finetune(run, model, dialogues, folder, terminal, left_out)
    what = "Loss per token of answers in {:,} held-out dialogues, nats (less is better)"
    _show_figures(terminal, folder, what, "no dialogue was held out", "sft")
    _show_model(terminal, folder, "chat")
    if asked:
        carry_out(str(folder / "model"), "", asked, folder / "evals" / "after", folder / "evals" / "before")


def _show_plan(
    terminal: console.Terminal, run: SftRun, folder: Path, dialogues: list[Dialogue], left_out: LeftOut
) -> None:
    terminal.say("settings", "bold")
    terminal.table([[f"  {name}", value, f"# {doc}" if doc else ""] for name, value, doc in describe(run)])
    config, tokenizer = config_from_hf(files.read_json(folder / "config.json")), Tokenizer.load(folder)
    lessons = prepare(run.sft, tokenizer, dialogues, run.seed, left_out)
    loader = loader_of(run.sft, lessons.examples(), tokenizer, run.seed)
    terminal.say("")
    terminal.say("data", "bold")
    for line in (*left_out.lines(), describe_data(lessons.summary(loader))):
        terminal.say(f"  {line}")
    counts, windows = count_parameters(config), run.sft.epochs * loader.windows
    estimate = estimate_training(
        config,
        HardwareConfig(),
        total_tokens=windows * run.sft.sequence_length,
        sequence_length=run.sft.sequence_length,
        micro_batch=run.sft.micro_batch,
        precision=run.sft.precision,
    )
    memory = (estimate.state_bytes + estimate.activation_bytes) / 2**30
    terminal.say("")
    terminal.say("training (estimates for this machine)", "bold")
    terminal.table(
        [
            ["  parameters", f"{counts.main + counts.mtp:,}"],
            ["  steps", f"{-(-windows // run.sft.batch):,} of {run.sft.batch} windows of {run.sft.sequence_length}"],
            ["  memory", f"{memory:,.1f} GiB for weights, optimizer and the activations of a micro-batch"],
            [
                "  time",
                f"{estimate.seconds:,.0f} s" if estimate.seconds < 120 else f"{estimate.seconds / 60:,.0f} minutes",
            ],
        ]
    )


def run_rl(
    model: Path,
    *,
    tasks: str = "",
    reward_models: list[Path] | None = None,
    out: Path | None = None,
    sets: list[str] | None = None,
) -> None:
    """Train a model folder's model by reinforcement learning on problems that can be checked."""
    named = [f"rl.rollout.tasks={tasks}"] if tasks else []
    run = override(RLRun(), *named, *(sets or ()))
    folder = out or Path("runs") / f"rl-{default_name(str(model), '')}"
    terminal = console.Terminal()
    terminal.say(f"rl of {model} on {', '.join(run.rl.rollout.tasks)}: into {folder}", "bold")
    reinforce(run, model, reward_models or [], folder, terminal)
    lines = files.read_lines(folder / "checkpoints" / METRICS)
    watched = [line for line in lines if any(name.startswith("heldout.") for name in line)]
    terminal.say("")
    if watched:
        terminal.say("Right answers to held-out problems, percent, before the step", "bold")
        names = [name for name in watched[0] if name.startswith("heldout.")]
        head = ["  step", *(name.removeprefix("heldout.") for name in names)]
        terminal.table(
            [head, *([f"  {line['step']}", *(f"{100 * line[name]:.1f}" for name in names)] for line in watched)]
        )
        terminal.say("")
    if (transcripts := folder / "checkpoints" / TRANSCRIPTS).exists():
        terminal.say(f"answers through training  {transcripts}")
    _show_model(terminal, folder, "eval", " --tasks arithmetic -k 4")


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
    what = "Right on {:,} held-out questions (more is better)"
    _show_figures(terminal, folder, what, "no question was held out", "rm")
    terminal.say(f"reward model  {folder / 'model'}")


def run_distill(
    student: Path,
    teacher: str,
    *,
    tasks: str = "",
    teacher_name: str = "",
    out: Path | None = None,
    sets: list[str] | None = None,
    collect: list[str] | None = None,
) -> None:
    """Ask a teacher, keep what is right and readable, and teach a student's model folder by SFT on it.

    `teacher` is a model folder or a server, whose model is called `teacher_name`. `collect` are settings of the
    sampling, `sets` those of the training.
    """
    named = [f"tasks={tasks}"] if tasks else []
    config = override(CollectConfig(format="chat"), *named, *(collect or ()))
    run = override(SftRun(sft=SftConfig(template="r1")), *(sets or ()))  # which holds the thoughts that are learnt
    folder = out or Path("runs") / f"distilled-{default_name(str(student), '')}"
    terminal = console.Terminal()
    terminal.say(f"distillation of {teacher} into {student}: into {folder}", "bold")
    answers = folder / "answers"
    opened = open_subject(teacher, name=teacher_name, chat=True)
    with files.lock(answers), opened as subject, terminal.progress("answers") as progress:
        dialogues = rejection_sample(config, subject, answers, run.seed, progress)
    if not dialogues:
        raise DataError(f"no answer of {teacher} is right and readable; {answers / 'counts.json'} says why")
    terminal.say(f"{len(dialogues):,} answers are right and readable; counts in {answers / 'counts.json'}")
    finetune(run, student, dialogues, folder, terminal)
    terminal.say("")
    _show_model(terminal, folder, "chat")


def _one_of(option: str, value: str, known: tuple[T, ...]) -> T:
    for one in known:
        if one == value:
            return one
    raise ConfigError(f"{option} {value!r} must be one of {', '.join(known)}")


def _show_figures(terminal: console.Terminal, folder: Path, what: str, nothing: str, group: str) -> None:
    """What was measured before and after, with the number of cases put into `what`."""
    figures = read_heldout(folder / "checkpoints")
    terminal.say("")
    if figures:
        terminal.say(what.format(figures["after"].n), "bold")
        terminal.change(figures)
    else:
        terminal.say(f"{nothing}, so what was learnt is not measured; see {group}.heldout_share")
    terminal.say("")
    terminal.say(f"left out, one by one  {folder / 'checkpoints' / LEFT_OUT}")


def _show_model(terminal: console.Terminal, folder: Path, command: str, options: str = "") -> None:
    terminal.say(f"model  {folder / 'model'}   try: candor {command} {folder / 'model'}{options}")
