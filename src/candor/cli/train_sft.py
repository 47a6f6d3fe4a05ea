"""What `candor train sft` does and shows."""

from pathlib import Path

from candor import files
from candor.cli import console
from candor.cli.evaluate import carry_out, default_name, tasks_from
from candor.config import describe, override
from candor.data.dialogues import ORIGINS, Dialogue, LeftOut, read_dialogues
from candor.errors import ConfigError
from candor.model.hub import config_from_hf
from candor.plan.counts import count_parameters
from candor.plan.estimate import HardwareConfig, estimate_training
from candor.stages.lessons import describe_data, loader_of, prepare
from candor.stages.sft import SftRun, finetune
from candor.stages.supervised import read_heldout
from candor.text import Tokenizer


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
    if origin is not None and origin not in ORIGINS:
        raise ConfigError(f"--origin {origin!r} must be one of {', '.join(ORIGINS)}")
    run = override(SftRun(), *(sets or ()))
    asked = tasks_from(tasks, [], format="chat", n=problems) if tasks else []
    terminal = console.Terminal()
    left_out = LeftOut()
    known = next((name for name in ORIGINS if name == origin), None)
    dialogues = read_dialogues(data, origin=known, skip_broken=left_out if run.sft.skip_broken else None)
    if dry_run:
        _show_plan(terminal, run, model, dialogues, left_out)
        return
    folder = out or Path("runs") / f"sft-{default_name(str(model), '')}"
    terminal.say(f"sft of {model} on {data}: into {folder}", "bold")
    if asked:
        carry_out(str(model), "", asked, folder / "evals" / "before", None)
    finetune(run, model, dialogues, folder, terminal, left_out)
    _show_figures(terminal, folder)
    if asked:
        carry_out(str(folder / "model"), "", asked, folder / "evals" / "after", folder / "evals" / "before")


def _show_figures(terminal: console.Terminal, folder: Path) -> None:
    figures = read_heldout(folder / "checkpoints")
    terminal.say("")
    if figures:
        number = figures["before"].n
        terminal.say(f"Loss per token of answers in {number:,} held-out dialogues, nats (less is better)", "bold")
        terminal.change(figures)
    else:
        terminal.say("no dialogue was held out, so what was learnt is not measured; see sft.heldout_share")
    model = folder / "model"
    terminal.say("")
    terminal.say(f"left out, one by one  {folder / 'checkpoints' / 'left_out.jsonl'}")
    terminal.say(f"model  {model}   try: candor chat {model}")


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
