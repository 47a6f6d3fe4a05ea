"""Logic grids against a reader of both languages and a search of all assignments that know the prompt alone."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from candor.problems.logic import Logic
from candor.problems.problem import Grade, Lang, Problem
from tests.problems.test_sequence import LEVELS, assert_plenty, assert_seeded, assert_splits_apart, rises, spread, twins

NAMES = {
    "安娜": "Anna", "鲍勃": "Bob", "卡尔": "Carl", "多拉": "Dora", "艾玛": "Emma", "菲利克斯": "Felix",
    "格蕾丝": "Grace", "亨利": "Henry", "艾丽丝": "Iris", "杰克": "Jack", "莉莉": "Lily", "马克": "Mark",
}  # fmt: skip
THINGS = {
    "猫": "cat", "狗": "dog", "鸟": "bird", "鱼": "fish", "兔子": "rabbit", "仓鼠": "hamster", "乌龟": "turtle",
    "茶": "tea", "咖啡": "coffee", "牛奶": "milk", "果汁": "juice", "水": "water", "可可": "cocoa",
}  # fmt: skip

Who = tuple[str, str]
"""("name", "Anna"), ("own", "cat"), ("drink", "tea") or ("live", "2"); Chinese words are read as English ones."""
Claim = tuple[str, Who, Who]
"""is, not, left or next."""


@dataclass
class Puzzle:
    people: list[str]
    attributes: dict[str, list[str]]
    clues: list[Claim]
    asked: Who


HAS = {
    "en": (r"(?:lives|live) in house (?P<live>\d)|(?:owns|own) the (?P<own>[a-z]+)|(?:drinks|drink) (?P<drink>[a-z]+)"),
    "zh": r"住在 (?P<live>\d) 号房|养(?P<own>\w+)|喝(?P<drink>\w+)",
}


def has(text: str, lang: Lang) -> Who:
    match = re.fullmatch(HAS[lang], text)
    assert match and match.lastgroup, text
    return match.lastgroup, THINGS.get(match[match.lastgroup], match[match.lastgroup])


def who(text: str, lang: Lang) -> Who:
    if lang == "zh" and (match := re.fullmatch(r"(.+)的人", text)):
        return has(match[1], lang)
    if lang == "en" and (match := re.fullmatch(r"[Tt]he person who (.+)", text)):
        return has(match[1], lang)
    assert text in (NAMES if lang == "zh" else NAMES.values()), text
    return "name", NAMES.get(text, text)


SENTENCES = {
    "en": {
        "left": r"(?P<one>.+) lives somewhere to the left of (?P<other>.+)",
        "next": r"(?P<one>.+) lives next to (?P<other>.+)",
        "not": r"(?P<one>.+) does not (?P<has>.+)",
        "is": r"(?P<one>[A-Z][a-z]+|[Tt]he person who .+?[a-z0-9]) (?P<has>(?:lives|owns|drinks) .+)",
    },
    "zh": {
        "left": r"(?P<one>.+?)住在(?P<other>.+)左边的某座房子里",
        "next": r"(?P<one>.+?)住在(?P<other>.+)隔壁",
        "not": r"(?P<one>.+)不(?P<has>.+)",
        "is": r"(?P<one>.+的人|\w{2,4}?)(?P<has>(?:住在|养|喝).+)",
    },
}


def claim(text: str, lang: Lang) -> Claim:
    for relation, pattern in SENTENCES[lang].items():
        if match := re.fullmatch(pattern, text):
            found = match.groupdict()
            return (
                relation,
                who(found["one"], lang),
                who(found["other"], lang) if "other" in found else has(found["has"], lang),
            )
    raise AssertionError(text)


OPENINGS = {
    "en": (
        r"([\w, ]+) live in houses 1 to (\d), numbered from left to right, one person in each house\.",
        r"([\w, ]+) are friends\.",
        r"Each owns a different one of these pets: ([a-z, ]+)\.",
        r"Each drinks a different one of these drinks: ([a-z, ]+)\.",
    ),
    "zh": (
        r"([\w、]+)住在从左到右编号为 1 到 (\d) 的房子里，每座房子住一人。",
        r"([\w、]+)是朋友。",
        r"每人养一种不同的宠物：([\w、]+)。",
        r"每人喝一种不同的饮料：([\w、]+)。",
    ),
}


def read(prompt: str, lang: Lang) -> Puzzle:
    """Every character of the prompt must be understood."""
    opening, *clues, question = prompt.splitlines()
    rest, people, attributes = opening, list[str](), dict[str, list[str]]()
    for pattern, kind in zip(OPENINGS[lang], ("live", "friends", "own", "drink"), strict=True):
        if match := re.match(pattern, rest):
            listed = [NAMES.get(word, THINGS.get(word, word)) for word in re.split(r", | and |、|和", match[1])]
            if kind in ("live", "friends"):
                people = listed
            if kind == "live":
                listed = [str(house) for house in range(1, int(match[2]) + 1)]
            if kind != "friends":
                attributes[kind] = listed
            rest = rest[match.end() :].strip()
    assert not rest and people and all(len(values) == len(people) for values in attributes.values()), opening
    claims = list[Claim]()
    for number, clue in enumerate(clues, 1):
        sentence = re.fullmatch(rf"{number}\. (.+)[.。]", clue)
        assert sentence, clue
        claims.append(claim(sentence[1], lang))
    asked = re.fullmatch(r"Who (.+)\?" if lang == "en" else r"谁(.+)？", question)
    assert asked
    return Puzzle(people, attributes, claims, has(asked[1], lang))


Holds = NDArray[np.bool_]


@cache
def assignments(n: int, attributes: int) -> NDArray[np.int64]:
    """[assignment, attribute, value] -> person"""
    return np.array(list(product(permutations(range(n)), repeat=attributes)))


class Search:
    """All assignments of a puzzle, and in which of them a claim holds."""

    def __init__(self, puzzle: Puzzle) -> None:
        self.puzzle = puzzle
        self.owner = assignments(len(puzzle.people), len(puzzle.attributes))

    def person(self, thing: Who) -> NDArray[np.int64]:
        """[assignment] -> number of the person meant"""
        if thing[0] == "name":
            return np.full(len(self.owner), self.puzzle.people.index(thing[1]))
        column = list(self.puzzle.attributes).index(thing[0])
        return self.owner[:, column, self.puzzle.attributes[thing[0]].index(thing[1])]

    def house(self, thing: Who) -> NDArray[np.int64]:
        column = list(self.puzzle.attributes).index("live")
        return (self.owner[:, column] == self.person(thing)[:, None]).argmax(1)

    def holds(self, claim: Claim) -> Holds:
        relation, one, other = claim
        if relation == "left":
            return self.house(one) < self.house(other)
        if relation == "next":
            return abs(self.house(one) - self.house(other)) == 1
        return (self.person(one) == self.person(other)) == (relation == "is")


def answers(problem: Problem) -> tuple[int, set[str]]:
    """How many assignments fit the clues, and who it is in them, in English."""
    puzzle = read(problem.prompt, problem.lang)
    search = Search(puzzle)
    fits = np.logical_and.reduce([search.holds(clue) for clue in puzzle.clues])
    return int(fits.sum()), {puzzle.people[person] for person in search.person(puzzle.asked)[fits]}


def in_english(problem: Problem) -> str:
    return NAMES[str(problem.gold)] if problem.lang == "zh" else str(problem.gold)


HAND = """{} and Carl live in houses 1 to 3, numbered from left to right, one person in each house. \
Each owns a different one of these pets: cat, dog, fish.
1. Anna lives somewhere to the left of Bob.
2. The person who owns the cat lives next to Carl.
3. Carl does not live in house 2.
4. The person who lives in house 3 owns the dog.
Who owns the fish?"""


def test_the_reader_and_the_search_by_hand() -> None:
    puzzle = read(HAND.format("Anna, Bob"), "en")
    assert puzzle.people == ["Anna", "Bob", "Carl"]
    assert puzzle.clues[1] == ("next", ("own", "cat"), ("name", "Carl"))
    assert puzzle.clues[2] == ("not", ("name", "Carl"), ("live", "2"))
    assert puzzle.clues[3] == ("is", ("live", "3"), ("own", "dog"))
    assert puzzle.asked == ("own", "fish")
    # Carl 1: Anna 2 (cat), Bob 3 (dog), Carl has the fish. Carl 3 (dog): Anna 1, Bob 2 with the cat, Anna has the fish.
    search = Search(puzzle)
    fits = np.logical_and.reduce([search.holds(clue) for clue in puzzle.clues])
    assert fits.sum() == 2 and set(search.person(puzzle.asked)[fits]) == {0, 2}
    assert claim("养猫的人住在住在 2 号房的人隔壁", "zh") == ("next", ("own", "cat"), ("live", "2"))
    assert claim("喝茶的人不养兔子", "zh") == ("not", ("drink", "tea"), ("own", "rabbit"))


def test_exactly_one_assignment_fits_and_gold_is_in_it() -> None:
    for problem in spread(Logic()):
        assert answers(problem) == (1, {in_english(problem)}), problem.prompt


def test_no_clue_is_spare_and_none_is_the_answer() -> None:
    for problem in spread(Logic(), 250):
        puzzle = read(problem.prompt, problem.lang)
        search = Search(puzzle)
        holds = [search.holds(clue) for clue in puzzle.clues]
        for index in range(len(holds)):
            others = [*holds[:index], *holds[index + 1 :], np.ones_like(holds[0])]
            assert np.logical_and.reduce(others).sum() > 1, f"clue {index + 1} of {problem.prompt}"
        assert ("is", ("name", in_english(problem)), puzzle.asked) not in puzzle.clues


def test_both_languages_ask_the_same() -> None:
    for english, chinese in twins(Logic()):
        assert read(english.prompt, "en") == read(chinese.prompt, "zh")
        assert in_english(english) == in_english(chinese)
        assert not re.search(r"[A-Za-z]", chinese.prompt + chinese.solution)


def test_every_step_follows() -> None:
    """From the clues it names and the facts before it, in all assignments; one clue is nearly always enough."""
    alone = total = 0
    for problem in spread(Logic()):
        puzzle = read(problem.prompt, problem.lang)
        search = Search(puzzle)
        known = np.ones(len(search.owner), dtype=np.bool_)
        *lines, last = problem.solution.splitlines()
        facts = list[Claim]()
        for line in lines:
            step = re.fullmatch(r"(?:Clue |线索 )([\d, 、]+)[:：] ?(.+)", line)
            assert step, line
            used = [int(number) - 1 for number in re.split(", |、", step[1])]
            before = known.sum()
            seen = known & np.logical_and.reduce([search.holds(puzzle.clues[index]) for index in used])
            for text in re.split("; |；", step[2]):
                facts.append(claim(text, problem.lang))
                assert search.holds(facts[-1])[seen].all(), f"{line} of {problem.prompt}"
                known = known & search.holds(facts[-1])
            assert known.sum() < before, f"{line} is nothing new in {problem.prompt}"
            alone += len(used) == 1
            total += 1
        assert facts[-1] == ("is", ("name", in_english(problem)), puzzle.asked)
        assert last == str(problem.gold)
    assert alone / total > 0.97


def test_difficulty_is_assignments_to_search() -> None:
    """And no level takes clues less indirect: those that place one only by means of another."""
    searched: dict[int, list[float]] = {}
    indirect: dict[int, list[float]] = {}
    for problem in spread(Logic()):
        puzzle = read(problem.prompt, problem.lang)
        searched.setdefault(problem.difficulty, []).append(len(Search(puzzle).owner))
        share = [relation in ("left", "next") or one[0] != "name" for relation, one, _ in puzzle.clues]
        indirect.setdefault(problem.difficulty, []).append(float(np.mean(share)))
    assert rises(searched) and rises(indirect)


def test_the_answer_takes_several_clues() -> None:
    """At least two at every level, though the whole grid needs them all."""
    for problem in spread(Logic(), 150):
        puzzle = read(problem.prompt, problem.lang)
        search = Search(puzzle)
        for clue in puzzle.clues:
            assert len(set(search.person(puzzle.asked)[search.holds(clue)])) > 1


def test_all_sorts_of_clues_are_given() -> None:
    puzzles = [read(problem.prompt, problem.lang) for problem in spread(Logic(), 150)]
    assert {relation for puzzle in puzzles for relation, _, _ in puzzle.clues} == {"is", "not", "left", "next"}
    assert {kind for puzzle in puzzles for kind in puzzle.attributes} == {"live", "own", "drink"}


def test_seeds() -> None:
    assert_seeded(Logic())


def test_splits() -> None:
    assert_splits_apart(Logic(), 20)


def test_plenty() -> None:
    assert_plenty(Logic(), seconds=5)


@pytest.mark.parametrize("lang", get_args(Lang))
def test_grades(lang: Lang) -> None:
    family = Logic()
    for difficulty in LEVELS:
        for problem in family.generate(1, 10, difficulty, lang):
            name = str(problem.gold)
            assert family.check(problem, name) is Grade.RIGHT
            assert family.check(problem, f"就是{name}。" if lang == "zh" else f"So it must be {name}.") is Grade.RIGHT
            assert family.check(problem, f"{problem.solution}\n\\boxed{{{name}}}", strict=True) is Grade.RIGHT
            others = set(NAMES if lang == "zh" else NAMES.values()) - {name}
            assert {family.check(problem, other) for other in others} == {Grade.WRONG}
            assert family.check(problem, "") is Grade.WRONG
