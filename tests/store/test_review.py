"""Drafts, decisions and rules say what is wrong with them; records become JSON and nothing is lost on the way."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.config import field_docs
from candor.errors import CandorError, ConfigError, DataError, ReviewConflict
from candor.problems import Grade
from candor.store import Change, Decision, Draft, Review, Rule
from candor.store.review import DRAFT_FIELDS, REVIEW_FIELDS, decided, draft_from_json, to_json
from candor.store.schema import as_json

ASKED = ({"role": "user", "content": "3 + 4?"},)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def draft(**values: Any) -> Draft:
    return Draft(**{"messages": ASKED, "original": "7", "method": "human", "lang": "en"} | values)


def review(**values: Any) -> Review:
    given = {name: getattr(draft(), name) for name in DRAFT_FIELDS}
    return Review(**given | {"id": "1", "state": "waiting", "created": NOON} | values)


@pytest.mark.parametrize("record", [Draft, Review, Decision, Rule, Change])
def test_every_field_has_a_sentence(record: type) -> None:
    assert field_docs(record).keys() >= {field.name for field in fields(record)} - set(
        DRAFT_FIELDS if record is Review else ()
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"method": "magic"}, "method='magic' is none of prompted, r1_zero, human, user; choose one"),
        ({"lang": None}, "lang=None is none of en, zh"),
        ({"lang": ["en"]}, "lang=['en'] is none of en, zh"),
        ({"grade": "good"}, "grade='good' is none of right, wrong, invalid, None"),
        ({"original": 7}, "original=7 is no text"),
        ({"original": None}, "original=None is no text"),
        ({"original": "a\0"}, "original holds a NUL character at 1"),
        ({"original": "ab\ud83d"}, "half a character (a lone surrogate) at 2"),
        ({"problem": "\0"}, "problem holds a NUL character at 0"),
        ({"messages": ()}, "messages=() is no list like"),
        ({"messages": "3 + 4?"}, "messages='3 + 4?' is no list like"),
        ({"messages": ("3 + 4?",)}, "message 1 is '3 + 4?', not an object with a role"),
        ({"messages": (*ASKED, {"content": "x"})}, "message 2 is"),
        ({"messages": ({"role": "user", "content": "\ud83d"},)}, "not JSON in valid Unicode"),
        ({"messages": ({"role": "user", "content": float("nan")},)}, "not JSON in valid Unicode"),
        ({"messages": ({"role": "user", "content": b"x"},)}, "not JSON in valid Unicode"),
    ],
)
def test_a_draft_that_no_store_can_keep_says_why(values: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError) as caught:
        draft(**values)
    assert says in str(caught.value)


def test_the_same_draft_has_the_same_digest_and_another_one_another() -> None:
    same = [draft(), draft(grade="right"), draft(lang="zh"), draft(messages=[{"content": "3 + 4?", "role": "user"}])]
    other = [
        draft(original="8"),
        draft(method="prompted"),
        draft(problem="x"),
        draft(messages=({"role": "user", "content": "3 + 5?"},)),
        draft(messages=(*ASKED, *ASKED)),
    ]
    assert {one.digest for one in same} == {draft().digest}
    assert len({one.digest for one in (draft(), *other)}) == 6


def test_nobody_else_holds_the_messages_of_a_draft() -> None:
    message = {"role": "user", "content": ["a"]}
    made = draft(messages=[message])
    message["content"] = "b"
    assert made.messages == ({"role": "user", "content": ["a"]},)
    assert (made.prompt, draft().prompt) == ("", "3 + 4?")


def test_a_grade_of_a_checker_is_taken_as_it_is() -> None:
    assert draft(grade=Grade.RIGHT) == draft(grade="right")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("waiting",), "state='waiting' is no decision; choose accepted, edited or rejected"),
        (("edited",), "an edited answer needs its text"),
        (("edited", ""), "an edited answer needs its text"),
        (("edited", "a\0"), "edited holds a NUL character"),
        (("accepted", "new"), "an answer that is accepted takes no edited text"),
        (("rejected", None, "wrong"), "reasons='wrong' is no list of codes"),
        (("rejected", None, ("too long",)), "reason 'too long' is no code"),
        (("rejected", None, (7,)), "reason 7 is no code"),
    ],
)
def test_a_decision_that_makes_no_sense_says_why(arguments: tuple[Any, ...], says: str) -> None:
    with pytest.raises(CandorError) as caught:
        Decision(*arguments)
    assert says in str(caught.value)


def test_a_decision_stands() -> None:
    first = decided(review(), Decision("edited", "seven", ["terse"]), "li", NOON)
    assert (first.state, first.text, first.original, first.reasons) == ("edited", "seven", "7", ("terse",))
    assert (first.annotator, first.decided_by, first.decided) == ("li", "li", NOON)
    with pytest.raises(ReviewConflict, match=r"1 was already edited by li at 2026-03-01 12:00:00\+00:00; a decision"):
        decided(first, Decision("accepted"), "wang", NOON)
    with pytest.raises(ConfigError, match="the edited text of 1 is the original; choose accepted"):
        decided(review(), Decision("edited", "7"), "li", NOON)


def test_what_a_rule_decided_is_marked() -> None:
    rule = Rule("right_only", "2", lambda one: Decision("accepted"))
    found = decided(review(annotator="li"), Decision("accepted"), str(rule), NOON)
    assert (found.decided_by, found.annotator) == ("rule:right_only 2", None)
    with pytest.raises(ConfigError, match="version='2 beta' of a rule"):
        Rule("right_only", "2 beta", lambda one: None)


# JSON.

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
contents = st.none() | st.integers() | texts | st.lists(st.dictionaries(texts, texts, max_size=2), max_size=2)
conversations = st.lists(st.fixed_dictionaries({"role": texts, "content": contents}), min_size=1, max_size=3)


@given(messages=conversations, original=texts)
def test_any_draft_comes_back_from_its_line(messages: list[dict[str, Any]], original: str) -> None:
    made = draft(messages=tuple(messages), original=original, family="算术")
    line = as_json({name: getattr(made, name) for name in DRAFT_FIELDS})
    assert "\n" not in line
    back = draft_from_json(json.loads(line))
    assert back == made and back.digest == made.digest


def test_a_record_as_json_is_plain_and_begins_with_its_id() -> None:
    found = to_json(replace(review(), state="leased", annotator="li", lease_until=NOON))
    assert list(found) == list(REVIEW_FIELDS) and next(iter(found)) == "id"
    assert found["lease_until"] == "2026-03-01T12:00:00.000000+00:00" and found["reasons"] == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({}, "it has no messages and no original and no method and no lang"),
        ({"prompt": "x", "messages": [], "original": "", "method": "human", "lang": "en"}, "a prompt and messages"),
        ({"prompt": 7, "original": "", "method": "human", "lang": "en"}, "prompt=7 is no text"),
        ({"promt": "x"}, "it has a field 'promt' that no record has; did you mean 'prompt'?"),
        ({"score": 1}, "it has a field 'score' that no record has; known: messages, original"),
        ({"prompt": "x", "original": [], "method": "human", "lang": "en"}, "original=[] is no text"),
    ],
)
def test_a_line_that_is_no_draft_says_why(line: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError) as caught:
        draft_from_json(line)
    assert says in str(caught.value)


def test_a_prompt_stands_for_a_message_of_the_user() -> None:
    line = {"prompt": "3 + 4?", "original": "7", "method": "human", "lang": "en"}
    assert draft_from_json(line) == draft()
