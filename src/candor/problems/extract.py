"""The one final answer of a response, and whether it says that there is none to give.

Places made for an answer are `<answer>...</answer>`, `\\boxed{...}` and a line `#### ...`. Without `strict` an answer
also counts behind "the answer is" or 答案是, and where nothing else is there, as the last value of the text. Only what
stands behind the last `</think>` counts, and nothing where the thinking did not end. Several places must agree: who
gives two answers gave none, nor did who takes an answer back or puts it into a larger formula.
"""

import re
from collections.abc import Callable
from fractions import Fraction

from candor.problems.numbers import bare, figures, number, plain
from candor.problems.unknown import declines, sentences

_ANSWER = re.compile(r"</?answer>", re.I)
_BOX = re.compile(r"\\f?box(?:ed)?\s*\{")
_ANSWER_TAG = re.compile(r"</?answer>", re.I)
_HASHES = re.compile(r"^[ \t]*####(?!#)(.*)$", re.M)
_BRACE = re.compile(r"\\.|[{}]", re.S)
FENCE = re.compile(r"```[^\n`]*\n(.*?)\n?```", re.S)
_SAID = re.compile(
    r"(?:\b(?P<final>final )?answer\b\**(?: to [^.:：\n]{1,80}?)?\**\s*(?:(?:is|was|would be|should be|must be)\b"
    r"|[:：=])|(?P<last>最终|最后)?的?(?:正确)?答案(?:应该|应当|就|应)?(?:[是为：:=]|等于)|^答\s*[：:])"
    r"(?:\*{1,2}(?=\s)|\*{1,2}[ \t]*[:：])?[ \t]*[:：]?\s*(?:that\b\s*)?(?P<text>[^\n]+)",
    re.I | re.M,
)
_ENDS = re.compile(r"[.!](?=\s|\**$)|[。！]|[,，]\s*(?:because|since|as|so|因为|由于|所以)")


def answer_text(
    response: str, *, strict: bool = False, last: "Callable[[str], str | None] | None" = None
) -> str | None:
    """The one final answer as it is written, None where there is none or several differ.

    `last` says what to take, where not strict, from a text without any place for an answer: its last line unless told.
    """
    text = behind_thought(response)
    if text is None:
        return None
    found = _marked(text)
    if not found and not strict:
        said, end = _said(text)
        found = _kept(said, text[end:]) or [(last or last_line)(text)]
    answers = [answer.strip() for answer in found if answer and answer.strip()]
    if not answers or len(answers) < len(found) or len({_key(answer) for answer in answers}) > 1:
        return None
    return answers[-1]


def abstains(text: str) -> bool:
    """Whether an answer, or a whole response by its end, says that this is not known or cannot be, and no more."""
    shown = behind_thought(text)
    if shown is None:
        return False
    found, _ = _places(shown)
    return declines((found[-1] or "") if found else shown)


