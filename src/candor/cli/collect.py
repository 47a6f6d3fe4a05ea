"""What `candor review collect` does and shows."""

from pathlib import Path

from candor import files
from candor.cli import console
from candor.cli.evaluate import default_name
from candor.config import override
from candor.evaluate.subject import open_subject
from candor.stages.collect import COUNTS, SAMPLES, CollectConfig, Collected, collect
from candor.store import Reviews, open_store


def run_collect(
    store: str,
    model: str,
    *,
    tasks: str,
    method: str,
    name: str = "",
    sets: list[str] | None = None,
    seed: int = 0,
    by_rule: bool = False,
    out: Path | None = None,
) -> None:
    """Sample answers of a model folder or a server into a store as drafts; say why others were left, and what is next.

    `name` is what a server calls its model; `by_rule` has the stated rule decide where no annotator takes part.
    """
    config = override(CollectConfig(), f"tasks={tasks}", f"method={method}", *(sets or ()))
    folder = out or Path("runs") / "collect" / f"{default_name(model, name)}-{method}"
    terminal = console.Terminal()
    terminal.say(f"collecting answers of {model}: into {folder}", "bold")
    opened = open_subject(model, name=name, chat=config.format == "chat")
    with open_store(store) as kept, files.lock(folder), opened as subject, terminal.progress("answers") as progress:
        done = collect(config, subject, Reviews(kept), folder, seed, by_rule=by_rule, progress=progress)
    _show(terminal, done, store, folder)


def _show(terminal: console.Terminal, done: Collected, store: str, folder: Path) -> None:
    known = f", {done.added.known} of them there already" if done.added.known else ""
    terminal.say(f"{done.good} of {done.samples} answers are right and readable: drafts in {store}{known}")
    if done.reasons:
        terminal.say("left out, an answer once for each reason", "bold")
        terminal.table([[f"  {reason}", str(count)] for reason, count in done.reasons.items()])
    if done.decided:
        terminal.say("the rule decided: " + ", ".join(f"{count} {state}" for state, count in done.decided.items()))
    terminal.say("")
    terminal.say(f"every answer  {folder / SAMPLES}   counts  {folder / COUNTS}")
    states, file = ("accepted --state edited", "sft.jsonl") if done.decided else ("waiting", "for_annotators.jsonl")
    terminal.say(f"next: candor review export --store {store} --state {states} --out {file}")
