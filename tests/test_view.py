"""A view finds what a reader with regular expressions finds, and its hashes mean equality of text, case aside."""

import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor import view as view_module
from candor.view import View, mix

HAN = r"\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U00031fff"
ALONE = f"{HAN}\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff"
"""Han, Thai to Khmer, kana."""
MARKS = "\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u064b-\u065f\u0670\u0900-\u0903\u093a-\u093c\u093e-\u094f"
WORD = re.compile(rf"[{ALONE}]|(?:(?![{ALONE}_])[\w{MARKS}])+")
PIECES = [
    "a", "Ab", "cat", "CAT", "naïve", "ÉCOLE", "ß", "ẞ", "İ", "e\u0301", "x2", "007", "٣", "²", "Ⅷ", "_", "-", "'",
    " ", "  ", "\t", "\u00a0", "\u3000", "\n", "\n\n", "\n \n", "\r", "\u2028", "天", "天地", "々", "〇", "㐂", "か",
    "カー", "ไทย", "한국", "𠮷", "𝐀", "👍", "👨‍👩‍👧", "❤️", "。", "，", "!", "देव", "है।", "שָׁלוֹם", "\ufeff", "\0",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=6
)
BATCHES = st.lists(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), max_size=6)


def words(text: str) -> list[str]:
    return WORD.findall(text)


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def paragraphs(text: str) -> list[str]:
    """Runs of lines that are not empty, spaces cut off at their ends."""
    found: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return ["\n".join(part).strip() for part in found if part]


def folded(text: str) -> str:
    """Each character in lower case where that is one character."""
    return "".join(low if len(low := one.lower()) == 1 else one for one in text)


def cut(view: View, starts: np.ndarray, ends: np.ndarray) -> list[str]:
    return ["".join(map(chr, view.codes[a:b])) for a, b in zip(starts, ends, strict=True)]


@settings(max_examples=80, deadline=None)
@given(BATCHES)
def test_words_lines_and_paragraphs_are_those_of_regular_expressions(texts: list[str]) -> None:
    view = View(texts)
    found = [words(text) for text in texts]
    assert cut(view, view.word_starts, view.word_ends) == [word for part in found for word in part]
    assert view.word_count.tolist() == [len(part) for part in found]
    assert view.document_of_word.tolist() == [d for d, part in enumerate(found) for _ in part]
    assert view.first_words.tolist() == [sum(map(len, found[:d])) for d in range(len(texts) + 1)]
    assert view.lengths.tolist() == [len(text) for text in texts]
    assert cut(view, view.starts[:-1], view.starts[1:] - 1) == texts
    per = [lines(text) for text in texts]
    assert cut(view, view.line_starts, view.line_ends) == [line for part in per for line in part]
    assert view.line_count.tolist() == [len(part) for part in per]
    assert view.document_of_line.tolist() == [d for d, part in enumerate(per) for _ in part]
    starts, ends, of = view.paragraphs
    per = [paragraphs(text) for text in texts]
    assert cut(view, starts, ends) == [paragraph for part in per for paragraph in part]
    assert of.tolist() == [d for d, part in enumerate(per) for _ in part]


@settings(max_examples=80, deadline=None)
@given(BATCHES, st.integers(1, 5))
def test_runs_of_words_are_slices_of_lists(texts: list[str], n: int) -> None:
    view = View(texts)
    places, hashes = view.grams(n)
    expected, of, first = [], [], 0
    for text in texts:
        found = [folded(word) for word in words(text)]
        expected += [tuple(found[at : at + n]) for at in range(len(found) - n + 1)]
        of += [first + at for at in range(len(found) - n + 1)]
        first += len(found)
    assert places.tolist() == of
    assert hashes.tolist() == view.hash_grams(places, n).tolist()
    assert len({*zip(expected, hashes.tolist(), strict=True)}) == len(set(expected)) == len(set(hashes.tolist()))


