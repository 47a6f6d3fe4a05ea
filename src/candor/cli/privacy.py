"""`candor privacy`: find and mask what tells who somebody is, and measure what is left."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from candor.cli import console
from candor.errors import ConfigError, DataError

if TYPE_CHECKING:
    from candor.governance.pii import Action, Finder, IdentifierClass

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

    if action not in ("tag", "redact", "surrogate", "generalise"):
        raise ConfigError(f"--action {action!r} is none of tag, redact, surrogate, generalise")
    finder = _finder(names, tagger, model)
    secret = _read(str(key)) if key else b""
    wanted = cast("tuple[IdentifierClass, ...]", _classes(classes))
    some = types.split(",") if types else None
    lines: list[str] = []
    count = 0
    for row, text in _texts(file, field):
        done = finder.mask(
            text, action=cast("Action", action), classes=wanted, types=some, key=secret, conversation=conversation
        )
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
    for number, (_, text) in enumerate(_texts(file, field)):
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
        ids = _ids(only)
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

    texts = [text for _, text in _texts(file, field)]
    if not texts:
        raise DataError(f"{file} holds no records; check the file")
    if k < 2:
        raise ConfigError(f"--k {k} must be at least 2")
    others = [text for _, text in _texts(str(known), field)] if known else []
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
    store: Annotated[str, typer.Option(help="The store.", envvar="CANDOR_STORE")] = "candor.db",
    keys: Annotated[str, typer.Option(help="Database of keys.", envvar="CANDOR_KEYS")] = "keys.db",
    k: Annotated[int, typer.Option(help="Users that each pair cannot be told apart from.")] = 20,
    min_pairs: Annotated[int, typer.Option(help="Fewest pairs of a batch.")] = 100,
    sample: Annotated[float, typer.Option(help="Share of the pairs that people look at first (candor review).")] = 0.1,
) -> None:
    """Take what users consented to: de-identify it, check k, show a share to people, enter the rest as pairs of nobody.

    \b
    candor privacy contribute --training training.json --out users.jsonl
    """
    from candor.governance.pii import VERSION, anonymise
    from candor.store import Steps, open_store, open_vault, write_contributions
    from candor.store import contribute as take
    from candor.store.audit import verify_audit
    from candor.store.key_tables import KEYS
    from candor.store.rings import load_ring

    steps = Steps(anonymise, {"pii": str(VERSION)}, k=k, min_pairs=min_pairs, sample=sample)
    terminal = console.Terminal()
    for database, schema in ((store, None), (keys, KEYS)):
        open_store(database, create=False, schema=schema).close()  # a typing error makes no new one
    if not out.parent.is_dir():
        raise ConfigError(f"{out.parent} is no folder; make it, or choose another place with --out")
    with open_vault(store, keys, training=load_ring(training, "training")) as vault:
        done = take(vault, steps)
        if problems := verify_audit(vault.store, vault.keys).problems:
            raise DataError(f"the audit of {store} was tampered with: {problems[0]}; see candor audit verify")
        count = write_contributions(vault.store, out)
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
    from candor.governance.pii import made, training
    from candor.governance.pii.tab import read_tab
    from candor.governance.pii.words import Gazetteer

    left_out = _ids(without) if without else set()
    documents = training.annotated(one for one in read_tab(annotated) if one.id not in left_out)
    own, nobody = made.made(seed, texts), _plain(plain, seed)
    terminal = console.Terminal()
    terminal.say(f"{len(documents):,} annotated documents, {len(own):,} made texts, {len(nobody):,} that name nobody")
    with terminal.progress("tagger") as update:
        lists = made.known_words(training.common_words([one.text for one in documents] + nobody))
        learnt = [*documents, *own, *(training.Annotated(text, ()) for text in nobody)]
        tagger = training.train(learnt, Gazetteer.made(lists), seed, update)
    tagger.save(out)
    terminal.say(f"wrote {out}")


def _plain(n: int, seed: int) -> list[str]:
    """Texts that name nobody: as many of Python's documentation as made ones in each language."""
    from candor.data.harmful_text import CLEAN, harmful_texts
    from candor.data.python_docs import python_docs

    pages = [page.text for page in python_docs()]
    pieces = [page[at : at + 1500] for page in pages for at in range(0, len(page) - 1500, 1500)]
    found = pieces[:: max(1, len(pieces) // max(1, n // 3))][: n // 3]
    for lang in ("en", "zh"):
        found += [text for text, label in harmful_texts(seed, n, lang, "train") if label == CLEAN][: n // 3]
    return found


def _finder(names: bool, tagger: Path | None, model: Path | None) -> "Finder":
    from candor.governance.pii import Finder
    from candor.governance.pii.tagger import WEIGHTS

    found = Finder(names=names, tagger=tagger or WEIGHTS)
    if model is None:
        return found
    from candor.text.ner import ner_model

    return replace(found, model=ner_model(model))


def _classes(classes: str) -> tuple[str, ...]:
    found = tuple(classes.split(","))
    if wrong := [one for one in found if one not in ("direct", "quasi")]:
        raise ConfigError(f"--classes {wrong[0]!r} is neither direct nor quasi")
    return found


def _ids(path: Path) -> set[str]:
    try:
        return set(_read(str(path)).decode().split())
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start + 1}); write one id a line") from None


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path") from None


def _texts(file: str, field: str | None) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """The rows of a JSONL file with the text of each; a text alone has no row."""
    import json

    try:
        whole = _read(file).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8") from None
    if field is None:
        yield None, whole
        return
    for number, line in enumerate(whole.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text = row[field]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DataError(f"{file}, line {number}: no JSON object with a field {field!r}; check the file") from None
        if not isinstance(text, str):
            raise DataError(f"{file}, line {number}: {field!r} is no text; name another field")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DataError(f"{file}, line {number}: {field!r} holds half a character (\\ud800); mend it") from None
        yield row, text