def last_line(text: str) -> str | None:
    """The last line that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), None)


def last_fence(text: str) -> str | None:
    """What a code fence holds where there is just one, else the last line."""
    fences = FENCE.findall(text)
    return fences[0] if len(fences) == 1 else last_line(text)


def behind_thought(response: str) -> str | None:
    """The text behind the thinking; None where the thinking was cut off."""
    text = response.rpartition("</think>")[2]
    return None if "<think>" in text else text


def final_answer(response: str) -> str:
    """The same without `<answer>` tags, or nothing. Refusals and helpfulness are judged on this alone."""
    return _ANSWER_TAG.sub("", behind_thought(response) or "").strip()


# --- places --------------------------------------------------------------------------------------------------------


def _marked(text: str) -> list[str | None]:
    """What stands in the places made for an answer; None for one that is torn, empty or taken back behind it."""
    found, rest = _places(text)
    return _kept(found, rest)


def _kept(found: list[str | None], rest: str) -> list[str | None]:
    return [None] if found and rest.strip() and _taken_back(found[-1] or "", rest) else found


def _places(text: str) -> tuple[list[str | None], str]:
    """What stands in the places made for an answer, and the text behind the last of them."""
    tags = list(_ANSWER.finditer(text))
    found: list[str | None] = []
    outside, start = "", 0
    for opening, closing in zip(tags[::2], tags[1::2], strict=False):
        if "/" in opening[0] or "/" not in closing[0]:
            return [None], ""
        found += _peel(text[opening.end() : closing.start()])
        outside, start = outside + text[start : opening.start()] + "\n", closing.end()
    if len(tags) % 2:
        return [None], ""
    behind = len(outside)
    outside += text[start:]
    boxes, end = _boxes(outside)
    if not boxes and not found:
        boxes, end = _headed(outside)
    return found + boxes, outside[max(behind, end) :]


def _peel(text: str) -> list[str | None]:
    """The answer within an answer: a box or "the answer is" inside, or all of it."""
    found, end = _boxes(text)
    if not found:
        found, end = _said(text)
    return _kept(found, text[end:]) or [text]


def _boxes(text: str) -> tuple[list[str | None], int]:
    """The contents of the outermost boxes, a box in a box opened, and where the last one ends; None for one that is
    part of a formula."""
    found: list[str | None] = []
    end = 0
    while match := _BOX.search(text, end):
        before, depth, end = text[max(end, match.start() - _NEAR) : match.start()], 1, match.end()
        for brace in _BRACE.finditer(text, match.end()):
            depth += {"{": 1, "}": -1}.get(brace[0], 0)
            if depth == 0:
                end = brace.end()
                break
        else:
            return [None], len(text)
        inside = text[match.end() : end - 1].strip()
        while (inner := _BOX.match(inside)) and inside.endswith("}"):
            inside = inside[inner.end() : -1].strip()
        part = _GLUED_BEFORE.search(before) or _GLUED_BEHIND.match(text, end)
        found.append(None if part else inside or None)
    return found, end


def _headed(text: str) -> tuple[list[str | None], int]:
    """Lines behind #### and where the last one ends: all that are numbers, else the ones that end the text (others are
    headings)."""
    lines = list(_HASHES.finditer(text))
    numbers = [line for line in lines if number(line[1]) is not None]
    if numbers:
        return [line[1].strip() for line in numbers], numbers[-1].end()
    tail: list[str | None] = []
    end = len(text.rstrip())
    for line in reversed(lines):
        if line.end() < end and text[line.end() : end].strip():
            break
        tail.append(line[1].strip() or None)
        end = line.start()
    return tail, len(text)


def _said(text: str) -> tuple[list[str | None], int]:
    """What stands behind "the answer is" (behind "the final answer is" if that is said), and where the last ends."""
    found: list[tuple[bool, str]] = []
    end = 0
    while match := _SAID.search(text, end):
        said = _ENDS.split(match["text"], maxsplit=1)[0]
        end = match.start("text") + len(said)
        said = said.strip()
        if said.count("**") % 2:  # the other two stand before "answer"
            said = said.removeprefix("**") if said.startswith("**") else said.removesuffix("**")
        found.append((bool(match["final"] or match["last"]), bare(said)))
    final = any(mark for mark, _ in found)
    return [said or None for mark, said in found if mark or not final], end


def _key(answer: str) -> object:
    """Equal for answers that agree: by value for numbers, by letters for words."""
    value = number(answer)
    return bare(plain(answer)).casefold() if value is None else value


# --- boxes in formulas, and second thoughts ------------------------------------------------------------------------

_NEAR = 80
"""Characters before a box that are looked at."""
_BOUND = r"(?:[0-9)}\]]|(?<![A-Za-z])[A-Za-z])"
_OPERATORS = (
    r"\\(?:cdot|times|div|pm|mp|[dtc]?frac|overline|sqrt(?:\[[^\]]*\])?"
    r"|neq?|not|log|ln|sin|cos|tan|lt|gt|le|ge|leq|geq)"
)
_GLUED_BEFORE = re.compile(
    r"(?:(?:[0-9]|[0-9][.,]|(?<![A-Za-z\\])[A-Za-z]|(?<!\\)\]|(?<!\\)(?<!^\([0-9a-z])\))"
    rf"|{_BOUND}[ \t]*[-+*/×÷·][ \t]*\{{?|[\w)}}\]][ \t]+[<>][ \t]*"
    r"|(?<![-\w*>=])[-+−]\{?|[−±√≠^_负][ \t]*\{?[ \t]*"
    rf"|{_OPERATORS}[ \t]*\{{?[ \t]*|\\[dtc]?(?:frac|binom)[ \t]*\{{[^{{}}]*\}}[ \t]*\{{[ \t]*"
    r"|\\(?:[dtc]?frac[ \t]*\{[^{}]*\}|sqrt)[ \t]*\{[^{}]*\}[ \t]*"
    r"|(?:\bnot|n['’]t|\bnever|\bexcept|不是|并非|不等于|分之)[ \t]*\$*)\Z",
    re.I | re.M,
)
"""Before a box that is only a part of a formula, or denied."""
_GLUED_BEHIND = re.compile(
    r"[ \t]*(?:\)?\^(?!\s*\{?\s*\\circ)|[-+*/×÷·]\s*[\d\\(]|!\s*[\d!]|\}\s*\{|_|[0-9])"
    r"|[ \t]*\\(?:cdot|times|div|pm|mp|[dtc]?frac|sqrt|binom)(?![a-zA-Z])"
    r"|\.[0-9]|[ \t]*(?:hundred|thousand|million|billion|dozen)\b|[ \t]*[万亿千百十]|(?![mghsL])[A-Za-z](?![A-Za-z])",
    re.I,
)
_THOUGHTS = (
    r"(?:\b(?:actually|wait|oops|hmm|correction|instead|on second thought|i mean|i meant|maybe|perhaps|possibly"
    r"|alternatively|should be|could be|might be|not sure)\b|\bno[,.]|不对|等等|等一下|其实|更正|也许|可能|应该是|或许)"
)
_SECOND = re.compile(_THOUGHTS, re.I)
"""Words of second thoughts."""
_SECOND_FIRST = re.compile(rf"\W*(?:(?:but|it|that|this|the answer)\s+)?{_THOUGHTS}", re.I)
"""A sentence that begins with them."""
_OR = re.compile(
    r"[\s$*)\\\]]*(?:[A-Za-z]+|[\u4e00-\u9fff]{1,3}?)?\s*[(（.,;，；、]?\s*"
    r"(?:\bor\b|或|还是|(?:[/、,;，；=]|\band\b|和)(?=\s*(?:also |maybe )?[^\w\s]{0,2}\d))",
    re.I,
)
"""What joins another answer to one."""
_ABOUT = re.compile(r"approx|\babout\b|≈|equivalent|约", re.I)
_WINDOW = 200
"""Characters behind these that are looked at."""


def _taken_back(answer: str, rest: str) -> bool:
    """Whether the text behind an answer gives another one, or says that there is none."""
    none = declines(answer)
    if declines(rest) and not none:
        return True
    value, key = number(answer), str(_key(answer))
    for said in filter(None, _said(rest)[0]):
        if value is not None:
            if (amounts := _amounts(said)) and value not in amounts:
                return True
        elif not (none and declines(said)) and not re.search(rf"(?<!\w){re.escape(key)}(?!\w)", said.casefold()):
            return True
    joined = sentences(rest[: match.end() + _WINDOW])[0] if (match := _OR.match(rest)) else ""
    if value is None:
        second = any(_SECOND_FIRST.match(sentence) for sentence in sentences(rest))
        return second or bool(joined and not _ABOUT.search(joined))
    second_thought = rest[match.start() : match.start() + _WINDOW] if (match := _SECOND.search(rest)) else ""
    tails = (joined, second_thought)
    return any(amount != value and not _rounded(tail, amount, value) for tail in tails for amount in _amounts(tail))


def _amounts(text: str) -> list[Fraction]:
    return [what.amount for *_, what in figures(plain(text[:_WINDOW]))]


def _rounded(text: str, amount: Fraction, value: Fraction) -> bool:
    """Whether an amount is the value again, rounded, and said to be so."""
    return abs(amount - value) * 50 <= abs(value) and bool(_ABOUT.search(text))