@settings(max_examples=50, deadline=None)
@given(BATCHES, st.sampled_from("aA天 \n👍."))
def test_sums_over_documents_and_spans(texts: list[str], one: str) -> None:
    view = View(texts)
    where = view.one_of(one)
    whole = "".join(f"{text}\n" for text in texts)
    assert where.tolist() == [c == one for c in whole or "\n"]
    assert view.per_document(where).tolist() == [text.count(one) for text in texts]
    han = [sum("CJK UNIFIED" in unicodedata.name(c, "") or c in "々〆〇" for c in text) for text in texts]
    assert view.per_document(view.han).tolist() == han
    inside = [word.count(one) for text in texts for word in words(text)]
    assert view.count_in(where, view.word_starts, view.word_ends).tolist() == inside
    assert view.count_in(where, view.line_starts, view.line_ends).tolist() == [
        line.count(one) for text in texts for line in lines(text)
    ]


@settings(max_examples=80, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5), st.lists(TEXTS, max_size=5), st.integers(0, 5))
def test_a_document_has_the_same_hashes_in_any_company(own: list[str], others: list[str], place: int) -> None:
    alone, at = View(own), min(place, len(others))
    among = View([*others[:at], *own, *others[at:]])
    first, last = among.first_words[at], among.first_words[at + len(own)]
    assert among.words[first:last].tolist() == alone.words.tolist()
    inside = slice(*np.searchsorted(among.document_of_line, [at, at + len(own)]))
    assert (
        among.hash_spans(among.line_starts[inside], among.line_ends[inside]).tolist()
        == alone.hash_spans(alone.line_starts, alone.line_ends).tolist()
    )
    places, hashes = among.grams(2)
    mine = (at <= among.document_of_word[places]) & (among.document_of_word[places] < at + len(own))
    assert hashes[mine].tolist() == alone.grams(2)[1].tolist()


def test_hashes_are_equal_where_the_text_is_equal_case_aside(close_texts: list[str]) -> None:
    """Every word, line and run of three words of texts that differ little, in both directions of "if and only if"."""
    view = View(close_texts)
    assert len(view.words) > 70_000
    for starts, ends in [(view.word_starts, view.word_ends), (view.line_starts, view.line_ends)]:
        by_text = defaultdict(set)
        for text, key in zip(cut(view, starts, ends), view.hash_spans(starts, ends).tolist(), strict=True):
            by_text[folded(text)].add(key)
        assert {len(keys) for keys in by_text.values()} == {1}
        assert len(set.union(*by_text.values())) == len(by_text), "two texts share a hash"
    places, hashes = view.grams(3)
    spelt = [folded(word) for word in cut(view, view.word_starts, view.word_ends)]
    pairs = {(tuple(spelt[at : at + 3]), key) for at, key in zip(places.tolist(), hashes.tolist(), strict=True)}
    assert len(pairs) == len({run for run, _ in pairs}) == len({key for _, key in pairs})


@pytest.fixture
def close_texts() -> list[str]:
    """Eight thousand lines: numbers, pairs of letters and pairs of Han characters."""
    numbers = [f"line {number} of {number * 7919 % 10007}, Line {number:05d}" for number in range(4000)]
    letters = [f"{chr(97 + a)}{chr(97 + b)} {chr(65 + b)}{chr(97 + a)}" for a in range(26) for b in range(26)]
    han = ["".join(chr(0x4E00 + (a * 37 + k * 101) % 5000) for k in range(12)) for a in range(4000)]
    return ["\n".join(numbers), "\n".join(letters), "\n".join(han), "\n".join(numbers[:100]).upper()]


def test_where_the_words_end_matters() -> None:
    view = View(["ab c", "a bc", "abc", "a b c", "c ab", "AB C"])
    runs = {text: tuple(view.words[view.document_of_word == d].tolist()) for d, text in enumerate(["1", "2", "3"])}
    assert len(set(runs.values())) == 3
    pairs = view.grams(2)[1].tolist()
    assert pairs[0] != pairs[1] != pairs[-2]
    assert pairs[0] == pairs[-1]


