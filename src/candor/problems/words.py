"""Word problems on who has how much: more and fewer, times as many, units, totals, equal shares, what is left over."""

from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random
from typing import Literal, TypeAlias

from candor.problems.golds import Maths
from candor.problems.problem import Family, Lang, Question

Relation = Literal["is", "more", "fewer", "times", "unsaid"]
Ask = Literal["one", "total", "difference", "share", "left"]
Topic = Literal["count", "length", "mass", "time", "money", "volume"]
Fact: TypeAlias = tuple[Relation, int]
"""How much a person has, in small units, or how that compares with the person before."""

_LARGEST = 9999
"""No quantity is larger, in small units."""
_MOST_PARTS = 50
"""No quantity fills more parts of a given size."""
_PEOPLE: dict[Lang, tuple[str, ...]] = {
    "en": ("Tom", "Anna", "Ben", "Mia", "Leo", "Sara", "Max", "Lucy", "Sam", "Emma", "Jack", "Nina"),
    "zh": ("小明", "小红", "小华", "小丽", "小刚", "小芳", "小军", "小梅", "小东", "小雨", "小杰", "小雪"),
}


@dataclass(frozen=True)
class _Unit:
    """What a thing is measured in."""

    factor: int
    """Small units in a large one; an amount of as many or more is told in both."""
    grain: int
    """Amounts are multiples of this many small units."""
    most: int
    """Largest number of large units."""
    en: tuple[str, str, str]
    """The small unit, the large one, and the small one as questions name it."""
    zh: tuple[str, str, str]


_UNITS: dict[Topic, _Unit] = {
    "length": _Unit(100, 1, 9, ("cm", "m", "centimetres"), ("厘米", "米", "厘米")),
    "mass": _Unit(1000, 10, 5, ("g", "kg", "grams"), ("克", "千克", "克")),
    "time": _Unit(60, 1, 4, ("min", "h", "minutes"), ("分钟", "小时", "分钟")),
    "money": _Unit(10, 1, 60, ("jiao", "yuan", "jiao"), ("角", "元", "角")),
    "volume": _Unit(1000, 10, 5, ("mL", "L", "millilitres"), ("毫升", "升", "毫升")),
}

_THINGS: dict[Topic, tuple[tuple[str, str, str], ...]] = {
    "count": (
        *(("apples", "苹果", "个"), ("books", "书", "本"), ("pencils", "铅笔", "支"), ("stamps", "邮票", "张")),
        *(("marbles", "弹珠", "颗"), ("cards", "卡片", "张"), ("eggs", "鸡蛋", "个"), ("shells", "贝壳", "个")),
    ),
    "length": (("ribbon", "丝带", ""), ("rope", "绳子", ""), ("wire", "铁丝", ""), ("tape", "胶带", "")),
    "mass": (("rice", "大米", ""), ("flour", "面粉", ""), ("sugar", "白糖", ""), ("clay", "黏土", "")),
    "time": (("training", "训练", ""), ("piano practice", "练琴", ""), ("chess practice", "下棋", "")),
    "money": (("pocket money", "零花钱", ""), ("prize money", "奖金", ""), ("lunch money", "午饭钱", "")),
    "volume": (("juice", "果汁", ""), ("milk", "牛奶", ""), ("tea", "茶水", ""), ("soup", "汤", "")),
}
"""English, Chinese, and the Chinese measure word of what is counted."""

