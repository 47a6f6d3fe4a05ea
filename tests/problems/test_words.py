"""Stories read back by rules, one reader for English and one for Chinese, and worked out from what they say."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction

from candor.problems.problem import Grade, Problem
from candor.problems.words import Words
from tests.problems.test_arithmetic import LEVELS, check_rising, check_seeds, check_solution, check_splits, spread

UNITS = {
    **{"cm": ("length", 1), "m": ("length", 100), "厘米": ("length", 1), "米": ("length", 100)},
    **{"g": ("mass", 1), "kg": ("mass", 1000), "克": ("mass", 1), "千克": ("mass", 1000)},
    **{"min": ("time", 1), "h": ("time", 60), "分钟": ("time", 1), "小时": ("time", 60)},
    **{"jiao": ("money", 1), "yuan": ("money", 10), "角": ("money", 1), "元": ("money", 10)},
    **{"mL": ("volume", 1), "L": ("volume", 1000), "毫升": ("volume", 1), "升": ("volume", 1000)},
    **{"centimetres": ("length", 1), "grams": ("mass", 1), "minutes": ("time", 1), "millilitres": ("volume", 1)},
    **dict.fromkeys("个本支张颗", ("count", 1)),
}
"""Kind and size of each unit and of the Chinese measure words; an English count has none."""
AMOUNT = re.compile(rf"(\d+) ?({'|'.join(sorted(UNITS, key=len, reverse=True))})?(?![a-z])")
ASKED = re.compile(rf"(?:How many (?:more )?|多少)((?:{'|'.join(sorted(UNITS, key=len, reverse=True))})(?![a-z]))?")


@dataclass
class Reading:
    """What a prompt says. An amount that it leaves open is None."""

    facts: list[tuple[str, str, Fraction | None, str]]
    """Who, how ("=", "+", "-", "*"), how much, compared with whom."""
    ask: str
    """"one", "total", "difference", "share" or "left"."""
    names: list[str]
    """Whom the question is about."""
    number: Fraction | None
    """Parts, or the size of one."""
    conversions: int
    """Amounts told in a large unit."""
    unit: tuple[str, int]
    """Kind and size of the unit that is asked for."""

    def people(self) -> list[str]:
        """Everybody, in order of appearance."""
        named = [name for who, _, _, other in self.facts for name in (other, who) if name]
        return list(dict.fromkeys([*named, *self.names]))

    def meaning(self) -> Hashable:
        """The same for the same story with other names and things."""
        people = self.people()
        facts = tuple((people.index(who), how, n, other and people.index(other)) for who, how, n, other in self.facts)
        return self.unit, facts, self.ask, tuple(people.index(name) for name in self.names), self.number


def amount(text: str) -> tuple[Fraction | None, bool]:
    """The quantity in a sentence, in small units, and whether a large unit is in it."""
    found = AMOUNT.findall(text)
    scales = [UNITS.get(unit, ("", 1))[1] for _, unit in found]
    total = sum(Fraction(number) * scale for (number, _), scale in zip(found, scales, strict=True))
    return (total if found else None), any(scale > 1 for scale in scales)


def asked(question: str) -> tuple[str, int]:
    """The unit of the answer."""
    match = ASKED.search(question)
    assert match, question
    return UNITS.get(match[1], ("count", 1))


def read(problem: Problem) -> Reading:
    """The reader of the prompt's language."""
    return (read_english if problem.lang == "en" else read_chinese)(problem.prompt)


def read_english(prompt: str) -> Reading:
    *told, question = re.split(r"(?<=\.) ", prompt)
    assert question.endswith("?") and not any("?" in sentence for sentence in told)
    ask = "total" if "in all" in question else "difference" if " than " in question else "one"
    subject = question
    number: Fraction | None = None
    if "equal" in told[-1] or " as possible" in told[-1]:
        assert ask == "one"
        ask = "share" if "equal" in told[-1] else "left"
        assert ("left over" in question) == (ask == "left") and ("each" in question) == (ask == "share")
        subject = told.pop()
        number = amount(subject)[0]
    names = re.findall(r"\b(?!How\b)[A-Z][a-z]+", subject)
    reading = Reading([], ask, names, number, 0, asked(question))
    for sentence in told:
        who, *others = re.findall(r"\b[A-Z][a-z]+", sentence)
        if " times as " in sentence:
            how, n, large = "*", amount(sentence)[0], False
        elif " than " in sentence:
            how = "+" if re.search(r"\b(more|longer)\b", sentence) else "-"
            assert how == "+" or re.search(r"\b(fewer|less|shorter)\b", sentence)
            n, large = amount(sentence)
        else:
            how, (n, large) = "=", amount(sentence)
            assert not others and n is not None
        reading.facts.append((who, how, n, others[0] if others else ""))
        reading.conversions += large
    return reading


def read_chinese(prompt: str) -> Reading:
    *told, question = prompt.split("。")
    assert question.endswith("？") and "？" not in question[:-1]
    if "一共" in question:
        ask = "total"
    elif "平均" in question:
        ask = "share"
    elif "为止" in question:
        ask = "left"
    else:
        ask = "difference" if "比" in question else "one"
    number = amount(question)[0]
    assert (number is not None) == (ask in ("share", "left"))
    reading = Reading([], ask, re.findall("小(?!时)[\u4e00-\u9fff]", question), number, 0, asked(question))
    for sentence in told:
        who, *others = re.findall("小(?!时)[\u4e00-\u9fff]", sentence)
        n, large = amount(sentence)
        if sentence.endswith("倍"):
            how, large = "*", False
        elif "比" in sentence:
            how = "+" if re.search("[多长]", sentence.split(others[0])[1]) else "-"
            assert how == "+" or re.search("[少短]", sentence.split(others[0])[1])
        else:
            how = "="
            assert not others and n is not None
        reading.facts.append((who, how, n, others[0] if others else ""))
        reading.conversions += large
    return reading


