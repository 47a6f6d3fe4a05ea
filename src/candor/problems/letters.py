"""Letter puzzles: count, reverse, sort, shift, remove, join last letters, and several of these one after another."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from candor.problems.golds import Exact, Maths
from candor.problems.problem import Family, Lang, Question

StepName = Literal["last", "reverse", "sort", "remove", "forward", "back", "count"]

_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_WORDS = """
able about above again animal answer apple arm autumn baby bag ball banana bear beautiful bed bell bird black blue boat
book box boy bread bridge brother butter cake camera car carrot cat chair cheese child city clock cloud coffee cold
country cow cup dance day desk doctor dog door dream dress drink earth egg eight elephant evening eye face family farm
father finger fire fish five flower food forest friend fruit game garden girl glass gold good grass green hair hand
happy hat head heart home horse house ice island job juice jump kitchen king knife lake lamp leaf lemon letter light
lion little long lunch map market milk mirror money monkey moon morning mother mountain mouse music name night nose
number ocean old onion orange paper parent park pencil people piano picture pig plane plant potato queen question
rabbit rain red rice river road room rose salt sand school sea seven sheep ship shirt shoe silver sister six sky sleep
small smile snow soap song spoon spring star stone story street strong sugar summer sun table tea teacher ten tiger
time tomato tooth town train tree uncle village violin voice wall warm watch water week white wind window winter wolf
woman wood word work world yellow young zebra zero
""".split()
_CHAIN: tuple[StepName, ...] = ("reverse", "sort", "remove", "forward", "back")
"""What can stand anywhere."""
_SHIFTS = ("forward", "back")
_LEVELS: dict[int, tuple[int, int, tuple[StepName, ...]]] = {
    1: (1, 5, ("reverse", "count")),
    2: (1, 7, ("sort", "remove", "forward", "back", "last")),
    3: (2, 8, (*_CHAIN, "last", "count")),
    4: (3, 9, (*_CHAIN, "last", "count")),
    5: (4, 10, (*_CHAIN, "last", "count")),
}
"""Steps, letters (one more or less), and what the steps are drawn from."""


@dataclass(frozen=True)
class Step:
    """What is done with the letters.

    >>> Step("remove", 3)
    """

    name: StepName
    """`last`: the last letter of each word; `remove`: every `number`-th letter; `forward`, `back`: in the alphabet."""
    number: int = 0
    """Of `remove`, `forward` and `back`."""
    letter: str = ""
    """Of `count`."""


@dataclass(frozen=True)
class Puzzle:
    """A case.

    >>> Puzzle(("qkzab",), (Step("reverse"), Step("count", letter="a")))
    """

    words: tuple[str, ...]
    """One string of letters, or the words of which the first step takes the last letters."""
    steps: tuple[Step, ...]
    """In order."""


class Letters(Family[Puzzle]):
    """Puzzles on the letters of random strings and common words, the same in both languages."""

    name: ClassVar[str] = "letters"

    def draw(self, random: Random, difficulty: int) -> Puzzle:
        """Steps each of which changes the letters, and none of which the next one makes idle."""
        count, length, names = _LEVELS[difficulty]
        while True:
            puzzle = _puzzle(random, _names(random, count, names), length + random.randint(-1, 1))
            if puzzle is not None:
                return puzzle

    def write(self, case: Puzzle, lang: Lang) -> Question:
        """A sentence for each step; the worked solution writes the letters apart from each other."""
        many = case.steps[0].name == "last"
        sentences = [_start(case.words, lang, many)]
        lines = [] if many else [_line("letters", lang, " ".join(case.words[0]))]
        words = case.words
        for index, step in enumerate(case.steps):
            sentences.append(_sentence(step, lang, first=index == 0))
            lines += _work(step, words, lang)
            words = (_apply(step, words),)
        counted = case.steps[-1].name == "count"
        if not counted:
            sentences.append("What is the result?" if lang == "en" else "结果是什么？")
        prompt = (" " if lang == "en" else "").join(sentences)
        return Question(prompt, Maths(words[0]) if counted else Exact(words[0]), "\n".join([*lines, words[0]]))


def _names(random: Random, count: int, names: tuple[StepName, ...]) -> list[StepName]:
    """An order of steps: `last` only first, `count` only last."""
    chosen: list[StepName] = [random.choice([name for name in names if name != "count" or count == 1])]
    while len(chosen) < count:
        chosen.append(random.choice(_CHAIN))
    if count > 1 and "count" in names and random.random() < 0.25:
        chosen[-1] = "count"
    return chosen


def _puzzle(random: Random, names: list[StepName], length: int) -> Puzzle | None:
    """Words and steps with these names; None where a step does nothing, or the next one undoes what it did."""
    words = _words(random, length, several=names[0] == "last")
    steps: list[Step] = []
    letters = words[0]
    for index, name in enumerate(names):
        if _idle(names[:index], name):
            return None
        step = Step(name)
        match name:
            case "remove":
                step = Step(name, random.randint(2, 4))
            case "forward" | "back":
                step = Step(name, random.randint(2, 5))
            case "count":
                step = Step(name, letter=random.choice(letters if random.random() < 0.9 else _ALPHABET))
        after = _apply(step, words if index == 0 else (letters,))
        if after == letters or (len(after) < 3 and name != "count"):
            return None
        steps.append(step)
        letters = after
    return Puzzle(words, tuple(steps))


def _idle(before: list[StepName], name: StepName) -> bool:
    """Whether this step undoes an earlier one or makes it idle; shifts pass through the others, so one is enough."""
    if name in _SHIFTS:
        return any(step in _SHIFTS for step in before)
    last = next((step for step in reversed(before) if step not in _SHIFTS), None)
    return last == name or (name in ("sort", "count") and last in ("reverse", "sort"))


def _words(random: Random, length: int, *, several: bool) -> tuple[str, ...]:
    """Words, a word of about this length, or a string of few different letters, so that some come more than once."""
    if several:
        return tuple(random.sample(_WORDS, length))
    if random.random() < 0.08 and (fitting := _BY_LENGTH.get(length)):
        return (random.choice(fitting),)
    few = random.sample(_ALPHABET, length // 2 + 2)
    return ("".join(random.choices(few, k=length)),)


_BY_LENGTH = {length: [word for word in _WORDS if len(word) == length] for length in Counter(map(len, _WORDS))}


def _shifted(letter: str, by: int) -> str:
    return _ALPHABET[(_ALPHABET.index(letter) + by) % len(_ALPHABET)]


def _offset(step: Step) -> int:
    return step.number if step.name == "forward" else -step.number


def _apply(step: Step, words: tuple[str, ...]) -> str:
    letters = words[0]
    match step.name:
        case "last":
            return "".join(word[-1] for word in words)
        case "reverse":
            return letters[::-1]
        case "sort":
            return "".join(sorted(letters))
        case "remove":
            return "".join(letter for place, letter in enumerate(letters, 1) if place % step.number)
        case "forward" | "back":
            return "".join(_shifted(letter, _offset(step)) for letter in letters)
        case "count":
            return str(letters.count(step.letter))


def _start(words: tuple[str, ...], lang: Lang, many: bool) -> str:
    if lang == "zh":
        quoted = "、".join(f"“{word}”" for word in words)
        return f"给你几个单词：{quoted}。" if many else f"给你一串字母：{quoted}。"
    quoted = ", ".join(f'"{word}"' for word in words)
    return f"Take the words {quoted}." if many else f"Take the letters {quoted}."


def _sentence(step: Step, lang: Lang, *, first: bool) -> str:
    k = step.number
    if step.name == "count":
        if lang == "zh":
            return f"其中字母“{step.letter}”出现了几次？" if first else f"结果中字母“{step.letter}”出现了几次？"
        return f'How many times does the letter "{step.letter}" occur{"" if first else " in the result"}?'
    ordinal = {2: "2nd", 3: "3rd", 4: "4th"}.get(k)
    english: dict[str, str] = {
        "last": "join their last letters.",
        "reverse": "reverse the order of the letters.",
        "sort": "sort the letters alphabetically.",
        "remove": f"remove every {ordinal} letter (the {ordinal}, the {2 * k}th, and so on).",
        "forward": f"move each letter {k} places forward in the alphabet (after z comes a).",
        "back": f"move each letter {k} places back in the alphabet (before a comes z).",
    }
    chinese: dict[str, str] = {
        "last": "把它们的最后一个字母依次连起来。",
        "reverse": "把字母的顺序倒过来。",
        "sort": "把字母按字母表顺序排列。",
        "remove": f"每数到第 {k} 个字母就把它删去（即第 {k} 个、第 {2 * k} 个，依此类推）。",
        "forward": f"把每个字母换成字母表中它后面第 {k} 个字母（z 之后接 a）。",
        "back": f"把每个字母换成字母表中它前面第 {k} 个字母（a 之前接 z）。",
    }
    if lang == "zh":
        return chinese[step.name] if first else f"然后{chinese[step.name]}"
    sentence = english[step.name]
    return sentence[0].upper() + sentence[1:] if first else f"Then {sentence}"


_LABELS = {
    "letters": ("Letters", "字母"),
    "last": ("Last letters", "最后的字母"),
    "reverse": ("Reverse", "倒序"),
    "sort": ("Sort", "排序"),
    "number": ("Number", "编号"),
    "remove": ("Remove", "删去"),
    "forward": ("Forward", "后移"),
    "back": ("Back", "前移"),
    "count": ("Count", "计数"),
}


def _line(label: str, lang: Lang, text: str) -> str:
    """A line of the solution; the label may carry a number or letter: `remove 3`."""
    name, *detail = label.split()
    label = " ".join([_LABELS[name][lang == "zh"], *detail])
    return f"{label}：{text}" if lang == "zh" else f"{label}: {text}"


def _work(step: Step, words: tuple[str, ...], lang: Lang) -> list[str]:
    """The step with what is needed to do it letter by letter, and the letters after it."""
    letters, k = words[0], step.number
    after = " ".join(_apply(step, words))
    match step.name:
        case "remove":
            numbered = " ".join(f"{letter}{place % k + 1}" for place, letter in enumerate(letters))
            return [_line(f"number {k}", lang, numbered), _line(f"remove {k}", lang, after)]
        case "forward" | "back":
            pairs = " ".join(letter + _shifted(letter, _offset(step)) for letter in letters)
            return [_line(f"{step.name} {k}", lang, pairs), _line("letters", lang, after)]
        case "count":
            so_far = [letters[:place].count(step.letter) for place in range(1, len(letters) + 1)]
            counted = " ".join(f"{letter}{number}" for letter, number in zip(letters, so_far, strict=True))
            return [_line(f"count {step.letter}", lang, counted)]
        case _:
            return [_line(step.name, lang, after)]
