"""Rules of quality after Gopher, C4 and FineWeb, with thresholds proper to English and to Chinese.

Gopher: arXiv 2112.11446, Table A1 and section A1; C4: arXiv 1910.10683, 2.2; FineWeb: arXiv 2406.17557, 3.6. Words are
those of `View`: a Han character is a word, so Chinese counts are higher and its repetitions longer than English ones.
Code, tables, formulas, tags and addresses are not prose: they count as words of a document and for nothing else. Every
figure is measured for all documents of a view at once; a rule is a figure and the range that it must lie in.
"""

import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from candor.errors import ConfigError
from candor.view import ALONE, DIGIT, LETTER, SPACE, Hashes, Ints, View, mix

Figures = NDArray[np.float64]
_END = ".!?。！？…；;:：．"
"""What ends a sentence, an item of a list, or a line that leads on to another."""
_STOPS = ".!?。！？…．"
_BREAK = 10
_SHORT = 100
"""Words of prose below which other function words count as stop words too: a page of a manual has few of Gopher's."""
_CLOSING = "\"'”’」』）)]】》>*_`"
_STOP_WORDS = "the be to of and that have with 的 一 是 不 了 在 有 人 我 他 这 为 之 以 而 其 也 于 者 所 与"
"""Gopher's eight, and the like in modern and classical Chinese."""
_FUNCTION_WORDS = (
    "a all an are as at by for from if in into is it not on or this using 和 或 从 到 将 把 用 并 对 及 中 上"
)


@dataclass(frozen=True)
class Limits:
    """Thresholds of one language; a document outside one of them is rejected with the name of the rule as reason."""

    min_words: int = 25
    """Gopher has 50, which a page of a manual may not reach."""
    max_words: int = 1_000_000
    """Gopher has 100,000, which leaves no room for a book."""
    min_prose: float = 0.05
    """Least share of the words that stand in prose; what has less is a table, a list of addresses or code."""
    min_word_length: float = 3.0
    """Gopher: least mean length of a word in characters."""
    max_word_length: float = 10.0
    """Gopher: largest mean length."""
    max_symbols: float = 0.1
    """Gopher: most hash signs or ellipses to a word."""
    max_bullets: float = 0.9
    """Gopher: largest share of lines that begin with a bullet."""
    max_ellipses: float = 0.3
    """Gopher: largest share of lines that end in an ellipsis."""
    min_letters: float = 0.8
    """Gopher: least share of words with a letter."""
    min_stop_words: int = 2
    """Gopher: fewest different stop words; of more words in a short text, see `_SHORT`."""
    max_repeated_lines: float = 0.3
    """Gopher: largest share of lines that stood before."""
    max_repeated_line_characters: float = 0.2
    """Gopher: their largest share of the characters."""
    max_repeated_paragraphs: float = 0.3
    """Gopher: largest share of paragraphs that stood before."""
    max_repeated_paragraph_characters: float = 0.2
    """Gopher: their largest share of the characters."""
    top_grams: tuple[int, ...] = (2, 3, 4)
    """Gopher: lengths in words of which the most frequent run ..."""
    max_top_gram: tuple[float, ...] = (0.20, 0.18, 0.16)
    """... has at most this share of the characters."""
    repeated_grams: tuple[int, ...] = (5, 6, 7, 8, 9, 10)
    """Gopher: lengths in words of which runs that stood before ..."""
    max_repeated_grams: tuple[float, ...] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
    """... cover at most this share of the characters."""
    spare_characters: int = 300
    """Characters that are added to those of a document before these shares are taken: in a few sentences about one
    thing the same words come again, which says nothing yet; in a long document it makes no difference."""
    min_sentences: int = 3
    """C4: fewest ends of sentences."""
    max_braces: float = 0.05
    """C4 refuses any curly bracket; this is their largest share of the characters."""
    min_ended_lines: float = 0.12
    """FineWeb: least share of lines that end in punctuation, or are ten times as long as a short line and hold the end
    of a sentence: a paragraph that was cut off is no line of a menu."""
    max_short_lines: float = 0.67
    """FineWeb: largest share of lines of at most `short_line` characters, here of those that do not end as a sentence
    does: lines of a menu and not of a dialogue or of a list."""
    short_line: int = 30
    """FineWeb: what is a short line."""
    max_breaks: float = 0.3
    """FineWeb: most line breaks to a word."""

    def __post_init__(self) -> None:
        for lengths, most in (("top_grams", "max_top_gram"), ("repeated_grams", "max_repeated_grams")):
            if len(getattr(self, lengths)) != len(getattr(self, most)):
                raise ConfigError(f"quality: {lengths} and {most} must be equally long")
        if sorted(self.top_grams + self.repeated_grams) != list(self.top_grams + self.repeated_grams):
            raise ConfigError("quality: top_grams and then repeated_grams must rise")


