"""`candor audit`: verify the chain of what was done with users' data."""

from typing import TYPE_CHECKING, Annotated

import typer

from candor.cli import console
from candor.cli.options import KEYS, STORE, KeysUrl, StoreUrl

if TYPE_CHECKING:
    from candor.governance.audit import Head

app = typer.Typer(
    help="The audit: who gave, withdrew, exported or deleted what, and what entered training.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def verify(
    store: StoreUrl = STORE,
    keys: KeysUrl = KEYS,
    head: Annotated[
        list[str] | None, typer.Option(metavar="NUMBER:HASH", help="A head noted earlier, elsewhere; repeat for more.")
    ] = None,
) -> None:
    """Check that no entry was changed, removed, inserted, moved or cut off; exit code 1 where one was.

    Note the head that is printed somewhere else: given back later, it holds even against who can write both databases.

    \b
    candor audit verify --store candor.db --keys keys.db
    candor audit verify --head 41:9f2c...
    """
    from candor.store import open_store
    from candor.store.audit import verify_audit
    from candor.store.keystore import open_keys

    terminal = console.Terminal()
    heads = [_head(one) for one in head or []]
    with open_store(store, create=False) as opened, open_keys(keys, create=False) as keyed:
        verdict = verify_audit(opened, keyed, *heads)
    for line in (*verdict.gaps, *verdict.problems):
        terminal.say(line)
    if verdict.problems:
        raise typer.Exit(1)
    last = f"; head {verdict.head.sequence}:{verdict.head.hash}" if verdict.head else ""
    terminal.say(f"{verdict.entries} entries, none changed{last}")


@app.command()
def resume(store: StoreUrl = STORE, keys: KeysUrl = KEYS) -> None:
    """Go on after the store was restored from a backup: an entry records how many the backup lacked, for good.

    \b
    candor audit resume --store candor.db --keys keys.db
    """
    from candor.store import open_store
    from candor.store.audit import resume_audit
    from candor.store.keystore import open_keys
    from candor.store.schema import utc_now

    with open_store(store, create=False) as opened, open_keys(keys, create=False) as keyed:
        head = resume_audit(opened, keyed, utc_now())
    console.Terminal().say(f"the gap is recorded as entry {head.sequence}")


def _head(text: str) -> "Head":
    from candor.errors import ConfigError
    from candor.governance.audit import Head

    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise ConfigError(f"--head {text!r} is not NUMBER:HASH as candor audit verify prints it; give that")
    return Head(int(number), digest)
