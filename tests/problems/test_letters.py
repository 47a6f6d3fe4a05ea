"""Letter puzzles against a reader of both languages' sentences that knows nothing else."""

import re
from itertools import cycle
from typing import get_args

import pytest

from candor.problems.letters import Letters
from candor.problems.problem import Grade, Lang, Problem
from tests.problems.test_sequence import (
    LEVELS,
    assert_plenty,
    assert_seeded,
    assert_splits_apart,
    numbers,
    rises,
    spread,
    twins,
)

SENTENCES = {
    "last": (r"join their last letters\.", r"把它们的最后一个字母依次连起来。"),
    "reverse": (r"reverse the order of the letters\.", r"把字母的顺序倒过来。"),
    "sort": (r"sort the letters alphabetically\.", r"把字母按字母表顺序排列。"),
    "remove": (
        r"remove every (\d)(?:nd|rd|th) letter \(the \1(?:nd|rd|th), the (\d)th, and so on\)\.",
        r"每数到第 (\d) 个字母就把它删去（即第 \1 个、第 (\d) 个，依此类推）。",
    ),
    "forward": (
        r"move each letter (\d) places forward in the alphabet \(after z comes a\)\.",
        r"把每个字母换成字母表中它后面第 (\d) 个字母（z 之后接 a）。",
    ),
    "back": (
        r"move each letter (\d) places back in the alphabet \(before a comes z\)\.",
        r"把每个字母换成字母表中它前面第 (\d) 个字母（a 之前接 z）。",
    ),
    "count": (
        r'how many times does the letter "([a-z])" occur(?: in the result)?\?',
        r"(?:其中|结果中)字母“([a-z])”出现了几次？",
    ),
    "result": (r"what is the result\?", r"结果是什么？"),
}
BEGINNINGS = (r"Take the (letters|words) ([^.]+)\. ?", r"给你(一串字母|几个单词)：([^。]+)。")

Steps = list[tuple[str, tuple[str, ...]]]


def read(prompt: str, lang: Lang) -> tuple[list[str], Steps]:
    """The words and the steps of a prompt: every character of it must be understood."""
    column = get_args(Lang).index(lang)
    beginning = re.match(BEGINNINGS[column], prompt)
    assert beginning, prompt
    words = re.findall(r"[a-z]+", beginning[2])
    assert (beginning[1] in ("words", "几个单词")) == (len(words) > 1)
    rest = prompt[beginning.end() :]
    steps: Steps = []
    while rest:
        rest = re.sub(r"^(Then |然后)", "", rest)
        rest = rest[0].lower() + rest[1:]
        found = [(name, match) for name, both in SENTENCES.items() if (match := re.match(both[column], rest))]
        assert len(found) == 1, rest
        name, match = found[0]
        steps.append((name, match.groups()))
        rest = rest[match.end() :].strip()
    return words, steps


def turned(letter: str, by: int) -> str:
    return chr((ord(letter) - ord("a") + by) % 26 + ord("a"))


def do(name: str, details: tuple[str, ...], words: list[str]) -> str:
    """One step, the slow way."""
    letters = list(words[0])
    if name == "last":
        return "".join(word[len(word) - 1] for word in words)
    if name == "reverse":
        return "".join(letters.pop() for _ in range(len(letters)))
    if name == "sort":
        return "".join(letter * letters.count(letter) for letter in sorted(set(letters)))
    if name == "remove":
        assert int(details[1]) == 2 * int(details[0])
        places = range(1, int(details[0]) + 1)
        return "".join(letter for letter, place in zip(letters, cycle(places), strict=False) if place != places[-1])
    if name in ("forward", "back"):
        return "".join(turned(letter, int(details[0]) * (1 if name == "forward" else -1)) for letter in letters)
    assert name == "count"
    return str(sum(letter == details[0] for letter in letters))


def stages(problem: Problem) -> list[tuple[str, tuple[str, ...], list[str], str]]:
    """(step, its details, words before, letters after)"""
    words, steps = read(problem.prompt, problem.lang)
    done = []
    for name, details in steps:
        if name != "result":
            after = do(name, details, words)
            done.append((name, details, words, after))
            words = [after]
    return done


def test_the_reader_by_hand() -> None:
    prompt = 'Take the words "cab", "add". Join their last letters. Then move each letter 2 places back '
    words, steps = read(f"{prompt}in the alphabet (before a comes z). What is the result?", "en")
    assert (words, steps) == (["cab", "add"], [("last", ()), ("back", ("2",)), ("result", ())])
    assert do("last", (), words) == "bd"
    assert do("back", ("2",), ["bad"]) == "zyb"
    assert do("remove", ("3", "6"), ["abcdefg"]) == "abdeg"
    assert do("sort", (), ["banana"]) == "aaabnn"


