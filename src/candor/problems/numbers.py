"""One number in any usual writing, as an exact fraction with its percent sign and its unit.

Nothing is rounded and nothing huge is computed: what is longer than `_LONGEST` characters or has a larger exponent than
`_MOST_ZEROS` is no number here. A division that comes out even (12/4) is a sum still to be done, not a number.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from candor.problems.numerals import HAN, SCALES, chinese, english
from candor.problems.units import BEHIND, NAMES, TAIL, Measure, measure, size, unit

_LONGEST = 400
_MOST_ZEROS = 100


@dataclass(frozen=True)
class Quantity:
    """A number as it is written.

    >>> Quantity(Fraction(20), percent=True)
    """

    value: Fraction
    """What stands before the percent sign and the unit."""
    percent: bool = False
    """Whether it is said in hundredths."""
    unit: str = ""
    """Unit or counted things; empty where there are none."""
    large: str = ""
    """The first unit of several (2 h 30 min is 150 min, of hours); empty where there is one."""

    @property
    def amount(self) -> Fraction:
        """The value, a hundredth of it for percent."""
        return self.value / 100 if self.percent else self.value


def number(text: str) -> Fraction | None:
    """The one number that a text is, units and all; None where it is none or several. 20% is 1/5."""
    found = quantity(text)
    return found.amount if found else None


@lru_cache(maxsize=4096)
def quantity(text: str) -> Quantity | None:
    """The one number that a text is, with percent sign and unit; None where the text is more or less than that."""
    if len(text) > _LONGEST:
        return None
    text = _SPACED.sub("", bare(plain(text)))
    if match := _LEAD.match(text):
        text = text[match.end() :]
    sign = ""
    if match := _MINUS.match(text):
        sign, text = "-", text[match.end() :]
    elif (several := _several(text, 0)) and TAIL.fullmatch(text, several[0]):
        return several[1]
    if match := _CHINESE.match(text):
        return _chinese_quantity(match, sign)
    if text[:1].isalpha():
        worded = english(text)
        if worded:
            over, under = worded[0].as_integer_ratio()
            text = f"{over} {worded[1]}" if under == 1 else f"{over}/{under} {worded[1]}"
    match = _NUMBER.fullmatch(sign + text)
    return _quantity(match) if match else None


def figures(text: str) -> Iterator[tuple[int, int, Quantity]]:
    """The numbers in digits in running text that went through `plain`: (start, end, what), with a unit that can be
    measured (5 km, 2 h 30 min). Digits within a name (B4, 2nd, x_1) are none."""
    done = 0
    for match in _FIGURE.finditer(text):
        start, end = match.span()
        if start < done:
            continue
        around = text[max(0, start - 1) : start] + text[end : end + 1]
        glued = _LETTERS.match(text, end)
        if any(unicodedata.category(char) in _PART_OF_NUMBER for char in around if not char.isascii()):
            continue
        if (glued and not measure(glued[0])) or (_ITEM.match(text, start) and _starts_line(text, start)):
            continue
        if several := _several(text, start):
            done, found = several
            yield start, done, found
            continue
        if minus := _BELOW.search(text[max(0, start - 9) : start]):
            start -= len(minus[0])
        behind = BEHIND.match(text, end)
        for stop in (behind.end(), end) if behind else (end,):
            if what := quantity(text[start:stop]):
                yield start, stop, what
                break


def _several(text: str, start: int) -> tuple[int, Quantity] | None:
    """The quantity in several units, the larger first, that begins here, and its end: 2 h 30 min, 2米30厘米."""
    parts: list[tuple[Fraction, str, Measure]] = []
    end = position = start
    while match := _PART.match(text, position):
        value, like = chinese(match["number"].replace(",", "")), parts[0][2] if parts else None
        known = size(match["name"], like)
        if value is None or known is None or (like and (known[0] != like[0] or known[1] >= parts[-1][2][1])):
            break
        parts.append((value, match["name"], known))
        end = match.end()
        link = _LINK.match(text, end)
        position = link.end() if link else end
    if len(parts) < 2:
        return None
    name, least = parts[-1][1], parts[-1][2][1]
    total = sum((value * known[1] for value, _, known in parts), Fraction(0))
    return end, Quantity(total / least, unit=name, large=parts[0][1])


def _starts_line(text: str, start: int) -> bool:
    return not text[text.rfind("\n", 0, start) + 1 : start].strip()


# --- LaTeX and wide characters -------------------------------------------------------------------------------------

_WIDE: dict[int, str] = {0xFF01 + index: chr(0x21 + index) for index in range(94)}
_WIDE |= str.maketrans(dict(zip("\u00a0\u2009\u202f\u2007\u3000−﹣–⁄×﹪￥✕", "     ---/*%¥*", strict=True)))
_WIDE |= str.maketrans({"½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4", "⅕": " 1/5", "⅖": " 2/5",
                        "⅗": " 3/5", "⅘": " 4/5", "⅙": " 1/6", "⅚": " 5/6", "⅛": " 1/8", "⅜": " 3/8", "⅝": " 5/8",
                        "⅞": " 7/8"})  # fmt: skip
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))
_RAISED_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*(-?[0-9]+)\s*\}|([0-9]))\s*(?:\{\s*([0-9]+)\s*\}|([0-9]))", re.ASCII)
_TEXT = re.compile(r"\\(?:text(?:bf|it|rm|tt|sf)?|math(?:rm|bf|it|tt|sf)|mbox|operatorname)\s*\{([^{}]*)\}")
_LATEX = [
    (re.compile(r"\\!|\\(?:left|right|displaystyle)(?![a-zA-Z])"), ""),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\(?:times|cdot)(?![a-zA-Z])"), "*"),
    (re.compile(r"\^?\{?(?:\\circ|\\degree)(?![a-zA-Z])\}?"), "°"),
    (re.compile(r"(?<!\\)\\[,;: ]|\\q?quad(?![a-zA-Z])|~"), " "),
]
_PAIRS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("*", "*"), ("`", "`"), ('"', '"'),
          ("'", "'"), ("“", "”"), ("‘", "’"), ("「", "」"), ("{", "}"))  # fmt: skip
_EDGES = " \t\r\n\ufeff\u200b\u2060"


def plain(text: str) -> str:
    """Full-width characters as ASCII, and LaTeX that only dresses numbers and words undone; positions change."""
    if not text.isascii():
        text = text.translate(_WIDE)
        text = _RAISED_RUN.sub(lambda match: "^" + "".join(_RAISED[char] for char in match[0]), text)
    if "\\" in text or "{" in text:
        text = _TEXT.sub(r" \1 ", text)
        text = _FRACTION.sub(lambda match: f" {match[1] or match[2]}/{match[3] or match[4]} ", text)
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    return text


def bare(text: str) -> str:
    """Without the quotes, emphasis, maths signs and braces around the whole, and one full stop or comma behind it."""
    if text[:1].isalnum() and text[-1:].isalnum():
        return text
    for _ in range(4):
        text = text.strip(_EDGES)
        if text.endswith((".", ",", ";", "。")) and not text.endswith(".."):
            text = text[:-1].rstrip(_EDGES)
        for left, right in _PAIRS:
            inner = text[len(left) : -len(right)]
            shell = inner.replace("\\$", "")
            wrapped = text.startswith(left) and text.endswith(right) and shell
            if wrapped and left not in shell and right not in shell:
                text = inner
                break
        else:
            break
    return text.strip(_EDGES).replace("\\$", "$")


# --- what a number looks like --------------------------------------------------------------------------------------

_WHOLE = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]{0,2}(?: [0-9]{3})+|[0-9]+)(?![0-9])"
_SIGNS = r"US\$|HK\$|[$€£¥]|(?:USD|EUR|GBP|RMB|CNY|人民币)(?![A-Za-z])"
_VALUE = (
    rf"(?:(?P<whole>{_WHOLE})(?: +| ?又 ?))?(?P<over>{_WHOLE}) ?/ ?(?P<under>{_WHOLE})"
    rf"|(?P<decimal>[0-9]*\.(?=\\overline)|{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:\\overline ?\{(?P<period>[0-9]{1,40})\})?"
    r"(?:[eE](?P<e>[-+]?[0-9]+)| ?[*xX] ?10 ?\^ ?(?:\{ ?(?P<power>[-+]?[0-9]+) ?\}|(?P<bare>[-+]?[0-9]+)))?"
)
_NUMBER = re.compile(rf"(?P<sign>[-+]?) *(?P<front>{_SIGNS})? *(?P<inner>[-+]?) *(?:{_VALUE})(?P<rest>.*)", re.ASCII)
_LEAD = re.compile(
    r"(?:(?:about|approximately|around|roughly|exactly|a total of|(?:[总一]?共)有?|[共合]计|大?约)\s*|[≈=:]\s*)+",
    re.I,
)
_SPACED = re.compile("(?<=[0-9]) +(?=[万亿])")
_MINUS = re.compile(r"(?:minus|negative)\s+|负|零下", re.I)
_BELOW = re.compile(r"(?:\bnegative |负|零下) ?$", re.I)
_NOT_ONE = tuple("样定起些共直般旦边切致半会味律向")
"""一 before these is half of another word."""
_CHINESE = re.compile(f"(?:([{HAN}]+)又)?([{HAN}]+)分之([{HAN}]+)(.*)|([{HAN}]*[{HAN[4:]}][{HAN}]*)(.*)")
_PERCENT = re.compile(r"\s*(?:%|percent\b|per cent\b|percentage points?\b|个百分点)", re.I)
_SCALE = re.compile(rf"\s*(hundred|{'|'.join(SCALES)})\b", re.I)
_FIGURE = re.compile(
    rf"(?<![A-Za-z0-9_.^\\,])(?<![0-9]:)(?:(?<![-0-9)A-Za-z])-(?=[0-9.$€£¥]))?(?:[$€£¥] ?-?)?"
    rf"(?:(?:{_WHOLE} +(?=[0-9]+/))?{_WHOLE} ?/ ?{_WHOLE}|{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?: ?[*x] ?10 ?\^ ?\{?-?[0-9]+\}?|[eE][-+]?[0-9]+)?"
    rf"(?: ?%| percent\b| (?:hundred|{'|'.join(SCALES)})\b|[千百]?[万亿])?"
    r"(?:(?![A-Za-z0-9_^:%]| ?/ ?[0-9]|[.,][0-9])|(?=[A-Za-z]+(?![A-Za-z0-9_^])))",
    re.ASCII | re.I,
)
_PART = re.compile(
    rf"(?P<number>[0-9][0-9,]*(?:\.[0-9]+)?|[{HAN[4:]}]{{1,9}}?) ?(?P<name>(?:{NAMES})s?)(?![A-Za-z^/])", re.ASCII
)
_LINK = re.compile(",? (?:and )?|又|零")
_LETTERS = re.compile("[A-Za-z]+")
_PART_OF_NUMBER = frozenset(("Cf", "Mn", "Me", "Nd", "No", "Nl"))
"""Categories of characters that change the number beside them: joiners, strokes, other digits."""
_ITEM = re.compile(r"[0-9]+[.)] ")
_FRONT = {"$": "$", "US$": "$", "HK$": "$", "USD": "$", "€": "€", "EUR": "€", "£": "£", "GBP": "£"}


def _quantity(match: re.Match[str]) -> Quantity | None:
    """What a match of _NUMBER says, if the words behind it may stand there."""
    if match["sign"] and match["inner"]:
        return None
    value = _value(match)
    if value is None:
        return None
    return _finish(-value if "-" in (match["sign"], match["inner"]) else value, match["front"] or "", match["rest"])


def _finish(value: Fraction, front: str, rest: str) -> Quantity | None:
    """With scale, percent sign and unit."""
    if scale := _SCALE.match(rest):
        value, rest = value * SCALES.get(scale[1].lower(), 100), rest[scale.end() :]
    percent = _PERCENT.match(rest)
    name = unit(" " + rest[percent.end() :] if percent else rest)
    if name is None:
        return None
    if front:
        front = _FRONT.get(front.upper(), "元")
        behind, before = measure(name), measure(front)
        if behind and before and behind[0] != before[0]:
            return None
        name = front
    return Quantity(value, bool(percent), name)


def _value(match: re.Match[str]) -> Fraction | None:
    if match["over"]:
        over, under, whole = (_int(match[name] or "0") for name in ("over", "under", "whole"))
        if under == 0 or over % under == 0 or (match["whole"] and over > under):
            return None
        return whole + Fraction(over, under)
    whole_text, _, decimals = match["decimal"].partition(".")
    value = Fraction(_int(whole_text + decimals or "0"), 10 ** len(decimals))
    if match["period"]:
        if "." not in match["decimal"]:
            return None
        value += Fraction(int(match["period"]), (10 ** len(match["period"]) - 1) * 10 ** len(decimals))
    zeros = match["e"] or match["power"] or match["bare"] or "0"
    if len(zeros) > 5 or abs(int(zeros)) > _MOST_ZEROS:
        return None
    return value * Fraction(10) ** int(zeros)


def _int(digits: str) -> int:
    return int(digits.replace(",", "").replace(" ", ""))


def _chinese_quantity(match: re.Match[str], sign: str) -> Quantity | None:
    """What a match of _CHINESE says: b分之a, 百分之a, or a numeral with its unit."""
    whole, under, over, tail, numeral, rest = match.groups()
    factor = -1 if sign else 1
    if numeral is not None:
        kilo = len(numeral) > 1 and numeral.endswith(("千", "百")) and measure(numeral[-1] + rest)
        if numeral.endswith("点") or kilo:
            numeral, rest = numeral[:-1], numeral[-1] + rest  # 两千克 is two kilograms, 三点 is three o'clock
        value = None if numeral == "一" and rest[:1] in _NOT_ONE else chinese(numeral)
        return None if value is None else _finish(factor * value, "", " " + rest)
    values = [chinese(part) if part else Fraction(0) for part in (whole, under, over)]
    if None in values or values[1] == 0:
        return None
    first, second, third = (value or Fraction(0) for value in values)
    if under == "百" and not whole:
        found = _finish(factor * third, "", " " + tail)
        return found and Quantity(found.value, True, found.unit)
    return _finish(factor * (first + third / second), "", " " + tail)
