"""Numbers in words: Chinese numerals and English number words, as exact fractions."""

import re
from fractions import Fraction

_DIGITS = {char: value for value, chars in enumerate(
    ("零〇", "一壹", "二两贰", "三叁", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖")
) for char in chars}  # fmt: skip
_FORMAL = str.maketrans("拾佰仟萬億", "十百千万亿")
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
_D = f"[{''.join(_DIGITS)}]"
_N = _D.replace("零〇", "")
_SECTION = re.compile(f"(?:({_N})千)?(零)?(?:({_N})百)?(零)?(?:({_N})?(十))?(零)?({_N})?")
_POINT = re.compile(f"(.+)点({_D}+|[0-9]+)([万亿]?)")
_MIXED = re.compile(r"([0-9]+(?:\.[0-9]+)?)([十百千])?")
_LONGEST = 60
"""Characters of the longest numeral that is read."""

HAN = "0-9." + "".join(_DIGITS) + "十百千万亿拾佰仟萬億点"
"""What a Chinese numeral is made of, for a character class."""


def chinese(text: str) -> Fraction | None:
    """Value of a whole numeral: 三百二十一, 两万三, 二〇二四, 1.2万; None where it is not well formed."""
    text = text.translate(_FORMAL).replace("〇", "零")
    if len(text) > _LONGEST:
        return None
    if text in _UNITS:
        return Fraction(_UNITS[text])
    if match := _POINT.fullmatch(text):
        whole = chinese(match[1])
        digits = "".join(str(_DIGITS.get(char, char)) for char in match[2])
        scale = _UNITS.get(match[3], 1)
        return None if whole is None else (whole + Fraction(int(digits), 10 ** len(digits))) * scale
    if len(text) > 1 and all(char in _DIGITS for char in text):  # digit by digit, as years are read
        return Fraction(int("".join(str(_DIGITS[char]) for char in text)))
    for name in "亿万":
        if name in text:
            return _above(*text.rpartition(name))
    if match := _MIXED.fullmatch(text):
        return Fraction(match[1]) * _UNITS.get(match[2], 1)
    if match := re.fullmatch("([0-9])千([0-9])百", text):
        return Fraction(int(match[1]) * 1000 + int(match[2]) * 100)
    return _section(text)


def _above(left: str, unit: str, right: str) -> Fraction | None:
    """亿 or 万 with what stands before and behind it; a lone digit behind counts the next lower unit (两万三)."""
    times, rest = chinese(left), chinese(right.lstrip("零")) if right.strip("零") else Fraction(0)
    if times is None or rest is None or unit in left or (right and (times.denominator != 1 or rest.denominator != 1)):
        return None
    if re.fullmatch("[0-9]+", right) and 10 * rest < _UNITS[unit]:  # 3万5 may be either
        return None
    if len(right) == 1:
        rest *= _UNITS[unit] // 10
    return times * _UNITS[unit] + rest if rest < _UNITS[unit] else None


def _section(text: str) -> Fraction | None:
    """Below ten thousand; a lone digit behind 百 or 千 counts the next lower unit (三百二)."""
    match = _SECTION.fullmatch(text)
    if not match or not text or (text[0] == "零" and len(text) > 1):
        return None
    thousands, _, hundreds, _, tens, ten, zero, ones = match.groups()
    value = 1000 * _DIGITS.get(thousands, 0) + 100 * _DIGITS.get(hundreds, 0)
    value += 10 * _DIGITS.get(tens, 1) if ten else 0
    last = _DIGITS.get(ones, 0)
    if last and not (ten or zero or match[2] or match[4]):
        last *= 10 if hundreds else 100 if thousands else 1
    return Fraction(value + last)


_SMALL = {word: value for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split()
)}  # fmt: skip
_SMALL |= {word: 10 * value for value, word in enumerate(
    "twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2
)}  # fmt: skip
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {"half": 2, "halves": 2, "quarter": 4}
_PARTS |= {word: value for value, word in enumerate("third fourth fifth sixth seventh eighth ninth tenth".split(), 3)}


_WORD = re.compile("[A-Za-z]+")


def english(text: str) -> tuple[Fraction, str] | None:
    """The number that a text begins with in words, and the text behind it: "twenty-one eggs", "two thirds"."""
    first = _WORD.match(text)
    if not first or first[0].lower() not in _SMALL:
        return None
    words = [(match[0].lower(), match.end()) for match in _WORD.finditer(text)]
    total = part = used = 0
    for index, (word, _) in enumerate(words):
        small = _SMALL.get(word)
        tens = part % 100
        if small is not None and (tens == 0 or (tens >= 20 and not tens % 10 and 0 < small < 10)):
            part += small
        elif word == "hundred" and 0 < part < 100:
            part *= 100
        elif word in SCALES and part > 0 and (not total or SCALES[word] * 1000 <= total):
            total, part = total + part * SCALES[word], 0
        elif not (word == "and" and used and words[index - 1][0] in ("hundred", *SCALES) and _next(words, index)):
            break
        used = index + 1
    if not used:
        return None
    value, end = Fraction(total + part), words[used - 1][1]
    if used < len(words) and (parts := _PARTS.get(words[used][0].removesuffix("s") if value != 1 else words[used][0])):
        return value / parts, text[words[used][1] :]
    return value, text[end:]


def _next(words: list[tuple[str, int]], index: int) -> bool:
    return index + 1 < len(words) and words[index + 1][0] in _SMALL
