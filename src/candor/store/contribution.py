"""What users contributed, as training reads it: whole batches that their receipts vouch for, or nothing."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from sqlalchemy import select

from candor import files
from candor.errors import DataError
from candor.governance.keys import bind
from candor.store.audit import must_be_whole
from candor.store.database import Store
from candor.store.user_tables import AUDIT, CONSENT, CONTRIBUTION, GIVEN, RECEIPT
from candor.store.vault import Vault


@dataclass(frozen=True)
class Contribution:
    """A de-identified pair; nothing in it leads to who wrote it.

    >>> Contribution("a0...", "What is 3/4 + 1/4?", "It is 1.", "en", month="2026-03", batch="4f...")
    """

    id: str
    """Random."""
    prompt: str
    """What was asked, masked."""
    answer: str
    """What was answered, masked, or as somebody edited it."""
    lang: str
    """`en` or `zh`."""
    month: str
    """When it entered, no closer: YYYY-MM."""
    batch: str
    """The batch that it entered with."""


def batch_digest(rows: Iterable[Contribution]) -> str:
    """SHA-256 over all that is stored of a batch."""
    lines = sorted(bind(*astuple(row)) for row in rows)
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def contributions(store: Store) -> Iterator[Contribution]:
    """All contributed pairs, batch by batch. DataError for a batch that the audit does not know, or without a receipt
    for each of its pairs from a consent that was given: rows that did not come by `contribute`, or were changed since.
    Whoever can write to the audit too is found by `must_be_whole`."""
    given = select(CONSENT.c.id).join(AUDIT, GIVEN)
    with store.read() as connection:
        names = connection.execute(select(CONTRIBUTION.c.batch).distinct().order_by(CONTRIBUTION.c.batch)).scalars()
        for name in names.all():
            wanted = select(CONTRIBUTION).where(CONTRIBUTION.c.batch == name).order_by(CONTRIBUTION.c.id)
            rows = [Contribution(**row._mapping) for row in connection.execute(wanted)]
            digest = batch_digest(rows)
            entered = select(AUDIT.c.detail).where(AUDIT.c.action == "contribution.batch", AUDIT.c.object == name)
            audited = any(one.get("digest") == digest for one in connection.execute(entered).scalars())
            vouching = select(RECEIPT.c.pairs_out).where(RECEIPT.c.digest == digest, RECEIPT.c.consent.in_(given))
            if not audited or sum(connection.execute(vouching).scalars()) != len(rows):
                raise DataError(
                    f"batch {name} of contributions in {store.name} has no receipts: its {len(rows)} rows were changed "
                    "or did not come by consent; restore the store from a backup, or delete the batch"
                )
            yield from rows


def write_contributions(vault: Vault, path: Path) -> int:
    """Write all pairs as dialogues to learn from, one a line of JSONL, whole or not at all; how many. DataError where
    the audit or a batch was tampered with."""
    must_be_whole(vault.store, vault.keys)
    count = 0
    with files.atomic_file(path) as tmp, open(tmp, "w", encoding="utf-8", newline="\n") as file:
        for row in contributions(vault.store):
            messages = [{"role": "user", "content": row.prompt}, {"role": "assistant", "content": row.answer}]
            file.write(files.json_line({"messages": messages, "origin": "user-derived", "lang": row.lang}))
            count += 1
    return count
