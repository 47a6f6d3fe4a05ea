"""Dialogues: what is read and refused, and how many of users stay."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from candor.data.dialogues import ORIGINS, Dialogue, LeftOut, Origin, cap_user_derived, read_dialogues
from candor.errors import DataError
from tests.text.test_chat import TOOL_ANSWER

EASY = "<think>\neasy\n</think>\n\n2"


def say(*turns: str, system: str = "", origin: Origin = "team-hand", place: str = "here") -> Dialogue:
    """Turns of user and assistant."""
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(turns)]
    first = [{"role": "system", "content": system}] if system else []
    return Dialogue(messages=(*first, *messages), origin=origin, place=place)


# Reading.


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


ONE = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]
RULE = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"messages": ONE}, ONE),
        ({"messages": [RULE, *ONE], "prompt": "another column"}, [RULE, *ONE]),
        ({"messages": [{**ONE[0], "tool_calls": None, "rating": 3}, ONE[1]]}, ONE),
        ({"messages": [ONE[0], {**ONE[1], "reasoning_content": "easy"}]}, [ONE[0], {**ONE[1], "content": EASY}]),
        ({"messages": [*ONE[:1], {**ONE[1], "weight": 0}, *ONE]}, [ONE[0], {**ONE[1], "weight": 0}, *ONE]),
        ({"messages": TOOL_ANSWER[:-1]}, TOOL_ANSWER[:-1]),
        ({"prompt": "1+1?", "response": "2"}, ONE),
        ({"prompt": "1+1?", "response": "2", "system": "Be brief.", "messages": None}, [RULE, *ONE]),
        ({"conversations": [{"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "2"}]}, ONE),
        (
            {"conversations": [{"from": "system", "value": "Be brief."}, {"from": "user", "value": "1+1?"},
                               {"from": "assistant", "value": "2"}]},
            [RULE, *ONE],
        ),
    ],
)  # fmt: skip
def test_every_form_becomes_messages(row: Any, messages: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", {**row, "origin": "team-automatic", "lang": "en"})
    (dialogue,) = read_dialogues(path)
    content = [{name: value for name, value in message.items() if value is not None} for message in messages]
    assert list(dialogue.messages) == content
    assert (dialogue.origin, dialogue.lang, dialogue.place) == ("team-automatic", "en", f"{path}:1")


def test_a_row_says_its_origin_or_gets_the_one_given(tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", {"messages": ONE}, {"messages": ONE, "origin": "user-derived"})
    assert [dialogue.origin for dialogue in read_dialogues(path, origin="team-hand")] == ["team-hand", "user-derived"]
    with pytest.raises(DataError, match=r"chat\.jsonl:1 does not say who made it; .* team-hand, team-automatic, user-"):
        read_dialogues(path)


def test_csv_and_parquet_too(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "a.csv").write_text("prompt,response,origin\n1+1?,2,team-hand\n")
    rows = [{"messages": ONE, "origin": "team-hand"}]  # Parquet gives every message every field, as None
    rows += [{"messages": [{**ONE[0], "content": "x"}, {**ONE[1], "reasoning_content": "y"}], "origin": "team-hand"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet")
    read = read_dialogues(tmp_path)
    assert [list(dialogue.messages) for dialogue in read[:2]] == [ONE, ONE]
    assert read[2].messages[1]["content"] == "<think>\ny\n</think>\n\n2"


BROKEN: list[tuple[Any, str]] = [
    ({}, "has neither messages nor conversations nor prompt and response, but origin"),
    ({"prompt": "x", "completion": "y"}, "but origin, prompt, completion; rename its fields"),
    ({"messages": "hello"}, "messages is a str, not a list of messages"),
    ({"messages": []}, "at least one message"),
    ({"messages": ["hello"]}, "message 1 is str"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "message 1 has the role 'robot'; choose one of system, user"),
    ({"messages": ONE[:1]}, "ends with the user; add the assistant's answer"),
    ({"messages": ONE[1:]}, "begins with the assistant; put before it what was asked"),
    ({"messages": [ONE[0], {"role": "assistant", "content": ""}]}, "message 2, an answer, is empty"),
    ({"messages": [ONE[0], {"role": "assistant"}]}, "message 2 of role assistant has no text"),
    ({"messages": [{**ONE[0], "reasoning_content": "x"}, ONE[1]]}, "reasoning_content is a text of the assistant"),
    ({"messages": [ONE[0], {**ONE[1], "reasoning_content": 3}]}, "reasoning_content is a text of the assistant"),
    ({"messages": [ONE[0], {**ONE[1], "content": EASY, "reasoning_content": "x"}]}, "a thought of its own"),
    ({"messages": [ONE[0], {**ONE[1], "weight": 0.5}]}, "message 2 has the weight 0.5; write 0 or 1"),
    ({"messages": [ONE[0], {**ONE[1], "weight": 0}]}, "has no answer to learn"),
    ({"messages": ONE, "origin": "somebody"}, "has the origin 'somebody'; write one of team-hand, team-automatic, "),
    ({"messages": ONE, "origin": ["team-hand"]}, "has the origin ['team-hand']"),
    ({"prompt": "x", "response": 3}, "message 2 of role assistant has no text"),
    ({"prompt": "x", "response": "\ud800"}, "holds what is no Unicode text"),
    ({"conversations": [{"from": "narrator", "value": "x"}]}, "a turn is from 'narrator'; its field 'from' must be"),
    ({"conversations": ["x"]}, "a turn is from None"),
    ({"conversations": [{"from": "human", "value": "x"}, {"from": "gpt"}]}, "message 2 of role assistant has no text"),
]


@pytest.mark.parametrize(("row", "says"), BROKEN)
def test_a_broken_row_is_one_line_with_its_place(row: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text("\n" + json.dumps({"origin": "team-hand", **row}) + "\n")
    with pytest.raises(DataError) as caught:
        read_dialogues(path)
    said = str(caught.value)
    assert said.startswith(f"{path}:2") and says in said and "\n" not in said


def test_broken_rows_are_skipped_only_aloud(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    good = {"messages": ONE, "origin": "team-hand"}
    rows = [good, *({"origin": "team-hand", **row} for row, _ in BROKEN), good]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    left_out = LeftOut()
    read = read_dialogues(path, skip_broken=left_out)
    assert [dialogue.place for dialogue in read] == [f"{path}:1", f"{path}:{len(rows)}"]
    assert left_out.counts() == {"broken rows": len(BROKEN)}
    assert [detail.startswith(f"{path}:{n}") for n, (_, detail) in enumerate(left_out.rows, 2)] == [True] * len(BROKEN)
    (line,) = left_out.lines()
    assert line.startswith(f"left out {len(BROKEN)}: broken rows; the first: {path}:2 has neither messages nor")


def test_a_damaged_file_is_never_skipped(tmp_path: Path) -> None:
    """A line that is cut off says that more may be missing."""
    path = write(tmp_path / "chat.jsonl", {"messages": ONE, "origin": "team-hand"})
    path.write_text(path.read_text() + '{"messages": [{"role"')
    with pytest.raises(DataError, match=r"chat\.jsonl:2 is not JSON"):
        read_dialogues(path, skip_broken=LeftOut())
    with pytest.raises(DataError, match="does not exist"):
        read_dialogues(tmp_path / "nowhere.jsonl")


def test_nothing_that_can_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no dialogue that can be used$"):
        read_dialogues(write(tmp_path / "empty.jsonl"), origin="team-hand")
    with pytest.raises(DataError, match=r"holds no dialogue that can be used; .*:1 ends with the user"):
        read_dialogues(write(tmp_path / "a.jsonl", {"messages": ONE[:1], "origin": "team-hand"}), skip_broken=LeftOut())


def test_answers_to_one_question_share_an_opening() -> None:
    assert say("a", "b").opening_id == say("a", "c", "d", "e").opening_id != say("a ", "b").opening_id
    assert say("a", "b").opening_id != say("a", "b", system="s").opening_id
    assert say("a", "b").id == say("a", "b", origin="user-derived").id != say("a", "c").id


# The cap.


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.3, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("others", [0, 1, 9, 19, 20, 95])
@pytest.mark.parametrize("derived", [0, 1, 6, 40])
def test_the_cap_is_exact(share: float, others: int, derived: int) -> None:
    """As many user-derived dialogues as the share allows, and not one more; all others."""
    origins: list[Origin] = [*(["team-hand", "team-automatic"] * others)[:others], *["user-derived"] * derived]  # type: ignore[list-item]
    random.Random(derived).shuffle(origins)
    dialogues = [say(str(number), "x", origin=origin) for number, origin in enumerate(origins)]
    kept = cap_user_derived(dialogues, share, seed=1)
    assert kept == sorted(kept) and kept == cap_user_derived(dialogues, share, seed=1)
    assert {place for place, origin in enumerate(origins) if origin != "user-derived"} <= set(kept)
    taken, percent = len(kept) - others, round(share * 1000)
    assert 1000 * taken <= percent * len(kept)
    assert taken == derived or 1000 * (taken + 1) > percent * (len(kept) + 1)


def test_the_choice_depends_on_the_seed() -> None:
    dialogues = [say(str(number), "x", origin=ORIGINS[2 * (number % 2)]) for number in range(60)]
    kept = {tuple(cap_user_derived(dialogues, 0.2, seed)) for seed in range(4)}
    assert len(kept) == 4
