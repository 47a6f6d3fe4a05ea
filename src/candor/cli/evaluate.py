"""What `candor eval` does and shows."""

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from candor import files
from candor.cli import console
from candor.errors import ConfigError
from candor.evaluate.report import meaning, shown, write_report
from candor.evaluate.result import EvalResult, compare_folders, read_result, results_in
from candor.evaluate.statistics import Comparison, Figure
from candor.evaluate.task import COMPRESS, LM_EVAL, Task, problems_of
from candor.problems.families import FAMILIES
from candor.problems.readers import READERS

if TYPE_CHECKING:
    from candor.evaluate.subject import Subject


def tasks_from(names: str, data: list[str], **settings: Any) -> list[Task]:
    """`arithmetic,countdown:3:zh,gsm8k` and `gsm8k=path` as tasks that share `settings`."""
    places = {}
    for one in data:
        name, equals, place = one.partition("=")
        if not equals:
            raise ConfigError(f"--data {one!r} has no '='; write --data gsm8k=path/to/test.jsonl")
        places[name] = place
    tasks = []
    for spec in filter(None, (part.strip() for part in names.split(","))):
        prefix = LM_EVAL if spec.startswith(LM_EVAL) else ""
        name, *rest = spec.removeprefix(prefix).split(":")
        own: dict[str, Any] = {}
        for part in rest:
            if part not in ("en", "zh") and not part.isdecimal():
                raise ConfigError(f"--tasks {spec!r}: {part!r} is neither a difficulty nor en or zh")
            own |= {"difficulty": int(part)} if part.isdecimal() else {"lang": part}
        tasks.append(Task(name=prefix + name, data=places.pop(prefix + name, ""), **settings, **own))
    if places:
        raise ConfigError(f"--data names {', '.join(places)}, which is not among --tasks {names}")
    labels = [task.label for task in tasks]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise ConfigError(f"--tasks names {', '.join(sorted(twice))} twice")
    if not tasks:
        raise ConfigError("--tasks names no task; candor eval --list shows all")
    return tasks


def carry_out(model: str, name: str, tasks: list[Task], out: Path | None, baseline: Path | None) -> None:
    """Evaluate, print the figures, write the page."""
    from candor.evaluate.run import evaluate  # torch: not for --list
    from candor.evaluate.subject import open_subject

    folder = out or Path("runs") / "evals" / default_name(model, name)
    terminal = console.Terminal()
    terminal.say(f"evaluating {model}: into {folder}", "bold")
    for task in tasks:
        if task.name in READERS:
            problems_of(task)  # what cannot be read is said before hours of asking
    chat = all(task.format == "chat" for task in tasks)
    subject: AbstractContextManager[Subject] = open_subject(model, name=name, chat=chat)
    with files.lock(folder), subject as asked:
        for task in tasks:
            with terminal.progress(task.label) as progress:
                result, _ = evaluate(task, asked, folder, progress)
            terminal.say(_line(result))
        show(folder, baseline)


def show(folder: Path, baseline: Path | None) -> None:
    """Print what is in an evaluation folder and write its page."""
    terminal = console.Terminal()
    rows = [["task", "figure", "value", "95% interval", "n", "what it says"]]
    for path in results_in(folder):
        result = read_result(path)
        for name, figure in result.figures.items():
            rows.append(
                [result.task.label, name, _value(name, figure), _span(name, figure), str(figure.n), meaning(name)[0]]
            )
    terminal.say("")
    terminal.table(rows)
    if baseline:
        terminal.say(f"\ncompared with {baseline}, problem by problem", "bold")
        for label, found in compare_folders(folder, baseline).items():
            terminal.say(f"  {label}: {found if isinstance(found, str) else _compared(found)}")
    write_report(folder, baseline)
    terminal.say(f"\nreport: {folder / 'index.html'}; every answer: {folder}/*.samples.jsonl")


def _line(result: EvalResult) -> str:
    name, figure = result.headline
    said = f"  {result.task.label}: {name} {_value(name, figure)} [{_span(name, figure)}]"
    said += f", {result.problems} problems" + (f" x {result.task.k}" if result.task.k > 1 else "")
    if result.reused:
        said += f", {result.reused} answers kept from an earlier run"
    if result.invalid:
        said += f", {result.invalid} answers not graded (counted as wrong)"
    if result.unreadable:
        said += f", {result.unreadable} problems without a readable gold answer (not asked)"
    return said


def _value(name: str, figure: Figure) -> str:
    value = shown(name, figure, figure.value)
    return value if figure.stderr is None else f"{value} ± {shown(name, figure, figure.stderr)}"


def _span(name: str, figure: Figure) -> str:
    return "-" if figure.low is None else f"{shown(name, figure, figure.low)} to {shown(name, figure, figure.high)}"


def _compared(found: Comparison) -> str:
    span = "" if found.low is None else f" [{found.low:+.3g} to {found.high:+.3g}]"
    return (
        f"{found.difference:+.4g}{span}, p = {found.p_value:.3g}; {found.better} problems better, {found.worse} worse, "
        f"of {found.n}"
    )


def default_name(model: str, name: str) -> str:
    """A folder name that tells models apart."""
    parts = [part for part in (name or model).split("/") if part not in ("", ".", "..", "runs")]
    return re.sub(r"[^\w.-]+", "-", "-".join(parts)).strip("-") or "model"


def list_tasks() -> None:
    """Print every task with what it is."""
    terminal = console.Terminal()
    terminal.say("generated, at difficulties 1 to 5, in en and zh: NAME[:DIFFICULTY][:LANG]", "bold")
    terminal.table([[f"  {name}", _first(family.__doc__)] for name, family in FAMILIES.items()])
    terminal.say("\nreal sets: --data NAME=PATH, or from the hub --data NAME=hf:...", "bold")
    terminal.table([[f"  {name}", f"{reader.lang}, {reader.hub}"] for name, reader in READERS.items()])
    terminal.say("\nothers", "bold")
    terminal.table(
        [
            [f"  {COMPRESS}", f"how well a text is predicted, beside gzip and xz; --data {COMPRESS}=PATH"],
            [f"  {LM_EVAL}NAME", f"a task of lm-eval; tasks of your own: --data {LM_EVAL}NAME=FOLDER"],
        ]
    )


def _first(text: str | None) -> str:
    return (text or "").strip().splitlines()[0]
