"""Keys move to a newer version whole, whoever stops, repeats or doubles the rotation."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from candor.errors import KeysError, StorageError
from candor.governance.keys import LocalRing, new_key, ring_text
from candor.store import Accounts, Vault, keystore, open_keys
from candor.store.keystore import KeyStore
from tests.store.conftest import Place, talk
from tests.store.raw import rows


@pytest.fixture
def talks(where: Place) -> list[tuple[str, str]]:
    with where.serve() as vault:
        return [talk(vault, f"user-{number}", consent=number % 2 == 0) for number in range(6)]


def newer(ring: LocalRing) -> LocalRing:
    return LocalRing(ring.name, {**ring.keks, ring.versions[-1] + 1: new_key()})


def readable(where: Place, talks: list[tuple[str, str]]) -> None:
    with where.serve() as vault:
        assert all(len(Accounts(vault).history(*one)) == 2 for one in talks)


def test_all_keys_are_wrapped_anew_and_the_old_version_may_go(where: Place, talks: list[tuple[str, str]]) -> None:
    before = {(row["key"], row["ring"]): row["wrapped"] for row in rows(where.keys, "wrapped_key")}
    where.service = newer(where.service)
    with where.serve() as vault:
        assert vault.keys.status() == {("service", 1): 9, ("training", 1): 3}
        assert vault.keys.rotate("service") == 9
        assert vault.keys.status() == {("service", 2): 9, ("training", 1): 3}
        assert vault.keys.rotate("service") == 0
    where.service = LocalRing("service", {2: where.service.keks[2]})
    readable(where, talks)
    for row in rows(where.keys, "wrapped_key"):
        assert (before[row["key"], row["ring"]] == row["wrapped"]) == (row["ring"] == "training")


def test_a_rotation_that_is_killed_goes_on(
    where: Place, talks: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore, "_ROTATED", 2)
    where.service = newer(where.service)
    with where.serve() as vault:
        real, calls = KeyStore._rotate_some, []

        def some(self: KeyStore, ring: LocalRing) -> int:
            if len(calls) == 2:
                raise KeyboardInterrupt
            calls.append(1)
            return real(self, ring)

        with monkeypatch.context() as patch:
            patch.setattr(KeyStore, "_rotate_some", some)
            with pytest.raises(KeyboardInterrupt):
                vault.keys.rotate("service")
        assert vault.keys.status() == {("service", 1): 5, ("service", 2): 4, ("training", 1): 3}
    readable(where, talks)  # half way
    with where.serve() as vault:
        assert vault.keys.rotate("service") == 5
    readable(where, talks)


def test_a_half_rotated_ring_that_lost_its_old_version_says_so_and_loses_nothing(
    where: Place, talks: list[tuple[str, str]]
) -> None:
    whole = newer(where.service)
    where.service = LocalRing("service", {2: whole.keks[2]})
    with where.serve() as vault:
        with pytest.raises(KeysError, match="wrapped by version 1 of ring service, which here has only 2; put that"):
            vault.keys.rotate("service")
        with pytest.raises(KeysError, match="put that version back"):
            Accounts(vault).history(*talks[0])
    where.service = whole
    readable(where, talks)
    with where.serve() as vault:
        assert vault.keys.rotate("service") == 9


def test_two_new_keys_under_one_version_are_found_before_anything_is_written(
    where: Place, talks: list[tuple[str, str]]
) -> None:
    old = where.service
    one, other = newer(old), newer(old)
    where.service = one
    with where.serve():
        pass
    where.service = other
    before = rows(where.keys, "wrapped_key")
    with pytest.raises(KeysError, match="version 2 of ring service does not open a key"), where.serve():
        pass
    assert rows(where.keys, "wrapped_key") == before


def test_processes_that_rotate_at_once_do_no_harm(where: Place, talks: list[tuple[str, str]]) -> None:
    where.service = newer(where.service)
    script = """
import os, sys
from candor.governance.keys import read_ring
from candor.store import keystore, open_keys

keystore._ROTATED = 1
ring = read_ring(sys.argv[2], "argument")
start, go = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.close(go)
        os.read(start, 1)
        with open_keys(sys.argv[1], service=ring) as keys:
            os.write(1, b"%d\\n" % keys.rotate("service"))
        os._exit(0)
os.close(go)
sys.exit(any(os.wait()[1] for _ in range(3)))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, where.keys, ring_text(where.service)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sum(map(int, done.stdout.split())) == 9
    with where.serve() as vault:
        assert vault.keys.status() == {("service", 2): 9, ("training", 1): 3}
    readable(where, talks)


def test_a_server_that_is_behind_wraps_nothing_that_a_rotation_misses(
    where: Place, talks: list[tuple[str, str]]
) -> None:
    old, where.service = where.service, newer(where.service)
    with where.serve() as new, open_keys(where.keys, training=where.training) as keyed:
        keyed._rings["service"] = old  # a server that was started before
        behind = Vault(new.store, keyed, where.clock)
        with pytest.raises(KeysError, match="wrapped by version 2 of ring service, which here has only 1"):
            talk(behind, "late", consent=False)  # what it wrapped would be lost with the old version
        new.keys.rotate("service")
        assert {version for (ring, version) in new.keys.status() if ring == "service"} == {2}
        assert all(len(Accounts(new).history(*one)) == 2 for one in talks)


def test_a_key_database_of_a_newer_version_is_refused(keys_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_keys(keys_url) as keys, keys.database.write() as connection:
        connection.execute(text("UPDATE candor_keys_version SET version_num = '0009'"))
    before = Path(keys_url).read_bytes() if "://" not in keys_url else b""
    with pytest.raises(StorageError, match=r"written by a newer Candor \(revision 0009, this one knows 0001\)"):
        open_keys(keys_url).__enter__()
    assert (Path(keys_url).read_bytes() if "://" not in keys_url else b"") == before
