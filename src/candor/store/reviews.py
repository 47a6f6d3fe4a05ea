"""Review records in the database: drafts go in, annotators lease and decide, rules decide where none takes part."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Select, func, select

from candor.errors import ConfigError, ReviewConflict
from candor.store.database import BATCH, Store
from candor.store.review import (
    DECISIONS,
    STATES,
    Change,
    Decision,
    Draft,
    Lang,
    Method,
    Review,
    Rule,
    State,
    check_annotator,
    check_choice,
    decided,
)
from candor.store.schema import utc_now
from candor.store.tables import (
    HISTORY,
    REVIEW,
    fetch,
    free,
    insert_new,
    review_of,
    run_out,
    the_one,
    write_changes,
)

_MOST = 10_000
_YEAR = 365 * 24 * 60
_GROUPS = ("state", "method", "lang", "family", "grade", "annotator", "decided_by")


@dataclass(frozen=True)
class Added:
    """What became of drafts that were added."""

    new: int = 0
    """Drafts that were not there before."""
    known: int = 0
    """Drafts that were."""


class Reviews:
    """The review records of a store; any number of processes may work on them at once.

    >>> with open_store("reviews.db") as store:
    ...     reviews = Reviews(store)
    ...     reviews.add(drafts)
    ...     for review in reviews.lease("li", n=10, minutes=30):
    ...         reviews.decide(review.id, "accepted", annotator="li")
    """

    def __init__(self, store: Store, clock: Callable[[], datetime] = utc_now):
        self.store = store
        self.clock = clock

    def add(self, drafts: Iterable[Draft]) -> Added:
        """Put drafts in line. One with the same digest as an earlier one changes nothing, so after a kill the same call
        goes on: what is kept are whole batches, committed as the drafts come."""
        new, seen, drafts = 0, 0, iter(drafts)
        while batch := list(islice(drafts, BATCH)):
            with self.store.write() as connection:
                new += insert_new(connection, batch, self.clock())
            seen += len(batch)
        return Added(new, seen - new)

    def lease(self, annotator: str, n: int = 1, minutes: float = 30) -> list[Review]:
        """Up to `n` waiting records, the oldest first, which nobody else gets for so many minutes; then those not
        decided on wait again."""
        check_annotator(annotator)
        if not 1 <= n <= _MOST:
            raise ConfigError(f"n={n} records to lease must lie between 1 and {_MOST}")
        if not (math.isfinite(minutes) and 0 < minutes <= _YEAR):
            raise ConfigError(f"minutes={minutes} of a lease must lie above 0 and be at most {_YEAR}, a year")
        with self.store.write() as connection:
            now = self.clock()
            until = now + timedelta(minutes=minutes)
            free(connection, now)
            waiting = select(REVIEW).where(REVIEW.c.state == "waiting").order_by(REVIEW.c.number).limit(n)
            found = connection.execute(waiting.with_for_update(skip_locked=True)).all()
            changes = []
            for row in found:
                review = review_of(row)
                leased = dataclasses.replace(review, state="leased", annotator=annotator, lease_until=until)
                changes.append((row.number, review, leased, annotator))
            write_changes(connection, changes, now)
        return [leased for _, _, leased, _ in changes]

    def decide(
        self, id: str, state: State, edited: str | None = None, reasons: Sequence[str] = (), *, annotator: str
    ) -> Review:
        """Decide on a record that `annotator` holds. ReviewConflict where somebody decided before, or the lease is not
        theirs or ran out; then nothing is changed."""
        check_annotator(annotator)
        decision = Decision(state, edited, reasons)
        with self.store.write() as connection:
            now = self.clock()
            number, review = the_one(fetch(connection, [id]), id)
            after = decided(review, decision, annotator, now)
            if review.state != "leased" or review.annotator != annotator:
                holder = f"leased by {review.annotator}" if review.annotator else "not leased"
                raise ReviewConflict(f"{id} is {holder}, so {annotator} cannot decide on it; lease it first")
            if review.lease_until is None or review.lease_until <= now:
                over = review.lease_until
                raise ReviewConflict(f"the lease of {annotator} on {id} ran out at {over}; lease it again")
            write_changes(connection, [(number, review, after, annotator)], now)
        return after

    def decide_by_rule(self, rule: Rule) -> dict[State, int]:
        """Have a rule decide on all that waits, and mark it so; how many became what. What an annotator holds is left
        alone, and so is what users wrote, which only people may pass. Kept batch by batch: where the rule raises, what
        it decided before stands."""
        counts: dict[State, int] = dict.fromkeys(("waiting", *DECISIONS), 0)
        self._free()
        last = 0
        open_to_rules = (REVIEW.c.state == "waiting", REVIEW.c.method != "user")
        waiting = select(REVIEW).where(*open_to_rules).order_by(REVIEW.c.number).limit(BATCH)
        while True:
            with self.store.read() as connection:
                rows = connection.execute(waiting.where(REVIEW.c.number > last)).all()
            if not rows:
                return counts
            last, now = rows[-1].number, self.clock()
            changes = []
            for row in rows:
                review = review_of(row)
                decision = rule.decide(review)
                if decision is None:
                    counts["waiting"] += 1
                elif isinstance(decision, Decision):
                    changes.append((row.number, review, decided(review, decision, str(rule), now), str(rule)))
                else:
                    raise ConfigError(f"{rule} made {decision!r} of {review.id}; let it return a Decision or None")
            with self.store.write() as connection:
                wanted = REVIEW.c.number.in_([number for number, *_ in changes])
                still = select(REVIEW.c.number).where(wanted, REVIEW.c.state == "waiting")
                free = set(connection.execute(still.with_for_update(skip_locked=True)).scalars())
                changes = [change for change in changes if change[0] in free]
                write_changes(connection, changes, now)
            for _, _, after, _ in changes:
                counts[after.state] += 1

    def get(self, id: str) -> Review:
        """The record of this id; DataError where there is none."""
        self._free()
        with self.store.read() as connection:
            return the_one(fetch(connection, [id], lock=False), id)[1]

    def query(
        self,
        *states: State,
        method: Method | None = None,
        lang: Lang | None = None,
        family: str | None = None,
        problem: str | None = None,
        annotator: str | None = None,
    ) -> Iterator[Review]:
        """Stream the records in these states (all where none is named) in the order they were added, as they stand
        when the first one is taken."""
        for state in states:
            check_choice("state", state)
        if method is not None:
            check_choice("method", method)
        if lang is not None:
            check_choice("lang", lang)
        wanted = {"method": method, "lang": lang, "family": family, "problem": problem, "annotator": annotator}
        statement = select(REVIEW).order_by(REVIEW.c.number)
        if states:
            statement = statement.where(REVIEW.c.state.in_(states))
        for name, value in wanted.items():
            if value is not None:
                statement = statement.where(REVIEW.c[name] == value)
        return self._stream(statement)

    def _stream(self, statement: Select[Any]) -> Iterator[Review]:
        self._free()
        with (
            self.store.read() as connection,
            connection.execution_options(yield_per=BATCH).execute(statement) as rows,
        ):
            for row in rows:
                yield review_of(row)

    def counts(self, by: str = "state") -> dict[str, int]:
        """Number of records by `state` (each of them), or by method, lang, family, grade, annotator or decided_by; ""
        stands for none."""
        if by not in _GROUPS:
            raise ConfigError(f"by={by!r} is nothing to count by; choose {', '.join(_GROUPS)}")
        self._free()
        with self.store.read() as connection:
            rows = connection.execute(select(REVIEW.c[by], func.count()).group_by(REVIEW.c[by])).all()
        found = {name or "": count for name, count in rows}
        return {state: found.get(state, 0) for state in STATES} if by == "state" else dict(sorted(found.items()))

    def history(self, id: str) -> list[Change]:
        """All that ever happened to a record, oldest first."""
        with self.store.read() as connection:
            number, _ = the_one(fetch(connection, [id], lock=False), id)
            rows = connection.execute(select(HISTORY).where(HISTORY.c.review == number).order_by(HISTORY.c.number))
            return [Change(row.who, row.at, row.before, row.after) for row in rows]

    def _free(self) -> None:
        """Put back what is leased no longer; writes only where there is any."""
        now = self.clock()
        with self.store.read() as connection:
            any_left = connection.execute(run_out(now).limit(1)).first()
        if any_left:
            with self.store.write() as connection:
                free(connection, now)