@pytest.mark.parametrize("texts", [[], [""], ["", ""], [" \n\t\u3000"], ["\n\n\n", ""]])
def test_nothing_to_read(texts: list[str]) -> None:
    view = View(texts)
    assert len(view) == len(texts)
    assert view.word_count.tolist() == view.line_count.tolist() == [0] * len(texts)
    assert [len(part) for part in view.paragraphs] == [0, 0, 0]
    assert len(view.words) == len(view.grams(1)[0]) == len(view.grams(9)[1]) == 0


def test_characters_beyond_the_first_plane() -> None:
    """One place each: 𠮷 and 𰻞 are Han, 𝐀 is a letter, 👍 is neither, and none of them shifts what follows."""
    view = View(["𠮷野家 👍 𝐀𝐁c", "𰻞𰻞麵"])
    assert cut(view, view.word_starts, view.word_ends) == ["𠮷", "野", "家", "𝐀𝐁c", "𰻞", "𰻞", "麵"]
    assert view.per_document(view.han).tolist() == [3, 3]
    assert view.words[4] == view.words[5] != view.words[6]


def test_marks_go_with_their_letter_and_stops_do_not() -> None:
    """The danda stands within the block of Devanagari, the maqaf within the Hebrew marks; both are punctuation."""
    texts = ["यह है।", "यह है", "שָׁלוֹם־עֲלֵיכֶם", "e\u0301cole", "I ❤️ you"]
    view = View(texts)
    found = [cut(view, view.word_starts, view.word_ends)[a:b] for a, b in pairwise(view.first_words)]
    assert found == [["यह", "है"], ["यह", "है"], ["שָׁלוֹם", "עֲלֵיכֶם"], ["e\u0301cole"], ["I", "you"]]


def test_every_letter_and_digit_of_unicode_is_in_a_word_and_nothing_else_starts_one() -> None:
    categories = defaultdict(list)
    for code in range(0x3000):
        categories[unicodedata.category(chr(code))[0]].append(chr(code))
    assert (View(categories["L"]).word_count == 1).all()
    assert (View(categories["N"]).word_count == 1).all()
    assert (View([one for one in categories["Z"] + categories["C"] if not "฀" <= one <= "៿"]).word_count == 0).all()
    of_marks = View([f"a{mark}b" for mark in categories["M"] if unicodedata.category(mark) != "Me"])
    alone = View([mark for mark in categories["M"] if unicodedata.category(mark) != "Me"])
    assert set(of_marks.word_count[: len(alone)].tolist()) <= {1, 3}  # 3 where a mark of Thai or Khmer stands alone
    assert (View([one for one in categories["P"] if not "฀" <= one <= "៿"]).word_count == 0).all()


def test_hashes_are_the_same_in_every_process() -> None:
    """Corpora built on different machines are compared by these: whoever changes them must say so in VERSIONS."""
    code = (
        f"import json, runpy; v = runpy.run_path({view_module.__file__!r})['View'](['Hello, 世界']);"
        "print(json.dumps([v.words.tolist(), v.grams(2)[1].tolist()]))"
    )
    results = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        results.append(json.loads(done.stdout))
    assert results[0] == results[1]
    assert results[0][0] == [EXPECTED, *results[0][0][1:]]
    assert View(["HELLO"]).words.tolist() == [EXPECTED]


def _splitmix(value: int) -> int:
    """The finaliser of splitmix64 in whole numbers."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
    return value ^ value >> 31


EXPECTED = _splitmix(
    sum(_splitmix(ord(one) + 1) * pow(0x9E3779B97F4A7C15, place, 2**64) for place, one in enumerate("hello")) % 2**64
)
"""The definition in whole numbers of Python: a polynomial in the mixed characters, mixed again."""


def test_mixing_is_the_published_finaliser() -> None:
    """Vectors of splitmix64 with seed 1234567, whose state grows by the golden gamma (Vigna, prng.di.unimi.it)."""
    states = np.array([(1234567 + k * 0x9E3779B97F4A7C15) % 2**64 for k in range(1, 4)], np.uint64)
    assert mix(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [_splitmix(int(state)) for state in states] == mix(states).tolist()
    assert len(set(mix(np.arange(100_000, dtype=np.uint64)).tolist())) == 100_000