CHINESE = Limits(
    min_words=50,
    min_word_length=0.0,
    max_word_length=1e9,
    top_grams=(4, 6, 8),
    repeated_grams=(10, 12, 14, 16, 18, 20),
    spare_characters=150,
    short_line=10,
    max_breaks=0.2,
)
"""A word of English is 1.5 to 2 characters of Chinese, and a letter half a character."""


@dataclass(frozen=True)
class QualityConfig:
    """The rules of quality."""

    english: Limits = field(default_factory=Limits)
    """Thresholds of texts of which less than a third of the words are Han characters."""
    chinese: Limits = field(default_factory=lambda: CHINESE)
    """Thresholds of the others."""


_MARKUP = re.compile(
    r"^[ \t]*(```|~~~).*?^[ \t]*\1[^\n]*$"  # a block of code
    r"|^[ \t]*(`{1,2})[^`\n]+\2[ \t]*$"  # a line of code; code within a sentence is a word of it
    r"|\$\$[^$]+\$\$|\$(?=\S)[^$\n]+(?<=\S)\$(?!\d)"  # a formula, and no two prices
    r"|^[ \t]*\|[^\n]*$"  # a line of a table
    r"|^[ \t]*([-*_=])(?:[ \t]*\3){2,}[ \t]*$|^#{1,6} "  # a rule across the page, the sign of a heading
    r"|</?[A-Za-z][^<>\n]{0,300}>|\{/\*[^\n]{0,300}?\*/\}"  # a tag, a comment
    r"|(?<=\])\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|(?:https?|ftp)://[!-;=?-~]*[0-9A-Za-z/]",  # an address
    re.MULTILINE | re.DOTALL,
)
_SIGNS = ("`", "~~~", "$", "|", "---", "***", "___", "===", "- -", "* *", "_ _", "# ", "<", "{/*", "](", "://")
"""What prose() looks for first; one of them stands in all that it takes out."""


def prose(text: str) -> str:
    """`text` with spaces in place of code, formulas, tables, tags, rules, addresses and signs of headings.

    It is as long as before, line breaks stand where they stood.
    """
    if not any(sign in text for sign in _SIGNS):
        return text
    return _MARKUP.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


class Found(NamedTuple):
    """What the rules say of D documents."""

    reasons: list[str]
    """The first rule that each breaks, `top_gram_3` or the like; "" where it breaks none."""
    figures: dict[str, Figures]
    """[D] each, by rule."""


def is_chinese(view: View) -> NDArray[np.bool_]:
    """[D] whether a third of the words are Han characters."""
    return view.per_document(view.han) * 3 >= np.maximum(view.word_count, 1)


def judge(texts: Sequence[str], view: View, config: QualityConfig) -> Found:
    """The rules on every document of a view, which is the view of `texts`."""
    plain = [prose(text) for text in texts]
    plainly = view if all(map(operator.is_, plain, texts)) else View(plain)
    chinese = is_chinese(plainly)
    figures: dict[str, Figures] = {}
    reasons = np.full(len(view), "", object)
    for limits, own in ((config.english, ~chinese), (config.chinese, chinese)):
        if not own.any():
            continue
        for name, (low, high), values in measure(view, plainly, limits):
            figures.setdefault(name, np.full(len(view), np.nan))[own] = values[own]
            broken = own & (reasons == "") & ~((low <= values) & (values <= high))
            reasons[broken] = name
    return Found(reasons.tolist(), figures)


