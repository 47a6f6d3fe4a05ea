"""Records go out and come back as they were; a file of decisions is taken over whole, or its wrong line is named."""

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from candor.errors import DataError, StorageError
from candor.store import Decision, Review, Reviews, Rule, add_drafts, export_reviews, import_reviews, jsonl
from tests.conftest import file_size_limit
from tests.store.conftest import Clock, consistent, draft

ODD = [
    "北京，你好",
    "👩‍👩‍👧‍👦 🇨🇳",
    "a\nb\r\nc\u2028d\x85e\ttab",
    'quote " back\\slash \\u0000 {}',
    "",
    " ",
    "é e\u0301 \ufeff",
    "\x1b[31m",
]
LINE = {"prompt": "3 + 4?", "original": "7", "method": "human", "lang": "en"}


def write(path: Path, *lines: Any) -> Path:
    text = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_text("".join(line + "\n" for line in text), encoding="utf-8", newline="\n")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.fixture
def some(reviews: Reviews) -> Reviews:
    """Records in every state."""
    reviews.add(replace(draft(number), original=text, family=text[:9]) for number, text in enumerate(ODD))
    li, wang, smith = (reviews.lease(who)[0] for who in ("li", "王", "smith"))
    reviews.decide(li.id, "edited", "\n".join(ODD), ("tone", "zh:mix"), annotator="li")
    reviews.decide(wang.id, "rejected", annotator="王")
    reviews.decide_by_rule(Rule("short", "1", lambda one: None if one.original.strip() else Decision("accepted")))
    assert smith and set(reviews.counts().values()) == {1, 2, 3}
    return reviews


def test_what_is_exported_is_what_is_there_and_back_again_changes_nothing(some: Reviews, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    before = list(some.query())
    assert export_reviews(some, out) == len(ODD)
    lines = read(out)
    assert [line["original"] for line in lines] == ODD
    for line, one in zip(lines, before, strict=True):
        times = {name: getattr(one, name) and getattr(one, name).isoformat(timespec="microseconds")
                 for name in ("created", "decided", "lease_until")}  # fmt: skip
        plain = {"messages": list(one.messages), "reasons": list(one.reasons)}
        assert line == {name: getattr(one, name) for name in line} | times | plain
    done = import_reviews(some, out)
    assert (done.decided, done.undecided, done.unchanged) == ({"accepted": 0, "edited": 0, "rejected": 0}, 4, 4)
    assert list(some.query()) == before
    export_reviews(some, tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == out.read_bytes()


def test_only_what_is_asked_for_is_exported(some: Reviews, tmp_path: Path) -> None:
    assert export_reviews(some, tmp_path / "out.jsonl", "edited", "rejected") == 2
    assert [line["state"] for line in read(tmp_path / "out.jsonl")] == ["edited", "rejected"]
    assert export_reviews(some, tmp_path / "out.jsonl", lang="zh") == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""
    with pytest.raises(DataError, match="lang='fr' is none of en, zh"):
        export_reviews(some, tmp_path / "out.jsonl", lang="fr")


def test_annotators_outside_decide(reviews: Reviews, clock: Clock, tmp_path: Path) -> None:
    reviews.add(draft(number) for number in range(600))  # more than a batch
    path = tmp_path / "x.jsonl"
    export_reviews(reviews, path, "waiting")
    clock.move(60)
    held = reviews.lease("li", 10)  # somebody inside goes on meanwhile
    lines = read(path)
    for number, line in enumerate(lines[20:], start=20):
        line |= {"state": ("accepted", "edited", "rejected")[number % 3], "annotator": "王", "reasons": ["style"]}
        line |= {"edited": f"改{number}\n👍"} if line["state"] == "edited" else {}
        line |= {"decided": "2026-03-01T20:30:00+08:00"} if number % 2 else {}
    done = import_reviews(reviews, write(path, *lines))
    assert (done.decided, done.undecided) == ({"accepted": 193, "edited": 193, "rejected": 194}, 20)
    assert list(reviews.query("leased")) == held
    found = list(reviews.query("edited"))
    assert {one.edited for one in found} == {line["edited"] for line in lines if line["edited"]}
    assert all((one.annotator, one.decided_by, one.reasons) == ("王", "王", ("style",)) for one in found)
    assert {(one.decided or clock()).hour * 60 + (one.decided or clock()).minute for one in found} == {750, 780}
    assert [change.after for change in reviews.history(found[0].id)] == ["waiting", "edited"]
    consistent(reviews.store)
    with pytest.raises(DataError, match=rf"{path}:21: .* was already rejected by 王 at .*; a decision stands; nothing"):
        import_reviews(reviews, path)


def test_a_short_line_is_enough_and_the_own_lease_no_hindrance(reviews: Reviews, clock: Clock, tmp_path: Path) -> None:
    reviews.add(draft(number) for number in range(3))
    mine, theirs = reviews.lease("王")[0], reviews.lease("li", minutes=5)[0]
    clock.move(5)  # theirs ran out
    lines = [{"id": one.id, "state": "accepted", "annotator": "王"} for one in (mine, theirs)]
    assert import_reviews(reviews, write(tmp_path / "x.jsonl", *lines)).decided["accepted"] == 2


Change = Callable[[Review], Any]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda one: {"id": "f" * 64}, f"the id '{'f' * 64}' is unknown to this store; remove the line"),
        (lambda one: {"id": 7}, "it has no id; add it as text"),
        (lambda one: {"state": None}, "it has no state; add it as text"),
        (lambda one: {"state": "done"}, "state='done' is none of waiting, leased, accepted, edited, rejected"),
        (lambda one: {"annotator": None}, "annotator=None must be a name"),
        (lambda one: {"annotator": "rule:mine 1"}, "stands for a machine's decisions"),
        (lambda one: {"decided_by": "rule:mine 1"}, "decided_by='rule:mine 1' is not its annotator 'li'"),
        (lambda one: {"edited": "x"}, "an answer that is accepted takes no edited text"),
        (lambda one: {"state": "edited"}, "an edited answer needs its text"),
        (lambda one: {"state": "edited", "edited": 7}, "edited=7 is no text"),
        (lambda one: {"state": "edited", "edited": "a\0"}, "edited holds a NUL character"),
        (lambda one: {"state": "edited", "edited": one.original}, "is the original; choose accepted"),
        (lambda one: {"state": "waiting", "edited": "x"}, "it gives edited or reasons, but its state is waiting"),
        (lambda one: {"reasons": "tone"}, "reasons='tone' is no list of codes"),
        (lambda one: {"reasons": ["too long"]}, "reason 'too long' is no code"),
        (lambda one: {"original": "better"}, "was changed; put the new text into 'edited'"),
        (lambda one: {"messages": [], "lang": "zh"}, "lang, messages of .* were changed; leave it as it was exported"),
        (lambda one: {"decided": "yesterday"}, "decided='yesterday' is no time like 2026-03-01T"),
        (lambda one: {"decided": "2026-03-01T11:00:00"}, "is no time like"),
        (lambda one: {"decided": "2027-01-01T00:00:00Z"}, "lies in the future"),
        (lambda one: {"note": "x"}, "it has a field 'note' that no record has"),
        (lambda one: '{"id": "', "is not JSON"),
        (lambda one: "[]", "is a list, not an object"),
    ],
)
def test_one_wrong_line_and_nothing_is_imported(
    reviews: Reviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, says: str
) -> None:
    monkeypatch.setattr(jsonl, "BATCH", 10)
    reviews.add(draft(number) for number in range(30))
    one, *others = reviews.query()
    lines: list[Any] = [{"id": other.id, "state": "accepted", "annotator": "li"} for other in others]
    made = change(one)
    wrong = made if isinstance(made, str) else {"id": one.id, "state": "accepted", "annotator": "li"} | made
    path = write(tmp_path / "x.jsonl", *lines[:25], "", wrong, *lines[25:])
    with pytest.raises(DataError, match=says) as caught:
        import_reviews(reviews, path)
    assert str(caught.value).startswith(f"{path}:27") and "\n" not in str(caught.value)
    assert reviews.counts()["waiting"] == 30


