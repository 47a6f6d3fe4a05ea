"""When two mathematical answers are the same.

Numbers are compared here, exactly: 0.5 is 1/2, 0.333 is not 1/3. Where the gold answer is a number, the answer must be
one as well: a sum still to be done (3+4, 2^5, 12/4) is no answer to a question that asks for its value. All else goes
to math-verify (see `algebra.py`), which knows that two expressions are equal, not that one is simplified.
"""

import re
from dataclasses import dataclass, replace

from candor.problems import algebra, units
from candor.problems.numbers import Quantity, bare, plain, quantity
from candor.problems.stated import stated
from candor.problems.units import measure, ratio

_LONGEST = 400
"""Characters of the longest expression that is handed on."""
_DEEPEST = 12
"""Brackets within brackets."""


@dataclass(frozen=True)
class Reading:
    """A number as an answer states it.

    >>> Reading(Quantity(Fraction(5)), "x")
    """

    quantity: Quantity
    """The number."""
    name: str = ""
    """What it is said to be the value of (x = 5)."""


def equal(gold: str, answer: str, *, unit: str = "", loose: bool = False) -> bool | None:
    """Whether an answer is the gold one; None where the gold one is no answer that could be compared.

    A gold number without a unit may be one of so many `unit`. With `loose`, the number may also stand in a sentence.
    Time or memory that runs out over an answer make it wrong.
    """
    target = read(gold)
    if target and unit:
        target = replace(target, quantity=replace(target.quantity, unit=unit))
    if target:
        found = read(answer) or (_in_prose(answer) if loose else None)
        return found is not None and _same_number(target, found, letter_unit=bool(_LETTER_UNIT.search(gold)))
    if _is_words(gold):
        return _words(gold) == _words(answer)
    (left, gold_unit), (right, answer_unit) = _latex(gold), _latex(answer)
    if not _is_expression(left):
        return None
    parts = [right] if "=" in left or re.search("[,;]", right) else _members(right, _letters(left))
    comparable = bool(parts) and all(_is_expression(part) and _comparable(left, part) for part in parts)
    comparable = comparable and ratio(answer_unit, gold_unit) == 1
    try:
        same = [algebra.same(left, part) for part in (parts if comparable else [""])]
    except algebra.Unverified as problem:
        return False if problem.gold else None
    return None if None in same else comparable and all(same)


def _members(latex: str, variables: set[str]) -> list[str]:
    """The sides of an equation that have to equal the gold answer: all but new names in front (y = 2x+2 = 2(x+1))."""
    *parts, last = (part.strip() for part in _EQUALS.split(latex))
    return [part for part in parts if part in variables or not _NAME.fullmatch(part)] + [last]


def read(text: str) -> Reading | None:
    """The number that an answer is, alone or at the end of equations (x = 5, 9 * 2 = 18)."""
    if found := quantity(text):
        return Reading(found)
    if "=" not in text or len(text) > _LONGEST:
        return None
    *parts, last = (part.strip() for part in _EQUALS.split(bare(plain(text))))
    found = quantity(last)
    if found is None or not parts:
        return None
    for part in parts:
        other = quantity(part)
        if other.amount != found.amount if other else not (_NAME.fullmatch(part) or _SUM.fullmatch(part)):
            return None
    return Reading(found, parts[0] if _NAME.fullmatch(parts[0]) else "")


def canonical(text: str, *, unit: str = "", loose: bool = False) -> str:
    """A key for majority votes: equal for equal numbers (in `unit`), and for words and expressions in one writing."""
    if found := read(text) or (_in_prose(text) if loose else None):
        factor = ratio(found.quantity.unit, unit)
        other = f" {found.quantity.unit}" if factor is None else ""
        return f"{found.quantity.amount * (factor or 1)}{other}"
    return _words(text) if _is_words(text) else re.sub(r"\s+", "", _latex(text)[0])


# --- numbers -------------------------------------------------------------------------------------------------------

_EQUALS = re.compile(r"(?<![<>!=])=(?!=)")
_NAME = re.compile(
    r"(?!.*(?:\b(?:not|if|wrong|than|half|twice|double|squared?|cubed?|sqrt|log|ln|sin|cos|tan|inverse)\b"
    r"|[不非错半倍]|平方|立方|倒数|\\(?:sqrt|[dt]?frac|log|ln|sin|cos|tan|overline)))"
    r"(?:\\(?:angle|triangle|alpha|beta|gamma|theta|phi|lambda|mu|sigma|omega|Delta)\b\s?|\|?[A-Za-z\u4e00-\u9fff])"
    r"[A-Za-z\u4e00-\u9fff_{}' |]{0,40}(?:_?\{?[0-9a-z]{1,3}\}?)?(?:\([A-Za-z0-9, ]{1,12}\))?"
)
_SUM = re.compile(r"[-+]?[\d($¥](?:[\d\s.+\-*/÷()%$¥]|,(?=\d{3}))*")
_LETTER_UNIT = re.compile(r"\d[a-zA-Z]\$?$")
_SYMBOLS = re.compile(r"[\\^_+*=<>{}()\[\]|]")


