"""`candor privacy` as people use it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.cli.test_run import assert_one_line

LETTER = "我叫王小明，今年35岁，电话13800138000。\n"


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    (tmp_path / "letter.txt").write_text(LETTER, encoding="utf-8")
    return tmp_path / "letter.txt"


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    rows = [{"id": n, "text": f"我叫王小明，电话1380013800{n}。"} for n in range(3)]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_mask_and_find(letter: Path, tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    code, out, _ = candor_command("privacy", "mask", letter)
    assert code == 0 and out == "我叫<person>，今年<age>，电话<phone>。\n"
    code, out, _ = candor_command("privacy", "mask", letter, "--action", "generalise", "--out", tmp_path / "o.txt")
    assert code == 0 and "3 places masked in 1 texts" in out
    assert (tmp_path / "o.txt").read_text(encoding="utf-8") == "我叫<person>，今年<age:30-39>，电话<phone>。\n"
    code, out, _ = candor_command("privacy", "find", letter)
    spans = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [LETTER[one["start"] : one["end"]] for one in spans] == ["王小明", "35岁", "13800138000"]


def test_fields_of_lines(chats: Path, tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32)
    surrogates = ("--action", "surrogate", "--key", tmp_path / "key", "--conversation", "7")
    code, out, _ = candor_command("privacy", "mask", chats, "--field", "text", *surrogates)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [row["id"] for row in rows] == [0, 1, 2]
    names = {row["text"].split("<person:")[1][:8] for row in rows}
    phones = {row["text"].split("<phone:")[1][:8] for row in rows}
    assert len(names) == 1 and len(phones) == 3


def test_check_passes_or_says_why_not(tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    path = tmp_path / "masked.jsonl"
    path.write_text('{"text": "<person> is a nurse"}\n' * 5)
    code, out, _ = candor_command("privacy", "check", path, "--field", "text")
    assert code == 0 and "passes" in out
    path.write_text('{"text": "<person> is a nurse"}\n{"text": "a baker, 13800138000"}\n')
    code, out, _ = candor_command("privacy", "check", path, "--field", "text")
    assert code == 1 and "1 identifiers are left" in out and "2 of 2 records have fewer than 5 like them" in out


def test_train_and_score(tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    entity = {
        "start_offset": 0,
        "end_offset": 8,
        "entity_type": "PERSON",
        "identifier_type": "DIRECT",
        "entity_id": "d_1",
    }
    path = tmp_path / "tab.jsonl"
    path.write_text(json.dumps({"text": "Mr Braun lives here.", "entities": [entity]}) + "\n")
    code, out, _ = candor_command("privacy", "score", path)
    assert code == 0 and "entity recall, direct  1.000" in out
    code, out, _ = candor_command("privacy", "train", path, "--texts", "20", "--out", tmp_path / "t.npz")
    assert code == 0 and (tmp_path / "t.npz").exists()
    code, out, _ = candor_command("privacy", "score", path, "--tagger", tmp_path / "t.npz")
    assert code == 0 and "entity recall" in out


@pytest.mark.parametrize(
    ("arguments", "says", "mend"),
    [
        (("mask", "{tmp}/nothing"), "cannot be read", "check the path"),
        (("mask", "{tmp}/letter.txt", "--action", "x"), "action='x'", "is none of tag, redact"),
        (("mask", "{tmp}/letter.txt", "--action", "surrogate"), "at least 16 bytes", "give one"),
        (("mask", "{tmp}/letter.txt", "--field", "text"), "line 1: no JSON object with a field", "check the file"),
        (("mask", "{tmp}/letter.txt", "--classes", "all"), "classes: 'all'", "is neither direct nor quasi"),
        (("find", "{tmp}/letter.txt", "--model", "{tmp}"), "holds no token-classification model", "error:"),
    ],
)
def test_errors_are_one_line(
    letter: Path,
    tmp_path: Path,
    candor_command: Callable[..., Result],
    arguments: tuple[str, ...],
    says: str,
    mend: str,
) -> None:
    assert_one_line(
        candor_command("privacy", *(one.format(tmp=tmp_path) for one in arguments)),
        says,
        mend,
        1 if says.startswith(("cannot", "line")) else 2,
    )


def test_what_users_wrote_enters_only_with_consent(tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    """From the server's side to the worker's: of two who wrote the same, only what the consented wrote comes out."""
    from candor.store import Accounts, Rights, load_ring, open_vault

    for name in ("service", "training"):
        candor_command("keys", "new", tmp_path / f"{name}.json", "--ring", name)
    rings = {name: load_ring(str(tmp_path / f"{name}.json"), name) for name in ("service", "training")}
    with open_vault(tmp_path / "store.db", tmp_path / "keys.db", **rings) as vault:
        accounts, rights = Accounts(vault), Rights(vault)
        for number in range(6):
            who = accounts.create(f"user{number}").id
            if number < 4:
                rights.give(who, "2026-03")
            talk = accounts.begin(who, "sums")
            wrote = "consented" if number < 4 else "withheld"
            accounts.add(who, talk, "user", f"My name is John Smith, I {wrote}. What is 2 + 2?")
            accounts.add(who, talk, "assistant", "It is 4.")
    command = ("privacy", "contribute", "--training", tmp_path / "training.json", "--store", tmp_path / "store.db")
    command += ("--keys", tmp_path / "keys.db", "--k", "2", "--min-pairs", "4", "--sample", "0")
    code, out, _ = candor_command(*command, "--out", tmp_path / "users.jsonl")
    assert code == 0 and "consented pairs read" in out and "4 pairs in all" in out
    lines = (tmp_path / "users.jsonl").read_text().splitlines()
    assert len(lines) == 4 and all(json.loads(line)["origin"] == "user-derived" for line in lines)
    assert not any("Smith" in line or "withheld" in line for line in lines)
    code, out, _ = candor_command(*command, "--out", tmp_path / "users.jsonl")
    assert code == 0 and "4 pairs in all" in out  # nothing twice
    assert candor_command("audit", "verify", "--store", tmp_path / "store.db", "--keys", tmp_path / "keys.db")[0] == 0