Rule = tuple[str, tuple[float, float], Figures]
_NONE = float("inf")


def measure(view: View, plainly: View, limits: Limits) -> list[Rule]:
    """(name, allowed range, figure of each document) of every rule; `plainly` is the view of the prose alone."""
    written = np.maximum(view.per_document(view.kinds != SPACE), 1)
    length: Rule = "words", (limits.min_words, limits.max_words), view.word_count.astype(np.float64)
    share: Rule = "prose", (limits.min_prose, 1), _share(plainly.word_count, view.word_count)
    return [length, share, *_words(plainly, limits), *_lines(plainly, limits), *_repetition(plainly, written, limits)]


def _share(part: NDArray[np.generic], whole: NDArray[np.generic]) -> Figures:
    return np.asarray(part / np.maximum(whole, 1), np.float64)


def _words(view: View, c: Limits) -> list[Rule]:
    words = view.word_count
    spelt = (view.kinds == LETTER) | (view.kinds == DIGIT)
    runs = np.bincount(view.document_of_word[view.kinds[view.word_starts] != ALONE], minlength=len(view))
    symbols = view.per_document(view.codes == ord("#")) + view.per_document(_ellipses(view))
    with_letter = view.count_in(view.kinds != DIGIT, view.word_starts, view.word_ends) > 0
    return [
        ("word_length", (c.min_word_length, c.max_word_length), _share(view.per_document(spelt), runs)),
        ("symbols", (0, c.max_symbols), _share(symbols, words)),
        (
            "letters",
            (c.min_letters, 1),
            _share(np.bincount(view.document_of_word[with_letter], minlength=len(view)), words),
        ),
        ("stop_words", (c.min_stop_words, _NONE), _stop_words(view)),
        ("braces", (0, c.max_braces), _share(view.per_document(view.one_of("{}")), view.lengths)),
    ]


def _ellipses(view: View) -> NDArray[np.bool_]:
    """[C] where an ellipsis begins to be one: at the third of three dots or more, at the first of a row of "…"."""
    dot, one = view.codes == ord("."), view.codes == ord("…")
    third = np.zeros(len(dot), bool)
    third[2:] = dot[2:] & dot[1:-1] & dot[:-2]
    third[3:] &= ~dot[:-3]
    one[1:] &= view.codes[:-1] != ord("…")
    return third | one


@cache
def _stop_hashes() -> tuple[Hashes, NDArray[np.bool_]]:
    """Hashes of stop words and function words in order, and which of them are stop words."""
    stops, others = View([_STOP_WORDS]).words, View([_FUNCTION_WORDS]).words
    hashes = np.sort(np.concatenate((stops, others)))
    return hashes, np.isin(hashes, stops)


def _stop_words(view: View) -> Figures:
    hashes, stops = _stop_hashes()
    at = np.minimum(np.searchsorted(hashes, view.words), len(hashes) - 1)
    hit = np.flatnonzero(hashes[at] == view.words)
    seen = np.zeros((len(view), len(hashes)), bool)
    seen[view.document_of_word[hit], at[hit]] = True
    return np.where(view.word_count < _SHORT, seen.sum(1), seen[:, stops].sum(1)).astype(np.float64)


def _lines(view: View, c: Limits) -> list[Rule]:
    D, of, starts, ends = len(view), view.document_of_line, view.line_starts, view.line_ends
    lines, size = view.line_count, ends - starts

    def share(where: NDArray[np.bool_]) -> Figures:
        return _share(np.bincount(of[where], minlength=D), lines)

    at = _before_closing(view, starts, ends)
    last = view.codes[at]
    ended = _any_of(last, _END)
    followed = np.zeros(len(view.codes), bool)
    followed[:-1] = ((view.kinds[1:] == SPACE) | (view.kinds[1:] == ALONE)) & (view.codes[1:] != _BREAK)
    followed[at] = False  # the end of a line counts below
    within = view.one_of(_STOPS) & followed
    sentences = view.per_document(within) + np.bincount(of[ended], minlength=D)
    told = ended | ((size >= 10 * c.short_line) & (view.count_in(within, starts, ends) > 0))
    dot = view.codes == ord(".")
    ellipsis = (last == ord("…")) | (dot[at] & dot[at - 1] & dot[at - 2])  # behind the first place stands a break
    return [
        ("bullets", (0, c.max_bullets), share(_any_of(view.codes[starts], "-*•●◦‣·"))),
        ("ellipses", (0, c.max_ellipses), share(ellipsis)),
        ("sentences", (c.min_sentences, _NONE), sentences.astype(np.float64)),
        ("ended_lines", (c.min_ended_lines, 1), share(told)),
        ("short_lines", (0, c.max_short_lines), share((size <= c.short_line) & ~ended)),
        ("breaks", (0, c.max_breaks), _share(view.line_count, view.word_count)),
    ]