def _in_prose(text: str) -> Reading | None:
    """The number that a sentence states."""
    text = plain(text)
    found = None if _SYMBOLS.search(text) else stated(text)
    number = quantity(found) if found else None
    return Reading(number) if number else None


def _same_number(gold: Reading, found: Reading, *, letter_unit: bool) -> bool:
    """Percent and units count as far as both sides speak of them.

    To a gold answer without %, x% is right as x / 100, and as x where a share is out of the question (not between 0
    and 1). To g%, right are g%, g / 100 and g. `letter_unit`: gold is like 5m, which may be five times m, so the answer
    needs the m as well.
    """
    if len(gold.name) == len(found.name) == 1 and gold.name != found.name:
        return False
    this, that = found.quantity, gold.quantity
    factor = ratio(this.unit, that.unit)
    if factor is None or (letter_unit and not this.unit):
        return False
    value = this.value * factor
    if that.large and not this.unit:
        return False
    if this.large and not that.unit:
        return that.value in (value, value * (ratio(this.unit, this.large) or 0))
    if this.percent and measure(that.unit):
        return False
    if this.percent and not that.percent:
        return value / 100 == that.value or (value == that.value and not 0 < that.value < 1)
    if that.percent and not this.percent:
        return value in (that.value, that.value / 100)
    return value == that.value


# --- words ---------------------------------------------------------------------------------------------------------

_FUNCTIONS = "arcsin arccos arctan sinh cosh tanh sin cos tan cot sec csc log ln exp max min det gcd lcm".split()
_WORD_TEXT = re.compile(r"[^\W\d_][\w\s'’.,()-]*|\(?[A-Z]\)?|[0-9A-Fa-f]+_\{?[0-9]+\}?|\d?\d:\d\d(?: *[ap]\.?m\.?)?")
_RUN = re.compile(r"[A-Za-z]+")


def _is_words(text: str) -> bool:
    """Whether it is a word (Monday, (A), 东), a number to a base (101_2) or a time, compared by letters."""
    core = bare(plain(text))
    if not _WORD_TEXT.fullmatch(core):
        return False
    return (
        not core.isascii() or "\\text" in text or "_" in core or ":" in core or len(core.strip("()")) == 1
        or any((len(run) > 3 and run not in _FUNCTIONS) or run.lower() in _PROSE for run in _RUN.findall(core))
    ) and not any(char in "πθαβγλμσφωΩ∞√" for char in core)  # fmt: skip


def _words(text: str) -> str:
    core = re.sub(r"[\s.,'’(){}-]", "", bare(plain(text)))
    return core if len(core) == 1 else core.casefold()


# --- expressions ---------------------------------------------------------------------------------------------------

_CHARS = str.maketrans({
    "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "×": r"\times ",
    "·": r"\cdot ", "÷": r"\div ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ",
    "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "−": "-", "–": "-", "－": "-", "，": ",", "；": ";",
    "：": ":", "（": "(", "）": ")", "＝": "=",
})  # fmt: skip
_UNIT = re.compile(
    r"(?:\\(?:text|mathrm|mbox|textrm)\s*\{(?P<text>[^{}]*)\}|(?<=[\s\d}\u4e00-\u9fff])(?P<word>[A-Za-z]{2,}|[\u4e00-\u9fff]{1,4}))"
    r"(?P<power>\^\{?[23]\}?)?\s*$"
)
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|displaystyle|bigl?|bigr|Bigl?|Bigr)(?![a-zA-Z])\.?|\\!", ""),
        (r"(?<!\\)\\[,;: ]|\\q?quad(?![a-zA-Z])|~", " "),
        (r"\\[dtc]frac", r"\\frac"),
        (r"\{,\}", ""),
        (r"\\text\s*\{\s*(?:or|and|或|和)\s*\}|\s(?:or|and)\s|或|和", ","),
        (r"\\(?:text|mathrm|mathbf|textbf|mbox|operatorname)\s*\{([^{}]*)\}", r"\1"),
        (r"\*\*", "^"),
        (r"\^\(([^()^]{1,20})\)", r"^{\1}"),
        (r"\^(-?\d\d+)", r"^{\1}"),
        (r"(?<!\\)(?:sqrt|√)\s*\(([^()]*)\)|√\s*\{([^{}]*)\}", r"\\sqrt{\1\2}"),
        (r"(?<!\\)(?:sqrt|√)\s*(\d+|[a-zA-Z])", r"\\sqrt{\1}"),
        (r"(?<![\\a-zA-Z])(pi|infty|theta|alpha|beta)(?![a-zA-Z])", r"\\\1 "),
        (r"(?<![\\a-zA-Z])(?:inf|infinity|oo)(?![a-zA-Z])", r"\\infty "),
        (rf"(?<![\\a-zA-Z])({'|'.join(_FUNCTIONS)})(?![a-zA-Z])", r"\\\1 "),
        (r"<=", r"\\le "),
        (r">=", r"\\ge "),
        (r"\*", r"\\cdot "),
        (r"\^\{?\\circ\}?|°", ""),
    )
]
_PM = re.compile(r"\\pm(?![a-z])")
_DECIMAL = re.compile(r"(?<![\d.])(\d*)\.(\d+)(?![\d.])")
_COMMANDS = re.compile(r"\\(?:begin|end)\s*\{[a-z]*\*?\}|\\[a-zA-Z]+")
_ASSIGNED = re.compile(r"[A-Za-z](?:_\{?\w{1,4}\}?)?(?:\([a-z]\))?\s*(?:=|\\in(?![a-z]))")
_RELATION = re.compile(r"[<>]|\\(?:le|ge|leq|geq|lt|gt)(?![a-z])")
_SIGN = re.compile(r"\\[a-zA-Z]+|'")
_SIGNS = {
    f"\\{name}"
    for name in (
        *"frac sqrt binom pi infty cdot times div pm mp le leq ge geq lt gt ne neq in cup cap setminus".split(),
        *"emptyset varnothing mathbb begin end circ lfloor rfloor lceil rceil sum prod".split(),
        *"alpha beta gamma theta phi lambda mu sigma omega".split(),
        *_FUNCTIONS,
    )
}
"""Commands that an answer may use although the gold answer does not."""
_PROSE = frozenset("is or and not the to no of in it an are was but for you yes nan".split())
_BOMB = re.compile(r"\^\s*\{?\s*-?\d{5}|\^\s*\{?\s*\d+\s*\}?\s*\^|\d{4,}\s*\}?\)?\s*!|!\s*[!^]|\d{60}")


