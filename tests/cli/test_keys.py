"""`candor keys` and `candor audit`: rings, rotation, the verdict on the audit, and one line for whatever is wrong."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from candor.governance.audit import Head
from candor.store import Accounts, load_ring, open_vault
from tests.cli.conftest import Result

Command = Callable[..., Result]


@pytest.fixture
def used(candor_command: Command, tmp_path: Path) -> Path:
    """A folder with a ring, a store and its keys, in use."""
    assert candor_command("keys", "new", tmp_path / "service.json") == (
        0,
        f"{tmp_path / 'service.json'} holds ring service; version 1 is current\n",
        "",
    )
    with open_vault(tmp_path / "candor.db", tmp_path / "keys.db", service=service(tmp_path)) as vault:
        ada = Accounts(vault).create("ada").id
        Accounts(vault).add(ada, Accounts(vault).begin(ada, "Title"), "user", "Hello")
    return tmp_path


def service(folder: Path):  # type: ignore[no-untyped-def]
    return load_ring(str(folder / "service.json"), "service")


def test_keys_are_rotated_and_counted(candor_command: Command, used: Path) -> None:
    assert stat.S_IMODE((used / "service.json").stat().st_mode) == 0o600
    assert candor_command("keys", "status", "--keys", used / "keys.db")[:2] == (0, "  service  version 1  1\n")
    assert "version 2 is current" in candor_command("keys", "new", used / "service.json")[1]
    for count in (1, 0):
        assert candor_command("keys", "rotate", used / "service.json", "--keys", used / "keys.db") == (
            0,
            f"wrapped {count} keys of ring service anew; all are on version 2\n",
            "",
        )
    assert candor_command("keys", "status", "--keys", used / "keys.db")[1] == "  service  version 2  1\n"
    with open_vault(used / "candor.db", used / "keys.db", service=service(used)) as vault:
        ada = Accounts(vault).find("ada")
        assert ada and Accounts(vault).conversations(ada.id)[0].title == "Title"


def test_a_whole_audit_and_a_broken_one(candor_command: Command, used: Path) -> None:
    places = ("--store", used / "candor.db", "--keys", used / "keys.db")
    code, said, _ = candor_command("audit", "verify", *places)
    assert code == 0 and said.startswith("1 entries, none changed; head 1:")
    head = said.split()[-1]
    assert candor_command("audit", "verify", *places, "--head", head)[0] == 0
    number, digest = head.split(":")
    with open_vault(used / "candor.db", used / "keys.db", service=service(used)) as vault:
        vault.keys.anchor(Head(int(number) + 2, digest))
    code, said, _ = candor_command("audit", "verify", *places)
    assert code == 1 and "entry 3 is not the one that was anchored" in said
    assert candor_command("audit", "resume", *places)[:2] == (0, "the gap is recorded as entry 4\n")
    code, said, _ = candor_command("audit", "verify", *places)
    assert code == 0 and "entries 2 to 3 were lost with a restored backup" in said
    assert candor_command("audit", "verify", *places, "--head", "1:" + "0" * 64)[0] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("keys", "status", "--keys", "nothing.db"), "nothing.db does not exist"),
        (("keys", "rotate", "nothing.json"), "make a ring with: candor keys new nothing.json"),
        (("keys", "rotate", "service.json", "--ring", "training"), "ring training is needed here"),
        (("keys", "rotate", "env:NO_RING"), "environment variable NO_RING of ring service is not set"),
        (("keys", "new", "other.json", "--ring", "mine"), "ring 'mine' is none of service, training"),
        (("keys", "status", "--keys", "candor.db"), "would hold the store and the keys"),
        (("audit", "verify", "--store", "keys.db"), "would hold the store and the keys"),
        (("audit", "verify", "--head", "1"), "--head '1' is not NUMBER:HASH"),
        (("audit", "resume"), "there is nothing to resume"),
    ],
)
def test_what_cannot_work_is_one_line(
    candor_command: Command, used: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(used)
    code, said, error = candor_command(*arguments)
    assert code in (1, 2) and said == "" and says in error and error.count("\n") == 1


@pytest.mark.parametrize("group", ["keys", "audit"])
def test_help_shows_an_example(candor_command: Command, group: str) -> None:
    assert f"candor {group}" in candor_command(group, "--help")[1]
    for command in {"keys": ("new", "rotate", "status"), "audit": ("verify", "resume")}[group]:
        assert f"candor {group} {command}" in candor_command(group, command, "--help")[1]
