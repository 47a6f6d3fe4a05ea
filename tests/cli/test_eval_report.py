"""`candor eval report`: a page from any folder of results, what it prints and returns."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from candor import files
from tests.cli.conftest import Result
from tests.evaluate.audits.files import QUESTION, memory, safety

Command = Callable[..., Result]


def test_a_page_of_what_passes_and_of_what_fails(
    candor_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    memory(tmp_path / "evals/r1/memory.json", "r1", 0)
    code, out, err = candor_command("eval", "report", "evals")
    assert (code, err) == (0, "") and "extraction.random" in out and "pass: 1 pass, 0 fail, 0 not shown" in out
    assert (tmp_path / "runs/audits/evals/index.html").is_file(), "not into the folder of the evidence"
    safety(tmp_path / "evals/r1", "r1", refuses=False)
    code, out, _ = candor_command("eval", "report", "evals", "--out", "page")
    assert code == 1 and "fail: 1 pass, 1 fail, 0 not shown" in out and "keywords (refusals only)" in out
    assert "questions that must be refused" in (tmp_path / "page/index.html").read_text()
    assert QUESTION not in out + (tmp_path / "page/audits.json").read_text()


def test_a_file_that_cannot_be_read_is_told(candor_command: Command, tmp_path: Path) -> None:
    memory(tmp_path / "e/memory.json", "r1", 0)
    (tmp_path / "e/safety.json").write_text('{"outcome": "pass"}')
    code, out, _ = candor_command("eval", "report", tmp_path / "e", "--out", tmp_path / "page")
    assert code == 1 and "unreadable, counts for nothing: safety.json" in out and "not shown: 1 pass" in out


def test_the_register_of_a_run_with_its_owners(candor_command: Command, tmp_path: Path) -> None:
    memory(tmp_path / "run/memory.json", "r1", 0)
    files.write_json(tmp_path / "run/report/summary.json", {"model.parameters": 9})
    files.write_json(tmp_path / "owners.json", {"M9": "li"})
    arguments = ["eval", "report", tmp_path / "run", "--out", tmp_path / "page", "--owners", tmp_path / "owners.json"]
    assert candor_command(*arguments)[0] == 0
    rows = {row["row"]: row for row in json.loads((tmp_path / "page/audits.json").read_text())["register"]["rows"]}
    assert (rows["M9"]["state"], rows["M9"]["owner"], rows["M1"]["state"]) == ("met", "li", "met")


def test_nothing_there_is_said_in_a_line(candor_command: Command, tmp_path: Path) -> None:
    for folder, says in ((tmp_path, "holds no audit"), (tmp_path / "none", "is no folder")):
        code, _, err = candor_command("eval", "report", folder)
        assert code != 0 and says in err and len(err.splitlines()) == 1