def _before_closing(view: View, starts: Ints, ends: Ints) -> Ints:
    """The last character of each line that is no closing quote or bracket, looking at most three back."""
    last = ends - 1
    for _ in range(3):
        last = np.where(_any_of(view.codes[last], _CLOSING) & (last > starts), last - 1, last)
    return last


def _any_of(codes: NDArray[np.uint32], characters: str) -> NDArray[np.bool_]:
    return np.isin(codes, np.fromiter(map(ord, characters), np.uint32))


def _repetition(view: View, written: Ints, c: Limits) -> list[Rule]:
    rules: list[Rule] = []
    for name, (starts, ends, of) in {"line": view.lines, "paragraph": view.paragraphs}.items():
        again = _seen_before(_within(view.hash_spans(starts, ends), of))
        size = ends - starts
        counted, repeated = np.bincount(of, minlength=len(view)), np.bincount(of[again], minlength=len(view))
        characters = np.bincount(of[again], size[again], minlength=len(view))
        most, share = getattr(c, f"max_repeated_{name}s"), getattr(c, f"max_repeated_{name}_characters")
        rules.append((f"repeated_{name}s", (0, most), _share(repeated, counted)))
        rules.append((f"repeated_{name}_characters", (0, share), _share(characters, written)))
    return rules + _grams(view, written + c.spare_characters, c)


def _within(hashes: NDArray[np.uint64], of: Ints) -> NDArray[np.uint64]:
    """Hashes that are equal within one document only."""
    return hashes ^ mix(of.astype(np.uint64) + np.uint64(1))


def _seen_before(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which keys stood before."""
    order = np.argsort(keys, kind="stable")
    again = np.zeros(len(keys), bool)
    again[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    return again


def _grams(view: View, written: Ints, c: Limits) -> list[Rule]:
    """Runs of words. A run that stands twice begins with a shorter one that does: each length looks only at those."""
    size = view.word_ends - view.word_starts
    up_to = np.concatenate(([0], np.cumsum(size)))
    of, ends = view.document_of_word, view.first_words[1:]
    places = np.arange(len(of))
    rules: list[Rule] = []
    for n in (*c.top_grams, *c.repeated_grams):
        places = places[places + n <= ends[of[places]]]
        keys = _within(view.hash_grams(places, n), of[places])
        order = np.argsort(keys, kind="stable")
        keys, places = keys[order], places[order]
        new = np.ones(len(keys), bool)
        new[1:] = keys[1:] != keys[:-1]
        first = np.flatnonzero(new)
        count = np.diff(np.append(first, len(keys)))
        twice = np.repeat(count > 1, count)
        places, new, first, count = places[twice], new[twice], places[first[count > 1]], count[count > 1]
        if n in c.top_grams:
            characters = np.zeros(len(view), np.int64)
            np.maximum.at(characters, of[first], count * (up_to[first + n] - up_to[first]))
            rules.append((f"top_gram_{n}", (0, c.max_top_gram[c.top_grams.index(n)]), _share(characters, written)))
        else:
            again = places[~new]
            edges = (
                np.bincount(again, minlength=len(of) + 1) - np.bincount(again + n, minlength=len(of) + 1)[: len(of) + 1]
            )
            covered = np.cumsum(edges[:-1]) > 0
            characters = np.bincount(of[covered], size[covered], minlength=len(view))
            most = c.max_repeated_grams[c.repeated_grams.index(n)]
            rules.append((f"repeated_gram_{n}", (0, most), _share(characters, written)))
    return rules
