"""The number that running text states as its one result."""

import re

from candor.problems.extract import last_line
from candor.problems.numbers import Quantity, figures, number, plain
from candor.problems.units import measure
from candor.problems.unknown import declines, unsure

_SENTENCE = re.compile(r"(?<=[!?])\s+|(?<=\.)\s+|(?<=[。！？])|\n+")
"""What parts of a list stand in is one sentence, also between semicolons."""
_NEAR = 40
"""Characters around a number in which it is denied."""
_DOUBT = re.compile(
    r"\b(?:maybe|perhaps|probably|possibl[ey]|might|may be|could be|(?:i|i'd|i would|my) guess)\b"
    r"|\b(?:unsure|not sure|either|neither|options|choices|candidates)\b"
    r"|\b(?:two|three|four|several|many|multiple|different) (?:answers|solutions|values|results)\b"
    r"|可能|也许|大概|或许|说不定|猜|不确定|不太?清楚|[两三四几多]个(?:答案|结果)",
    re.I,
)
_NOT = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bexcept|\bthan|\bleast|\bmost|\bover|\bunder|\bbelow|\babove|\bup to|[<>≤≥≠]"
    r"|\b(?:twice|thrice|double|triple|minus|but|besides|half|square|cube|squared|root)"
    r"|\b(?:half|third|quarter|tenth|square|cube|root|double|triple|multiple|factor|opposite|inverse|reciprocal)s? of"
    r"|不是|并非|不等于|不到|不足|超过|至少|至多|最多|最少|大于|小于|多于|少于|近|减|除了|^\W*(?:or\b|或者?|还是))"
    r"\s*(?:equals?(?: to)?|be|等于|为|the)?\s*$"
    r"|(?:[0-9)}\]]|\b[A-Za-z])\s*[-+*/^_×÷]\s*\{?$|[±√]\s*$|\\[A-Za-z]+\s*\{?$|分之$",
    re.I,
)
_TAKEN_BACK = re.compile(
    r"\s*(?:(?:is|are|was|would be|be)\s*)?(?:\bnot\b|n['’]t\b|\bwrong|\bincorrect|\bfalse)"
    r"|\s*[^\s\d]{0,4}?(?:错|不对|不正确|不是|以[上下内外]|左右|或|还是|分之|吗|呢|的(?:平方|立方|[\d两三四五十百]*倍|一半|倒数|相反数))"
    r"|\s*\S{0,12}\s+(?:or\b|to\b(?=\s*\d)|if [a-z]\b)"
    r"|\s*(?:squared|cubed|doubled|halved|tripled|factorial|and a half)\b"
    r"|\s*(?:[-~～]\s*\d|[?？])|\s*(?![aImghsLt]\b)[A-Za-z]\b|!",
    re.I,
)
_JOINED = re.compile(
    r"\s*\S{0,8}?\s*(?:\b(?:or|to|and|through)\b|[,、;/~～&-]|或者?|到|至|和|与|还是)\s*(?:(?:also|even|then|maybe|也)\s*)?"
    r"|\s+",
    re.I,
)
_FOR_THE = re.compile(r"\bfor (?:the|all the|these|those|his|her|their) $", re.I)
_MARKED = re.compile(r"(?<!\w)\(?[A-H][).:]\s")
"""The mark of an option."""


def last_number(text: str) -> str | None:
    """The number that the text ends with: its last line where that is a number, else the last one that is stated."""
    line = last_line(text)
    if line is None or declines(text):
        return None
    parts = [part.strip() for part in _SENTENCE.split(plain(text)) if part.strip()]
    for index in reversed(range(len(parts))):
        found = list(figures(parts[index]))
        alone = index == len(parts) - 1 and number(line) is not None
        if found or alone:
            if any(map(unsure, parts[max(0, index - 1) :])):
                return None
            return line if alone else _stated(parts[index], found)
    return line if number(line) is not None else None


def stated(text: str) -> str | None:
    """The one number that a sentence states; None where there are several, or it is doubted, denied or a bound."""
    text = plain(text)
    found = list(figures(text))
    return _stated(text, found) if len({what.amount for *_, what in found}) == 1 else None


def _stated(text: str, found: list[tuple[int, int, Quantity]]) -> str | None:
    """The last of the numbers that were found in a sentence, unless it is doubted, denied, a bound or one to choose."""
    if len(found) > 1 and not found[-1][2].unit and _is_money(found[-2][2]) and _FOR_THE.search(text[: found[-1][0]]):
        found = found[:-1]  # "pays $64 for the 16 glasses" says what is paid, not how many there are
    start, end, what = found[-1]
    if _DOUBT.search(text) or len(_MARKED.findall(text)) > 1 or text.rstrip("\"'”’)*_` ").endswith("?"):
        return None
    if _NOT.search(text[max(0, start - _NEAR) : start]) or _TAKEN_BACK.match(text[end : end + _NEAR]):
        return None
    if len(found) > 1:
        _, before, other = found[-2]
        if other.amount != what.amount and start - before < _NEAR and _JOINED.fullmatch(text[before:start]):
            return None
    return text[start:end]


def _is_money(what: Quantity) -> bool:
    known = measure(what.unit)
    return known is not None and known[0] in ("money", "yuan", "euro")