@pytest.mark.parametrize("apart", [1, 501])
def test_a_file_decides_on_a_record_once(reviews: Reviews, tmp_path: Path, apart: int) -> None:
    reviews.add(draft(number) for number in range(600))
    lines = [{"id": one.id, "state": "accepted", "annotator": "li"} for one in reviews.query()]
    path = write(tmp_path / "x.jsonl", *lines[:apart], lines[0] | {"state": "rejected"})
    with pytest.raises(DataError, match=rf"{path}:{apart + 1}: .* was already accepted by li"):
        import_reviews(reviews, path)
    assert reviews.counts()["waiting"] == 600


def test_what_another_holds_is_not_decided_by_a_file(reviews: Reviews, tmp_path: Path) -> None:
    reviews.add([draft(1)])
    line = {"id": reviews.lease("li")[0].id, "state": "accepted", "annotator": "wang"}
    with pytest.raises(DataError, match=r":1: .* is leased by li until 2026-03-01 12:30:00"):
        import_reviews(reviews, write(tmp_path / "x.jsonl", line))


# Drafts.


def test_drafts_of_a_file_are_added_once(reviews: Reviews, tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", LINE, "", LINE | {"original": "七"}, LINE)
    assert (add_drafts(reviews, path).new, add_drafts(reviews, path).known) == (2, 3)
    assert [one.original for one in reviews.query()] == ["7", "七"]


@pytest.mark.parametrize(
    "line", ["{", "7", LINE | {"lang": "fr"}, {"prompt": "x"}, LINE | {"state": "accepted"}, "\ufffe{"]
)
def test_a_broken_draft_is_named_before_any_is_added(reviews: Reviews, tmp_path: Path, line: Any) -> None:
    path = write(tmp_path / "x.jsonl", LINE, line)
    with pytest.raises(DataError) as caught:
        add_drafts(reviews, path)
    assert str(caught.value).startswith(f"{path}:2") and "\n" not in str(caught.value)
    assert reviews.counts()["waiting"] == 0


@pytest.mark.parametrize("name", ["x.csv", "x.txt", "missing.jsonl", "folder.jsonl"])
@pytest.mark.parametrize("call", [add_drafts, import_reviews])
def test_a_file_that_is_none_is_one_line(reviews: Reviews, tmp_path: Path, name: str, call: Any) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(DataError) as caught:
        call(reviews, tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


# Size.


def test_memory_stays_small_whatever_the_number_of_records(reviews: Reviews, tmp_path: Path) -> None:
    reviews.add(draft(number, "long " * 2000) for number in range(3000))
    path = tmp_path / "x.jsonl"
    tracemalloc.start()
    assert export_reviews(reviews, path) == 3000
    assert path.stat().st_size > 30_000_000
    assert import_reviews(reviews, path).undecided == 3000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20


def test_a_full_disk_leaves_no_half_export(some: Reviews, tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", "kept")
    with pytest.raises(StorageError, match="would exceed the allowed size"), file_size_limit(512):
        export_reviews(some, tmp_path / "x.jsonl")
    assert (tmp_path / "x.jsonl").read_text() == "kept\n"
