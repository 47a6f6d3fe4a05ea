"""Logic grids: who lives where, owns or drinks what, from clues that leave one assignment and of which none is spare.

An assignment gives each person one value of each attribute, so the assignments of a puzzle are the tuples of one
permutation per attribute. A set of them is a whole number with a bit for each: a clue is a set, "and" is `&`, and what
holds in all that is left follows. That is exact, and fast enough for five people and 14,400 assignments.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations, product
from random import Random
from typing import ClassVar, Literal, NamedTuple

from candor.problems.golds import Exact
from candor.problems.problem import Family, Lang, Question

Kind = Literal["house", "pet", "drink"]
Relation = Literal["is", "not", "left", "next"]
Thing = tuple[int, int]
"""(0, person) or (attribute from 1, value): the person, or whoever has the value."""
Line = tuple[tuple[int, ...], list["Clue"]]
"""The numbers of the clues used, and the facts that follow from them and the facts of the lines before."""

_KINDS: tuple[Kind, ...] = ("house", "pet", "drink")
_NAMES: dict[Lang, list[str]] = {
    "en": "Anna Bob Carl Dora Emma Felix Grace Henry Iris Jack Lily Mark".split(),
    "zh": "安娜 鲍勃 卡尔 多拉 艾玛 菲利克斯 格蕾丝 亨利 艾丽丝 杰克 莉莉 马克".split(),
}
_PETS: dict[Lang, list[str]] = {
    "en": "cat dog bird fish rabbit hamster turtle".split(),
    "zh": "猫 狗 鸟 鱼 兔子 仓鼠 乌龟".split(),
}
_DRINKS: dict[Lang, list[str]] = {
    "en": "tea coffee milk juice water cocoa".split(),
    "zh": "茶 咖啡 牛奶 果汁 水 可可".split(),
}
_LEVELS: dict[int, tuple[int, int, list[str]]] = {
    1: (3, 1, 3 * ["has"] + 4 * ["lacks"]),
    2: (4, 1, 2 * ["has"] + 4 * ["lacks"] + 2 * ["left", "next"]),
    3: (3, 2, 1 * ["has"] + 4 * ["lacks"] + 3 * ["same"] + 2 * ["left", "next"]),
    4: (4, 2, 1 * ["has"] + 3 * ["lacks"] + 5 * ["same"] + 3 * ["left", "next"]),
    5: (5, 2, 1 * ["has"] + 2 * ["lacks"] + 6 * ["same"] + 3 * ["left", "next"]),
}
"""People, attributes, and what clues are drawn from: what a person has or has not, whether two values belong to the
same person, who lives left of whom or next to whom."""


class Clue(NamedTuple):
    """What is known of two, and also what follows. A tuple, because millions are looked up.

    >>> Clue("is", (0, 1), (1, 2))
    """

    relation: Relation
    """`is` and `not`: the same person or not; `left` and `next`: where they live."""
    one: Thing
    other: Thing


@dataclass(frozen=True)
class Grid:
    """A case."""

    people: tuple[int, ...]
    """Numbers in the table of names."""
    kinds: tuple[Kind, ...]
    """The attributes; houses come first."""
    values: tuple[tuple[int, ...], ...]
    """Of each attribute, numbers in its table."""
    clues: tuple[Clue, ...]
    """They count people and values within this puzzle. Sorted, so that a puzzle is the same case in any order."""
    asked: Thing
    """Whose name is the answer."""


class Logic(Family[Grid]):
    """Logic grids of three to five people with one or two attributes."""

    name: ClassVar[str] = "logic"

    def draw(self, random: Random, difficulty: int) -> Grid:
        """True clues until one assignment is left, less those that the others make spare."""
        n, attributes, sorts = _LEVELS[difficulty]
        kinds = tuple(sorted(random.sample(_KINDS, attributes), key=_KINDS.index))
        if "house" not in kinds:
            sorts = [sort for sort in sorts if sort not in ("left", "next")]
        has = [list(range(n)), *(random.sample(range(n), n) for _ in kinds)]
        worlds = _worlds(n, attributes)
        left, clues = worlds.all, []
        while left & (left - 1):
            clue = _true_clue(random, has, random.choice(sorts))
            if (fewer := left & worlds[clue]) != left:
                left = fewer
                clues.append(clue)
        for clue in list(clues):
            others = worlds.all_of(other for other in clues if other is not clue)
            if not others & (others - 1):
                clues.remove(clue)
        tables = {"house": n, "pet": len(_PETS["en"]), "drink": len(_DRINKS["en"])}
        return Grid(
            people=tuple(sorted(random.sample(range(len(_NAMES["en"])), n))),
            kinds=kinds,
            values=tuple(tuple(sorted(random.sample(range(tables[kind]), n))) for kind in kinds),
            clues=tuple(sorted(clues)),
            asked=_most_hidden(random, worlds, clues, left),
        )

    def write(self, case: Grid, lang: Lang) -> Question:
        """People and attributes, the clues in an order that tells nothing, the question; deductions to the answer."""
        clues = list(case.clues)
        Random(repr(case)).shuffle(clues)
        words = _Words(case, lang)
        numbered = [f"{number}. {words.sentence(clue)}" for number, clue in enumerate(clues, 1)]
        answer, lines = _deduce(_worlds(len(case.people), len(case.kinds)), clues, case.asked)
        name = words.names[answer.one[1]]
        return Question(
            prompt="\n".join([words.opening(), *numbered, words.question()]),
            gold=Exact(name, among=tuple(words.names)),
            solution="\n".join([*(words.line(line) for line in lines), name]),
        )


def _most_hidden(random: Random, worlds: "_Worlds", clues: list[Clue], left: int) -> Thing:
    """A value whose owner needs the most clues: those without which it could be somebody else."""
    without = [worlds.all_of(other for other in clues if other is not clue) for clue in clues]
    owned = [yes for yes, _ in worlds.facts if yes.one[0] == 0 and left & worlds[yes]]
    random.shuffle(owned)
    return max(owned, key=lambda yes: sum(others & worlds[yes] != others for others in without)).other


def _true_clue(random: Random, has: list[list[int]], sort: str) -> Clue:
    """`has[attribute][person]` is the value; of attribute 0 it is the person. Houses are attribute 1."""
    n, attributes = len(has[0]), len(has) - 1
    if sort in ("left", "next"):
        west = random.randrange(n - 1)
        east = west + 1 if sort == "next" else random.randrange(west + 1, n)
        places = (0, *range(2, attributes + 1))
        one, other = ((place := random.choice(places), has[place][has[1].index(house)]) for house in (west, east))
        return Clue("left", one, other) if sort == "left" else Clue("next", *sorted((one, other)))
    person = random.randrange(n)
    another = (person + random.randrange(1, n)) % n
    if sort == "same":
        if random.random() < 0.5:
            return Clue("is", (1, has[1][person]), (2, has[2][person]))
        return Clue("not", (1, has[1][person]), (2, has[2][another]))
    attribute = random.randint(1, attributes)
    if sort == "has":
        return Clue("is", (0, person), (attribute, has[attribute][person]))
    return Clue("not", (0, person), (attribute, has[attribute][another]))


class _Worlds(dict[Clue, int]):
    """The assignments of n people in which a clue holds, worked out when first asked for."""

    def __init__(self, n: int, attributes: int) -> None:
        super().__init__()
        self._n = n
        orders = list(permutations(range(n)))
        self.all = (1 << len(orders) ** attributes) - 1
        for person, value in product(range(n), repeat=2):
            holds = ["1" if order[person] == value else "0" for order in orders]
            for attribute in range(1, attributes + 1):
                # The attributes are digits of the number of an assignment, the first one the most significant.
                inner = len(orders) ** (attributes - attribute)
                bits = "".join(bit * inner for bit in holds) * len(orders) ** (attribute - 1)
                self[Clue("is", (0, person), (attribute, value))] = int(bits, 2)
        self.facts = [
            (Clue("is", one, other), Clue("not", one, other))
            for one, other in combinations(product(range(attributes + 1), range(n)), 2)
            if one[0] != other[0]
        ]
        """What can be the case or not of two things."""

    def all_of(self, clues: Iterable[Clue]) -> int:
        """The assignments in which all hold."""
        left = self.all
        for clue in clues:
            left &= self[clue]
        return left

    def __missing__(self, clue: Clue) -> int:
        if clue.relation == "not":
            found = self.all ^ self[Clue("is", clue.one, clue.other)]
        elif clue.relation == "is" and clue.one[0] == clue.other[0]:
            found = self.all if clue.one == clue.other else 0
        elif clue.relation == "is":
            found = sum(self._both(clue, (0, person), (0, person)) for person in range(self._n))
        else:
            next_to = clue.relation == "next"
            pairs = ((a, b) for a, b in product(range(self._n), repeat=2) if (abs(a - b) == 1 if next_to else a < b))
            found = sum(self._both(clue, (1, a), (1, b)) for a, b in pairs)
        self[clue] = found
        return found

    def _both(self, clue: Clue, a: Thing, b: Thing) -> int:
        """Where one of the clue is a and the other one is b."""
        return self[Clue("is", *sorted((clue.one, a)))] & self[Clue("is", *sorted((clue.other, b)))]


@cache
def _worlds(n: int, attributes: int) -> _Worlds:
    return _Worlds(n, attributes)


def _deduce(worlds: _Worlds, clues: list[Clue], asked: Thing) -> tuple[Clue, list[Line]]:
    """Who it is, and the steps to it: each takes one clue (more only where no single one says anything new)."""
    final = worlds.all_of(clues)
    answer = next(yes for yes, _ in worlds.facts if yes.one[0] == 0 and yes.other == asked and final & worlds[yes])
    known, open_facts, lines = worlds.all, worlds.facts, list[Line]()
    while known & worlds[answer] != known:
        used, facts = next(
            (used, facts)
            for size in range(1, len(clues) + 1)
            for used in combinations(range(len(clues)), size)
            if (facts := _follows(worlds, known, known & worlds.all_of(clues[i] for i in used), open_facts))
        )
        lines.append((used, facts))
        known &= worlds.all_of(facts)
        open_facts = [(yes, no) for yes, no in open_facts if known & worlds[yes] not in (0, known)]
    return answer, _without_detours(worlds, clues, lines, answer)


def _follows(worlds: _Worlds, known: int, left: int, open_facts: list[tuple[Clue, Clue]]) -> list[Clue]:
    """The facts that hold in all that is left, without those that follow from others of them."""
    if left == known:
        return []
    facts = [yes for yes, _ in open_facts if left & worlds[yes] == left]
    known &= worlds.all_of(facts)
    for yes, no in open_facts:
        if not left & worlds[yes] and known & worlds[yes]:
            facts.append(no)
            known &= worlds[no]
    return facts


def _without_detours(worlds: _Worlds, clues: list[Clue], lines: list[Line], answer: Clue) -> list[Line]:
    """The lines without those that no later one needs, and without what no later one needs of denials and of facts that
    name no person; in each line first what the clue itself speaks of, last the answer."""
    steps = [(used, worlds.all_of(clues[i] for i in used), list(facts)) for used, facts in lines]

    def holds() -> bool:
        known = worlds.all
        for _, left, facts in steps:
            left &= known
            for fact in facts:
                if left & worlds[fact] != left:
                    return False
                known &= worlds[fact]
        return True

    for _, _, facts in reversed(steps):
        weak = [[fact] for fact in facts if fact.relation == "not" or fact.one[0]]
        for tried in (list(facts), *reversed(weak)):
            kept = list(facts)
            facts[:] = [fact for fact in facts if fact not in tried]
            if answer in tried or not holds():
                facts[:] = kept
    tidy = []
    for used, _, facts in steps:
        near = {thing for i in used for thing in clues[i][1:]}
        tidy.append(
            (used, sorted(facts, key=lambda fact: (fact == answer, *(thing not in near for thing in fact[1:]))))
        )
    return [line for line in tidy if line[1]]


class _Words:
    """The sentences of one puzzle in one language."""

    def __init__(self, grid: Grid, lang: Lang) -> None:
        self._zh = lang == "zh"
        self._grid = grid
        self.names = [_NAMES[lang][person] for person in grid.people]
        tables = {"house": "1 2 3 4 5".split(), "pet": _PETS[lang], "drink": _DRINKS[lang]}
        self._values = [
            [tables[kind][value] for value in values] for kind, values in zip(grid.kinds, grid.values, strict=True)
        ]

    def opening(self) -> str:
        """Who there is and what each has."""
        n = len(self.names)
        if self._zh:
            people = "、".join(self.names[:-1]) + "和" + self.names[-1]
            sentences = {
                "house": f"{people}住在从左到右编号为 1 到 {n} 的房子里，每座房子住一人。",
                "pet": "每人养一种不同的宠物：{}。",
                "drink": "每人喝一种不同的饮料：{}。",
            }
            friends, comma, space = f"{people}是朋友。", "、", ""
        else:
            people = ", ".join(self.names[:-1]) + " and " + self.names[-1]
            sentences = {
                "house": f"{people} live in houses 1 to {n}, numbered from left to right, one person in each house.",
                "pet": "Each owns a different one of these pets: {}.",
                "drink": "Each drinks a different one of these drinks: {}.",
            }
            friends, comma, space = f"{people} are friends.", ", ", " "
        parts = [] if "house" in self._grid.kinds else [friends]
        for kind, values in zip(self._grid.kinds, self._values, strict=True):
            parts.append(sentences[kind].format(comma.join(values)))
        return space.join(parts)

    def question(self) -> str:
        """Who has the value asked for?"""
        return f"谁{self._has(self._grid.asked)}？" if self._zh else f"Who {self._has(self._grid.asked)}?"

    def sentence(self, clue: Clue) -> str:
        """A clue with capital and full stop."""
        text = self._clause(clue)
        return f"{text}。" if self._zh else f"{text[0].upper()}{text[1:]}."

    def line(self, line: Line) -> str:
        """A step of the deduction."""
        used, facts = line
        numbers = [str(index + 1) for index in used]
        if self._zh:
            return f"线索 {'、'.join(numbers)}：{'；'.join(map(self._clause, facts))}"
        return f"Clue {', '.join(numbers)}: {'; '.join(map(self._clause, facts))}"

    def _clause(self, clue: Clue) -> str:
        one, other = self._who(clue.one), self._who(clue.other)
        if clue.relation == "left":
            return f"{one}住在{other}左边的某座房子里" if self._zh else f"{one} lives somewhere to the left of {other}"
        if clue.relation == "next":
            return f"{one}住在{other}隔壁" if self._zh else f"{one} lives next to {other}"
        space = "" if self._zh else " "
        return f"{one}{space}{self._has(clue.other, negated=clue.relation == 'not')}"

    def _who(self, thing: Thing) -> str:
        if thing[0] == 0:
            return self.names[thing[1]]
        return f"{self._has(thing)}的人" if self._zh else f"the person who {self._has(thing)}"

    def _has(self, thing: Thing, *, negated: bool = False) -> str:
        kind, value = self._grid.kinds[thing[0] - 1], self._values[thing[0] - 1][thing[1]]
        if self._zh:
            verb = {"house": f"住在 {value} 号房", "pet": f"养{value}", "drink": f"喝{value}"}[kind]
            return f"不{verb}" if negated else verb
        verb, rest = {
            "house": ("live", f"in house {value}"),
            "pet": ("own", f"the {value}"),
            "drink": ("drink", value),
        }[kind]
        return f"does not {verb} {rest}" if negated else f"{verb}s {rest}"