def test_gold_is_what_the_sentences_say() -> None:
    for problem in spread(Letters()):
        done = stages(problem)
        assert done[-1][-1] == str(problem.gold), problem.prompt
        assert (type(problem.gold).__name__ == "Maths") == (done[-1][0] == "count")


def test_both_languages_ask_the_same() -> None:
    for english, chinese in twins(Letters()):
        assert english.gold == chinese.gold
        assert read(english.prompt, "en") == read(chinese.prompt, "zh")
        assert numbers(english.prompt) == numbers(chinese.prompt)
        assert not re.search(r"[^\x00-\x7f]", english.prompt + english.solution)
        assert not re.search(r"[,.?\"]", chinese.prompt)


LABELS = {
    "letters": ("Letters", "字母"),
    "last": ("Last letters", "最后的字母"),
    "reverse": ("Reverse", "倒序"),
    "sort": ("Sort", "排序"),
    "remove": ("Remove", "删去"),
    "forward": ("Forward", "后移"),
    "back": ("Back", "前移"),
    "count": ("Count", "计数"),
}


def expected_solution(problem: Problem) -> list[tuple[str, str]]:
    """Label and text of each line, from the steps as the test does them."""
    column = get_args(Lang).index(problem.lang)
    lines: list[tuple[str, str]] = []
    for name, details, words, after in stages(problem):
        if not lines and name != "last":
            lines.append((LABELS["letters"][column], " ".join(words[0])))
        label = LABELS[name][column] + (f" {details[0]}" if details else "")
        if name == "remove":
            places = cycle(range(1, int(details[0]) + 1))
            number = f"{('Number', '编号')[column]} {details[0]}"
            lines.append((number, " ".join(f"{a}{b}" for a, b in zip(words[0], places, strict=False))))
        if name in ("forward", "back"):
            lines.append((label, " ".join(a + b for a, b in zip(words[0], after, strict=True))))
            label = LABELS["letters"][column]
        if name == "count":
            counts = [words[0][: end + 1].count(details[0]) for end in range(len(words[0]))]
            lines.append((label, " ".join(f"{a}{b}" for a, b in zip(words[0], counts, strict=True))))
        else:
            lines.append((label, " ".join(after)))
    return lines


def test_every_line_of_the_solution_is_true() -> None:
    for problem in spread(Letters()):
        *lines, last = problem.solution.splitlines()
        colon = "：" if problem.lang == "zh" else ": "
        assert [tuple(line.split(colon)) for line in lines] == expected_solution(problem)
        assert last == str(problem.gold)


def test_every_step_matters() -> None:
    """Leaving out any one step gives another answer in nearly all puzzles, so none is there for show."""
    needed = total = 0
    for problem in spread(Letters(), 250):
        words, steps = read(problem.prompt, problem.lang)
        steps = [step for step in steps if step[0] != "result"]
        for left_out in range(len(steps)):
            now = words
            for index, (name, details) in enumerate(steps):
                if index != left_out:
                    now = [do(name, details, now)]
            needed += now[0] != str(problem.gold)
            total += 1
    assert needed / total > 0.9


def test_difficulty_is_letters_handled() -> None:
    """Summed over the steps; of words only the last letter is looked at."""
    measures: dict[int, list[float]] = {}
    for problem in spread(Letters()):
        handled = sum(len(words) if name == "last" else len(words[0]) for name, _, words, _ in stages(problem))
        measures.setdefault(problem.difficulty, []).append(handled)
    assert rises(measures)


def test_all_steps_are_asked() -> None:
    asked = {name for problem in spread(Letters()) for name, _ in read(problem.prompt, problem.lang)[1]}
    assert asked == set(SENTENCES)


def test_seeds() -> None:
    assert_seeded(Letters())


def test_splits() -> None:
    assert_splits_apart(Letters())


def test_plenty() -> None:
    assert_plenty(Letters())


@pytest.mark.parametrize("lang", get_args(Lang))
def test_grades(lang: Lang) -> None:
    family = Letters()
    for difficulty in LEVELS:
        for problem in family.generate(1, 10, difficulty, lang):
            answer = str(problem.gold)
            assert family.check(problem, answer) is Grade.RIGHT
            assert family.check(problem, f"{problem.solution}\n\\boxed{{{answer}}}", strict=True) is Grade.RIGHT
            assert family.check(problem, answer.upper()) is Grade.RIGHT, "letter case is not asked for"
            wrong = str(int(answer) + 1) if answer.isdigit() else answer[1:] + turned(answer[0], 1)
            assert family.check(problem, wrong) is Grade.WRONG
            assert family.check(problem, "") is Grade.WRONG