_EN_COUNT = {
    "is": "{a} has {n} {thing}.",
    "more": "{a} has {n} more {thing} than {b}.",
    "fewer": "{a} has {n} fewer {thing} than {b}.",
    "times": "{a} has {n} times as many {thing} as {b}.",
    "one": "How many {thing} does {a} have?",
    "total": "How many {thing} do {all} have in all?",
    "difference": "How many more {thing} does {a} have than {b}?",
    "share": "{a}'s {thing} are shared equally among {n} children. How many {thing} does each child get?",
    "left": "{a}'s {thing} are packed into as many bags of {n} as possible. How many {thing} are left over?",
    "unknown": "how many {thing} {a} has",
}
_EN_MUCH = {
    "is": "{a} has {n} of {thing}.",
    "more": "{a} has {n} more {thing} than {b}.",
    "fewer": "{a} has {n} less {thing} than {b}.",
    "times": "{a} has {n} times as much {thing} as {b}.",
    "one": "How many {unit} of {thing} does {a} have?",
    "total": "How many {unit} of {thing} do {all} have in all?",
    "difference": "How many more {unit} of {thing} does {a} have than {b}?",
    "share": "{a}'s {thing} is shared equally among {n} children. How many {unit} of {thing} does each child get?",
    "left": "{a}'s {thing} is packed into as many bags of {n} as possible. How many {unit} of {thing} are left over?",
    "unknown": "how much {thing} {a} has",
}
_EN_LONG = {
    "is": "{a}'s {thing} is {n} long.",
    "more": "{a}'s {thing} is {n} longer than {b}'s.",
    "fewer": "{a}'s {thing} is {n} shorter than {b}'s.",
    "times": "{a}'s {thing} is {n} times as long as {b}'s.",
    "one": "How many {unit} long is {a}'s {thing}?",
    "total": "How many {unit} of {thing} do {all} have in all?",
    "difference": "How many {unit} longer is {a}'s {thing} than {b}'s?",
    "share": "{a}'s {thing} is divided into {n} equal parts. How many {unit} long is each part?",
    "left": "{a}'s {thing} is divided into as many parts of {n} as possible. How many {unit} are left over?",
    "unknown": "how long {a}'s {thing} is",
}
_ZH_HAVE = {
    "is": "{a}有{n}{thing}。",
    "more": "{a}的{thing}比{b}多{n}。",
    "fewer": "{a}的{thing}比{b}少{n}。",
    "times": "{a}的{thing}是{b}的{n}倍。",
    "one": "{a}有多少{unit}{thing}？",
    "total": "{all}一共有多少{unit}{thing}？",
    "difference": "{a}的{thing}比{b}多多少{unit}？",
    "share": "把{a}的{thing}平均分给{n}个孩子，每个孩子分到多少{unit}{thing}？",
    "left": "把{a}的{thing}每{n}装一袋，装到不够一袋为止，还剩多少{unit}{thing}？",
    "unknown": "{a}有多少{thing}",
}
_ZH_LENGTH = {
    "is": "{a}的{thing}长{n}。",
    "more": "{a}的{thing}比{b}的长{n}。",
    "fewer": "{a}的{thing}比{b}的短{n}。",
    "times": "{a}的{thing}的长度是{b}的{n}倍。",
    "one": "{a}的{thing}长多少{unit}？",
    "total": "{all}的{thing}一共长多少{unit}？",
    "difference": "{a}的{thing}比{b}的长多少{unit}？",
    "share": "把{a}的{thing}平均剪成{n}段，每段长多少{unit}？",
    "left": "把{a}的{thing}剪成每段{n}，剪到不够一段为止，还剩多少{unit}？",
    "unknown": "{a}的{thing}有多长",
}
_ZH_TIME = {
    "is": "{a}的{thing}时间是{n}。",
    "more": "{a}的{thing}时间比{b}的长{n}。",
    "fewer": "{a}的{thing}时间比{b}的短{n}。",
    "times": "{a}的{thing}时间是{b}的{n}倍。",
    "one": "{a}的{thing}时间是多少{unit}？",
    "total": "{all}的{thing}时间一共是多少{unit}？",
    "difference": "{a}的{thing}时间比{b}的长多少{unit}？",
    "share": "把{a}的{thing}时间平均分成{n}节，每节是多少{unit}？",
    "left": "把{a}的{thing}时间分成每节{n}，分到不够一节为止，还剩多少{unit}？",
    "unknown": "{a}的{thing}时间有多长",
}
_EN_MONEY = _EN_MUCH | {
    "left": "{a}'s {thing} is spent on as many pencils at {n} each as possible. How many {unit} are left over?"
}
_EN_VOLUME = _EN_MUCH | {
    "left": "{a}'s {thing} is poured into as many bottles of {n} as possible. How many {unit} of {thing} are left over?"
}
_ZH_MONEY = _ZH_HAVE | {"left": "用{a}的{thing}买{n}一支的铅笔，买到钱不够为止，还剩多少{unit}？"}
_ZH_VOLUME = _ZH_HAVE | {"left": "把{a}的{thing}每{n}倒一瓶，倒到不够一瓶为止，还剩多少{unit}{thing}？"}
_PHRASES: dict[Topic, dict[Lang, dict[str, str]]] = {
    "count": {"en": _EN_COUNT, "zh": _ZH_HAVE},
    "length": {"en": _EN_LONG, "zh": _ZH_LENGTH},
    "mass": {"en": _EN_MUCH, "zh": _ZH_HAVE},
    "time": {"en": _EN_LONG, "zh": _ZH_TIME},
    "money": {"en": _EN_MONEY, "zh": _ZH_MONEY},
    "volume": {"en": _EN_VOLUME, "zh": _ZH_VOLUME},
}
_COMPARISONS: tuple[Relation, ...] = ("more", "fewer", "times")
_SIGNS = {"more": "+", "fewer": "-", "times": "*"}
_LABELS: dict[Lang, dict[str, str]] = {
    "en": {"more": "More", "fewer": "Less", "total": "In all", "difference": "Difference", "share": "Each",
           "used": "Used", "left": "Left"},
    "zh": {"more": "多", "fewer": "少", "total": "一共", "difference": "相差", "share": "每份",
           "used": "用去", "left": "剩下"},
}  # fmt: skip


