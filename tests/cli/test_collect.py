"""`candor review collect`: what it says of a server's answers, and that its next step works."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from candor.cli.collect import run_collect
from candor.errors import ConfigError
from candor.problems.tasks import draw
from candor.store import Reviews, open_store
from tests.cli.conftest import Result
from tests.infer.test_remote import Server, answer, server

__all__ = ["server"]


@pytest.fixture
def address(server: Server) -> str:
    (problem,) = draw("arithmetic:1:en", 0, 1)
    good = f" <think>Step by step it is so.</think> <answer>{problem.gold}</answer>"
    texts = [
        good,
        " <think>Step by step it is so.</think> <answer>-99</answer>",
        " 一二三",
        good.replace("so", "right"),
    ]
    server.script = [(200, answer({"text": text, "finish_reason": "stop"})) for text in texts]
    return f"http://127.0.0.1:{server.server_port}/v1"


SETS = ["questions=1", "samples=4"]


def test_drafts_are_collected_and_the_next_step_is_said(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], candor_command: Callable[..., Result]
) -> None:
    store, out = tmp_path / "reviews.db", tmp_path / "out"
    run_collect(str(store), address, tasks="arithmetic:1:en", method="r1_zero", name="m", sets=SETS, out=out)
    said = capsys.readouterr().out
    assert f"2 of 4 answers are right and readable: drafts in {store}\n" in said
    assert "  wrong       2\n" in said and "  no_thought  1\n" in said
    next_step = said.rpartition("next: candor ")[2].split()
    assert next_step == [
        "review",
        "export",
        "--store",
        str(store),
        "--state",
        "waiting",
        "--out",
        "for_annotators.jsonl",
    ]
    assert candor_command(*next_step[:-1], tmp_path / "x.jsonl")[0] == 0
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 2


def test_where_no_annotator_takes_part_the_rule_decides(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], candor_command: Callable[..., Result]
) -> None:
    store, out = tmp_path / "reviews.db", tmp_path / "out"
    for again in (False, True):  # the second time asks nothing and changes nothing
        run_collect(
            str(store), address, tasks="arithmetic:1:en", method="r1_zero", name="m", sets=SETS, by_rule=True, out=out
        )
        said = capsys.readouterr().out
        assert (", 2 of them there already" in said) == again
        assert f"the rule decided: 0 waiting, 0 accepted, {0 if again else 2} edited, 0 rejected\n" in said
    next_step = said.rpartition("next: candor ")[2].split()
    assert candor_command(*next_step[:-1], tmp_path / "sft.jsonl")[0] == 0
    records = [json.loads(line) for line in (tmp_path / "sft.jsonl").read_text().splitlines()]
    assert {record["decided_by"].split()[0] for record in records} == {"rule:right_and_readable"}
    with open_store(store) as opened:
        assert Reviews(opened).counts("method") == {"r1_zero": 2}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"method": "human"}, "method"),
        ({"tasks": "arithmetic"}, "must be NAME:DIFFICULTY:LANG"),
        ({"sets": ["sample=3"]}, "did you mean 'samples'"),
        ({"name": ""}, "--model-name"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(
    server: Server, address: str, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    given = {"tasks": "arithmetic:1:en", "method": "r1_zero", "name": "m", "out": tmp_path / "out"} | change
    with pytest.raises(ConfigError, match=says):
        run_collect(str(tmp_path / "reviews.db"), address, **given)  # type: ignore[arg-type]
    assert not server.asked
