"""Identifiers of digits alone: chains of digit groups, and the windows of them that are a valid number."""

import re
from collections.abc import Callable, Iterator

from candor.governance.pii import checks
from candor.governance.pii.rules import Found, Rule

CHAIN = re.compile(r"[0-9]+(?:[ \t\r\n.\-_·]{1,5}[0-9]+)*")
"""Groups of digits that may belong together."""
_GROUP = re.compile("[0-9]+")
_SHORTEST, _LONGEST, _MANY = 10, 20, 6
_X = re.compile(r"[ \t\r\n.\-_·]{0,5}[Xx](?![0-9A-Za-z])")
_AREA = (
    "0(?:10|2[0-57-9])[2-8][0-9]{7}|0(?:3(?:1[0-9]|35|49|5[0-9]|7[0-9]|9[1-8])|4(?:1[0-9]|2[179]|3[0-9]|5[0-9]|6[4-9]"
    "|7[0-9]|8[23])|5(?:1[0-9]|2[37]|3[0-9]|4[36]|5[0-9]|6[1-6]|7[0-9]|80|9[1-9])|6(?:3[1-5]|6[0238]|9[12])|7(?:01"
    "|1[0-9]|2[248]|3[0-9]|4[3-6]|5[0-9]|6[03689]|7[0-9]|9[0-9])|8(?:1[23678]|2[5-7]|3[0-9]|5[1-9]|7[0-9]|8[3678]"
    "|9[1-9])|9(?:0[1-9]|1[1-9]|3[0-9]|4[13]|5[1-5]|7[0-9]|9[0-9]))[2-8][0-9]{6,7}"
)


def _rule(name: str, kind: str, pattern: str, check: Callable[[str], bool] | None = None) -> Rule:
    return Rule(name, kind, re.compile(f"({pattern})"), check)


_RESIDENT = _rule("resident id, GB 11643", "resident_id", "[1-9][0-9]{16}[0-9X]", checks.resident_id)
_MOBILE = _rule("mobile, China", "phone", "(?:(?:00)?86)?1[3-9][0-9]{9}")
_RULES: tuple[tuple[Rule, range], ...] = (
    (_RESIDENT, range(18, 19)),
    (_rule("credit code of digits", "credit_code", "[1-9][0-9]{17}", checks.credit_code), range(18, 19)),
    (_rule("bank card, ISO/IEC 7812", "bank_card", "[0-9]{12,19}", checks.bank_card), range(12, 20)),
    (_rule("resident id of 15 digits", "resident_id", "[1-8][0-9]{14}", checks.resident_id_old), range(15, 16)),
    (_MOBILE, range(11, 16)),
    (_rule("landline, China", "phone", _AREA), range(10, 13)),
    (_rule("service number, China", "phone", "400[016-9][0-9]{6}|800[0-9]{7}"), range(10, 11)),
)
"""Strong ones first: of two that overlap the first stands. Each with the lengths that it may have."""
_STRENGTH = {rule.name: place for place, (rule, _) in enumerate(_RULES)}
_BY_LENGTH = {n: tuple(rule for rule, lengths in _RULES if n in lengths) for n in range(_LONGEST + 1)}
_USUAL = {
    (3, 4, 4), (3, 3, 5), (3, 8), (4, 7), (4, 4, 3), (3, 5, 3), (2, 3, 4, 4), (4, 8), (3, 3, 4), (4, 3, 3), (3, 4, 5),
    (4, 4, 4, 4), (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (6, 10), (6, 12), (6, 13), (8, 8), (4, 6, 5),
    (6, 8, 4), (6, 4, 4, 4), (6, 6, 6), (6, 6, 4, 3), (6, 6, 3), (4, 5, 6), (6, 4, 5),
}  # fmt: skip
"""Groups in which such numbers are written: they are taken even where more groups follow in the same manner."""
_AMOUNT = re.compile(
    r"\s{0,2}(?:[元块万亿美個个人次股吨斤克米度%％]|(?:dollars|yuan|usd|rmb|kg|km|bytes)\b)", re.IGNORECASE
)
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})"
_ADDRESS = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}(?:-[0-9]{{1,3}})?\Z")
_LEAD = re.compile(
    r"(?<![0-9A-Za-z])(?:tel|phone|mobile|mob|cell|call|fax|wechat|weixin|wx|vx|qq|id|no|num|card|sfz|v|q|x|t|m|p|a|c|and|or"
    r"|is|at|to|on)\Z",
    re.IGNORECASE,
)
_WORD = re.compile(
    r"(?!(?:[kmgtncu]?(?:i?b|hz|a?h|wh|[smgwv])|sec|min|u?ll?|px)(?![A-Za-z]))[A-Za-z]{2,20}(?![0-9A-Za-z])",
    re.IGNORECASE,
)
"""A word, and no unit, right behind a number."""
_TRAIL = re.compile(r"qq|wx|vx|wechat|weixin|v信|x[0-9]|ext|and\b|or\b|id|mail|e-?mail|tel|phone", re.IGNORECASE)


