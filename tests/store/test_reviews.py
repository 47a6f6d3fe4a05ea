"""Nobody gets what another holds, no decision is made twice, and the history tells all, whoever is killed when."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from candor.errors import ConfigError, DataError, ReviewConflict
from candor.store import Change, Decision, Draft, Review, Reviews, Rule, open_store
from candor.store.review import DECISIONS, STATES
from tests.store.conftest import Clock, consistent, draft

ROOT = Path(__file__).parents[2]
PEOPLE = ("li", "wang", "smith")
RULE = Rule("even", "3", lambda one: Decision("accepted") if int(one.prompt[11:-1]) % 2 == 0 else None)


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


# The state machine.


class Model:
    """What a store of records must do, in plain Python: the truth that the real one is compared with."""

    def __init__(self, clock: Clock):
        self.clock, self.records, self.changes = clock, dict[str, Review](), dict[str, list[Change]]()

    def put(self, after: Review, who: str) -> None:
        before = self.records.get(after.id)
        change = Change(who, self.clock(), before.state if before else None, after.state)
        self.changes.setdefault(after.id, []).append(change)
        self.records[after.id] = after

    def add(self, drafts: list[Draft]) -> int:
        new = {one.digest: one for one in reversed(drafts) if one.digest not in self.records}
        for one in dict.fromkeys(one.digest for one in drafts if one.digest in new):
            values = vars(new[one])
            self.put(Review(**values, id=one, state="waiting", created=self.clock()), "candor")
        return len(new)

    def free(self) -> None:
        for one in list(self.records.values()):
            if one.lease_until and one.lease_until <= self.clock():
                self.put(replace(one, state="waiting", annotator=None, lease_until=None), "candor")

    def lease(self, who: str, n: int, minutes: float) -> list[Review]:
        self.free()
        found = [one for one in self.records.values() if one.state == "waiting"][:n]
        later = Clock()
        later.now = self.clock()
        later.move(minutes)
        for one in found:
            self.put(replace(one, state="leased", annotator=who, lease_until=later()), who)
        return [self.records[one.id] for one in found]

    def decide(self, id: str, state: Any, edited: str | None, who: str, *, rule: bool = False) -> Review | None:
        """None where it must be refused."""
        one = self.records[id]
        held = one.state == "leased" and one.annotator == who and one.lease_until and one.lease_until > self.clock()
        if not held and not (rule and one.state == "waiting"):
            return None
        self.put(
            replace(
                one,
                state=state,
                edited=edited,
                annotator=None if rule else who,
                lease_until=None,
                decided=self.clock(),
                decided_by=who,
            ),
            who,
        )
        return self.records[id]

    def decide_by_rule(self) -> None:
        self.free()
        for one in list(self.records.values()):
            if one.state == "waiting" and (decision := RULE.decide(one)):
                self.decide(one.id, decision.state, None, str(RULE), rule=True)


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_calls_does_what_the_model_does(reviews: Reviews, clock: Clock, seed: int) -> None:
    chance = random.Random(seed)
    model = Model(clock)
    refused = 0
    for step in range(150):
        match chance.choice(["add", "lease", "lease", "decide", "decide", "decide", "wait", "read", "rule"]):
            case "add":
                drafts = [draft(chance.randrange(80)) for _ in range(chance.randrange(6))]
                assert reviews.add(drafts).new == model.add(drafts)
            case "lease":
                arguments = chance.choice(PEOPLE), chance.randint(1, 3), chance.choice([1, 30])
                assert reviews.lease(*arguments) == model.lease(*arguments)
            case "decide" if model.records:
                live = [one for one in model.records.values() if one.state == "leased"]
                one = chance.choice(live if live and chance.random() < 0.8 else list(model.records.values()))
                who = one.annotator if one.annotator and chance.random() < 0.7 else chance.choice(PEOPLE)
                state = chance.choice(DECISIONS)
                edited = f"edit {step} 改" if state == "edited" else None
                expected = model.decide(one.id, state, edited, who)
                if expected:
                    assert reviews.decide(one.id, state, edited, annotator=who) == expected
                else:
                    refused += 1
                    with pytest.raises(ReviewConflict):
                        reviews.decide(one.id, state, edited, annotator=who)
            case "wait":
                clock.move(chance.choice([0.5, 1, 20]))
            case "read":
                model.free()
                states = chance.sample(STATES, chance.randrange(3))
                wanted = [one for one in model.records.values() if not states or one.state in states]
                assert list(reviews.query(*states)) == wanted
            case "rule" if chance.random() < 0.2:
                reviews.decide_by_rule(RULE)
                model.decide_by_rule()
    model.free()
    assert list(reviews.query()) == list(model.records.values())
    assert all(reviews.history(id) == changes for id, changes in model.changes.items())
    held = [one.state for one in model.records.values()]
    assert reviews.counts() == {state: held.count(state) for state in STATES}
    reached = {change.after for changes in model.changes.values() for change in changes}
    assert refused > 5 and reached == set(STATES)  # the walk came about
    consistent(reviews.store)


def test_the_original_is_kept_beside_the_edited_text(reviews: Reviews) -> None:
    reviews.add([draft(1, "3 + 1 = 5")])
    (held,) = reviews.lease("li")
    reviews.decide(held.id, "edited", "3 + 1 = 4", ("wrong_sum",), annotator="li")
    found = reviews.get(held.id)
    assert (found.original, found.edited, found.text) == ("3 + 1 = 5", "3 + 1 = 4", "3 + 1 = 4")
    assert found.reasons == ("wrong_sum",)


@pytest.mark.parametrize(
    ("who", "minutes", "says"),
    [
        ("wang", 0, "is leased by li, so wang cannot decide on it; lease it first"),
        ("li", 30, "the lease of li on .* ran out at 2026-03-01 12:30:00.*; lease it again"),
    ],
)
def test_only_who_holds_it_decides(reviews: Reviews, clock: Clock, who: str, minutes: float, says: str) -> None:
    reviews.add([draft(1)])
    (held,) = reviews.lease("li", minutes=30)
    clock.move(minutes)
    with pytest.raises(ReviewConflict, match=says):
        reviews.decide(held.id, "accepted", annotator=who)
    assert len(reviews.history(held.id)) == 2


def test_what_waits_is_for_nobody_to_decide(reviews: Reviews) -> None:
    reviews.add([draft(1)])
    with pytest.raises(ReviewConflict, match="is not leased, so li cannot decide"):
        reviews.decide(draft(1).digest, "accepted", annotator="li")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda all: all.lease(""), "annotator='' must be a name"),
        (lambda all: all.lease("a\nb"), "must be a name in one line"),
        (lambda all: all.lease("rule:mine 1"), "stands for a machine's decisions"),
        (lambda all: all.lease("candor"), "stands for a machine's decisions"),
        (lambda all: all.lease("li", n=0), "n=0 records to lease must lie between 1 and 10000"),
        (lambda all: all.lease("li", minutes=0), "minutes=0 of a lease"),
        (lambda all: all.lease("li", minutes=float("nan")), "minutes=nan of a lease"),
        (lambda all: all.lease("li", minutes=1e9), "minutes=1000000000.0 of a lease"),
        (lambda all: all.decide("x", "accepted", annotator="li"), "there is no review record 'x'"),
        (lambda all: all.decide("x", "accepted", reasons="bad", annotator="li"), "reasons='bad' is no list"),
        (lambda all: all.get("x"), "there is no review record 'x'"),
        (lambda all: all.history("x"), "there is no review record 'x'"),
        (lambda all: all.query("open"), "state='open' is none of waiting, leased"),
        (lambda all: all.counts("original"), "by='original' is nothing to count by"),
        (lambda all: all.decide_by_rule(Rule("r", "1", lambda one: "accepted")), "rule:r 1 made 'accepted' of"),
    ],
)
def test_what_cannot_be_says_why(reviews: Reviews, call: Any, says: str) -> None:
    reviews.add([draft(1)])
    with pytest.raises((ConfigError, DataError)) as caught:
        call(reviews)
    assert says in str(caught.value)
    assert reviews.counts()["waiting"] == 1


# Rules, queries.


def test_a_rule_decides_only_what_nobody_holds(reviews: Reviews) -> None:
    reviews.add(draft(number) for number in range(1200))  # several batches
    held = {one.id for one in reviews.lease("li", 100)}
    assert reviews.decide_by_rule(RULE) == {"waiting": 550, "accepted": 550, "edited": 0, "rejected": 0}
    assert {one.id for one in reviews.query("leased")} == held
    assert all(one.annotator is None and one.decided_by == "rule:even 3" for one in reviews.query("accepted"))
    assert reviews.counts("decided_by") == {"": 650, "rule:even 3": 550}


def test_what_a_rule_decided_before_it_raised_stands(reviews: Reviews) -> None:
    reviews.add(draft(number) for number in range(1200))

    def decide(one: Review) -> Decision:
        if "+ 700?" in one.prompt:
            raise ZeroDivisionError
        return Decision("rejected", reasons=("odd",))

    with pytest.raises(ZeroDivisionError):
        reviews.decide_by_rule(Rule("fragile", "1", decide))
    assert reviews.counts()["rejected"] == 500
    consistent(reviews.store)


def test_an_annotator_who_is_faster_than_a_rule_keeps_the_record(reviews: Reviews) -> None:
    reviews.add([draft(1), draft(2)])

    def decide(one: Review) -> Decision:
        if not list(reviews.query("leased")):
            reviews.lease("li")
        return Decision("accepted")

    assert reviews.decide_by_rule(Rule("slow", "1", decide))["accepted"] == 1
    assert [one.state for one in reviews.query()] == ["leased", "accepted"]


def test_queries_pick_and_stream(reviews: Reviews) -> None:
    reviews.add(replace(draft(1), method=method, lang=lang) for method in ("human", "r1_zero") for lang in ("en", "zh"))
    reviews.add([replace(draft(number), family="countdown", problem="7") for number in range(2, 1202)])
    assert [one.lang for one in reviews.query(method="human")] == ["en"]  # the language makes no other draft
    assert [one.method for one in reviews.query(lang="en", family=None)][:2] == ["human", "r1_zero"]
    assert sum(1 for _ in reviews.query("waiting", family="countdown", problem="7")) == 1200
    assert reviews.counts("family") == {"": 2, "countdown": 1200}
    seen = 0
    for one in reviews.query("waiting"):  # as they stood when the first was taken, while they change
        reviews.lease("li", 100) if seen % 100 == 0 else None
        assert one.state == "waiting"
        seen += 1
    assert seen == 1202 and reviews.counts()["leased"] == 1202


def test_drafts_are_kept_as_they_come(reviews: Reviews) -> None:
    """A generator that fails, a model that stops answering: what was made before is not lost."""

    def drafts() -> Any:
        for number in range(700):
            yield draft(number)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        reviews.add(drafts())
    assert reviews.counts()["waiting"] == 500
    assert reviews.add(draft(number) for number in range(700)).new == 200


# Several processes, and their deaths.

LEASING = """
import sys, time
from candor.store import Reviews, open_store

