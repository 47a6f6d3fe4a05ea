"""Pairs and verdicts: what is read and refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from candor.data.dialogues import LeftOut
from candor.data.preferences import Preference, Verdict, read_preferences, read_verdicts
from candor.errors import DataError
from candor.problems.extract import final_answer

ASKED = [{"role": "user", "content": "1+1?"}]
PAIR = {"prompt": "1+1?", "chosen": "2", "rejected": "3", "origin": "team-hand"}
VERDICT = {"prompt": "1+1?", "response": "<think>\neasy\n</think>\n\n2", "safe": True, "origin": "team-hand"}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        (PAIR, ASKED),
        ({**PAIR, "system": "Be brief."}, [{"role": "system", "content": "Be brief."}, *ASKED]),
        (without(PAIR, "prompt") | {"messages": ASKED}, ASKED),
        ({**PAIR, "messages": [{**ASKED[0], "name": None}]}, ASKED),
        ({**PAIR, "prompt": "一加一？", "chosen": "二"}, [{"role": "user", "content": "一加一？"}]),
    ],
)
def test_pairs(row: dict[str, Any], messages: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", row)
    (one,) = read_preferences(path)
    assert list(one.messages) == messages and one.responses == (row["chosen"], row["rejected"])
    assert one.origin == "team-hand" and one.place == f"{path}:1"


def test_verdicts(tmp_path: Path) -> None:
    path = write(tmp_path / "verdicts.jsonl", VERDICT, {**without(VERDICT, "origin"), "safe": False})
    read = read_verdicts(path, origin="user-derived")
    assert [(one.safe, one.origin) for one in read] == [(True, "team-hand"), (False, "user-derived")]
    assert read[0].response == VERDICT["response"], "the thought is judged too"
    assert read[0].asked_id == read[1].asked_id != Preference(**_other()).asked_id


def _other() -> dict[str, Any]:
    return {"messages": ({"role": "user", "content": "2+2?"},), "chosen": "4", "rejected": "5", "origin": "team-hand"}


BROKEN_PAIRS: list[tuple[Any, str]] = [
    (without(PAIR, "origin"), "does not say who made it; .*--origin"),
    ({**PAIR, "origin": "me"}, "has the origin 'me'; write one of team-hand"),
    (without(PAIR, "prompt"), "has neither a list of messages nor a prompt, but chosen, rejected, origin"),
    ({**PAIR, "messages": "1+1?"}, "has neither a list of messages"),
    ({**PAIR, "messages": []}, "at least one message"),
    ({**PAIR, "messages": ["hello"]}, "message 1 is str"),
    ({**PAIR, "messages": [*ASKED, {"role": "assistant", "content": "2"}]}, "the messages end with the assistant"),
    ({**PAIR, "prompt": 3}, "message 1 of role user has no text"),
    (without(PAIR, "rejected"), "rejected is missing; give the answer as a text"),
    ({**PAIR, "chosen": [{"role": "assistant"}]}, "chosen is a list; give the answer as a text"),
    ({**PAIR, "chosen": " \n"}, "has an empty answer"),
    ({**PAIR, "chosen": "3"}, "chosen and rejected are the same text"),
    ({**PAIR, "chosen": "\ud800"}, "holds what is no Unicode text"),
]


@pytest.mark.parametrize(("row", "says"), BROKEN_PAIRS)
def test_a_broken_pair_stops_or_is_counted(row: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, (PAIR, row))))
    with pytest.raises(DataError, match=rf"pairs\.jsonl:2.*{says}") as caught:
        read_preferences(path)
    assert "\n" not in str(caught.value)
    left_out = LeftOut()
    assert len(read_preferences(path, skip_broken=left_out)) == 1
    assert left_out.rows == [("broken rows", str(caught.value))]


@pytest.mark.parametrize("safe", [None, "true", 1, "unsafe"])
def test_a_verdict_is_true_or_false(safe: Any, tmp_path: Path) -> None:
    """A text "false" would count as true."""
    with pytest.raises(DataError, match=f"safe is {safe!r}; write true or false"):
        read_verdicts(write(tmp_path / "verdicts.jsonl", {**VERDICT, "safe": safe}))


def test_nothing_that_can_be_used(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", VERDICT)
    with pytest.raises(DataError, match=r"holds no pair of answers that can be used; .*chosen is missing"):
        read_preferences(path, skip_broken=LeftOut())


def test_a_verdict_cannot_be_made_of_nothing() -> None:
    with pytest.raises(DataError, match="a row has an empty answer"):
        Verdict(messages=tuple(ASKED), response="", safe=True, origin="team-hand")


@pytest.mark.parametrize(
    ("response", "final"),
    [
        ("2", "2"),
        ("<think>\na\n</think>\n\n2\n", "2"),
        ("a</think>2", "2"),
        ("<think>a", ""),
        ("<think>a</think>", ""),
        ("<think>a</think>2<think>3", ""),
    ],
)
def test_final_answer(response: str, final: str) -> None:
    assert final_answer(response) == final
