"""Telephone numbers in the written forms of many countries; Chinese ones without separators are in `numbers`."""

import re
from collections.abc import Iterator

from candor.governance.pii.rules import Found, Rule

_EXTENSION = r"(?:[ ,]{0,2}(?:x|ext\.?|extension|分机|转)[ ]?[0-9]{1,6})?"
_END = r"(?![0-9A-Za-z]|[.,:/-][0-9]|\s{0,2}[=×÷*+])"


def _form(name: str, pattern: str) -> Rule:
    return Rule(name, "phone", re.compile(f"({pattern}{_EXTENSION}){_END}", re.IGNORECASE))


_INTERNATIONAL = _form("phone, ITU-T E.123", r"\(?\+[ \t\r\n.\-_·]{0,5}[1-9](?:[ \t\r\n.\-_·/()]{0,5}[0-9]){6,14}")
_FORMS = (
    (
        _form(
            "phone, North America",
            r"(?:\+?(?:00)?1[\s.-]{0,2})?(?:\([2-9][0-9]{2}\)[\s.-]{0,2}|[2-9][0-9]{2}[\s.-]{1,2})"
            r"[0-9]{3}[\s.-]{1,2}[0-9]{4}",
        ),
        range(10, 14),
    ),
    (_form("phone, 00 prefix", r"00[1-9][0-9]{0,2}(?:[ .\-()]{1,2}[0-9]{2,9}){1,5}"), range(9, 17)),
    (
        _form(
            "phone, trunk prefix",
            # A number of five digits with four behind it is the beginning of a street address.
            r"\(?0[1-9][0-9]{0,4}\)?(?![ ][0-9]{4}(?![0-9]|[ -][0-9]))"
            r"(?:(?P<gap>[ .\-])[0-9]{2,8}(?:(?P=gap)[0-9]{2,5}){0,4}|[ ]?(?<=[) ])[0-9]{3,4}[ -][0-9]{3,4})",
        ),
        range(9, 13),
    ),
    (
        _form("phone, area code in parentheses", r"\(0?[1-9][0-9]{1,4}\)[ \-]?[0-9]{2,4}(?:[ \-]?[0-9]{2,4}){1,3}"),
        range(8, 13),
    ),
)
"""Each with the numbers of digits that it may have."""
_ANY = _form("phone after a cue", r"\+?\(?[0-9](?:[ .\-/()]{0,2}[0-9]){6,14}")

_CUE = re.compile(
    r"phone|call|\btel\b|mobile|\bcell|\bfax|whatsapp|\btext (?:me|us|him|her)|\bsms\b|\bring\b|\bdial|handy"
    r"|reach (?:me|us|him|her)|answer|messages? (?:to|at)|电话|手机|联系|致电|拨|热线|传真|座机|来电",
    re.IGNORECASE,
)
_WEAK_CUE = re.compile(r"contact|my number|number is|new number|registered|号码", re.IGNORECASE)
"""Numbers of other kinds are named so too."""
_OTHER = re.compile(
    r"card|account|order|invoice|\bcase|application|passport|licen[cs]e|\bssn|social security|tracking|serial"
    r"|订单|单号|卡号"
    r"|学号|工号|编号|账号|案号|isbn|issn|doi|版本|version",
    re.IGNORECASE,
)
_NO_PHONE = re.compile(
    r"[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{4}|(?:19|20)[0-9]{2}([./-])[0-9]{1,2}\2[0-9]{1,2}"
    r"|(?:19|20)[0-9]{2}-(?:19|20)[0-9]{2}(?![0-9-])|[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])"
    r"|[0-9]{3}([-. ])[0-9]{2}\3[0-9]{4}(?![0-9])"
)
"""Dates, years, network addresses, social security numbers."""
_PLUS = re.compile(r"\(?\+[ \t\r\n.\-_·]{0,5}\(?\Z")
_AREA = re.compile(r"[0-9]{1,5}\)[ .\-]{0,2}[0-9]{2}")


def find_phones(text: str, start: int) -> Iterator[Found]:
    """The telephone number whose first digit stands at `start`, if one does."""
    at = _beginning(text, start)
    if text.startswith(("+", "(+"), at):
        if not _is_word(text[at - 1 : at]) and (found := _INTERNATIONAL.find(text, at)) and not _is_binary(text, found):
            yield _closed(text, found)
        return
    if text[at] == "(" and not _AREA.match(text, start):
        at = start
    before = text[at - 1 : at]
    if _is_word(before) or (before and before in ".-/,: " and text[at - 2 : at - 1].isdigit()):
        return
    if _NO_PHONE.match(text, start):
        return
    for rule, sizes in _FORMS:
        if (found := rule.find(text, at)) and _size(text, found) in sizes and not _is_binary(text, found):
            yield _closed(text, found)
            return
    if (found := _ANY.find(text, at)) and not _is_binary(text, found) and _is_cued(text, found):
        yield _closed(text, found)


def _beginning(text: str, start: int) -> int:
    """The place of the plus or the parenthesis before the first digit."""
    plus = _PLUS.search(text, max(0, start - 7), start)
    return plus.start() if plus else start - text.startswith("(", start - 1)


def _is_word(one: str) -> bool:
    return one.isascii() and one.isalnum()


def _is_binary(text: str, found: Found) -> bool:
    return {one for one in text[found[0] : found[1]] if one.isdigit()} <= {"0", "1"}


def _size(text: str, found: Found) -> int:
    return sum(one.isdigit() for one in re.split("(?i)x|ext", text[found[0] : found[1]])[0])


def _closed(text: str, found: Found) -> Found:
    """The place without a parenthesis that has no partner."""
    start, end, rule = found
    if text[start] == "(" and ")" not in text[start:end]:
        start += 1
    return start, end, rule


def _is_cued(text: str, found: Found) -> bool:
    """Whether a word for telephones stands near, and none for other numbers nearer."""
    before = text[max(0, found[0] - 60) : found[0]]
    other = max((one.end() for one in _OTHER.finditer(before)), default=-1)
    own = max((one.end() for one in _CUE.finditer(before)), default=-1)
    if own >= 0 or other >= 0:
        return own > other
    return _WEAK_CUE.search(before) is not None or _CUE.search(text, found[1], found[1] + 40) is not None