with open_store(sys.argv[1]) as store:
    reviews = Reviews(store)
    print("ready", flush=True)
    sys.stdin.readline()
    while found := reviews.lease(sys.argv[2], 3):
        print(*(one.id for one in found), flush=True)
        time.sleep(0.003)  # as people do; SQLite lets who asks without a pause go first
"""


def test_processes_that_lease_at_once_get_different_records(url: str) -> None:
    with open_store(url) as store:
        reviews = Reviews(store)
        reviews.add(draft(number) for number in range(300))
        pipe = subprocess.PIPE
        command = [sys.executable, "-W", "error", "-c", LEASING, url]
        people = [subprocess.Popen([*command, who], stdin=pipe, stdout=pipe, text=True) for who in PEOPLE[:2]]
        for one in people:
            assert one.stdout and one.stdout.readline() == "ready\n"
        outputs = []
        for one in people:
            assert one.stdin
            one.stdin.write("go\n")
            one.stdin.flush()
        for one in people:
            outputs.append(one.communicate(timeout=60)[0].split())
        assert min(map(len, outputs)) > 20  # both had their share
        assert len(set(outputs[0]) | set(outputs[1])) == len(outputs[0]) + len(outputs[1]) == 300
        for who, ids in zip(PEOPLE, outputs, strict=False):
            assert {one.id for one in reviews.query(annotator=who)} == set(ids)
        consistent(store)


# Each child dies right after its n-th call of the database's driver, until one comes through (argv: store, file).
DYING = """
import itertools, json, os, signal, sys
from pathlib import Path
from candor.store import Decision, Reviews, Rule, import_reviews, open_store
from tests.store.conftest import consistent, draft