def find_numbers(text: str, chain: re.Match[str]) -> Iterator[Found]:
    """The valid numbers in a chain of digit groups, none within another."""
    if chain.end() - chain.start() < _SHORTEST:
        return
    found = sorted(_windows(text, [group.span() for group in _GROUP.finditer(text, *chain.span())]))
    taken: list[tuple[int, int]] = []
    for _, start, end, rule in found:
        if not any(start < high and low < end for low, high in taken[-_LONGEST:]):
            taken.append((start, end))
            yield start, end, rule


def _windows(text: str, groups: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int, int], int, int, Rule]]:
    """All windows of groups that are a number: how early each comes to its choice, where it is, its rule."""
    gaps = ["", *(text[groups[k][1] : groups[k + 1][0]] for k in range(len(groups) - 1)), ""]
    for first in range(len(groups)):
        bare, inside = "", set()
        sizes: tuple[int, ...] = ()
        for last in range(first, len(groups)):
            low, high = groups[last]
            bare += text[low:high]
            sizes = (*sizes, high - low)
            if last > first:
                inside.add(gaps[last])
            if len(bare) > _LONGEST:
                break
            if len(bare) < _SHORTEST or (first == last and gaps[first] == "."):
                continue
            alone = first == last or sizes in _USUAL or not ({gaps[first], gaps[last + 1]} & inside)
            if not alone and len(sizes) > _MANY:
                continue
            if len(sizes) == 2 and max(sizes) == 9 and "\n" not in gaps[last]:
                continue  # two numbers: nobody writes one so
            value, end = _with_x(text, bare, high)
            start = groups[first][0]
            rule = _rule_for(value, alone)
            if rule and not _ADDRESS.match(text, start, end) and _stands(text, start, end, rule):
                # Longer ones of a rule first.
                yield (_STRENGTH[rule.name], start - end, start), start, end, rule


def _rule_for(value: str, alone: bool) -> Rule | None:
    """The strongest rule that bare digits obey; among other groups of the same manner only the strongest counts."""
    for rule in _BY_LENGTH[len(value)]:
        if (alone or rule is _RESIDENT) and rule.pattern.fullmatch(value) and (rule.check is None or rule.check(value)):
            return rule
    return None


def _with_x(text: str, bare: str, end: int) -> tuple[str, int]:
    """The digits and the place behind them, with the X that ends a resident id of 17 digits."""
    if len(bare) == 17 and (x := _X.match(text, end)):
        return bare + "X", x.end()
    return bare, end


def _stands(text: str, start: int, end: int, rule: Rule) -> bool:
    """Whether a number stands by itself, and is not a part of a word or a sum of something."""
    before, behind = text[start - 1 : start], text[end : end + 1]
    if before.isascii() and before.isalpha() and not _LEAD.search(text, max(0, start - 9), start):
        return False
    goes_on = behind.isascii() and behind.isalpha() and not _TRAIL.match(text, end)
    if goes_on and not (rule is _MOBILE and _WORD.match(text, end)):
        return False
    return rule.type != "phone" or not (before in ("$", "€", "£", "¥") or _AMOUNT.match(text, end))
