"""Copies among all documents, against brute force: sets of words, and a search of every pair."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from candor.data import CorpusConfig, SourceConfig, build_corpus, dedup, read_corpus
from candor.data import build as building
from candor.data.corpus import read_rejects
from candor.data.dedup import components, without_passages
from candor.data.minhash import MinHashConfig
from candor.data.steps import StepsConfig
from candor.records import Document
from tests.data.conftest import jsonl

CHANCE = random.Random(0)
WORDS = [f"w{number}" for number in range(3000)]
# The common ones: rare characters in a row are what a wrong decoder leaves.
HAN = [bytes((high, low)).decode("gb2312") for high in range(0xB0, 0xD0) for low in range(0xA1, 0xFF)]


def corpus(
    place: Path, texts: Sequence[str], monkeypatch: pytest.MonkeyPatch | None = None, **steps: object
) -> tuple[list[Document], list[dict[str, str]]]:
    """What is kept and what is rejected of prose whose quality nobody asks for."""
    if monkeypatch:  # many units, ranges and shards
        monkeypatch.setattr(building, "_UNIT_BYTES", 20_000)
        monkeypatch.setattr(building, "_SHARD_BYTES", 30_000)
        monkeypatch.setattr(dedup, "_RANGE_BYTES", 20_000)
    settings = {"quality": False, "harmful": 1.0, "passage": 0, "minhash": MinHashConfig(bands=0)} | steps
    place.mkdir(parents=True, exist_ok=True)
    source = SourceConfig(str(jsonl(place / "texts.jsonl", list(texts))), form="prose", licence="MIT")
    (place / "corpus").mkdir()
    build_corpus(CorpusConfig((source,), steps=StepsConfig(**settings)), place / "corpus")  # type: ignore[arg-type]
    kept = [*read_corpus(place / "corpus", "train"), *read_corpus(place / "corpus", "heldout")]
    return kept, list(read_rejects(place / "corpus"))


def line(document: Document | dict[str, str]) -> int:
    """The line of the source that a document came from, from 0."""
    origin = document.origin if isinstance(document, Document) else document["origin"]
    return int(origin.rpartition(":")[2]) - 1


def text_of(words: Sequence[str]) -> str:
    return " ".join(words) if words[0].isascii() else "".join(words)


def test_exact_copies_name_the_one_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text_of(CHANCE.choices(WORDS, k=60)) for _ in range(300)]
    copies = [CHANCE.randrange(300) for _ in range(200)]
    kept, rejected = corpus(tmp_path, [*texts, *(texts[one] for one in copies)], monkeypatch)
    assert sorted(map(line, kept)) == list(range(300))
    assert {line(row): row["detail"].rpartition(":")[2] for row in rejected} == {
        300 + place: str(one + 1) for place, one in enumerate(copies)
    }
    assert {row["reason"] for row in rejected} == {"copies"}


@pytest.mark.parametrize("alphabet", [WORDS, HAN], ids=["en", "zh"])
def test_a_thousand_near_copies(tmp_path: Path, alphabet: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """250 at each of four similarities of their runs of five words, told by sets; at 0.8 and above nine in ten go.

    Less alike ones go more often than a pair of them would meet: through the others of their text."""
    bases = [CHANCE.choices(alphabet, k=250) for _ in range(250)]
    texts = [text_of(base) for base in bases]
    similar: list[float] = []
    origin: list[int] = []
    for number, base in enumerate(bases):
        for target in (0.5, 0.7, 0.8, 0.9):
            # A changed word spoils five runs: with k of them far apart, (n - 5k) / (n + 5k) are shared.
            changed = list(base)
            for place in range(round((1 - target) / (1 + target) * (len(base) - 4) / 5)):
                changed[2 + place * (len(base) - 4) // 17] = CHANCE.choice(alphabet)
            runs = [{tuple(words[at : at + 5]) for at in range(len(words) - 4)} for words in (base, changed)]
            similar.append(len(runs[0] & runs[1]) / len(runs[0] | runs[1]))
            origin.append(number)
            texts.append(text_of(changed))
    kept, rejected = corpus(tmp_path, texts, monkeypatch, minhash=MinHashConfig())
    assert set(map(line, kept)) >= set(range(250)), "what stands first stays"
    gone = {line(row) for row in rejected}
    for low, high, least, most in ((0.78, 0.99, 0.9, 1.0), (0.66, 0.74, 0.4, 0.9), (0.45, 0.55, 0.0, 0.6)):
        some = [250 + place for place, one in enumerate(similar) if low <= one <= high]
        assert len(some) > 200
        assert least <= sum(one in gone for one in some) / len(some) <= most, (low, high)
    named = {line(row): int(row["detail"].rpartition(":")[2]) - 1 for row in rejected}
    made_from = [*range(250), *origin]
    assert all(made_from[stays] == made_from[gone] and stays < gone for gone, stays in named.items())


def repeated(texts: Sequence[list[str]], words: int) -> list[set[int]]:
    """Words of each text that lie in a run of `words` words that stood before, in an earlier text or the same."""
    seen: set[tuple[str, ...]] = set()
    found: list[set[int]] = []
    for text in texts:
        own: set[int] = set()
        for at in range(len(text) - words + 1):
            run = tuple(word.lower() for word in text[at : at + words])
            if run in seen:
                own |= set(range(at, at + words))
            seen.add(run)
        found.append(own)
    return found


@pytest.mark.parametrize("alphabet", [WORDS, HAN], ids=["en", "zh"])
def test_passages_are_cut_where_they_stood_before(
    tmp_path: Path, alphabet: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of 50 words against sets of tuples: 50 go, 49 stay; every text that is left is told word by word."""
    passages = [CHANCE.choices(alphabet, k=length) for length in (49, 50, 51, 80, 200)]
    texts = []
    for number in range(200):
        text = CHANCE.choices(alphabet, k=150)
        for _ in range(number % 3):
            at = CHANCE.randrange(len(text))
            text[at:at] = CHANCE.choice(passages)
        texts.append(text)
    kept, rejected = corpus(tmp_path, [text_of(text) for text in texts], monkeypatch, passage=50)
    expected = repeated(texts, 50)
    assert sum(map(bool, expected)) > 80
    for document in kept:
        number = line(document)
        left = [word for at, word in enumerate(texts[number]) if at not in expected[number]]
        found = document.text.split() if alphabet is WORDS else [*document.text.replace(" ", "")]
        assert found == left
        assert ("passages" in document.changes) == bool(expected[number])
    assert all(len(texts[line(row)]) - len(expected[line(row)]) < 10 for row in rejected)
    assert len(kept) + len(rejected) == 200