def _latex(text: str) -> tuple[str, str]:
    """One writing for the same expression, decimals as fractions so that nothing is rounded, and the unit behind it."""
    if len(text) > 2 * _LONGEST:
        return "", ""
    text, name = bare(text).translate(_CHARS).removeprefix("="), ""
    if (match := _UNIT.search(text)) and match.start():
        name = (match["text"] or match["word"] or "").strip() + (match["power"] or "")
        if measure(name) or (match["text"] and units.unit(f" {name}")):
            text = text[: match.start()]
        else:
            name = ""
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    if len(_PM.findall(text)) == 1:  # math-verify knows it only between two terms
        text = f"{_PM.sub('+', text)},{_PM.sub('-', text)}"
    text = _DECIMAL.sub(lambda match: f"{{\\frac{{{match[1]}{match[2]}}}{{1{'0' * len(match[2])}}}}}", text)
    return bare(text), name


def _is_expression(latex: str) -> bool:
    """Whether it is a formula of bearable size and no prose, out of which a parser might pick something."""
    if not latex or len(latex) > _LONGEST or not latex.isascii() or _BOMB.search(latex) or set("$?@#") & set(latex):
        return False
    braces = brackets = deepest = 0
    for char in re.sub(r"\\[{}]", "", latex):
        braces += (char == "{") - (char == "}")
        brackets += (char == "(") - (char == ")")
        deepest = max(deepest, braces + brackets)
        if braces < 0:
            return False
    if braces or deepest > _DEEPEST or re.search("box|approx|sim", latex):
        return False
    runs = _RUN.findall(_COMMANDS.sub(" ", latex))
    return not any(len(run) > 3 or run.lower() in _PROSE for run in runs) and bool(re.search(r"[0-9A-Za-z]", latex))


def _comparable(gold: str, answer: str) -> bool:
    """What math-verify overlooks: signs that it does not know, variables that gold lacks (x / x), {1, 2} for (1, 2),
    1, 2 for (1, 2), {1} for 1, and members that come twice."""
    if {"(", "\\"} == {gold[:1], answer[:1]} and "\\{" in (gold[:2], answer[:2]):
        return False
    members, others = _list(gold), _list(answer)
    if members != others and (members == 1 or others > members or answer[:2] == "\\{"):
        return False
    if answer[:2] == "\\{" and members == 1 and gold[:2] != "\\{":
        return False
    signs = set(_SIGN.findall(answer)) - set(_SIGN.findall(gold)) - _SIGNS
    free = _letters(_ASSIGNED.sub(" ", answer)) - _letters(gold) - {"e", "i"}
    return not signs and (not free or bool(_RELATION.search(answer)))


def _list(latex: str) -> int:
    """How many members a list or a set has; 1 for all else, such as a point or an interval."""
    inner = latex.strip()
    if inner.startswith("\\{") and inner.endswith("\\}"):
        inner = inner[2:-2]
    depth, count = 0, 1
    for char in inner:
        depth += (char in "([{") - (char in ")]}")
        count += char == "," and depth == 0
    return count


def _letters(latex: str) -> set[str]:
    return {char for run in _RUN.findall(_COMMANDS.sub(" ", latex)) for char in run}
