"""Data keys, what wraps them, and what is bound to what: anything that was moved, changed or lost does not open."""

import json
import stat
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.errors import CandorError, ConfigError, KeysError, StorageError
from candor.governance.keys import LocalRing, Wrapped, bind, new_key, open_sealed, read_ring, ring_text, seal
from candor.store.rings import HookRing, load_ring, new_version

KEY = new_key()
PARTS = st.lists(st.text() | st.integers() | st.none(), max_size=4)


@given(st.text(st.characters(codec="utf-8")), PARTS)
def test_what_was_sealed_comes_back_and_never_looks_the_same_twice(text: str, parts: list[str | int | None]) -> None:
    bound = bind(*parts)
    sealed = seal(KEY, text, bound)
    assert open_sealed(KEY, sealed, bound) == text
    assert seal(KEY, text, bound) != sealed


@given(st.integers(0, 200), st.integers(1, 255))
def test_any_changed_byte_is_found(place: int, change: int) -> None:
    sealed = bytearray(seal(KEY, "I live in Paris.", b"bound"))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(KeysError, match="does not open"):
        open_sealed(KEY, bytes(sealed), b"bound")


@given(PARTS, PARTS)
def test_no_two_lists_of_parts_are_bound_alike(one: list[str | int | None], other: list[str | int | None]) -> None:
    assert (bind(*one) == bind(*other)) == (one == other)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(40), b"\x01" + bytes(40), bytes(3)])
def test_what_was_never_sealed_is_one_error(sealed: bytes) -> None:
    with pytest.raises(KeysError):
        open_sealed(KEY, sealed, b"")


def test_a_ring_opens_what_any_of_its_versions_wrapped() -> None:
    first = LocalRing("service", {1: new_key()})
    both = LocalRing("service", {**first.keks, 2: new_key()})
    old, new = first.wrap(KEY, b"a"), both.wrap(KEY, b"a")
    assert (old.version, new.version) == (1, 2)
    assert both.unwrap(old, b"a") == both.unwrap(new, b"a") == KEY
    with pytest.raises(KeysError, match="wrapped by version 2 of ring service, which here has only 1; put that"):
        first.unwrap(new, b"a")


def test_a_wrapped_key_does_not_unwrap_elsewhere() -> None:
    ring = LocalRing("service", {1: new_key()})
    wrapped = ring.wrap(KEY, b"user 1")
    others = [
        (ring, wrapped, b"user 2"),
        (LocalRing("training", ring.keks), wrapped, b"user 1"),  # not even with the same KEK
        (LocalRing("service", {1: new_key()}), wrapped, b"user 1"),
        (LocalRing("service", {2: ring.keks[1]}), Wrapped(2, wrapped.blob), b"user 1"),
    ]
    for one, moved, bound in others:
        with pytest.raises(KeysError, match="does not open a key"):
            one.unwrap(moved, bound)


def test_a_ring_never_shows_its_keys() -> None:
    ring = LocalRing("service", {1: b"k" * 32})
    assert "kkkk" not in repr(ring) and "a2tr" not in repr(ring)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"ring": "service"}', '{"ring": "service", "keys": {"1": "geheim"}}', '{"ring": "x", "keys": {}}',
     '{"ring": "service", "keys": {"x": "QUJD"}}', '{"ring": "service", "keys": {"1": "QUJD"}}',
     '{"ring": "service", "keys": [1]}'],
)  # fmt: skip
def test_a_broken_ring_is_one_line_that_quotes_no_key(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_ring(text, "the ring")
    assert "\n" not in str(caught.value) and "geheim" not in str(caught.value)


# Where rings come from.


def test_a_ring_file_is_for_its_owner_and_gains_versions_without_losing_any(tmp_path: Path) -> None:
    path = tmp_path / "new" / "service.json"
    first = new_version(path, "service")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = new_version(path, "service")
    assert (first.versions, second.versions) == ((1,), (1, 2))
    assert second.keks[1] == first.keks[1] and load_ring(str(path), "service") == second
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=r"may be read by others \(mode 0640\); run: chmod 600"):
        load_ring(str(path), "service")


def test_versions_added_at_once_are_all_kept(tmp_path: Path) -> None:
    path, refused = tmp_path / "service.json", []

    def add() -> None:
        try:
            new_version(path, "service")
        except StorageError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = load_ring(str(path), "service").versions
    assert held == tuple(range(1, 9 - len(refused))) and all("in use by another" in one for one in refused)


def test_a_ring_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = LocalRing("training", {3: new_key()})
    monkeypatch.setenv("THE_RING", ring_text(ring))
    assert load_ring("env:THE_RING", "training") == ring
    with pytest.raises(ConfigError, match="holds ring training, and ring service is needed here"):
        load_ring("env:THE_RING", "service")
    with pytest.raises(ConfigError, match="NO_RING of ring service is not set"):
        load_ring("env:NO_RING", "service")
    with pytest.raises(ConfigError, match="does not exist; make a ring with: candor keys new"):
        load_ring("/nowhere/ring.json", "service")


HOOK = """#!{python}
import base64, json, os, sys
asked = json.load(sys.stdin)
code = lambda text: base64.b64encode(text).decode()
mask = lambda data: bytes(byte ^ 0x5a for byte in data)
if asked["do"] == "versions":
    said = {{"versions": [1, 2]}}
elif asked["do"] == "wrap":
    said = {{"version": 2, "wrapped": code(mask(base64.b64decode(asked["key"])) + base64.b64decode(asked["bound"]))}}
else:
    wrapped, bound = base64.b64decode(asked["wrapped"]), base64.b64decode(asked["bound"])
    if wrapped[32:] != bound:
        sys.exit("it is bound to something else")
    said = {{"key": code(mask(wrapped[:32]))}}
print(json.dumps(said))
"""


def hook(folder: Path, text: str) -> str:
    path = folder / "hook"
    path.write_text(text)
    path.chmod(0o700)
    return str(path)


def test_a_hook_wraps_and_unwraps_in_a_process_of_its_own(tmp_path: Path) -> None:
    program = hook(tmp_path, HOOK.format(python=sys.executable))
    ring = load_ring(f"hook:{program}", "service")
    wrapped = ring.wrap(KEY, b"user 1")
    assert wrapped.version == 2 and ring.unwrap(wrapped, b"user 1") == KEY
    with pytest.raises(KeysError, match=r"refused to unwrap \(it is bound to something else\); check it"):
        ring.unwrap(wrapped, b"user 2")
    with pytest.raises(KeysError, match="version 7 of ring service, which here has only 1, 2"):
        ring.unwrap(Wrapped(7, wrapped.blob), b"user 1")


@pytest.mark.parametrize(
    "answer", ["", "no json", "[]", "{}", json.dumps({"versions": []}), json.dumps({"versions": ["1"]})]
)
def test_a_hook_that_answers_nonsense_is_one_line(tmp_path: Path, answer: str) -> None:
    with pytest.raises(CandorError, match=r"hook .* of ring service") as caught:
        HookRing(hook(tmp_path, f"#!/bin/sh\ncat > /dev/null; echo '{answer}'\n"), "service")
    assert "\n" not in str(caught.value)


def test_a_hook_that_is_not_there_is_one_line() -> None:
    with pytest.raises(KeysError, match="did not run"):
        HookRing("/nowhere/hook", "service")