@dataclass(frozen=True)
class Story:
    """Facts and a question; who and what it is about follows from these, so that the numbers alone tell cases apart.

    >>> Story("length", (("is", 230), ("more", 45)), "share", 5)
    """

    topic: Topic
    facts: tuple[Fact, ...]
    """One for each person."""
    ask: Ask
    """About the last person, about the last two, or about all."""
    number: int = 0
    """Children or parts to share among; size of a part where the question is what is left over."""

    def values(self) -> list[int]:
        """What each person has; no fact may be unsaid."""
        values: list[int] = []
        for relation, amount in self.facts:
            match relation:
                case "more":
                    values.append(values[-1] + amount)
                case "fewer":
                    values.append(values[-1] - amount)
                case "times":
                    values.append(values[-1] * amount)
                case _:
                    values.append(amount)
        return values

    def answer(self) -> int | None:
        """The answer; None where a quantity, or the answer, is no positive whole number or is too large."""
        values = self.values()
        if min(values) < 1 or sum(values) > _LARGEST:
            return None
        match self.ask:
            case "total":
                return sum(values)
            case "difference":
                return max(values[-1] - values[-2], 0) or None
            case "share":
                return None if values[-1] % self.number else values[-1] // self.number
            case "left":
                return None if self.number >= values[-1] else values[-1] % self.number or None
        return values[-1]


class Teller:
    """A story in words."""

    def __init__(self, story: Story, lang: Lang) -> None:
        random = Random(repr(story))
        self.story = story
        self.lang: Lang = lang
        self._names = [_PEOPLE[lang][index] for index in random.sample(range(len(_PEOPLE[lang])), len(story.facts))]
        en, zh, self._measure = random.choice(_THINGS[story.topic])
        self._thing = en if lang == "en" else zh

    def prompt(self) -> str:
        """Facts and question; a fact that is unsaid is left out, and an amount of 0 stays vague."""
        told = [
            self._say(relation, self._amount(relation, amount), index)
            for index, (relation, amount) in enumerate(self.story.facts)
            if relation != "unsaid"
        ]
        told.append(self._say(self.story.ask, self._amount(self.story.ask, self.story.number), -1))
        return (" " if self.lang == "en" else "").join(told)

    def unknown(self, index: int) -> str:
        """What one would have to know about a person, as an indirect question."""
        return self._say("unknown", "", index)

    def steps(self) -> list[str]:
        """One equation for each conversion, each comparison, and what the question asks for."""
        labels, colon = _LABELS[self.lang], ": " if self.lang == "en" else "："
        values, number = self.story.values(), self.story.number
        lines: list[str] = []
        for index, (relation, amount) in enumerate(self.story.facts):
            name = self._names[index]
            if relation != "times" and self._in_both(amount):
                factor = _UNITS[self.story.topic].factor
                whole, rest = divmod(amount, factor)
                plus = f" + {rest}" if rest else ""
                lines.append(f"{labels.get(relation, name)}{colon}{whole} * {factor}{plus} = {amount}")
            if relation != "is":
                lines.append(f"{name}{colon}{values[index - 1]} {_SIGNS[relation]} {amount} = {values[index]}")
        last = values[-1]
        match self.story.ask:
            case "total":
                equations = [f"{sum(values[:i])} + {values[i]} = {sum(values[: i + 1])}" for i in range(1, len(values))]
            case "difference":
                equations = [f"{last} - {values[-2]} = {last - values[-2]}"]
            case "share":
                equations = [f"{last} / {number} = {last // number}"]
            case "left":
                used = last - last % number
                lines.append(f"{labels['used']}{colon}{last // number} * {number} = {used}")
                equations = [f"{last} - {used} = {last % number}"]
            case _:
                equations = []
        return lines + [f"{labels[self.story.ask]}{colon}{equation}" for equation in equations]

    def _say(self, phrase: str, amount: str, index: int) -> str:
        comma, conjunction = (", ", " and ") if self.lang == "en" else ("、", "和")
        said = _PHRASES[self.story.topic][self.lang][phrase].format(
            a=self._names[index],
            b=self._names[(index - 1) % len(self._names)],
            all=f"{comma.join(self._names[:-1])}{conjunction}{self._names[-1]}",
            n=amount,
            thing=self._thing,
            unit=self._unit_names()[2],
        )
        return said.replace("  ", " ")

    def _amount(self, phrase: str, amount: int) -> str:
        if phrase == "times" and not amount:
            return "several" if self.lang == "en" else "好几"
        if not amount:
            return ""
        if phrase in ("times", "share"):
            return str(amount)
        small, large, _ = self._unit_names()
        gap = " " if self.lang == "en" and small else ""
        if not self._in_both(amount):
            return f"{amount}{gap}{small}"
        whole, rest = divmod(amount, _UNITS[self.story.topic].factor)
        return f"{whole}{gap}{large}" + (f"{gap}{rest}{gap}{small}" if rest else "")

    def _in_both(self, amount: int) -> bool:
        """Whether an amount is told in large and small units."""
        return self.story.topic in _UNITS and amount >= _UNITS[self.story.topic].factor

    def _unit_names(self) -> tuple[str, str, str]:
        """Small unit, large unit, and the small one as questions name it."""
        if unit := _UNITS.get(self.story.topic):
            return unit.en if self.lang == "en" else unit.zh
        return ("", "", "") if self.lang == "en" else (self._measure, "", self._measure)


