"""`candor review`: draft answers into a store, out to annotators, and their decisions back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from candor.cli import console
from candor.cli.options import STORE, Sets, StoreUrl

if TYPE_CHECKING:
    from candor.store.review import Lang, Method, State

app = typer.Typer(
    help="Draft answers that annotators or stated rules accept, edit or reject.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def add(
    drafts: Annotated[Path, typer.Argument(help="JSONL: prompt or messages, original, method, lang, ...")],
    store: StoreUrl = STORE,
) -> None:
    """Put drafts in line; those that are there already stay as they are. A store that is not there is made.

    \b
    candor review add drafts.jsonl --store reviews.db
    a line: {"prompt": "3 + 4?", "original": "It is 7.", "method": "prompted", "lang": "en"}
    """
    from candor.store import Reviews, add_drafts, open_store

    with open_store(store) as opened:
        added = add_drafts(Reviews(opened), drafts)
    console.Terminal().say(f"added {added.new} drafts to {opened.name}; {added.known} were there already")


@app.command()
def collect(
    model: Annotated[str, typer.Argument(help="Model folder, or a server's address ending in /v1.")],
    tasks: Annotated[str, typer.Option(help="Problems, by comma: NAME:DIFFICULTY:LANG or NAME:PATH of a real set.")],
    method: Annotated[str, typer.Option(help="prompted (worked examples before the question) or r1_zero (none).")],
    store: StoreUrl = STORE,
    model_name: Annotated[str, typer.Option(help="What the server calls its model.")] = "",
    by_rule: Annotated[
        bool,
        typer.Option("--by-rule", help="No annotator takes part: the stated rule decides, and the records say so."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of problems and samples.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of all answers [runs/collect/MODEL-METHOD].")] = None,
    sets: Sets = None,
) -> None:
    """Ask a model, and put answers that are right and readable in line as drafts.

    \b
    candor review collect runs/laptop/r1_zero/model --tasks arithmetic:1:en --method r1_zero --set format=plain
    candor review collect http://localhost:8000/v1 --model-name big --tasks gsm8k:train.jsonl --method prompted \\
        --set format=chat --set samples=8 --store reviews.db
    """
    from candor.cli.collect import run_collect

    run_collect(
        store, model, tasks=tasks, method=method, name=model_name, sets=sets, seed=seed, by_rule=by_rule, out=out
    )


@app.command()
def show(store: StoreUrl = STORE) -> None:
    """Print how many records there are, in each state and of each kind."""
    from candor.store import Reviews, open_store

    terminal = console.Terminal()
    with open_store(store, create=False) as opened:
        reviews = Reviews(opened)
        for by in ("state", "method", "lang", "family", "grade", "decided_by"):
            terminal.say(by.replace("_", " "), "bold")
            terminal.table([[f"  {name or '-'}", str(count)] for name, count in reviews.counts(by).items()])


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="JSONL file to write.")],
    store: StoreUrl = STORE,
    state: Annotated[
        list[str] | None, typer.Option(help="waiting, leased, accepted, edited or rejected; repeat for more.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="prompted, r1_zero or human.")] = None,
    lang: Annotated[str | None, typer.Option(help="en or zh.")] = None,
    family: Annotated[str | None, typer.Option(help="Family of problems.")] = None,
) -> None:
    """Write records to a JSONL file, a record a line.

    \b
    candor review export --state accepted --state edited --out sft.jsonl
    candor review export --store reviews.db --state waiting --out for_annotators.jsonl
    """
    from candor.store import Reviews, export_reviews, open_store

    states = cast("list[State]", state or [])
    with open_store(store, create=False) as opened:
        count = export_reviews(
            Reviews(opened), out, *states, method=cast("Method", method), lang=cast("Lang", lang), family=family
        )
    console.Terminal().say(f"wrote {count} records to {out}")


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Exported JSONL with decisions filled in.")],
    store: StoreUrl = STORE,
) -> None:
    """Take over decisions that annotators made in an exported file: all of them, or none and the line that is wrong.

    A decision is "state": "accepted", "edited" (the new text in "edited") or "rejected", with "annotator" and, if
    wanted, "reasons". Lines whose state is still waiting or leased are left alone.

    \b
    candor review import back_from_annotators.jsonl --store reviews.db
    """
    from candor.store import Reviews, import_reviews, open_store

    with open_store(store, create=False) as opened:
        done = import_reviews(Reviews(opened), path)
    said = ", ".join(f"{count} {state}" for state, count in done.decided.items())
    left = f"{done.undecided} without a decision, {done.unchanged} as they were"
    console.Terminal().say(f"imported {sum(done.decided.values())} decisions: {said}; {left}")
