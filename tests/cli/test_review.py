"""`candor review`: drafts in, records out to annotators and back, and one line for whatever is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from candor.store import Reviews, open_store
from tests.cli.conftest import Result

Command = Callable[..., Result]
LINES = [
    {"prompt": "3 + 4?", "original": "<think>3 + 4 = 7</think>7", "method": "r1_zero", "lang": "en", "grade": "right"},
    {"prompt": "三加四？", "original": "是\n八 👍", "method": "prompted", "lang": "zh", "family": "arithmetic"},
    {"messages": [{"role": "user", "content": "Hi"}], "original": "Hello.", "method": "human", "lang": "en"},
]


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    path = tmp_path / "drafts.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES), encoding="utf-8")
    return path


def test_drafts_go_out_to_annotators_and_come_back(candor_command: Command, drafts: Path, tmp_path: Path) -> None:
    store, out = tmp_path / "reviews.db", tmp_path / "out.jsonl"
    assert candor_command("review", "add", drafts, "--store", store) == (
        0,
        f"added 3 drafts to {store}; 0 were there already\n",
        "",
    )
    assert "added 0 drafts" in candor_command("review", "add", drafts, "--store", store)[1]
    code, said, _ = candor_command("review", "export", "--store", store, "--state", "waiting", "--out", out)
    assert (code, said) == (0, f"wrote 3 records to {out}\n")
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n")[:-1]]
    assert [record["original"] for record in records] == [line["original"] for line in LINES]
    records[0] |= {"state": "accepted", "annotator": "li"}
    records[1] |= {"state": "edited", "edited": "是七", "reasons": ["wrong_sum"], "annotator": "王"}
    out.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert candor_command("review", "import", out, "--store", store)[:2] == (
        0,
        "imported 2 decisions: 1 accepted, 1 edited, 0 rejected; 1 without a decision, 0 as they were\n",
    )
    code, said, _ = candor_command("review", "show", "--store", store)
    assert code == 0
    for line in ("  waiting   1", "  edited    1", "  rejected  0", "  arithmetic  1", "  王   1"):
        assert line in said.splitlines()
    kept = tmp_path / "kept.jsonl"
    candor_command(
        "review", "export", "--store", store, "--state", "accepted", "--state", "edited", "--lang", "zh", "--out", kept
    )
    assert [json.loads(line)["edited"] for line in kept.read_text(encoding="utf-8").splitlines()] == ["是七"]
    with open_store(store) as opened:
        assert [one.text for one in Reviews(opened).query("edited")] == ["是七"]


@pytest.mark.parametrize("command", ["show", "import", "export"])
def test_a_store_that_is_not_there_is_not_made(candor_command: Command, tmp_path: Path, command: str) -> None:
    (tmp_path / "x.jsonl").touch()
    rest = {"show": [], "import": [tmp_path / "x.jsonl"], "export": ["--out", tmp_path / "y.jsonl"]}[command]
    code, out, err = candor_command("review", command, *rest, "--store", tmp_path / "typo.db")
    assert (code, out) == (1, "") and err == f"error: {tmp_path / 'typo.db'} does not exist; check the path\n"
    assert not (tmp_path / "typo.db").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["export", "--out", "OUT", "--state", "open"], 1, "state='open' is none of waiting, leased"),
        (["export", "--out", "OUT", "--method", "magic"], 1, "method='magic' is none of prompted, r1_zero"),
        (["add", "missing.jsonl"], 1, "missing.jsonl"),
        (["add", "OUT", "--store", "mysql://host/db"], 2, "'mysql' is no database that Candor can use"),
        (["import", "WRONG"], 1, "the id 'x' is unknown to this store; remove the line; nothing was imported"),
        (["add", "WRONG"], 1, "it has a field 'id' that no record has"),
    ],
)
def test_what_is_wrong_is_one_line(
    candor_command: Command, drafts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, says: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("CANDOR_STORE", str(tmp_path / "store.db"))
    candor_command("review", "add", drafts)
    (tmp_path / "wrong.jsonl").write_text('{"id": "x", "state": "accepted", "annotator": "li"}\n')
    places = {"OUT": tmp_path / "out.jsonl", "WRONG": tmp_path / "wrong.jsonl"}
    got, _, err = candor_command("review", *(str(places.get(one, one)) for one in arguments))
    assert (got, err.count("\n")) == (code, 1) and says in err


def test_help_names_the_commands(candor_command: Command) -> None:
    code, out, _ = candor_command("review", "--help")
    assert code == 0 and all(f"  {name} " in out for name in ("add", "show", "export", "import"))
