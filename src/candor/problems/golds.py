"""Right answers that recognise themselves: maths, words, choices, spans of a text, and that there is no answer."""

import re
import string
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from candor.problems import maths
from candor.problems.extract import FENCE, abstains, answer_text, last_fence, last_line
from candor.problems.numbers import bare, plain
from candor.problems.problem import Gold, Grade, Lang
from candor.problems.stated import last_number


@dataclass(frozen=True)
class Maths(Gold):
    """A number, a quantity or an expression.

    >>> Maths("1,080"), Maths("\\\\frac{\\\\sqrt{2}}{2}"), Maths("18元")
    """

    text: str
    """As it is written in the data, LaTeX or not. An answer may carry a unit where this has none, and the other way."""
    unit: str = ""
    """What the question asks a number of, such as cm; an answer in another unit has to convert into it."""

    def __str__(self) -> str:
        return self.text

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The value as a fraction, or the expression in one writing."""
        text = self._said(response, strict)
        return None if text is None else maths.canonical(text, unit=self.unit, loose=not strict) or None

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """By value; INVALID where the gold text is no number, expression or word."""
        text = self._said(response, strict)
        right = maths.equal(self.text, text or "", unit=self.unit, loose=not strict)
        if right is None:
            return Grade.INVALID
        return Grade.RIGHT if right and text else Grade.WRONG

    def _said(self, response: str, strict: bool) -> str | None:
        last = last_number if maths.read(self.text) else last_line
        return answer_text(response, strict=strict, last=last)


@dataclass(frozen=True)
class Exact(Gold):
    """Words, letters or printed output, without the space, quotes, code fence and full stop around them.

    >>> Exact("elbow"), Exact("aBc", case=True)
    """

    text: str
    """What has to be said."""
    case: bool = False
    """Whether capital letters count."""
    among: tuple[str, ...] = ()
    """Names of which this is one, if that is how it is; a sentence that names just one of them is that answer."""

    def __str__(self) -> str:
        return self.text

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The text, trimmed, in small letters unless they count."""
        text = answer_text(response, strict=strict, last=_whole if "\n" in self.text.strip() else _result)
        return self._named(text) or self._trimmed(text) or None if text else None

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """By letters."""
        gold = self._trimmed(self.text)
        if not gold:
            return Grade.INVALID
        return Grade.RIGHT if self.answer(response, strict=strict) == gold else Grade.WRONG

    def _named(self, text: str) -> str | None:
        """The one of `among` that a sentence names and does not deny."""
        if not self.among or _DENIED.search(text) or text.rstrip(" *\"'”)").endswith(("?", "？")):
            return None
        found = {name for name in self.among if re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", text)}
        return self._trimmed(found.pop()) if len(found) == 1 else None

    def _trimmed(self, text: str) -> str:
        if fenced := FENCE.fullmatch(text.strip()):
            text = fenced[1]
        elif "\\text" in text or "\\math" in text:
            text = plain(text)
        text = "\n".join(line.rstrip() for line in bare(text).splitlines())
        return text if self.case else text.casefold()


@dataclass(frozen=True)
class Choice(Gold):
    """One of several options, by its letter or its own text.

    >>> Choice(right=(1,), options=("Rome", "Paris"))
    """

    right: tuple[int, ...]
    """Indices of the right options; one of them is to be named."""
    options: tuple[str, ...]
    """The texts behind A, B, ..."""

    def __str__(self) -> str:
        letters = dict(zip(string.ascii_uppercase, self.options, strict=False))
        named = [f"{letter}. {text}" for index, (letter, text) in enumerate(letters.items()) if index in self.right]
        return "; ".join(named)

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The letter."""
        text = answer_text(response, strict=strict, last=self._line)
        return None if text is None else self._letter(text)

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """By the letter; INVALID where there is no such option or no right one."""
        if not self.right or not all(0 <= index < min(len(self.options), 26) for index in self.right):
            return Grade.INVALID
        letter = self.answer(response, strict=strict)
        return Grade.RIGHT if letter in [string.ascii_uppercase[index] for index in self.right] else Grade.WRONG

    def _line(self, text: str) -> str | None:
        """The first or the last line, whichever names an option; None where they name two."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        named = [line for line in lines[:1] + lines[1:][-1:] if self._letter(line)]
        return named[-1] if len({self._letter(line) for line in named}) == 1 else None

    def _letter(self, text: str) -> str | None:
        """The one letter that an answer names."""
        text = bare(plain(text))
        options = dict(zip(string.ascii_uppercase, map(_flat, self.options), strict=False))
        same = [letter for letter, option in options.items() if option in (_flat(text), _flat(_CHOSEN.sub("", text)))]
        if text and len(same) == 1:
            return same[0]
        if len(core := text.strip("()[]【】<>. ")) == 1:
            return core.upper() if core.upper() in options else None
        match = _FIRST.match(text)
        article = _ARTICLE.match(text)
        if not match or match["letter"] not in options or (article and text.startswith("I")):
            match = _NAMED.search(text)
            article = None if text.startswith("I") else article
        letter = match["letter"] if match else ""
        if not match or letter not in options:
            return None
        behind = _flat(text[match.end() :])
        if behind == options[letter]:
            return letter
        if article:
            return None
        others = {one for one in _CAPITAL.findall(text) if one in options or len(one) > 1} - {letter}
        return None if others or _DENIED.search(text) or (behind and behind in options.values()) else letter


@dataclass(frozen=True)
class Spans(Gold):
    """What a passage says, in any of several wordings.

    >>> Spans(("Denver Broncos", "The Broncos"), "en")
    """

    texts: tuple[str, ...]
    """Wordings that count."""
    lang: Lang
    """Chinese is compared by characters, as CMRC 2018 does, English by words, as SQuAD does."""

    def __str__(self) -> str:
        return self.texts[0] if self.texts else ""

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The span without case, punctuation and articles."""
        text = _dressed_down(answer_text(response, strict=strict))
        return self._normal(text) or None

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """By exact match after normalisation."""
        golds = {self._normal(text) for text in self.texts} - {""}
        if not golds:
            return Grade.INVALID
        return Grade.RIGHT if self.answer(response, strict=strict) in golds else Grade.WRONG

    def scores(self, response: str) -> dict[str, float]:
        """`f1`: overlap of words."""
        return {"f1": self.f1(response)}

    def f1(self, response: str) -> float:
        """Best overlap with a wording: words in common in English, the longest common run of characters in Chinese."""
        said = _dressed_down(answer_text(response))
        return max((self._overlap(text, said) for text in self.texts), default=0.0)

    def _overlap(self, gold: str, said: str) -> float:
        if self.lang == "zh":
            left, right = _segments(gold), _segments(said)
            common = _longest_run(left, right)
        else:
            left, right = self._normal(gold).split(), self._normal(said).split()
            common = sum((Counter(left) & Counter(right)).values())
        return 2 * common / (len(left) + len(right)) if common else 0.0

    def _normal(self, text: str) -> str:
        if self.lang == "zh":
            return "".join(_segments(text))
        text = "".join(char for char in text.lower() if char not in string.punctuation)
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


@dataclass(frozen=True)
class NoAnswer(Gold):
    """That it cannot be known from what is given.

    >>> NoAnswer("en")
    """

    lang: Lang
    """Language of the gold text."""
    text: ClassVar[dict[Lang, str]] = {"en": "It cannot be determined.", "zh": "无法确定。"}

    def __str__(self) -> str:
        return self.text[self.lang]

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """`unknown` for every way to say so, else what is said."""
        text = answer_text(response, strict=strict, last=_whole)
        return "unknown" if text and abstains(text) else text and (last_line(text) or None)

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """Right where the final answer says that it is not known or cannot be."""
        return Grade.RIGHT if self.answer(response, strict=strict) == "unknown" else Grade.WRONG


_MARKS = re.compile(r"(?!(?<=\d)\.(?=\d)|%)[^\w\s]|_")
_RESULT = re.compile(
    r"(?:[^.!?,，。！？]{0,60}[,，]\s*)?(?:so |thus |therefore |hence )?,?\s*"
    r"(?:(?:the )?(?:final |printed )?(?:result|output|string)(?: of the program)? is"
    r"|(?:it|this|(?:the |this )?(?:program|code)) (?:will )?(?:prints?|outputs?)"
    r"|(?:所以|因此)?，?(?:(?:这段|这个|该)?程序|最后|最终|[^，。]{1,8}(?=的))?(?:的|会)?(?:结果|输出)(?:结果)?[是为]?)\s*[:：]?\s*(?P<text>\S.*)",
    re.I,
)
_FIRST = re.compile(r"[(\[【]?(?P<letter>[A-Z])(?:[)\]】.:,，、。]+|$|(?=\s)|\s*(?:选项|项))\s*")
_NAMED = re.compile(
    r"(?:\b(?:option|choice|answer|(?:i|i'd|would) (?:choose|pick|select))\b|选项?|选择|答案)[】\]]?"
    r"\s*(?:is|(?:应该?|就)?[是为选])?\s*[:：]?\s*[(\[【]?(?P<letter>[A-Z])(?![A-Za-z])[)\]】.:,、]*\s*",
    re.I,
)
_CHOSEN = re.compile(
    r"\A(?:(?:it|that|this)(?: is|['’]s)|(?:i|i'd|i would|i['’]ll|i will) (?:choose|pick|select)|我?选择?|[这那它]?是)"
    r"\s*[:：]?\s*",
    re.I,
)
_ARTICLE = re.compile(r"[AI] (?!is\b)[a-z]")
_DENIED = re.compile(
    r"\b(?:not|nor|neither|wrong|incorrect|false|maybe|perhaps|probably|possibly|might|guess|either)\b|n['’]t\b"
    r"|不|错|非|可能|或许|也许|大概|猜",
    re.I,
)
_CAPITAL = re.compile(r"(?<![A-Za-z])(?!A [a-z]|I[ '])[A-Z](?![A-Za-z'])|(?<![A-Za-z])[A-H]{2,}(?![A-Za-z])")


def _whole(text: str) -> str | None:
    """A response of several lines: its code fence where it has just one, else all of it."""
    fences = FENCE.findall(text)
    return fences[0] if len(fences) == 1 else text.strip() or None


def _result(text: str) -> str | None:
    """An answer of one line: what a code fence holds, or the last line without "the result is" in front."""
    line = last_fence(text)
    said = _RESULT.match(line) if line else None
    return said["text"] if said else line


def _dressed_down(text: str | None) -> str:
    """Without LaTeX."""
    return plain(text) if text and "\\" in text else text or ""


def _flat(text: str) -> str:
    return " ".join(bare(plain(text)).casefold().split())


def _segments(text: str) -> list[str]:
    """Characters of Chinese and words of other writing, without punctuation but for what belongs to a number."""
    text = _MARKS.sub("", unicodedata.normalize("NFKC", text).lower())
    return re.findall(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+", text)


def _longest_run(left: list[str], right: list[str]) -> int:
    """Length of the longest run of segments that both have."""
    best, before = 0, [0] * (len(right) + 1)
    for one in left:
        now = [0] * (len(right) + 1)
        for index, other in enumerate(right):
            if one == other:
                now[index + 1] = before[index] + 1
                best = max(best, now[index + 1])
        before = now
    return best
