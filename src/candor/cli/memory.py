"""`candor eval memory` and `candor eval facts`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from candor.cli import console
from candor.cli.options import ModelFolder, Sets
from candor.errors import ConfigError

if TYPE_CHECKING:
    from candor.evaluate.memory import Audit, MemoryReport
    from candor.evaluate.statistics import Figure


def memory(
    model: ModelFolder,
    corpus: Annotated[Path, typer.Option(help="Folder of the corpus that it learnt, with manifest.json.")],
    control: Annotated[
        Path | None, typer.Option(help="Model folder with the same tokenizer that never saw the corpus.")
    ] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Ask in the model's chat template where words ask.")] = False,
    out: Annotated[Path | None, typer.Option(help="JSON file to write [runs/evals/MODEL/memory.json].")] = None,
    sets: Sets = None,
) -> None:
    """Audit what a model remembers of its training text; the exit code is 1 where an audit fails.

    Extraction, copies, membership, attacks, and planted secrets and persons where the corpus has some. Each figure has
    its interval, its control, its threshold, and what it does not show. No text of the corpus is printed or kept.

    \b
    candor eval memory runs/laptop/base/model --corpus runs/laptop/corpus
    candor eval memory runs/laptop/model --corpus runs/laptop/corpus --chat --control runs/other/model
    candor eval memory MODEL --corpus FOLDER --set windows=1000 --set extraction=0.01
    """
    from candor.cli.evaluate import default_name
    from candor.config import override
    from candor.evaluate.memory import MemoryConfig

    config = override(MemoryConfig(), *(sets or ()))
    path = out or Path("runs") / "evals" / default_name(str(model), "") / "memory.json"
    report = _audit(model, corpus, control, chat, config)
    path.parent.mkdir(parents=True, exist_ok=True)
    report.write(path)
    show_memory(report)
    console.Terminal().say(f"\nreport: {path}")
    if report.outcome == "fail":
        raise typer.Exit(1)


def _audit(model: Path, corpus: Path, control: Path | None, chat: bool, config: Any) -> "MemoryReport":
    from contextlib import ExitStack

    from candor.evaluate.memory import audit_memory, open_text
    from candor.evaluate.memory.model import EngineModel
    from candor.evaluate.subject import Local, open_subject

    terminal = console.Terminal()
    with ExitStack() as stack:

        def opened(folder: Path) -> EngineModel:
            subject = stack.enter_context(open_subject(str(folder)))
            assert isinstance(subject, Local)
            return EngineModel(subject.engine, str(folder), chat=chat)

        ours, other = opened(model), opened(control) if control else None
        if other and other.engine.tokenizer.fingerprint != ours.engine.tokenizer.fingerprint:
            raise ConfigError(f"--control {control} has another tokenizer than {model}; choose one with the same")
        text = stack.enter_context(open_text(corpus, ours.tokenizer, config))
        progress = stack.enter_context(terminal.progress("memory"))
        return audit_memory(ours, text, config, control=other, progress=progress)


def show_memory(report: "MemoryReport") -> None:
    """Print each audit with its figures, and what it does not show."""
    terminal = console.Terminal()
    terminal.say(f"memory of {report.model}: {report.outcome}", "bold")
    rows = [["audit", "measured", "95% interval", "n", "control", "judged, interval", "tolerated", "outcome"]]
    rows += [_row(audit) for audit in report.audits]
    terminal.table(rows)
    for audit in report.audits:
        terminal.say(f"\n{audit.name}: {audit.asked}")
        terminal.say(f"  beside: {audit.compared}")
        for name, figure in audit.parts.items():
            terminal.say(f"  {name}: {figure.value:.3g} [{_span(figure)}], n = {figure.n}")
        if audit.counts:
            terminal.say("  " + ", ".join(f"{name} {count:,}" for name, count in audit.counts.items()))
        terminal.say(f"  does not show: {audit.limits}")
    for name, why in report.left_out.items():
        terminal.say(f"\n{name}: left out, so not shown: {why}")


def _row(audit: "Audit") -> list[str]:
    control = "-" if audit.control is None else f"{audit.control.value:.3g}"
    return [
        audit.name, f"{audit.measured.value:.3g}", _span(audit.measured), str(audit.measured.n), control,
        f"{audit.judged.value:.3g} [{_span(audit.judged)}]", f"{audit.threshold:g}", audit.outcome,
    ]  # fmt: skip


def _span(figure: "Figure") -> str:
    return "-" if figure.low is None else f"{figure.low:.3g} to {figure.high:.3g}"


def facts(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model folder, or a server's address ending in /v1.")],
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME=PATH", help="rgb, halueval, truthfulqa, simpleqa or chinese_simpleqa, and its file."
        ),
    ],
    n: Annotated[int, typer.Option("-n", "--problems", help="Questions; 0 takes all.")] = 200,
    passages: Annotated[int, typer.Option(help="Passages shown with each question (rgb); 0 shows none.")] = 0,
    noise: Annotated[float, typer.Option(help="Share of them without the answer; 1: saying so is right.")] = 0.0,
    chat: Annotated[bool, typer.Option("--chat", help="Ask in the model's chat template.")] = False,
    max_tokens: Annotated[int, typer.Option(help="Most tokens of an answer.")] = 128,
    model_name: Annotated[str, typer.Option(help="What the server calls its model.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the results [runs/evals/MODEL].")] = None,
) -> None:
    """Ask questions of fact: right, wrong and abstained counted apart, citations checked against passages.

    \b
    candor eval facts runs/laptop/model --data truthfulqa=TruthfulQA.csv --chat
    candor eval facts MODEL --data rgb=zh_refine.json --passages 5 --noise 0.4
    candor eval facts MODEL --data rgb=zh_refine.json --passages 5 --noise 1
    candor eval facts http://localhost:8000/v1 --model-name r1 --data simpleqa=simple_qa_test_set.csv --chat
    """  # fmt: skip
    from candor import files
    from candor.cli.evaluate import default_name
    from candor.evaluate.facts import read_facts
    from candor.evaluate.facts.run import FactsConfig, audit_facts
    from candor.evaluate.subject import open_subject

    name, equals, place = data.partition("=")
    if not equals:
        raise ConfigError(f"--data {data!r} has no '='; write --data truthfulqa=TruthfulQA.csv")
    terminal = console.Terminal()
    known = read_facts(name, Path(place))
    for line in known.broken_lines():
        terminal.say(f"  left out, {line}")
    config = FactsConfig(n, passages, noise, chat, max_tokens)
    folder = out or Path("runs") / "evals" / default_name(model, model_name)
    with open_subject(model, name=model_name, chat=chat) as subject, terminal.progress("facts") as progress:
        report, graded = audit_facts(subject, known, config, progress=progress)
    folder.mkdir(parents=True, exist_ok=True)
    report.write(folder / f"facts-{name}.json")
    rows = [{"id": item.id, "question": item.question, "answer": said, "grade": grade.value}
            for item, said, grade in graded]  # fmt: skip
    files.atomic_write(folder / f"facts-{name}.samples.jsonl", "".join(map(files.json_line, rows)))
    terminal.say(f"{name}: {report.questions} questions of {known.rows} rows, {len(known.broken)} broken", "bold")
    terminal.table([["figure", "value", "95% interval", "n"]] + [
        [key, f"{one.value:.3g}", _span(one), str(one.n)] for key, one in report.figures.items() if one.n
    ])  # fmt: skip
    terminal.say(f"\nreport: {folder / f'facts-{name}.json'}")
