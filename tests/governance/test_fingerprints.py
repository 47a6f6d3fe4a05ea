"""The hash-only index: finds what a brute-force search finds, gives no text back, errs as often as stated."""

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.errors import ConfigError, DataError
from candor.governance.fingerprints import FingerprintConfig, Fingerprints, build

SMALL = FingerprintConfig(span=16, gram=8)


def counted(text: str) -> list[int]:
    """Places of the letters and digits, by Python's own word for them."""
    return [place for place, char in enumerate(text) if char.isalnum()]


def bare(text: str) -> str:
    return "".join(char for char in text if char.isalnum()).lower()


@settings(max_examples=100, deadline=None)
@given(st.text("abAB 。中文,", max_size=120), st.text("abAB 。中文,", max_size=120), st.integers(0, 60))
def test_equal_to_brute_force(tmp_path_factory: pytest.TempPathFactory, known: str, text: str, cut: int) -> None:
    folder = tmp_path_factory.mktemp("index")
    build([known], folder / "i", SMALL)
    text = text[:cut] + known[cut : cut + 40] + text[cut:]
    found = Fingerprints(folder / "i").copied(text)
    covered = {place for one in found for place in range(one.start, one.end)}
    places, inner, outer = counted(text), bare(text), bare(known)
    assert len(places) == len(inner)
    long = [at for at in range(len(inner) - 15) if inner[at : at + 16] in outer]
    assert all(any(places[at + step] in covered for step in range(16)) for at in long)
    short = {places[at + step] for at in range(len(inner) - 7) if inner[at : at + 8] in outer for step in range(8)}
    assert {place for place in covered if text[place].isalnum()} <= short


def test_case_width_and_marks_do_not_hide_a_copy(tmp_path: Path) -> None:
    known = (
        "The quick brown fox jumps over the lazy dog, and 敏捷的棕色狐狸跳过了懒狗, 12345 times a day or more often."
    )
    build([known], tmp_path / "i", FingerprintConfig(span=60, gram=30))
    index = Fingerprints(tmp_path / "i")
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in known)
    for text in (known, known.upper(), wide, known.replace(" ", "\n\t"), known.replace(" ", "_*")):
        assert index.copied(f"Before. {text} After.")
    assert not index.copied(known[::-1]) and not index.copied("")


def test_where_it_stands(tmp_path: Path) -> None:
    words = random.Random(0)
    known = " ".join("".join(words.choices("abcdefghij", k=6)) for _ in range(400))
    build([known], tmp_path / "i")
    text = "Something of its own stands here. " + known[700:1000] + " And more of its own, written by nobody else."
    (only,) = Fingerprints(tmp_path / "i").copied(text)
    start = text.index(known[700:1000])
    assert start <= only.start < start + 80 and start + 220 < only.end <= start + 300


def test_errors_as_often_as_stated(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    known, strange = ("".join(chance.choice(letters, 400_000)) for _ in range(2))
    count = build([known], tmp_path / "i", FingerprintConfig(bits=24))
    index = Fingerprints(tmp_path / "i")
    expected = count / 2**24
    hits = sum(round((one.end - one.start) / 40) for one in index.copied(strange))
    assert 0.7 * expected < hits / 400_000 < 1.3 * expected
    build([known], tmp_path / "j")
    assert not Fingerprints(tmp_path / "j").copied(strange)


def test_no_text_in_the_files(tmp_path: Path) -> None:
    known = "A secret sentence that must not be read back from anything that ships with the model, ever again." * 3
    build([known], tmp_path / "a")
    build([known], tmp_path / "b")
    files = [b"".join(path.read_bytes() for path in sorted((tmp_path / name).iterdir())) for name in "ab"]
    assert b"secret" not in files[0] and files[0] != files[1]  # another key, other numbers
    first, second = (set(np.load(tmp_path / name / "hashes.npy")) for name in "ab")
    assert not first & second and len(first) < len(known) / 10


def test_long_texts_are_cut_without_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("candor.governance.fingerprints._CHUNK", 200)
    chance = random.Random(1)
    known = "".join(chance.choices("abcdefgh", k=2000))
    build([known], tmp_path / "i")
    index = Fingerprints(tmp_path / "i")
    for start in range(0, 1900, 7):
        assert index.copied("#" * 300 + known[start : start + 80]), start
    assert index.copied("z" * 500 + known[300:420] + "z" * 500)


def test_bad_folders_and_settings(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no index"):
        Fingerprints(tmp_path)
    build(["x" * 500], tmp_path / "i")
    (tmp_path / "i/hashes.npy").write_bytes((tmp_path / "i/hashes.npy").read_bytes()[:-8] + b"\0" * 8)
    with pytest.raises(DataError, match="damaged"):
        Fingerprints(tmp_path / "i").verify()
    (tmp_path / "i/hashes.npy").write_bytes(b"")
    with pytest.raises(DataError, match="no index"):
        Fingerprints(tmp_path / "i")
    for wrong in ({"gram": 90}, {"gram": 2}, {"bits": 8}):
        with pytest.raises(ConfigError):
            FingerprintConfig(**wrong)


def test_short_texts_are_indexed_each_alone(tmp_path: Path) -> None:
    """Many of them go through one array: no stretch over the seam of two is known, and none of them is missing."""
    chance = random.Random(2)
    texts = ["".join(chance.choices("abcdefgh", k=chance.randrange(5, 40))) for _ in range(3000)]
    build(texts, tmp_path / "i", SMALL)
    index = Fingerprints(tmp_path / "i")
    for left, right in itertools.pairwise(texts[:300]):
        assert bool(index.copied(left)) == (len(left) >= 16), left
        seam = left[-12:] + right[:12]
        grams = [seam[one.start : one.start + 8] for one in index.copied(seam)]
        assert all(any(gram in text for text in texts) for gram in grams), seam