url, lines = sys.argv[1], Path(sys.argv[2])
drafts = [draft(number) for number in range(9)]
accept = Rule("all", "1", lambda one: Decision("accepted"))

def lease(reviews):
    reviews.lease("li", 3)

def decide(reviews):
    reviews.decide(next(reviews.query("leased")).id, "edited", "new", annotator="li")

def take(reviews):
    found = [{"id": one.id, "state": "rejected", "annotator": "wang"} for one in reviews.query("waiting")][:2]
    lines.write_text("".join(json.dumps(one) + "\\n" for one in found))
    import_reviews(reviews, lines)

def die_after(left):
    def count(frame, event, function):
        nonlocal left
        if event == "c_return" and function.__name__ in ("execute", "executemany", "commit"):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
    sys.setprofile(count)

def state():
    with open_store(url) as store:
        consistent(store)
        return {name: count for name, count in Reviews(store).counts().items() if count}

steps = [lambda reviews: reviews.add(drafts), lease, decide, take, lambda reviews: reviews.decide_by_rule(accept)]
for step in steps:
    before, seen = state(), []
    for kills in itertools.count():
        child = os.fork()
        if child == 0:
            with open_store(url) as store:
                reviews = Reviews(store)
                die_after(kills)
                step(reviews)
                sys.setprofile(None)
            os._exit(0)
        code = os.waitpid(child, 0)[1]
        after = state()
        seen.append(after)
        if code == 0 or after != before:
            break
    assert kills >= 3, (kills, code)
    assert all(one == before for one in seen[:-1])
    print(after)
