"""Review records out of the store and back, a JSON object a line, for annotators who work elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import CandorError, DataError, ReviewConflict
from candor.rows import Layout, Row, file_rows
from candor.store.database import BATCH
from candor.store.review import (
    DECISIONS,
    DRAFT_FIELDS,
    REVIEW_FIELDS,
    Decision,
    Draft,
    Review,
    State,
    check_annotator,
    check_choice,
    check_names,
    decided,
    draft_from_json,
    to_json,
)
from candor.store.reviews import Added, Reviews
from candor.store.schema import as_json
from candor.store.tables import ChangeOf, fetch, write_changes

_FIXED = {*DRAFT_FIELDS, "created"}
"""What no annotator may change."""


@dataclass(frozen=True)
class Imported:
    """What the lines of an imported file did."""

    decided: dict[State, int]
    """Decisions, by state."""
    undecided: int = 0
    """Lines without a decision."""
    unchanged: int = 0
    """Lines of records decided before, just as the store exports them."""


def add_drafts(reviews: Reviews, path: Path) -> Added:
    """Put the drafts of a JSONL file in line; DataError with the line number, before any is added, where one is
    broken."""
    for _ in _drafts(path):
        pass
    return reviews.add(_drafts(path))


def export_reviews(reviews: Reviews, path: Path, *states: State, **wanted: Any) -> int:
    """Write the records that `reviews.query(*states, **wanted)` gives to a file, whole or not at all; how many."""
    count = 0
    found = reviews.query(*states, **wanted)
    with files.atomic_file(path) as tmp, open(tmp, "w", encoding="utf-8", newline="\n") as file:
        for count, review in enumerate(found, start=1):  # noqa: B007 - the last number is the count
            file.write(as_json(to_json(review)) + "\n")
    return count


def import_reviews(reviews: Reviews, path: Path) -> Imported:
    """Take over the decisions of a file, all or none.

    A line needs `id`, `state` and, where it decides, `annotator`; then `edited`, `reasons` and `decided` (when, with
    its time zone) as they apply. Other fields of the record may stand there as exported. DataError with the line number
    for an unknown id or field, a changed original, a record decided before, or one that another annotator holds.
    """
    decisions: dict[State, int] = dict.fromkeys(DECISIONS, 0)
    undecided = unchanged = 0
    lines = _rows(path)
    with reviews.store.write() as connection:
        now = reviews.clock()
        while batch := list(islice(lines, BATCH)):
            ids = [row.fields["id"] for row in batch if isinstance(row.fields.get("id"), str)]
            found = fetch(connection, ids)
            changes: list[ChangeOf] = []
            for row in batch:
                try:
                    key, review = _known(row, found)
                    after = _outcome(row.fields, review, now)
                except CandorError as error:
                    raise DataError(f"{row.where}: {error}; nothing was imported") from None
                if after is None:
                    undecided += 1
                elif after is review:
                    unchanged += 1
                else:
                    decisions[after.state] += 1
                    changes.append((key, review, after, str(after.decided_by)))
                    found[review.id] = (key, after)
            write_changes(connection, changes, now)
    return Imported(decisions, undecided, unchanged)


def _rows(path: Path) -> Iterator[Row]:
    if not path.name.lower().endswith((".jsonl", ".jsonl.gz")):
        raise DataError(f"{path} is no JSONL file by its name; give one that ends in .jsonl")
    return file_rows(path, path.name, Layout())


def _drafts(path: Path) -> Iterator[Draft]:
    for row in _rows(path):
        try:
            yield draft_from_json(row.fields)
        except CandorError as error:
            raise DataError(f"{row.where}: {error}") from None


def _known(row: Row, found: dict[str, tuple[int, Review]]) -> tuple[int, Review]:
    check_names(row.fields, REVIEW_FIELDS)
    for name in ("id", "state"):
        if not isinstance(row.fields.get(name), str):
            raise DataError(f"it has no {name}; add it as text")
    if row.fields["id"] not in found:
        raise DataError(f"the id {row.fields['id']!r} is unknown to this store; remove the line")
    return found[row.fields["id"]]


def _outcome(fields: dict[str, Any], review: Review, now: datetime) -> Review | None:
    """The record after the line: itself where the line is what an export of it gives; None without a decision."""
    state, stored = fields["state"], to_json(review)
    check_choice("state", state)
    changed = {name for name, value in fields.items() if value != stored[name]}
    if wrong := sorted(changed & _FIXED):
        hint = "; put the new text into 'edited'" if wrong == ["original"] else "; leave it as it was exported"
        raise DataError(f"{', '.join(wrong)} of {review.id} {'was' if len(wrong) == 1 else 'were'} changed{hint}")
    if state not in DECISIONS:
        if fields.get("edited") or fields.get("reasons"):
            raise DataError(f"it gives edited or reasons, but its state is {state}; set it to the decision")
        return None
    if review.state in DECISIONS and not changed and fields.keys() == set(REVIEW_FIELDS):
        return review
    annotator = check_annotator(fields.get("annotator"))
    if fields.get("decided_by") not in (None, annotator):
        raise DataError(f"decided_by={fields['decided_by']!r} is not its annotator {annotator!r}; leave it out")
    decision = Decision(state, fields.get("edited"), fields.get("reasons") or ())
    after = decided(review, decision, annotator, _time(fields.get("decided"), now))
    if review.lease_until and review.lease_until > now and review.annotator != annotator:
        raise ReviewConflict(f"{review.id} is leased by {review.annotator} until {review.lease_until}; wait for that")
    return after


def _time(value: Any, now: datetime) -> datetime:
    if value is None:
        return now
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise DataError(
            f"decided={value!r} is no time like {now.isoformat(timespec='seconds')}; mend it or leave it out"
        )
    if found > now:
        raise DataError(f"decided={value!r} lies in the future; mend it or leave it out")
    return found