def test_a_passage_of_a_document_that_is_gone_does_not_count(tmp_path: Path) -> None:
    """An exact copy is out before passages are looked for, so nothing is cut."""
    text = text_of(CHANCE.choices(WORDS, k=100))
    kept, rejected = corpus(tmp_path, [text, text, text_of(CHANCE.choices(WORDS, k=100))], passage=50)
    assert [row["reason"] for row in rejected] == ["copies"]
    assert text in [document.text for document in kept] and all(not document.changes for document in kept)


def test_without_passages_by_hand() -> None:
    text = "a b, c d. e f g h"
    assert without_passages(text, np.array([1]), 2) == ("a  d. e f g h", 4)
    assert without_passages(text, np.array([0, 1, 4]), 2) == (" d.  g h", 9)
    assert without_passages(text, np.array([6]), 2) == ("a b, c d. e f ", 3)


@pytest.mark.parametrize("seed", range(5))
def test_components_are_those_of_a_search(tmp_path: Path, seed: int) -> None:
    """Whatever the pairs, over several files and units: each document's earliest relative, by following every link."""
    chance = random.Random(seed)
    rows = [chance.randrange(1, 60) for _ in range(4)]
    places = [(unit << 32) + row for unit, count in enumerate(rows) for row in range(count)]
    pairs = [sorted(chance.sample(places, 2), reverse=True) for _ in range(70)]
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.npy")
        np.save(paths[-1], np.array(pairs[number::3], np.int64).reshape(-1, 2))
    parent = {place: place for place in places}

    def root(place: int) -> int:
        while parent[place] != place:
            place = parent[place]
        return place

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    expected = sorted([place, root(place)] for place in places if root(place) != place)
    assert components(paths, rows, tmp_path / "scratch").tolist() == expected
    assert not (tmp_path / "scratch").exists()


def test_the_order_of_the_sources_decides_who_stays(tmp_path: Path) -> None:
    text = text_of(CHANCE.choices(WORDS, k=100))
    others = [text_of(CHANCE.choices(WORDS, k=100)) for _ in range(3)]
    sources = tuple(
        SourceConfig(str(jsonl(tmp_path / f"{name}.jsonl", rows)), form="any", licence="MIT")
        for name, rows in (("z", [others[0], text]), ("a", [text + " more", others[1], others[2]]))
    )
    (tmp_path / "corpus").mkdir()
    build_corpus(CorpusConfig(sources, steps=StepsConfig(harmful=1.0)), tmp_path / "corpus")
    (row,) = read_rejects(tmp_path / "corpus")
    assert row["source"].endswith("a.jsonl") and re.fullmatch(r"of .*z\.jsonl z\.jsonl:2", row["detail"])
