"""`candor label`: say that it is machine-made, in any file, and check that it says so."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from typer.core import TyperGroup

from candor.cli import console
from candor.errors import ConfigError

if TYPE_CHECKING:
    from candor.governance.keys import LocalRing
    from candor.governance.labels import SigningKeys, Standard, Verdict
    from candor.governance.watermark import Scheme, WatermarkKey


USAGE = 10
"""Exit code of a command that could not be carried out. Lower ones are verdicts; of `write`, 1 says that at least one
file was not labelled."""


class _Group(TyperGroup):
    """Errors end with USAGE, typer's about the command line (whose class has no public name) and our own."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command of the group."""
        with _usage_errors():
            return super().invoke(ctx)

    def make_context(self, *args: Any, **fields: Any) -> Any:
        """Parse the group's own options."""
        with _usage_errors():
            return super().make_context(*args, **fields)


@contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:
        if hasattr(error, "exit_code"):
            error.exit_code = USAGE
        raise


app = typer.Typer(
    cls=_Group,
    help="Labels of machine-made content: write, verify, show what there is. GB 45438-2025 and the EU's AI Act.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Files, or folders with files, of known kinds.")]
Ring = Annotated[str, typer.Option(help="Ring of the keys that sign: file or env:NAME (candor keys new).")]
PublicKeys = Annotated[Path | None, typer.Option(help="File of public keys, as candor label public-keys writes it.")]


@app.command()
def write(
    paths: Files,
    producer: Annotated[
        str, typer.Option(envvar="CANDOR_PRODUCER", help="The provider's code of 27 characters.", metavar="CODE")
    ] = "",
    label: Annotated[str, typer.Option(help="1 is generated, 2 may be, 3 is suspected to be.")] = "1",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write here and leave FILE as it is.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the visible notice: en or zh.")] = "en",
    notice: Annotated[str, typer.Option(help="Your own wording of it; both elements are checked.")] = "",
    position: Annotated[str, typer.Option(help="Where it stands: start, middle or end.")] = "end",
    visible: Annotated[bool, typer.Option(help="Without it only the metadata is written.")] = True,
    sidecar: Annotated[bool, typer.Option(help="Beside a plain text, FILE.aigc.json with the seven fields.")] = False,
    keys: Ring = "",
    log: Annotated[
        Path, typer.Option(envvar="CANDOR_LABEL_LOG", help="Log of the numbers given; keep it six months and more.")
    ] = Path("labels.jsonl"),
) -> None:
    """Write the visible notice and the metadata label into files, each replaced at once.

    A label that is there already keeps its producer; you become the propagator. Nothing is written where the result
    would not read back. Without your code nothing is written at all: a code is issued, never made up. Exit code: 0 all
    labelled, 1 at least one file was not, each with its reason; 10 wrong usage, nothing was touched.

    \b
    candor label write report.docx --producer 001191110102MAD55U9H0F10002
    candor label write answers/ --producer "$CODE" --lang zh --position start
    candor label write page.html -o labelled.html --keys label.json
    """
    from candor.errors import CandorError
    from candor.governance import labels
    from candor.governance.labels.explicit import Position
    from candor.governance.labels.file import find_files
    from candor.governance.labels.log import open_log

    labels.new_label(producer, label)  # before anything is opened: is there a code?
    style = labels.Style(lang, cast(Position, position), notice) if visible else None
    signing = _signing_keys(keys) if keys else None
    targets = find_files(paths)
    if out is not None and (len(targets) != 1 or out.is_dir()):
        raise ConfigError("-o names one file and takes one FILE")
    terminal, failed = console.Terminal(), 0
    with open_log(log) as given:
        for target in targets:
            try:
                done = labels.write(
                    target,
                    labels.new_label(producer, label),
                    style=style,
                    out=out,
                    keys=signing,
                    log=given,
                    sidecar=sidecar,
                )
            except CandorError as error:
                failed += 1
                console.error(str(error))
                continue
            number = f", number {done.label.propagate_id}" if done.changed else ""
            terminal.say(f"{done.path}: {done.how}{number}")
    terminal.say(f"{len(targets) - failed} of {len(targets)} files; numbers in {log}")
    if failed:
        raise typer.Exit(1)


@app.command()
def verify(
    paths: Files,
    standard: Annotated[str, typer.Option(help="cn (GB 45438-2025), eu (AI Act Art. 50) or both.")] = "cn",
    keys: PublicKeys = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file.")] = False,
) -> None:
    """Say of each file whether its labels are lawful, and how to mend what is not.

    Exit code: 0 compliant, 1 noncompliant, 2 no label found, 3 inconclusive, the worst of all files; 10 wrong usage.
    It checks the published fields; it certifies nothing.

    \b
    candor label verify report.docx
    candor label verify answers/ --standard both --json
    candor label verify page.html --keys public-keys.json
    """
    from candor.governance import labels
    from candor.governance.labels.file import find_files

    if standard not in get_args(labels.Standard):
        raise ConfigError(f"--standard {standard} is none of {', '.join(get_args(labels.Standard))}; choose one")
    public = _public_keys(keys)
    terminal, verdicts = console.Terminal(), []
    for target in find_files(paths):
        verdict = labels.verify(target, cast("Standard", standard), public)
        verdicts.append(verdict.status)
        if as_json:
            terminal.say(json.dumps(verdict.record(), ensure_ascii=False))
        else:
            _show(terminal, verdict)
    if not as_json and len(verdicts) > 1:
        counts = (f"{verdicts.count(one)} {one}" for one in labels.EXIT if one in verdicts)
        terminal.say(f"{len(verdicts)} files: {', '.join(counts)}")
    raise typer.Exit(labels.EXIT[labels.worst(verdicts)])


