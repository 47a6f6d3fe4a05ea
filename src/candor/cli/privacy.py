"""`candor privacy`: find and mask what tells who somebody is, and measure what is left."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from candor.cli import console
from candor.cli.options import KEYS, STORE, KeysUrl, StoreUrl
from candor.cli.texts import read_bytes, read_ids, read_texts
from candor.errors import ConfigError, DataError

if TYPE_CHECKING:
    from candor.governance.pii import Finder, IdentifierClass
    from candor.governance.pii.masking import Action

app = typer.Typer(
    help="Find and mask what tells who somebody is, in Chinese and English; measure what is left.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Text = Annotated[str, typer.Argument(metavar="FILE", help="Text, or JSONL with --field; - for standard input.")]
Field = Annotated[str | None, typer.Option(help="Field of each line of a JSONL file that holds the text.")]
Classes = Annotated[str, typer.Option(help="direct (who somebody is), quasi (what describes them), or both.")]
Names = Annotated[bool, typer.Option(help="Names, places, dates and the like too, not only identifiers by rule.")]
Tagger = Annotated[Path | None, typer.Option(help="Weights of candor privacy train [those of the package].")]
Model = Annotated[Path | None, typer.Option(help="Folder of a token-classification model that finds more.")]


@app.command()
def mask(
    file: Text,
    out: Annotated[Path | None, typer.Option(help="File to write, whole or not at all [standard output].")] = None,
    action: Annotated[
        str,
        typer.Option(
            help="tag: <person>; redact: a bar; surrogate: <person:code>, always the same; generalise: <date:1990s>."
        ),
    ] = "tag",
    field: Field = None,
    classes: Classes = "direct,quasi",
    types: Annotated[str | None, typer.Option(help="Only these types, by comma: person,phone.")] = None,
    key: Annotated[Path | None, typer.Option(help="For surrogates: file with at least 16 bytes of key.")] = None,
    conversation: Annotated[str, typer.Option(help="For surrogates: codes are equal within a conversation only.")] = "",
    names: Names = True,
    tagger: Tagger = None,
    model: Model = None,
) -> None:
    """Write a text without what tells who somebody is. A text that is masked stays as it is.

    \b
    echo '我叫王小明，电话13800138000' | candor privacy mask -
    candor privacy mask letters.txt --out masked.txt --action generalise
    candor privacy mask chats.jsonl --field text --action surrogate --key key.bin --out masked.jsonl
    """
    from candor import files
    from candor.governance.pii import Masking

    how = Masking(
        cast("Action", action),
        cast("list[IdentifierClass]", classes.split(",")),
        types.split(",") if types else (),
        read_bytes(str(key)) if key else b"",
        conversation,
    )
    finder = _finder(names, tagger, model)
    lines: list[str] = []
    count = 0
    for row, text in read_texts(file, field):
        done = finder.mask(text, how)
        count += len(done.spans)
        lines.append(done.text if row is None else files.json_line(row | {str(field): done.text}))
    result = "".join(lines)
    if out is None:
        console.stream(result)
    else:
        files.atomic_write(out, result)
        console.Terminal().say(f"wrote {out}: {count:,} places masked in {len(lines):,} texts")


@app.command()
def find(file: Text, field: Field = None, names: Names = True, tagger: Tagger = None, model: Model = None) -> None:
    """Print what is found as JSON lines: number of the text, start, end (code points), type,
    identifier_class (direct, quasi), rule.

    \b
    candor privacy find letter.txt
    """
    from dataclasses import asdict

    from candor import files

    finder = _finder(names, tagger, model)
    for number, (_, text) in enumerate(read_texts(file, field)):
        for span in finder.find(text):
            console.stream(files.json_line({"text": number, **asdict(span)}))


@app.command()
def score(
    file: Annotated[Path, typer.Argument(help="JSONL annotated as the Text Anonymization Benchmark is.")],
    only: Annotated[Path | None, typer.Option(help="File with the ids of the documents to score, one a line.")] = None,
    names: Names = True,
    tagger: Tagger = None,
    model: Model = None,
) -> None:
    """Measure masking on annotated documents: entity recall (every mention masked) and token precision.

    \b
    candor privacy score tab.jsonl --only test_ids.txt
    """
    from candor.governance.pii.tab import read_tab
    from candor.governance.pii.tab import score as score_of

    documents = read_tab(file)
    if only:
        ids = read_ids(only)
        documents = [one for one in documents if one.id in ids]
        if not documents:
            raise DataError(f"{file} holds none of the ids of {only}; check both")
    finder = _finder(names, tagger, model)
    found = score_of(documents, [finder.find(one.text) for one in documents])
    terminal = console.Terminal()
    terminal.table(
        [
            ["documents", f"{len(documents):,}"],
            ["entity recall, direct", f"{found.direct:.3f}"],
            ["entity recall, quasi", f"{found.quasi:.3f}"],
            ["token precision", f"{found.precision:.3f}"],
        ]
    )


@app.command()
def check(
    file: Text,
    field: Field = None,
    k: Annotated[int, typer.Option(help="Records that must be like each one, itself included.")] = 5,
    known: Annotated[
        Path | None,
        typer.Option(help="JSONL with other text of who wrote each record, same field and order: the attack."),
    ] = None,
    most_linked: Annotated[float, typer.Option(help="Share of authors that the attack may name.")] = 0.05,
) -> None:
    """Measure what masked records still tell: identifiers left, k-anonymity, a linkage attack. Exit code 1 where it is
    too much.

    \b
    candor privacy check masked.jsonl --field text --k 5
    candor privacy check masked.jsonl --field text --known others.jsonl
    """
    from candor.governance.pii import Finder
    from candor.governance.pii.anonymity import anonymity, linkage, missing

    texts = [text for _, text in read_texts(file, field)]
    if not texts:
        raise DataError(f"{file} holds no records; check the file")
    if k < 2:
        raise ConfigError(f"--k {k} must be at least 2")
    others = [text for _, text in read_texts(str(known), field)] if known else []
    if known and len(others) != len(texts):
        raise DataError(f"{known} holds {len(others)} texts and {file} {len(texts)}; give one for each")
    found = Finder(names=False).find_all(texts)
    residual = sum(span.identifier_class == "direct" for spans in found for span in spans)
    pool = anonymity(texts)
    attack = linkage(texts, others) if others else linkage([], [])
    rows = [
        ["records", f"{len(texts):,}"],
        ["identifiers left", f"{residual:,}"],
        ["k", f"{pool.lowest:,}"],
        [f"records below {k}", f"{len(pool.below(k)):,}"],
        ["mean risk (1/k)", f"{pool.mean_risk:.3f}"],
    ]
    if attack.n:
        rows.append(["authors named by linkage", f"{attack.found:.1%} (guessing {attack.chance:.1%}, n {attack.n:,})"])
    terminal = console.Terminal()
    terminal.table(rows)
    trouble = missing(residual, pool, attack, k=k, most_linked=most_linked)
    terminal.say("passes" if not trouble else f"fails: {'; '.join(trouble)}", "bold")
    if trouble:
        raise typer.Exit(1)


@app.command()
def contribute(
    training: Annotated[str, typer.Option(help="Ring of training: file, env:NAME or hook:PROGRAM.")],
    out: Annotated[Path, typer.Option(help="JSONL of all pairs that entered so far, for candor train sft.")],
    store: StoreUrl = STORE,
    keys: KeysUrl = KEYS,
    k: Annotated[int, typer.Option(help="Users that each pair cannot be told apart from.")] = 20,
    min_pairs: Annotated[int, typer.Option(help="Fewest pairs of a batch.")] = 100,
    sample: Annotated[float, typer.Option(help="Share of the pairs that people look at first (candor review).")] = 0.1,
) -> None:
    """Take what users consented to: de-identify it, check k, show a share to people, enter the rest as pairs of nobody.

    \b
    candor privacy contribute --training training.json --out users.jsonl
    """
    from candor.governance.pii import VERSION, anonymise
    from candor.store import Steps, load_ring, open_vault, write_contributions
    from candor.store import contribute as take

    steps = Steps(anonymise, {"pii": str(VERSION)}, k=k, min_pairs=min_pairs, sample=sample)
    if not out.parent.is_dir():
        raise ConfigError(f"{out.parent} is no folder; make it, or choose another place with --out")
    with open_vault(store, keys, training=load_ring(training, "training"), create=False) as vault:
        done = take(vault, steps)
        count = write_contributions(vault, out)
    terminal = console.Terminal()
    terminal.table(
        [
            ["consented pairs read", f"{done.read:,}"],
            ["unreadable, left out", f"{done.unreadable:,}"],
            [f"not told apart from {k} users", f"{done.alike:,}"],
            ["waiting for people", f"{done.waiting:,}"],
            ["entered now", f"{done.entered:,}"],
        ]
    )
    terminal.say(f"wrote {out}: {count:,} pairs in all")


@app.command()
def train(
    annotated: Annotated[Path, typer.Argument(help="JSONL annotated as the Text Anonymization Benchmark is.")],
    out: Annotated[Path, typer.Option(help="File of weights to write.")],
    without: Annotated[Path | None, typer.Option(help="File with ids to learn nothing from, one a line.")] = None,
    texts: Annotated[
        int, typer.Option(help="Texts with names that the recipe makes itself, half in each language.")
    ] = 1500,
    plain: Annotated[int, typer.Option(help="Texts that name nobody: made ones, and Python's documentation.")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the made texts and of the training.")] = 0,
) -> None:
    """Make the weights of the tagger anew; the same data and seed give the same file.

    \b
    candor privacy train tab.jsonl --without test_ids.txt --out tagger.npz
    """
    from candor.data.tagger import learn_tagger
    from candor.governance.pii.tab import read_tab

    left_out = read_ids(without) if without else set()
    documents = [one for one in read_tab(annotated) if one.id not in left_out]
    terminal = console.Terminal()
    terminal.say(f"{len(documents):,} annotated documents, {texts:,} made texts, at most {plain:,} that name nobody")
    with terminal.progress("tagger") as update:
        tagger = learn_tagger(documents, texts, plain, seed, update)
    tagger.save(out)
    terminal.say(f"wrote {out}")


def _finder(names: bool, tagger: Path | None, model: Path | None) -> "Finder":
    from candor.governance.pii import Finder
    from candor.governance.pii.tagger import WEIGHTS

    found = Finder(names=names, tagger=tagger or WEIGHTS)
    if model is None:
        return found
    from candor.text.ner import ner_model

    return replace(found, model=ner_model(model))