class Words(Family[Story]):
    """Tom has 12 apples. Anna has 5 more apples than Tom. How many apples do Tom and Anna have in all?

    A level is the number of steps to the answer: conversions of an amount that is told in two units, comparisons, one
    for each addition of a total, one for a difference or a share, two for what is left over. Counts grow too.
    """

    name = "words"

    def draw(self, random: Random, difficulty: int) -> Story:
        """A story of as many steps as the level says."""
        return draw_story(random, difficulty)

    def write(self, case: Story, lang: Lang) -> Question:
        """The story; each line of the solution says whose quantity it finds."""
        teller = Teller(case, lang)
        unit = _UNITS[case.topic].en[0] if case.topic in _UNITS else ""
        return Question(teller.prompt(), Maths(str(case.answer()), unit), "\n".join(teller.steps()))


def draw_story(random: Random, steps: int) -> Story:
    """A story of so many steps whose facts are all needed."""
    while True:
        topic = random.choice(tuple(_PHRASES))
        plans = _plans(steps, topic in _UNITS)
        ask = random.choice(tuple(plans))
        story = _follow(random, topic, ask, random.choice(plans[ask]), steps)
        if story is not None and story.answer() is not None:
            return story


@cache
def _plans(steps: int, units: bool) -> dict[Ask, list[tuple[int, int, int]]]:
    """For each question, the numbers of comparisons, of further plain facts and of conversions that make the steps."""
    plans: dict[Ask, list[tuple[int, int, int]]] = {}
    for compared, plain, converted in product(range(steps + 1), range(steps + 1), range(steps + 1 if units else 1)):
        people, left = 1 + compared + plain, steps - compared - converted
        costs: dict[Ask, int] = {"total": people - 1}
        if plain == 0:
            costs |= {"one": 0, "share": 1, "left": 2}
        if plain <= 1 < people:
            costs["difference"] = 1
        for ask, cost in costs.items():
            if cost == left and converted <= people and (ask != "total" or people > 1):
                plans.setdefault(ask, []).append((compared, plain, converted))
    return plans


def _follow(random: Random, topic: Topic, ask: Ask, plan: tuple[int, int, int], steps: int) -> Story | None:
    """A story after a plan; None where the plan does not work out with the numbers drawn."""
    compared, plain, converted = plan
    relations = random.choices(_COMPARISONS, k=compared) + ["is"] * plain
    if ask == "difference":
        # Not after "more" or "fewer", which would give the answer away.
        relations[-1] = "is" if plain else "times"
    else:
        random.shuffle(relations)
    relations.insert(0, "is")
    measured = [index for index, relation in enumerate(relations) if relation != "times"]
    if len(measured) < converted:
        return None
    large = random.sample(measured, converted)
    facts: list[Fact] = []
    for index, relation in enumerate(relations):
        times = relation == "times"
        amount = random.randint(2, 4 + steps) if times else _draw_amount(random, topic, index in large, steps)
        facts.append((relation, amount))
    last = Story(topic, tuple(facts), "one").answer()
    if last is None:
        return None
    match ask:
        case "share":
            even = [children for children in range(2, 13) if last % children == 0]
            return Story(topic, tuple(facts), ask, random.choice(even)) if even else None
        case "left":
            part = random.randint(2, 12) if topic == "count" else _draw_amount(random, topic, False, steps)
            return Story(topic, tuple(facts), ask, part) if last <= _MOST_PARTS * part else None
    return Story(topic, tuple(facts), ask)


def _draw_amount(random: Random, topic: Topic, large: bool, steps: int) -> int:
    """An amount that needs a conversion, or one that needs none."""
    if topic not in _UNITS:
        return random.randint(2, 50 + 50 * steps)
    unit = _UNITS[topic]
    start, stop = (unit.factor, unit.factor * (unit.most + 1)) if large else (2, unit.factor)
    return random.randrange(max(start, unit.grain), stop, unit.grain)
