"""Citations: is each sentence supported by the passages that it cites, and does it need each (ALCE, 2305.14627)?

ALCE asks a model of inference; here a stated rule on words does, which can be repeated and errs on the strict side: a
passage supports a sentence where it holds all of its numbers and at least `support` of its content words (of its pairs
of Han characters). It takes negation for support: "was not" and "was" have the same content words.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_MARK = re.compile(r"\s*[\[【](\d{1,3}(?:\s*[,，]\s*\d{1,3})*)[\]】]")
_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+(?:[.,:]\d+)*%?|[\u3400-\u9fff]+")
_STOP = frozenset(
    "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it "
    "its may might more most no not of on or she should so some than that the their them then there these they this to "
    "was we were what when where which who will with would you your".split()
)
_STOP_ZH = frozenset("的了是在和与有也就都而及或被把对从到为之其这那")


@dataclass(frozen=True)
class Citations:
    """The citations of one answer.

    >>> Citations(sentences=3, supported=2, citations=4, needed=3)
    """

    sentences: int
    """Sentences that say something."""
    supported: int
    """Those of them that what they cite supports, taken together."""
    citations: int
    """Passages cited, sentence by sentence."""
    needed: int
    """Those of them that support their sentence alone, or without which the rest does not."""

    @property
    def recall(self) -> float | None:
        """Share of sentences that are supported; None without any."""
        return self.supported / self.sentences if self.sentences else None

    @property
    def precision(self) -> float | None:
        """Share of citations that are to the point; None without any."""
        return self.needed / self.citations if self.citations else None


def check_citations(answer: str, passages: Sequence[str], support: float = 0.7) -> Citations:
    """Check an answer that cites passages as [1], [2, 3] from 1, before or behind the mark that ends a sentence.

    A number without a passage is a citation that supports nothing.
    """
    sentences = supported = citations = needed = 0
    for text, cited in cited_sentences(answer):
        if not content(text):
            continue
        sentences += 1
        sources = [passages[number - 1] if 1 <= number <= len(passages) else "" for number in cited]
        whole = bool(sources) and supports(text, sources, support)
        supported += whole
        citations += len(sources)
        for place, one in enumerate(sources):
            rest = sources[:place] + sources[place + 1 :]
            needed += whole and (supports(text, [one], support) or not supports(text, rest, support))
    return Citations(sentences, supported, citations, needed)


def cited_sentences(answer: str) -> list[tuple[str, tuple[int, ...]]]:
    """Each sentence without its marks, and the different numbers that it cites, in order."""
    moved = re.sub(
        r"([.!?。！？])((?:\s*[\[【]\d[\d\s,，]*[\]】])+)", r"\2\1", answer
    )  # behind the end mark: before it
    found = []
    for sentence in _END.split(moved):
        numbers = [int(one) for mark in _MARK.findall(sentence) for one in re.split(r"\s*[,，]\s*", mark)]
        if text := _MARK.sub("", sentence).strip():
            found.append((text, tuple(dict.fromkeys(numbers))))
    return found


def supports(sentence: str, passages: Sequence[str], support: float) -> bool:
    """Whether the passages together hold all numbers of a sentence and enough of its other content."""
    wanted, held = content(sentence), set[str]()
    for one in passages:
        held |= content(one)
    numbers = {one for one in wanted if one[0].isdigit()}
    words = wanted - numbers
    return numbers <= held and len(words & held) >= support * len(words)


def content(text: str) -> set[str]:
    """What a text is about: words that are no stop words, by their stem; numbers; pairs of Han characters."""
    found: set[str] = set()
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if word[0].isdigit():
            found.add(re.sub(r"(?<=\d),(?=\d{3})", "", word).rstrip(".,:"))
        elif word[0] >= "\u3400":
            found |= {word[at : at + 2] for at in range(len(word) - 1) if not set(word[at : at + 2]) & _STOP_ZH}
        elif word not in _STOP:
            found.add(_stem(word.removesuffix("'s")))
    return found


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            return word.removesuffix(ending)
    return word
