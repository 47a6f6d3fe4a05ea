"""What a rule is, and the pieces that patterns are made of."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from candor.governance.pii.plain import GAP
from candor.governance.pii.spans import IdentifierClass

Found = tuple[int, int, "Rule"]
"""Where, in the plain form, and by which rule."""

BEFORE = "(?<![0-9A-Za-z])"
AFTER = "(?![0-9A-Za-z])"
"""Han characters are letters to `\\b`; these see the border between them and ASCII."""
_BLANK = "[<《 \\t\\r\\n\"'“”‘’*`_|]{0,4}"
_WORD = (
    "号码?|码|编号|帐号|账号|账户|单号|代码|(?:numbers?|nos?|num|nr|id|is|was|are|code|card|record|account|acct|info"
    "|details?|for|the|my|your|his|her)\\.?(?![a-z])|[:=#№\\-,\\[(，]|是|为|叫|有|加|了|我的?|[(][^()\\n]{1,12}[)]"
    "|[改换变写](?:成|为)|应该?|填|就|搜索?|找|的|在|请|新|旧|留|记|发"
)
CONNECT = f"[.]?{_BLANK}(?i:(?:{_WORD}){_BLANK}){{0,5}}"
"""What stands between a cue and its value."""
POINTED = (
    f"{_BLANK}(?i:(?:{_WORD}){_BLANK}){{0,3}}(?i:[:=#，]|是|为|叫|[改换变写]成|填|搜索?|找|号码?|is(?![a-z])){_BLANK}"
)
"""The same, with something that says that the value comes now."""
NUMBERED = (
    f"{_BLANK}(?i:(?:{_WORD}){_BLANK}){{0,2}}(?i:[:=№]|(?<!#)#(?!#)|(?:numbers?|nos?\\.?|id|code)(?![a-z])){CONNECT}"
)
"""The same, with something that says that the value is a number."""


def spread(character: str, low: int, high: int | None = None) -> str:
    """A pattern of `low` to `high` characters of a kind, with gaps between them."""
    return f"{character}(?:{GAP}{character}){{{low - 1},{(high or low) - 1}}}"


def broken(character: str, low: int, high: int | None = None) -> str:
    """The same, with nothing between them but a line break."""
    return f"{character}(?:[\\r\\n]{{0,2}}{character}){{{low - 1},{(high or low) - 1}}}"


_STEP = r"(?:[ ]?[\-_·][ ]?|[ ]{1,2}|[.]|[ ]?[\-_·]?[ ]?[\r\n]{1,2}[ ]{0,2}[.\-_·]?)"
"""What stands between two groups of a number that may end at any of them: no end of a sentence."""


def open_digits(low: int, high: int) -> str:
    """A number of no fixed length."""
    return f"[0-9](?:{_STEP}?(?![0-9]{{1,4}}[年月日元点时])[0-9]){{{low - 1},{high - 1}}}"


_NO_GAPS = str.maketrans("", "", " \t\r\n.-_·/")


def compact(value: str) -> str:
    """An identifier without what separates its groups, upper case: what checks take."""
    return value.translate(_NO_GAPS).upper()


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to recognise one kind of identifier."""

    name: str
    """Its own name, unique."""
    type: str
    """The type of the spans it finds."""
    pattern: re.Pattern[str] = re.compile("(?!)")
    """Matched at a candidate, behind a cue, or against bare digits; group 1 is the value. None: see a function."""
    check: Callable[[str], bool] | None = None
    """Holds for the compact value."""
    cues: tuple[str, ...] = ()
    """Lower-case words behind which the value stands."""
    identifier_class: IdentifierClass = "direct"
    is_exact: bool = False
    """Whether the check takes the value in its own letters, only without line breaks."""

    def find(self, text: str, at: int) -> Found | None:
        """The value at `at`, or behind the cue that ends there."""
        found = self.pattern.match(text, at)
        if found is None:
            return None
        if self.check is not None:
            value = found[1].replace("\r", "").replace("\n", "") if self.is_exact else compact(found[1])
            if not self.check(value):
                return None
        return found.start(1), found.end(1), self


def shape(name: str, kind: str, pattern: str, check: Callable[[str], bool] | None = None) -> Rule:
    """A rule for what is recognised by its shape alone; the pattern has no groups."""
    quasi: IdentifierClass = "quasi" if kind == "zip_code" else "direct"
    return Rule(name, kind, re.compile(f"{BEFORE}({pattern}){AFTER}"), check, (), quasi)


def cued(
    name: str,
    kind: str,
    cues: str,
    value: str,
    check: Callable[[str], bool] | None = None,
    identifier_class: IdentifierClass = "direct",
    connect: str = CONNECT,
) -> Rule:
    """A rule for what is recognised by the words before it; `cues` are parted by commas."""
    pattern = re.compile(f"{connect}({value}){AFTER}")
    return Rule(name, kind, pattern, check, tuple(cues.split(",")), identifier_class)


def code(low: int, high: int, digits: int = 3) -> str:
    """The value of a number of no fixed form: letters and digits, at least `digits` of these."""
    group = "[A-Za-z]{0,4}[0-9][0-9A-Za-z]*"
    shortest = f"(?=[0-9A-Za-z](?:{GAP}[0-9A-Za-z]){{{low - 1}}})"
    enough = f"(?=(?:{GAP}[A-Za-z]){{0,6}}(?:{GAP}[A-Za-z]{{0,4}}[0-9]){{{digits}}})"
    # Behind a gap only what has a digit goes on: the next word of the sentence has none.
    goes_on = f"(?:{_STEP}(?!(?:19|20)[0-9]{{2}}年){group}(?![年月日元点时]))"
    return f"{shortest}{enough}(?:[A-Za-z]{{1,5}}{_STEP}?)?{group}{goes_on}{{0,{max(1, high // 3)}}}"
