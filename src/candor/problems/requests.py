"""Everyday requests with conditions that a rule can check: greetings, questions to us, sentences, lists, words, facts.

How many of the conditions an answer meets also says which of two answers is the better one.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar

from candor.problems.everyday import (
    ABOUT_US,
    COMMA,
    EXTRAS,
    FACTS,
    HELLO,
    KINDS,
    MANNERS,
    NAMES,
    NUMBERS,
    OPENINGS,
    POLITE,
    RUDE,
    STARTS,
    TEXTS,
    THINGS,
    UNWANTED,
    US,
    Condition,
    Topic,
)
from candor.problems.extract import final_answer
from candor.problems.problem import Family, Form, Gold, Grade, Lang, Question
from candor.problems.refusal import refuses
from candor.problems.unknown import sentences

_CONDITIONS: tuple[Condition, ...] = ("use", "avoid", "sentences", "begin")
_LONGEST: dict[Lang, int] = {"en": 60, "zh": 100}
"""The most words, in Chinese characters, of a short answer."""
_MOST_SENTENCES = 3
_QUOTED = re.compile(r'"[^"]*"|“[^”]*”')
_HAN = re.compile("[\u4e00-\u9fff]")
_ENDED = re.compile(r"""[.!?。！？]["'”’)）]*\Z""")


