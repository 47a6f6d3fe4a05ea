"""What `candor train rl` and `candor train distill` do and show."""

from pathlib import Path

from candor import files
from candor.cli import console
from candor.cli.evaluate import default_name
from candor.config import override
from candor.errors import DataError
from candor.evaluate.subject import open_subject
from candor.stages.collect import CollectConfig, rejection_sample
from candor.stages.rl import TRANSCRIPTS, RLRun, reinforce
from candor.stages.sft import SftConfig, SftRun, finetune
from candor.train.loop import METRICS


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
    terminal.say(f"model  {folder / 'model'}   try: candor eval {folder / 'model'} --tasks arithmetic -k 4")


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
    terminal.say(f"model  {folder / 'model'}   try: candor chat {folder / 'model'}")
