"""`candor data`: build a governed corpus, look at it, check it, and let it pass or not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from candor.cli import console
from candor.cli.options import Sets
from candor.errors import ConfigError

if TYPE_CHECKING:
    from candor.data.executor import Engine
    from candor.data.sources import Form
    from candor.records import Kind

app = typer.Typer(
    help="Build a corpus that can be defended document by document; look at it, verify it, let it pass or not.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Corpus = Annotated[Path, typer.Argument(help="Folder of a corpus, or of the run that holds it.", metavar="CORPUS")]


@app.command()
def build(
    recipe: Annotated[
        str, typer.Argument(help="A text (file, folder, hf:owner/name), a recipe, or a Python file with recipe().")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of the run; the corpus is OUT/corpus [runs/NAME].")] = None,
    fields: Annotated[str | None, typer.Option(help="Of a text: fields of the rows to join.")] = None,
    form: Annotated[str, typer.Option(help="Of a text: prose, code, any or made; decides the steps.")] = "prose",
    licence: Annotated[str, typer.Option(help="Of a text: SPDX identifier of its licence.")] = "unknown",
    kind: Annotated[str, typer.Option(help="Of a text: public, licensed, user-derived or synthetic.")] = "public",
    address: Annotated[str, typer.Option(help="Of a text: where it was found.")] = "",
    collected: Annotated[str, typer.Option(help="Of a text: when it was collected, for example 2026-11-30.")] = "",
    model: Annotated[str, typer.Option(help="Of a synthetic text: what made it, version and time.")] = "",
    workers: Annotated[int | None, typer.Option(help="Processes [one for each core].")] = None,
    engine: Annotated[str, typer.Option(help="local, or ray: Ray Data on the cluster of RAY_ADDRESS.")] = "local",
    sets: Sets = None,
) -> None:
    """Read, clean, filter and free of copies what a recipe names. The same command goes on after a stop.

    \b
    candor data build novels/ --licence CC-BY-4.0 --collected 2026-11-30 --out runs/novels
    candor data build questions.jsonl --fields question,answer --form any
    candor data build laptop --set corpus.steps.passage=0
    candor data build my_corpus.py --workers 16
    """
    from candor.config import override
    from candor.data import CorpusConfig, SourceConfig
    from candor.data.sources import PYTHON_DOCS
    from candor.rows import local
    from candor.stages.corpus import corpus_alone

    for name, value, known in (
        ("form", form, ("prose", "code", "any", "made")),
        ("engine", engine, ("local", "ray")),
        ("kind", kind, ("public", "licensed", "user-derived", "synthetic")),
    ):
        if value not in known:
            raise ConfigError(f"--{name} {value!r} is none of {', '.join(known)}")
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers {workers} must be at least 1")
    is_text = recipe.startswith("hf:") or recipe == PYTHON_DOCS
    if is_text or (local(recipe) is not None and not recipe.endswith(".py")):
        name = Path(recipe.removeprefix("hf:")).name.split(".")[0] or "corpus"
        source = SourceConfig(
            recipe,
            tuple(fields.split(",")) if fields else (),
            form=cast("Form", form),
            licence=licence,
            kind=cast("Kind", kind),
            address=address,
            collected=collected,
            model=model,
        )
        config = CorpusConfig((source,))
    else:
        from candor.recipes import find_corpus  # with torch, which a text alone does without

        name, config = Path(recipe).stem, find_corpus(recipe)
    config = override(config, *(one.removeprefix("corpus.") for one in sets or ()))  # named as in a run, or alone
    folder = out or Path("runs") / name
    terminal = console.Terminal()
    corpus_alone(config, folder, terminal, workers=workers, engine=cast("Engine", engine))
    terminal.say(f"corpus  {folder / 'corpus'}   look at it: candor data inspect {folder}")


@app.command()
def inspect(
    corpus: Corpus,
    reason: Annotated[str, typer.Option(help="Print rejected documents of this reason, or of all that begin so.")] = "",
    n: Annotated[int, typer.Option("-n", help="How many of each reason.")] = 3,
    seed: Annotated[int, typer.Option(help="Which ones.")] = 0,
    page: Annotated[Path | None, typer.Option(help="HTML page to write [CORPUS/page.html].")] = None,
) -> None:
    """Print what was read, kept, changed and rejected, and write a page with examples, histograms and bias.

    \b
    candor data inspect runs/novels
    candor data inspect runs/novels --reason quality.short_lines -n 10
    """
    from candor.stages.corpus_report import corpus_folder, examples, manifest_of, write_page

    terminal = console.Terminal()
    folder = corpus_folder(corpus)
    if reason:
        found = examples(folder, reason, n, seed)
        if not found:
            known = ", ".join(manifest_of(folder)["rejected"]) or "nothing"
            raise ConfigError(f"--reason {reason}: no document was rejected for it; there are: {known}")
        for name, rows in found.items():
            terminal.say(name, "bold")
            for row in rows:
                terminal.say(f"  {row['source']} {row['origin']}  {row['detail']}", "cyan")
                # A document may hold what a terminal obeys.
                shown = "".join(one for one in row["text"][:400] if one.isprintable() or one.isspace())
                terminal.say(f"  {' '.join(shown.split())}")
        return
    manifest = manifest_of(folder)
    terminal.say("Sources", "bold")
    table = [["  source", "kind", "licence", "documents", "kept", "harmful"]]
    for source in manifest["sources"]:
        kept, harmful = (
            f"{part / whole:.1%}" if whole else "-"
            for part, whole in ((source["kept"], source["documents"]), (source["harmful"], source["judged"]))
        )
        refused = " (refused)" if source["refused"] else ""
        about = [source["path"] + refused, source["kind"], source["licence"]]
        table.append([f"  {about[0]}", *about[1:], f"{source['documents']:,}", kept, harmful])
    terminal.table(table)
    for title, counts in (("Rejected", manifest["rejected"]), ("Changed", manifest["changes"])):
        terminal.say(title, "bold")
        ordered = sorted(counts.items(), key=lambda item: -item[1])
        terminal.table([[f"  {name}", f"{count:,}"] for name, count in ordered] or [["  nothing", ""]])
    path = page or folder / "page.html"
    write_page(folder, path)
    terminal.say(f"page  {path}")


@app.command()
def verify(corpus: Corpus) -> None:
    """Compare a corpus with its manifest: checksums, counts, ids, order, split; exit code 1 where anything differs.

    \b
    candor data verify runs/novels
    """
    from candor.data.corpus import verify as trouble_in
    from candor.errors import DataError
    from candor.stages.corpus_report import corpus_folder, manifest_of

    terminal = console.Terminal()
    folder = corpus_folder(corpus)
    if trouble := trouble_in(folder):
        for line in trouble[:20]:
            terminal.say(f"  {line}")
        raise DataError(f"{folder} is not what its manifest says ({len(trouble):,} differences); build it again")
    manifest = manifest_of(folder)
    counted = ", ".join(f"{split} {manifest[split]['documents']:,}" for split in ("train", "heldout", "rejects"))
    terminal.say(f"{folder} is what its manifest says: {len(manifest['shards'])} files, documents: {counted}")


@app.command()
def gate(
    corpus: Corpus,
    reviewed: Annotated[
        Path | None, typer.Option(help="human_sample.jsonl of the corpus with verdicts filled in by people.")
    ] = None,
) -> None:
    """Say whether a corpus may be trained on by its two samples, and write gate.json; exit code 1 where it may not.

    People get CORPUS/human_sample.jsonl (4,000 documents, or all) and add to each line "verdict": "pass" or "fail",
    "annotator", and where it fails a "reason".

    \b
    candor data gate runs/novels
    candor data gate runs/novels --reviewed back.jsonl
    """
    from candor.stages.corpus_report import HUMAN, TECHNICAL, corpus_folder
    from candor.stages.corpus_report import gate as decide

    terminal = console.Terminal()
    folder = corpus_folder(corpus)
    found = decide(folder, reviewed)
    samples = (
        ("technical", found.technical_passed, found.technical_checked, TECHNICAL),
        ("human", found.human_passed, found.human_checked, HUMAN),
    )
    terminal.table(
        [
            [f"  {name} sample", f"{passed:,} of {checked:,} pass", f"{least:.0%} must"]
            for name, passed, checked, least in samples
        ]
    )
    terminal.table([[f"    {reason}", f"{count:,}"] for reason, count in found.failures.items()])
    terminal.say("open" if found.open else f"closed: {'; '.join(found.missing)}", "bold")
    if not found.open:
        raise typer.Exit(1)


@app.command()
def records(
    corpus: Corpus,
    out: Annotated[Path | None, typer.Option(help="Markdown file to write [standard output].")] = None,
) -> None:
    """Write the records that GB/T 45652 asks for, in Chinese and English, from the manifest.

    \b
    candor data records runs/novels --out records.md
    """
    from candor import files
    from candor.stages.corpus_report import corpus_folder
    from candor.stages.corpus_report import records as of_corpus

    text = of_corpus(corpus_folder(corpus))
    if out is None:
        console.stream(text)
    else:
        files.atomic_write(out, text)
        console.Terminal().say(f"wrote {out}")
