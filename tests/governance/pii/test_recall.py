"""Recall and false alarms of the identifier rules on Chinese and English sentences made by an independent generator."""

from collections import defaultdict

import pytest

from candor.governance.pii import Finder
from tests.governance.pii.cases import CONTEXTS, DISGUISES, GROUPS, NUMERALS, Case, cases, clean_text, plain_numbers
from tests.governance.pii.generated import (
    MAKERS,
    credit_check,
    iban_check,
    id_check,
    is_identifier,
    luhn,
    organisation_check,
)

PER_CELL = 20  # of each kind, disguise and context: 60 of each kind and disguise


def masked(finder: Finder, text: str) -> set[int]:
    """The places of the text that some span covers."""
    return {i for span in finder.find(text) for i in range(span.start, span.end)}


def show(case: Case, covered: set[int]) -> str:
    """One line for a message: kind, sentence, identifier, what was left open."""
    left = "".join(case.text[i] for i in range(case.start, case.end) if i not in covered)
    return f"{case.kind}: {case.text!r} identifier {case.text[case.start : case.end]!r} left {left!r}"


@pytest.mark.parametrize("disguise", DISGUISES)
def test_whole_identifiers_are_found_and_little_else(disguise: str) -> None:
    finder = Finder(names=False)
    hits: dict[str, list[bool]] = defaultdict(list)
    problems = []
    for context in CONTEXTS:
        misses, alarms, around, over, total = [], [], 0, 0, 0
        for case in cases(2024, PER_CELL, disguise, context):
            covered = masked(finder, case.text)
            inside = set(range(case.start, case.end))
            hits[case.kind].append(inside <= covered)
            total += 1
            if not inside <= covered:
                misses.append(show(case, covered))
            extra = sorted(covered - inside)
            around += len(case.text) - len(inside)
            over += len(extra)
            if extra:
                alarms.append(f"{case.kind}: {case.text!r} also {''.join(case.text[i] for i in extra)!r}")
        if len(misses) > 0.01 * total:
            problems += [f"{context}: {len(misses)} of {total} identifiers missed, the first:", *misses[:12]]
        if over > 0.01 * around:
            problems += [f"{context}: {over} of {around} surrounding characters masked, the first:", *alarms[:12]]
    for kind, found in hits.items():
        if sum(found) < 0.97 * len(found):
            problems.append(f"{kind}: only {sum(found)} of {len(found)} found")
    assert not problems, f"disguise {disguise}\n" + "\n".join(problems)


def test_plain_numbers_are_left_alone() -> None:
    finder = Finder(names=False)
    numbers = plain_numbers(2024, 2000)
    alarms = [c.text for c in numbers if masked(finder, c.text) & set(range(c.start, c.end))]
    report = f"{len(alarms)} of {len(numbers)} masked, the first:\n" + "\n".join(alarms[:12])
    assert len(alarms) <= 0.01 * len(numbers), report


def test_everyday_numbers_are_left_alone() -> None:
    finder = Finder(names=False)
    texts = clean_text(2024, 600)
    alarms = [(text, sorted(covered)) for text in texts if (covered := masked(finder, text))]
    lines = [f"{text!r} masked {''.join(text[i] for i in places)!r}" for text, places in alarms[:12]]
    assert len(alarms) <= 0.01 * len(texts), f"{len(alarms)} of {len(texts)} touched, the first:\n" + "\n".join(lines)


def test_check_digits_match_published_examples() -> None:
    assert id_check("11010519491231002") == "X"
    assert id_check("44052418800101001") == "4"
    assert credit_check("91350100M000100Y4") == "3"
    assert organisation_check("M000100Y") == "4"
    assert all(map(luhn, ("4111111111111111", "5555555555554444", "378282246310005", "79927398713")))
    assert not any(map(luhn, ("4111111111111112", "79927398710")))
    assert iban_check("GB", "WEST12345698765432") == "82"
    assert iban_check("DE", "370400440532013000") == "89"


def test_sentences_hold_what_they_say() -> None:
    for context in CONTEXTS:
        for disguise in DISGUISES:
            made = cases(1, 2, disguise, context)
            assert made == cases(1, 2, disguise, context)
            wearers = {"numerals": NUMERALS, "grouped": set(GROUPS)}.get(disguise, set(MAKERS))
            if (context, disguise) == ("english", "line_break"):
                wearers = wearers - {"wechat", "wxid"}
            assert {c.kind for c in made} == wearers
            assert len(made) == 2 * len(wearers)
    for case in plain_numbers(1, 500):
        number = case.text[case.start : case.end]
        assert number.isdigit() and 5 <= len(number) <= 20 and not is_identifier(number)
    assert all(map(is_identifier, ("13800138000", "4111111111111111", "01062345678", "20240229", "4008123456")))
    assert not any(map(is_identifier, ("110105194912310021", "4111111111111112", "20240230", "82681585967")))