def solve(reading: Reading) -> tuple[Fraction | None, int]:
    """The answer and how many operations it took, conversions included; None where it is no positive whole number."""
    has: dict[str, Fraction] = {}
    operations = reading.conversions
    for who, how, n, other in reading.facts:
        assert n is not None and who not in has
        has[who] = {
            "=": lambda n: n,
            "+": lambda n, other=other: has[other] + n,
            "-": lambda n, other=other: has[other] - n,
            "*": lambda n, other=other: has[other] * n,
        }[how](n)
        operations += how != "="
    asked = [has[name] for name in reading.names]
    if reading.ask == "total":
        answer = sum(asked, Fraction())
        operations += len(asked) - 1
    elif reading.ask == "difference":
        answer = asked[0] - asked[1]
        operations += 1
    elif reading.ask == "share":
        assert reading.number
        answer = asked[0] / reading.number
        operations += 1
    elif reading.ask == "left":
        assert reading.number
        answer = asked[0] % reading.number
        operations += 2
    else:
        (answer,) = asked
    answer /= reading.unit[1]
    good = answer.denominator == 1 and answer > 0 and all(value > 0 for value in has.values())
    return (answer if good else None), operations


def test_the_readers_by_hand() -> None:
    english = read_english(
        "Tom's rope is 2 m 30 cm long. Anna's rope is 45 cm longer than Tom's. "
        "Ben's rope is 3 times as long as Anna's. Ben's rope is divided into 5 equal parts. "
        "How many centimetres long is each part?"
    )
    chinese = read_chinese(
        "小明的绳子长2米30厘米。小红的绳子比小明的长45厘米。小华的绳子的长度是小红的3倍。"
        "把小华的绳子平均剪成5段，每段长多少厘米？"
    )
    assert solve(english) == solve(chinese) == (165, 4), "(230 + 45) * 3 / 5, and one conversion"
    facts = ((0, "=", 230, ""), (1, "+", 45, 0), (2, "*", 3, 1))
    assert english.meaning() == chinese.meaning() == (("length", 1), facts, "share", (2,), 5)


def test_a_thousand_stories() -> None:
    """Against the readers: one meaning in both languages, a step for each operation, every fact needed."""
    family = Words()
    count = 0
    seen = set()
    for pair in spread(family):
        assert pair[0].gold == pair[1].gold
        assert read(pair[0]).meaning() == read(pair[1]).meaning()
        for problem in pair:
            reading = read(problem)
            answer, operations = solve(reading)
            assert answer is not None and str(problem.gold) == str(answer), problem
            assert operations == problem.difficulty == len(check_solution(problem, str(answer)))
            assert needed(reading) == {who for who, *_ in reading.facts}
            assert family.check(problem, str(answer)) is Grade.RIGHT
            assert family.check(problem, problem.solution) is Grade.RIGHT
            assert family.check(problem, f"<answer>{answer}</answer>", strict=True) is Grade.RIGHT
            assert family.check(problem, str(answer + 1)) is Grade.WRONG
            assert family.check(problem, "It cannot be determined.") is Grade.WRONG
            assert family.check(problem, f"{answer} 天" if reading.unit[0] != "count" else "") is Grade.WRONG
            units = {UNITS[unit][0] for _, unit in AMOUNT.findall(problem.prompt) if unit}
            assert units - {"count"} == {reading.unit[0]} - {"count"}
            seen |= {reading.unit[0], reading.ask}
            count += 1
    assert count == 2 * 1000
    assert seen == {*("one", "total", "difference", "share", "left"), *(kind for kind, _ in UNITS.values())}


def test_answers_with_units() -> None:
    """The unit asked for, in either language, another one that converts, and one that does not."""
    small = {"length": ("cm", "厘米"), "mass": ("g", "克"), "time": ("min", "分钟"), "money": ("jiao", "角"),
             "volume": ("mL", "毫升")}  # fmt: skip
    kinds = set()
    for problem in Words().generate(2, 60, 2):
        kind, answer = read(problem).unit[0], int(str(problem.gold))
        if kind == "count":
            continue
        kinds.add(kind)
        large, size = next((unit, size) for unit, (one, size) in UNITS.items() if one == kind and size > 1)
        whole, rest = divmod(answer, size)
        for unit in small[kind]:
            assert problem.gold.grade(f"{answer} {unit}") is Grade.RIGHT
            assert problem.gold.grade(f"It is {answer} {unit}.") is Grade.RIGHT
        if whole and rest:
            assert problem.gold.grade(f"{whole} {large} {rest} {small[kind][0]}") is Grade.RIGHT
            assert problem.gold.grade(f"{whole} {large}") is Grade.WRONG
        assert problem.gold.grade(f"{answer} {large}") is Grade.WRONG
        assert problem.gold.grade(f"{answer} °C") is Grade.WRONG
    assert kinds == set(small)


def needed(reading: Reading) -> set[str]:
    """Whose quantities the answer depends on."""
    compared = {who: other for who, _, _, other in reading.facts}
    found, todo = set(), list(reading.names)
    while todo:
        if (name := todo.pop()) and name not in found:
            found.add(name)
            todo.append(compared[name])
    return found


def test_levels_rise() -> None:
    stories = [[read(problem) for problem in Words().generate(0, 300, level)] for level in LEVELS]
    check_rising([[solve(reading)[1] for reading in level] for level in stories])


def test_seeds() -> None:
    check_seeds(Words())


def test_splits_share_nothing() -> None:
    """Not even the same story about other people and another thing of the same kind."""
    check_splits(Words(), lambda problem: read(problem).meaning())
