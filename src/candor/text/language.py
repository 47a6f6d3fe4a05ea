"""What can be said of a text by counting: how much of it is in one language, and how much of it repeats itself."""

import re
from typing import Literal

Lang = Literal["en", "zh"]

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_WORD = re.compile(f"[{_HAN}]")
_LATIN_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ]+")
_OTHER_WORD = re.compile(rf"[^\W\d_A-Za-zÀ-ÖØ-öø-ɏ{_HAN}]+")
_WORD = re.compile(rf"[{_HAN}]|[^\W{_HAN}]+")

GRAM = 10
"""Words in a row that count as repeated when they stood before."""


def language_share(text: str, lang: Lang) -> float | None:
    """Share of the words that are in the language; None where there are no words (R1 2.3.2).

    A Chinese character counts as a word, and so does a run of letters of another writing; figures and signs do not.
    """
    han, latin = len(_HAN_WORD.findall(text)), len(_LATIN_WORD.findall(text))
    every = han + latin + len(_OTHER_WORD.findall(text))
    return (han if lang == "zh" else latin) / every if every else None


def words(text: str) -> list[str]:
    """The words of a text in small letters: Chinese characters, and runs of letters and digits."""
    return _WORD.findall(text.lower())


def repetition(text: str) -> float:
    """Share of a text that stood in it before, from 0 to just under 1.

    The larger of two of Gopher's measures (Rae et al. 2021, table A1), by characters: lines that stood before, and
    words within a run of `GRAM` words that stood before. Gopher leaves out documents above 0.2 and 0.1.
    """
    return max(_in_lines(text), _in_grams(words(text)))


def _in_lines(text: str) -> float:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    total = sum(map(len, lines))
    return 1 - sum(map(len, set(lines))) / total if total else 0.0


def _in_grams(found: list[str]) -> float:
    seen: set[tuple[str, ...]] = set()
    repeated = end = 0  # all words before `end` are counted already
    for start in range(len(found) - GRAM + 1):
        gram = tuple(found[start : start + GRAM])
        if gram in seen:
            repeated += sum(map(len, found[max(start, end) : start + GRAM]))
            end = start + GRAM
        seen.add(gram)
    total = sum(map(len, found))
    return repeated / total if total else 0.0
