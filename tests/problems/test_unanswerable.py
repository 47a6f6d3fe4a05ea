"""Stories with a gap: whatever the readers of `test_words` find open can be filled in two ways with two answers."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count, islice

from candor.problems.golds import NoAnswer
from candor.problems.problem import Grade
from candor.problems.unanswerable import Unanswerable
from candor.problems.words import Words
from tests.problems.test_arithmetic import LEVELS, check_rising, check_seeds, check_splits, spread
from tests.problems.test_words import Reading, read, read_chinese, read_english, solve


def gap(reading: Reading) -> tuple[str, str]:
    """Whose quantity is not said, and how it is missing: never mentioned before the question, or without a number."""
    told = {who for who, *_ in reading.facts}
    vague = [who for who, _, n, _ in reading.facts if n is None]
    unsaid = [name for name in reading.people() if name not in told]
    ((name, how),) = [*((name, "amount") for name in vague), *((name, "fact") for name in unsaid)]
    mentioned = any(name == other for *_, other in reading.facts)
    return name, how if how == "amount" or mentioned else "person"


def filled(reading: Reading) -> Iterator[Reading]:
    """The story with 1, 2, 3, ... in its gap."""
    name, how = gap(reading)
    for n in map(Fraction, count(1)):
        if how == "amount":
            facts = [(who, how, n if old is None else old, other) for who, how, old, other in reading.facts]
        else:
            facts = [(name, "=", n, ""), *reading.facts]
        yield replace(reading, facts=facts)


def answers(reading: Reading) -> set[Fraction]:
    """Different answers, until there are two, of the story filled in different ways."""
    found: set[Fraction] = set()
    for whole in islice(filled(reading), 20_000):
        answer, _ = solve(whole)
        if answer is not None:
            found.add(answer)
        if len(found) == 2:
            break
    return found


def test_gaps_by_hand() -> None:
    vague = "Tom has 12 apples. Anna has more apples than Tom. How many apples do Tom and Anna have in all?"
    assert gap(read_english(vague)) == ("Anna", "amount")
    assert answers(read_english(vague)) == {25, 26}
    unsaid = (
        "Anna has 4 fewer apples than Tom. Anna's apples are shared equally among 3 children. "
        "How many apples does each child get?"
    )
    assert gap(read_english(unsaid)) == ("Tom", "fact")
    assert answers(read_english(unsaid)) == {1, 2}
    stranger = "小明有12个苹果。小红有多少个苹果？"
    assert gap(read_chinese(stranger)) == ("小红", "person")
    determined = (
        "小红的苹果是小明的2倍。小华的苹果比小红多7个。把小华的苹果每2个装一袋，装到不够一袋为止，还剩多少个苹果？"
    )
    assert answers(read_chinese(determined)) == {1}, "whatever 小明 has"


def test_a_thousand_gaps() -> None:
    """Each can be filled in two ways, the solution names what is missing, and only not knowing is right."""
    family = Unanswerable()
    gaps: Counter[str] = Counter()
    for pair in spread(family):
        english, chinese = map(read, pair)
        assert english.meaning() == chinese.meaning()
        assert len(answers(english)) == 2, pair[0].prompt
        for problem, reading in zip(pair, (english, chinese), strict=True):
            name, how = gap(reading)
            missing, last = problem.solution.split("\n")
            assert name in missing and len(re.findall(r"\b[A-Z]\w+|小(?!时).", missing)) == (
                2 if problem.lang == "en" else 1
            )
            assert problem.gold == NoAnswer(problem.lang)
            assert last == {"en": "It cannot be determined.", "zh": "无法确定。"}[problem.lang]
            for answer in (problem.solution, last, "I do not know.", "不知道"):
                assert family.check(problem, answer) is Grade.RIGHT
            assert family.check(problem, f"<answer>{last}</answer>", strict=True) is Grade.RIGHT
            for answer in ("", "12", missing.replace("not ", "") if problem.lang == "en" else "12", "The answer is 5."):
                assert family.check(problem, answer) is Grade.WRONG
            gaps[how] += 1
    assert gaps.total() == 2 * 1000
    assert min(gaps["fact"], gaps["amount"], gaps["person"]) > 300, gaps


def test_prompts_look_like_answerable_ones() -> None:
    """The same sentences as in `words` but for numbers and names, besides comparisons without an amount."""

    def sentences(prompt: str) -> set[str]:
        plain = re.sub(r"(?!How\b)\b[A-Z][a-z]+\b|(?<!\w)\d+", "_", prompt)
        return {re.sub(r"_(?:, _)* and _", "_ and _", sentence) for sentence in re.split(r"(?<=\.) ", plain)}

    usual = {
        one for level in LEVELS for problem in Words().generate(0, 600, level) for one in sentences(problem.prompt)
    }
    for level in LEVELS:
        for problem in Unanswerable().generate(0, 100, level):
            for sentence in sentences(problem.prompt) - usual:
                assert re.search(r"more|fewer|less|longer|shorter|several times", sentence), sentence


def test_levels_rise() -> None:
    """In what there is to read."""
    check_rising([[len(read(problem).facts) for problem in Unanswerable().generate(0, 500, level)] for level in LEVELS])


def test_seeds() -> None:
    check_seeds(Unanswerable())


def test_splits_share_nothing() -> None:
    """The missing number is in no prompt, so it must not put two cases that read the same into different splits."""
    check_splits(Unanswerable(), lambda problem: read(problem).meaning())