"""


def test_a_killed_process_leaves_its_change_whole_or_undone(tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").touch()
    assert run(DYING, tmp_path / "store.db", tmp_path / "lines.jsonl").splitlines() == [
        "{'waiting': 9}",
        "{'waiting': 6, 'leased': 3}",
        "{'waiting': 6, 'leased': 2, 'edited': 1}",
        "{'waiting': 4, 'leased': 2, 'edited': 1, 'rejected': 2}",
        "{'leased': 2, 'accepted': 4, 'edited': 1, 'rejected': 2}",
    ]


# Works until it is killed, and says what was promised; the parent kills at random (argv: store).
WORKING = """
import os, random, signal, sys, time
from candor.store import Reviews, open_store
from tests.store.conftest import consistent, draft

chance, promised, number = random.Random(0), {}, 0
for _ in range(12):
    said, say = os.pipe()
    child = os.fork()
    if child == 0:
        with open_store(sys.argv[1]) as store:
            reviews = Reviews(store)
            while True:
                reviews.add(draft(number + more) for more in range(3))
                number += 3
                for one in reviews.lease("li", 2):
                    reviews.decide(one.id, "rejected", annotator="li")
                    os.write(say, one.id.encode() + b"\\n")
    os.close(say)
    time.sleep(chance.uniform(0.02, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(said, "rb") as file:
        promised |= dict.fromkeys(file.read().decode().split(), "rejected")
    with open_store(sys.argv[1]) as store:
        consistent(store)
        found = {one.id: one.state for one in Reviews(store).query()}
        assert promised.items() <= found.items()
        number = len(found)
print(len(promised))
"""


def test_what_was_acknowledged_outlives_a_kill_at_any_time(tmp_path: Path) -> None:
    open_store(tmp_path / "store.db").close()
    assert int(run(WORKING, tmp_path / "store.db")) > 20
