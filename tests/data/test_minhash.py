"""Pairs meet as often as the formula of MinHash says of their true similarity, by sets of runs of words."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.data.minhash import MinHashConfig, band_keys
from candor.errors import ConfigError
from candor.view import View

DEFAULT = MinHashConfig()
ENGLISH = ["".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz", k=6)) for number in range(5000)]
CHINESE = [chr(code) for code in range(0x4E00, 0x4E00 + 5000)]


def runs(words: Sequence[str], n: int = 5) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + n]) for at in range(max(1, len(words) - n + 1))}


def jaccard(one: Sequence[str], other: Sequence[str]) -> float:
    return len(runs(one) & runs(other)) / len(runs(one) | runs(other))


def pairs(vocabulary: Sequence[str], changed: int, count: int, seed: int) -> list[tuple[list[str], list[str]]]:
    """Documents of 200 words, and copies with `changed` words far from each other replaced."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        one = chance.choices(vocabulary, k=200)
        other = list(one)
        for place in chance.sample(range(5, 195, 6), changed):
            other[place] = chance.choice(vocabulary)
        found.append((one, other))
    return found


def met(found: Sequence[tuple[list[str], list[str]]], glue: str, config: MinHashConfig = DEFAULT) -> np.ndarray:
    """Whether each pair shares a band."""
    keys = band_keys(View([glue.join(words) for pair in found for words in pair]), config)
    return (keys[::2] == keys[1::2]).any(1)


@pytest.mark.parametrize(("vocabulary", "glue"), [(ENGLISH, " "), (CHINESE, "")], ids=["en", "zh"])
@pytest.mark.parametrize("changed", [2, 4, 6, 8, 11, 15, 20, 30])
def test_pairs_meet_with_the_probability_of_the_formula(vocabulary: list[str], glue: str, changed: int) -> None:
    """150 pairs; the number that meet lies within four standard deviations of the sum of their probabilities."""
    found = pairs(vocabulary, changed, 150, seed=changed)
    chances = [1 - (1 - jaccard(*pair) ** 8) ** 14 for pair in found]
    spread = math.sqrt(sum(p * (1 - p) for p in chances))
    assert abs(met(found, glue).sum() - sum(chances)) <= 4 * spread + 1
    if min(jaccard(*pair) for pair in found) >= 0.8:
        assert met(found, glue).mean() >= 0.9


def test_similarities_that_the_pairs_cover() -> None:
    """That the test above looks at what matters: from nearly equal to hardly alike."""
    similar = [jaccard(*pairs(ENGLISH, changed, 1, seed=changed)[0]) for changed in (2, 4, 8, 11, 30)]
    assert [round(value, 2) for value in similar] == [0.9, 0.81, 0.66, 0.56, 0.13]


def test_nine_of_ten_pairs_as_alike_as_four_fifths_are_found() -> None:
    found = pairs(ENGLISH, 4, 500, seed=99)
    assert all(0.8 <= jaccard(*pair) < 0.87 for pair in found)
    assert met(found, " ").mean() >= 0.9


@pytest.mark.parametrize(("bands", "rows", "words"), [(1, 1, 5), (20, 5, 5), (9, 13, 5), (4, 4, 1), (6, 3, 2)])
def test_other_bands_and_rows(bands: int, rows: int, words: int) -> None:
    config = MinHashConfig(bands, rows, words)
    found = pairs(ENGLISH, 6, 200, seed=bands)
    chances = []
    for one, other in found:
        similarity = len(runs(one, words) & runs(other, words)) / len(runs(one, words) | runs(other, words))
        chances.append(1 - (1 - similarity**rows) ** bands)
        assert config.probability(similarity) == pytest.approx(chances[-1])
    spread = math.sqrt(sum(p * (1 - p) for p in chances))
    assert abs(met(found, " ", config).sum() - sum(chances)) <= 4 * spread + 1


def test_documents_that_share_nothing_never_meet() -> None:
    """Of 500 documents without a common run no two share a key, in any band."""
    texts = [" ".join(random.Random(number).choices(ENGLISH, k=100)) for number in range(500)]
    keys = band_keys(View(texts), DEFAULT)
    assert keys.shape == (500, 14)
    assert len(np.unique(keys)) == keys.size


def test_probabilities_that_fineweb_states() -> None:
    """FineWeb, 3.4: documents of the similarity 0.7, 0.75, 0.8 and 0.85 meet with 56, 77, 92 and 98.8 per cent."""
    found = [DEFAULT.probability(similarity) for similarity in (0.7, 0.75, 0.8, 0.85)]
    assert found == pytest.approx([0.56, 0.77, 0.92, 0.988], abs=0.006)
    assert (DEFAULT.probability(0), DEFAULT.probability(1)) == (0, 1)


WORDS = st.lists(st.sampled_from("a b cat 天 地 玄".split()), max_size=12).map(" ".join)


@settings(max_examples=50, deadline=None)
@given(WORDS, st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4))
def test_equal_documents_have_equal_keys_in_any_batch(text: str, before: list[str], behind: list[str]) -> None:
    """And only those whose sets of runs are equal agree in all bands, empty and short documents among them."""
    batch = [*before, text, *behind]
    keys = band_keys(View(batch), DEFAULT)
    assert keys[len(before)].tolist() == band_keys(View([text]), DEFAULT)[0].tolist()
    assert band_keys(View([text.upper().replace(" ", "\n - ")]), DEFAULT)[0].tolist() == keys[len(before)].tolist()
    for place, other in enumerate(batch):
        same = runs(text.split()) == runs(other.split())
        assert (keys[place] == keys[len(before)]).all() == same


def test_short_and_empty_documents() -> None:
    """Shorter than a run: a run of their own. Without a word: all alike, and unlike those with words."""
    texts = [
        "one two",
        "One, two!",
        "two one",
        "one two three four",
        "",
        " \n",
        "。！",
        "天地",
        "天地",
        "one two three four five",
    ]
    keys = band_keys(View(texts), DEFAULT)
    alike = [[bool((a == b).any()) for b in keys] for a in keys]
    groups = [{0, 1}, {2}, {3}, {4, 5, 6}, {7, 8}, {9}]
    assert alike == [[any({a, b} <= group for group in groups) for b in range(10)] for a in range(10)]
    assert all(len(set(row.tolist())) == 14 for row in keys), "a band never meets another band"
    assert band_keys(View([]), DEFAULT).shape == (0, 14)
    assert band_keys(View(["", ""]), DEFAULT).shape == (2, 14)


def test_no_bands() -> None:
    assert band_keys(View(["a b c d e f"]), MinHashConfig(bands=0)).shape == (1, 0)


@pytest.mark.parametrize(("field", "value"), [("bands", -1), ("rows", 0), ("words", 0)])
def test_what_cannot_be_counted(field: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"minhash.{field}={value} must be at least {value + 1}"):
        MinHashConfig(**{field: value})