@dataclass(frozen=True)
class Asked(Gold):
    """What an answer has to meet; where there are several wordings of one thing, | stands between them.

    >>> Asked('Name two fruits. Use the word "help".', "en", ("apple|pear|plum",), number=2, use="help")
    """

    prompt: str
    """The request, which is no answer to itself."""
    lang: Lang
    """Language of the request, which is that of the answer."""
    named: tuple[str, ...]
    """What it names."""
    number: int = 0
    """How many different ones of the first of `named`; 0 for any number."""
    use: str = ""
    """A word to use."""
    avoid: str = ""
    """A word not to use."""
    sentences: int = 0
    """How many sentences; 0 for up to three."""
    begin: str = ""
    """What comes first."""

    def __str__(self) -> str:
        more = {"number": self.number, "use": self.use, "avoid": self.avoid, "sentences": self.sentences}
        told = [f"{name} {value}" for name, value in (*more.items(), ("begin", self.begin)) if value]
        return "; ".join([f"names {' and '.join(self.named)}", *told])

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The final answer in small letters, without what stands between words."""
        return " ".join(re.findall(r"\w+", final_answer(response).casefold())) or None

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """RIGHT where every condition is met."""
        return Grade.RIGHT if self._helpful(final_answer(response)) == 1 else Grade.WRONG

    def scores(self, response: str) -> dict[str, float]:
        """`helpful`: what was asked, of which half is lost where it is badly said; what is off the subject has 0."""
        return {"helpful": self._helpful(final_answer(response))}

    def _helpful(self, text: str) -> float:
        if not re.search(r"\w", text):
            return 0.0
        said, form = self._said(text), self._form(text)
        return sum(said) / len(said) * (1 + sum(form) / len(form)) / 2

    def _said(self, text: str) -> list[bool]:
        """Whether each thing that was asked is there."""
        named = [bool(self._find(words, text)) for words in self.named]
        if not any(named) or refuses(text):
            return [False]
        if self.number:
            named.append(len(self._find(self.named[0], text)) == self.number)
        if self.use:
            named.append(bool(self._find(self.use, text)))
        if self.avoid:
            named.append(not self._find(self.avoid, text))
        if self.sentences:
            named.append(len(sentences(text)) == self.sentences)
        if self.begin:
            named.append(bool(re.match(rf"\W*{re.escape(self.begin)}(?![a-z])", text, re.I)))
        return named

    def _form(self, text: str) -> list[bool]:
        """Whether it is in the right language, of whole sentences, without repetition, and short."""
        parts = sentences(text)
        length = self._length(text)
        whole = all(_ENDED.search(part) for part in parts) and max(map(self._length, parts)) >= 3
        return [
            self._in_language(text),
            whole and not (self.lang == "en" and text.lstrip("\"'")[:1].islower()),
            not self._repeats(parts),
            len(parts) <= max(_MOST_SENTENCES, self.sentences) and length <= _LONGEST[self.lang],
        ]

    def _find(self, words: str, text: str) -> set[str]:
        """Which of several wordings are in a text."""
        every = sorted(words.casefold().split("|"), key=len, reverse=True)
        low = text.casefold()
        if self.lang == "en":
            return {word for word in every if re.search(_pattern(word), low)}
        return set(re.findall("|".join(map(re.escape, every)), low))

    def _length(self, text: str) -> int:
        return len(text.split()) if self.lang == "en" else len(_HAN.findall(text))

    def _in_language(self, text: str) -> bool:
        """Chinese in English, and the reverse, only where it is what was asked for."""
        low = text.casefold()
        for words in (*self.named, "candor", "ai"):
            for word in words.casefold().split("|"):
                low = low.replace(word, " ")
        if self.lang == "en":
            return not _HAN.search(low) and bool(re.search("[a-z]", text.casefold()))
        return bool(_HAN.search(low)) and not re.search("[a-z]{2}", low)

    def _repeats(self, parts: list[str]) -> bool:
        """Whether a sentence comes twice or was the request, or a run of words comes twice."""
        asked = {_bare(part) for part in sentences(_QUOTED.sub("", self.prompt))}
        said = [_bare(part) for part in parts]
        if len(set(said)) < len(said) or asked.intersection(said):
            return True
        units, run = (" ".join(said).split(), 4) if self.lang == "en" else ("".join(said), 7)
        runs = Counter(tuple(units[start : start + run]) for start in range(len(units) - run + 1))
        thrice = any(one == two == three for one, two, three in zip(units, units[1:], units[2:], strict=False))
        return max(runs.values(), default=0) > 1 or thrice


@dataclass(frozen=True)
class Wish:
    """A case.

    >>> Wish("fact", item=3, opening=0, manners=1)
    """

    topic: Topic
    """What kind of request."""
    item: int
    """Which one of the table of its topic."""
    opening: int
    """How it is asked."""
    manners: int
    """What stands before it."""
    number: int = 0
    """How many things a list has."""
    picks: tuple[int, ...] = ()
    """Which ones the reference answer has, and one more, which may be unwanted."""
    conditions: tuple[tuple[Condition, int], ...] = ()
    """What else is asked, with a row of its table or a number."""


class Requests(Family[Wish]):
    """Hello! Who are you? Name three fruits. Say it politely.

    A level has one extra condition more than the level before: a word to use, a word to avoid, the number of sentences,
    the first word.
    """

    name = "requests"
    form: ClassVar[Form] = "free"

    def draw(self, random: Random, difficulty: int) -> Wish:
        """Any topic, and extra conditions of different kinds."""
        topic: Topic = random.choice(tuple(_TABLES))
        item = random.randrange(len(_TABLES[topic]))
        number, picks = 0, tuple[int, ...]()
        if topic == "list":
            number = random.randint(2, 5)
            picks = tuple(random.sample(range(len(KINDS[item][1])), number + 1))
        kinds = sorted(random.sample(_CONDITIONS, difficulty - 1), key=_CONDITIONS.index)
        conditions = tuple((kind, random.choice(_CHOICES[kind])) for kind in kinds)
        opening, manners = random.randrange(len(OPENINGS[topic]["en"])), random.randrange(len(MANNERS["en"]))
        return Wish(topic, item, opening, manners if topic != "greeting" else 0, number, picks, conditions)

    def write(self, case: Wish, lang: Lang) -> Question:
        """The request with its conditions, and an answer that meets them."""
        side = lang == "zh"
        asked, named, answer = _parts(case, lang)
        extras = dict(case.conditions)
        use = EXTRAS[extras["use"]] if "use" in extras else None
        gold = Asked(
            prompt="",
            lang=lang,
            named=named,
            number=case.number,
            use=use[0][side] if use else "",
            avoid=_unwanted(case, side) if "avoid" in extras else "",
            sentences=extras.get("sentences", 0),
            begin=STARTS[extras["begin"]][0][side] if "begin" in extras else "",
        )
        told = [TEXTS[kind][lang].format(_told(gold, kind)) for kind in extras]
        prompt = _join([MANNERS[lang][case.manners], asked, *told], lang)
        rest = [row for row in EXTRAS if row is not use]
        more = [*([use] if use else []), *rest[case.item % 3 :]][: (gold.sentences or 1 + bool(use)) - 1]
        first = f"{gold.begin}{COMMA[lang]}{answer}" if gold.begin else answer
        solution = _join([_capital(part) for part in (first, *(row[1][side] for row in more))], lang)
        return Question(prompt, replace(gold, prompt=prompt), solution)

    def key(self, case: Wish) -> str:
        """What is asked about, by which the split goes, then the words in which it is."""
        return f"{case.topic}/{case.item}/{case.number}|{self.write(case, 'en').prompt}"

    def subject(self, key: str) -> str:
        """What it is about, in whatever words."""
        return key.partition("|")[0]


_TABLES: dict[Topic, tuple[object, ...]] = {
    "greeting": NAMES,
    "self": ABOUT_US,
    "sentence": THINGS,
    "list": KINDS,
    "translation": THINGS,
    "fact": FACTS,
    "politeness": RUDE,
}
_CHOICES: dict[Condition, range] = {
    "use": range(len(EXTRAS)),
    "avoid": range(len(UNWANTED)),
    "sentences": range(2, _MOST_SENTENCES + 1),
    "begin": range(len(STARTS)),
}


def _parts(case: Wish, lang: Lang) -> tuple[str, tuple[str, ...], str]:
    """What is asked without its conditions, what an answer names, and an answer in one sentence."""
    side, opening = lang == "zh", OPENINGS[case.topic][lang][case.opening]
    match case.topic:
        case "greeting":
            name = NAMES[case.item][0][side]
            hello = ("hello {}, I am glad to meet you.", "你好，{}，很高兴认识你。")[side].format(name)
            return opening.format(name), (name, HELLO[lang]), hello
        case "self":
            return opening.format(ABOUT_US[case.item][0][side]), *US[lang]
        case "sentence":
            thing, said = (pair[side] for pair in THINGS[case.item])
            return opening.format(thing), (_noun(thing),), said
        case "list":
            (kind, measured), members = KINDS[case.item]
            number = NUMBERS[lang].split()[case.number]
            *chosen, last = [members[pick][side] for pick in case.picks[: case.number]]
            what = f"{number} {kind}" if lang == "en" else number + measured
            some = f"{', '.join(chosen)} and {last}" if lang == "en" else f"{'、'.join(chosen)}和{last}"
            said = f"here are {what}: {some}." if lang == "en" else f"这里有{what}：{some}。"
            asked = opening.format(number, kind if lang == "en" else measured)
            return asked, ("|".join(member[side] for member in members),), said
        case "translation":
            english, chinese = _noun(THINGS[case.item][0][0]), THINGS[case.item][0][1]
            if lang == "en":
                return opening.format(english), (chinese,), f'the Chinese word for "{english}" is {chinese}.'
            return opening.format(chinese), (english,), f"“{chinese}”的英语单词是 {english}。"
        case "fact":
            question, words, said = (pair[side] for pair in FACTS[case.item])
            return opening.format(question), (words.replace(",", "|"),), said
        case "politeness":
            rude, words, said = (pair[side] for pair in RUDE[case.item])
            return opening.format(rude), (POLITE[lang], words.replace(",", "|")), said


def _unwanted(case: Wish, side: int) -> str:
    """A word that is not to be used: one more of the kind where a list is asked for."""
    if case.topic == "list":
        return KINDS[case.item][1][case.picks[-1]][side]
    return UNWANTED[dict(case.conditions)["avoid"]][0][side]


def _told(gold: Asked, kind: Condition) -> str:
    return NUMBERS[gold.lang].split()[gold.sentences] if kind == "sentences" else str(getattr(gold, kind))


def _noun(thing: str) -> str:
    return re.sub(r"^(?:an?|the) ", "", thing)


def _join(parts: list[str], lang: Lang) -> str:
    return (" " if lang == "en" else "").join(filter(None, parts))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _bare(text: str) -> str:
    """Without what stands between words."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _pattern(word: str) -> str:
    """A word in singular or plural; Chinese within any text."""
    if _HAN.search(word):
        return re.escape(word)
    return rf"\b{re.escape(word[:-1])}(?:y|ies)\b" if word.endswith("y") else rf"\b{re.escape(word)}(?:e?s)?\b"