@app.command()
def detect(
    path: Annotated[str, typer.Argument(metavar="FILE", help="Text in UTF-8; - reads standard input.")],
    tokenizer: Annotated[Path, typer.Option(help="Folder of the model, or of its tokenizer.")],
    keys: Annotated[str, typer.Option(help="Ring of watermark secrets: file or env:NAME (candor keys new).")],
    tenant: Annotated[str, typer.Option(help="Whose mark to look for.")] = "default",
    scheme: Annotated[str, typer.Option(help="tournament, or kgw.")] = "tournament",
    level: Annotated[float, typer.Option(help="Share of unmarked texts that may be taken for marked ones.")] = 0.01,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Look for a watermark: exit code 0 found, 2 not found, 3 inconclusive (too short to say), 10 wrong usage.

    All versions of the tenant's key are tried, and the p-value allows for that.

    \b
    candor label detect answer.txt --tokenizer runs/laptop/model --keys watermark.json
    """
    from candor.cli.texts import read_bytes
    from candor.governance.watermark import detect as look
    from candor.text import Tokenizer

    text = read_bytes(path).decode(errors="replace")
    found = look(text, watermark_keys(keys, tenant, scheme), Tokenizer.load(tokenizer), level=level)
    terminal = console.Terminal()
    if as_json:
        terminal.say(json.dumps(asdict(found)))
    else:
        terminal.say(found.status)
        terminal.say(
            f"p-value {found.p_value:.2g} after {found.tries} keys, {found.tokens} tokens counted, "
            f"score {found.score:.3f}, best key {found.key_id}"
        )
    raise typer.Exit({"found": 0, "not found": 2, "inconclusive": 3}[found.status])


@app.command("public-keys")
def publish(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Ring of label keys: file or env:NAME.")],
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File for those who verify; it holds no secret.")],
) -> None:
    """Write the public halves of the keys that sign labels. A new version of the ring needs it written again.

    \b
    candor keys new label.json --ring label
    candor label public-keys label.json public-keys.json
    """
    from candor import files

    keys = _signing_keys(source)
    files.write_json(path, keys.published())
    console.Terminal().say(f"{path}: {len(keys.public)} public keys; {list(keys.public)[-1]} signs")


@app.command()
def evidence(
    folder: Annotated[Path, typer.Argument(help="Folder with labelled files: exports, answers, reports.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the papers.")] = Path("label-evidence"),
    keys: PublicKeys = None,
) -> None:
    """Make what app stores and filings ask for: the scheme, positions, a technical note and a coverage table.

    \b
    candor label evidence answers/ --out filing/ --keys public-keys.json
    """
    from datetime import UTC, datetime

    from candor.governance.labels.evidence import collect, write_evidence

    found = collect(folder, datetime.now(UTC), _public_keys(keys))
    terminal = console.Terminal()
    terminal.say(f"{len(found.verdicts)} files, {found.share():.1%} compliant")
    for path in write_evidence(found, out):
        terminal.say(f"  {path}")


@app.command(hidden=True)
def remove(paths: Files) -> None:
    """Refused: see the message."""
    raise ConfigError(
        "labels are not removed: Measures for Labelling AI-Generated Content (2025), Art. 10, forbid removing, "
        "altering, forging and hiding them, and tools for it; candor label write replaces a broken one"
    )


def _show(terminal: console.Terminal, verdict: "Verdict") -> None:
    carrier = f" ({verdict.carrier})" if verdict.carrier else ""
    terminal.say(f"{verdict.file}{carrier}: {verdict.status}")
    if verdict.label:
        from candor.governance.labels.record import MEANING

        terminal.say(f"  label: {MEANING.get(verdict.label.label, '?')}; producer {verdict.label.producer}")
    for seen in verdict.notices[:3]:
        terminal.say(f"  notice: {seen.text}")
    for name, state in (verdict.signatures or {}).items():
        if state != "not signed":
            terminal.say(f"  signature in {name}: {state}")
    for problem in verdict.problems:
        terminal.say(f"  {problem.clause}: {problem.what}\n    mend: {problem.mend}")
    for note in verdict.notes:
        terminal.say(f"  note: {note}")


def _signing_keys(source: str) -> "SigningKeys":
    from candor.governance.keys import LABEL
    from candor.governance.labels import signing_keys

    return signing_keys(_local_ring(source, LABEL))


def _public_keys(path: Path | None) -> "SigningKeys | None":
    from candor import files
    from candor.governance.labels import public_keys

    return public_keys(files.read_json(path), str(path)) if path else None


def watermark_keys(source: str, tenant: str, scheme: "Scheme | str" = "tournament") -> "list[WatermarkKey]":
    """The tenant's keys out of a ring that is here."""
    from candor.governance.keys import WATERMARK
    from candor.governance.watermark import keys_of

    return keys_of(_local_ring(source, WATERMARK), tenant, scheme)  # type: ignore[arg-type]


def _local_ring(source: str, name: str) -> "LocalRing":
    """A ring whose secrets are here: out of a program that keeps them to itself no keys can be derived."""
    from candor.governance.keys import LocalRing
    from candor.store.rings import load_ring

    ring = load_ring(source, name)
    if not isinstance(ring, LocalRing):
        raise ConfigError(f"{source} keeps its secrets to itself; {name} keys come from a file or env:NAME")
    return ring
