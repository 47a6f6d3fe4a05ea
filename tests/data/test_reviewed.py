"""What `candor review export` writes, as dialogues to learn from: who made an answer, and what nobody accepted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from candor.data.dialogues import LeftOut, read_dialogues
from candor.data.reviewed import origin_of
from candor.errors import DataError
from candor.stages.collect import dialogues_of
from candor.store import Decision, Draft, Reviews, Rule, export_reviews, open_store
from candor.store.review import Method


@pytest.fixture
def reviews(tmp_path: Path) -> Iterator[Reviews]:
    """Seven drafts: of each decision one by a person and one by a rule, and one that waits."""
    methods: list[Method] = ["r1_zero", "prompted", "human", "r1_zero", "prompted", "r1_zero", "r1_zero"]
    with open_store(tmp_path / "reviews.db") as store:
        found = Reviews(store)
        found.add(
            Draft(
                messages=({"role": "user", "content": f"Q{number}?"},), original=f"A{number}", method=method, lang="en"
            )
            for number, method in enumerate(methods)
        )
        for review in found.lease("li", 4):
            decision = {"Q0?": ("accepted", None), "Q1?": ("edited", "by li"), "Q2?": ("accepted", None),
                        "Q3?": ("rejected", None)}[review.prompt]  # fmt: skip
            found.decide(review.id, *decision, annotator="li")  # type: ignore[arg-type]
        ruled = {"Q4?": Decision("accepted"), "Q5?": Decision("edited", "by rule")}
        found.decide_by_rule(Rule("r", "1", lambda review: ruled.get(review.prompt)))
        yield found


def told(dialogues: Any) -> list[tuple[str, str, str, str]]:
    return [(one.messages[0]["content"], one.messages[-1]["content"], one.origin, one.lang) for one in dialogues]


TAKEN = [
    ("Q0?", "A0", "team-automatic", "en"),  # a person only agreed
    ("Q1?", "by li", "team-hand", "en"),
    ("Q2?", "A2", "team-hand", "en"),  # a person wrote it
    ("Q4?", "A4", "team-automatic", "en"),
    ("Q5?", "by rule", "team-automatic", "en"),
]


def test_accepted_and_edited_records_are_learnt_with_who_made_them(reviews: Reviews, tmp_path: Path) -> None:
    """What was derived from users is kept to a share, so the origin matters; `--origin` cannot undo it."""
    path = tmp_path / "sft.jsonl"
    export_reviews(reviews, path, "accepted", "edited")
    assert told(read_dialogues(path)) == TAKEN
    assert told(read_dialogues(path, origin="user-derived")) == TAKEN
    assert sorted(told(dialogues_of(reviews.query()))) == TAKEN, "the pipeline learns the same"


def test_the_others_are_refused_by_name_or_left_out_with_a_reason(reviews: Reviews, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    assert export_reviews(reviews, path) == 7
    with pytest.raises(DataError, match=r"all\.jsonl:\d is (rejected|waiting), not accepted or edited; export with"):
        read_dialogues(path)
    left_out = LeftOut()
    assert told(read_dialogues(path, skip_broken=left_out)) == TAKEN
    assert left_out.counts() == {"not accepted": 2}
    assert sorted(line.split()[2] for _, line in left_out.rows) == ["rejected,", "waiting,"]


@pytest.mark.parametrize("change", [{"edited": None}, {"edited": ""}, {"messages": []}, {"messages": "Q?"}])
def test_a_record_that_somebody_spoilt_is_named(change: dict[str, Any], reviews: Reviews, tmp_path: Path) -> None:
    path = tmp_path / "sft.jsonl"
    export_reviews(reviews, path, "edited")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, **change}) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"sft\.jsonl:1"):
        read_dialogues(path)


@pytest.mark.parametrize(
    ("method", "state", "annotator", "origin"),
    [
        ("human", "accepted", None, "team-hand"),
        ("r1_zero", "accepted", "li", "team-automatic"),
        ("prompted", "edited", "li", "team-hand"),
        ("prompted", "edited", None, "team-automatic"),
    ],
)
def test_the_rule_of_the_origin(method: str, state: str, annotator: str | None, origin: str) -> None:
    assert origin_of(method, state, annotator) == origin
