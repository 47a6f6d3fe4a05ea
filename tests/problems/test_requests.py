"""Everyday requests: what answers by hand are worth, and that the solutions meet what the prompts say."""

import re
from collections import Counter
from itertools import product

import pytest

from candor.problems.everyday import ABOUT_US, EXTRAS, FACTS, KINDS, NAMES, RUDE, THINGS, UNWANTED
from candor.problems.problem import Grade, Lang, Problem
from candor.problems.requests import Asked, Requests

FAMILY = Requests()
LANGS: tuple[Lang, Lang] = ("en", "zh")
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "两": 2, "三": 3, "四": 4, "五": 5}


def every(n: int = 250) -> list[Problem]:
    """Problems of all levels and both languages."""
    return [one for level, lang in product(range(1, 6), LANGS) for one in FAMILY.generate(5, n, level, lang)]


def test_solutions_meet_what_the_prompt_says() -> None:
    """Read from the prompt by the patterns of this test, not from the gold."""
    told = Counter[str]()
    for problem in every():
        prompt, said = problem.prompt, problem.solution
        assert FAMILY.check(problem, said) is Grade.RIGHT, problem
        assert problem.gold.scores(said) == {"helpful": 1.0}
        conditions = {
            "use": r'Use the word "(\w+)"|请用上“(\w+)”',
            "avoid": r'Do not use the word "(\w+)"|不要用“(\w+)”',
            "begin": r'Begin with the word "(\w+)"|以“(\w+)”开头',
            "sentences": r"Answer in (\w+) sentences|用(\w)句话回答",
        }
        for kind, pattern in conditions.items():
            if found := re.search(pattern, prompt):
                word = found[1] or found[2]
                told[kind] += 1
                match kind:
                    case "use":
                        assert word in said
                    case "avoid":
                        assert word.lower() not in said.lower()
                    case "begin":
                        assert said.startswith(word)
                    case _:
                        assert len(re.findall("[.?。？]", said)) == NUMBERS[word], said
        assert problem.difficulty == 1 + sum(bool(re.search(one, prompt)) for one in conditions.values())
        asks_for_list = r"(?:Name|List|Tell me|hear) (\w+) [a-z ]+\.|(?:说出|列出|告诉我|想听)(\w)[种个项门]"
        if (listed := re.search(asks_for_list, prompt)) and (listed[1] or listed[2]) in NUMBERS:
            told["list"] += 1
            items = re.split(", | and |、|和", re.split("[:：]", re.split("[.。]", said)[0])[1])
            assert len(set(items)) == NUMBERS[listed[1] or listed[2]], said
    assert min(told.values()) > 200 and len(told) == 5, told


ASKED = {
    "fruits": Asked('Name two fruits. Use the word "friend".', "en", ("apple|pear|plum|cherry",), 2, "friend"),
    "sky": Asked("What colour is the sky?", "en", ("blue",)),
    "天空": Asked("天空是什么颜色？", "zh", ("蓝",)),
    "cat": Asked("Write a sentence about a cat. Do not use the word \"very\". Answer in two sentences.", "en", ("cat",),
                 avoid="very", sentences=2),
    "猫": Asked("“cat”用汉语怎么说？以“好的”开头。", "zh", ("猫",), begin="好的"),
    "polite": Asked('Say this politely: "Close the door."', "en", ("please|could you", "door")),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [
    ("fruits", "Apples and pears are good for you, my friend."), ("fruits", "Here, friend: one cherry and a plum."),
    ("fruits", "<think>Apple, pear, plum.</think>Take cherries and an apple to a friend."), ("sky", "It is blue."),
    ("sky", "The sky is blue on a clear day. Clouds are white!"), ("天空", "天空是蓝色的。"),
    ("天空", "晴天时，天空是蓝的！"),
    ("cat", "My cat is old. It likes the sun."), ("猫", "好的，应该说“猫”。"), ("polite", "Close the door, please."),
    ("polite", "Would you be so kind and close the door, please?"),
])  # fmt: skip
def test_other_good_answers_are_right(name: str, text: str) -> None:
    """The gold knows conditions, not one wording."""
    assert ASKED[name].grade(text) is Grade.RIGHT, ASKED[name].scores(text)


@pytest.mark.parametrize(("name", "text"), [
    ("fruits", ""), ("fruits", "Apple, pear and plum, my friend."), ("fruits", "Apples are good, my friend."),
    ("fruits", "An apple and an apple for a friend."), ("fruits", "Apples and pears are good."),
    ("fruits", "apple pear friend"), ("sky", "Blue."), ("sky", "It is green."), ("sky", "It is blue"),
    ("sky", "What colour is the sky?"), ("sky", "It is blue. It is blue."), ("sky", "天空是蓝色的 blue。"),
    ("sky", "The sky is blue blue blue blue."), ("sky", "I can't help with that, blue or not."),
    ("sky", "It is blue. Yes. Look up. It is so. I say it is."), ("sky", "it is blue."),
    ("sky", "<think>It is blue."), ("sky", "<think>It is blue.</think>"), ("天空", "The sky is blue."),
    ("天空", "蓝。"),
    ("天空", "天空是 blue 蓝色的。"), ("天空", "天空是什么颜色？"), ("天空", "天空是蓝色的"),
    ("cat", "My cat is very old. It likes the sun."), ("cat", "My cat is old."),
    ("cat", "My dog is old. It likes sun."),
    ("cat", "Write a sentence about a cat. Do not use the word very."), ("猫", "应该说“猫”，好的。"),
    ("polite", "Close the door."), ("polite", "Could you please wait here?"), ("polite", "Say this politely, please."),
])  # fmt: skip
def test_bad_answers_are_wrong(name: str, text: str) -> None:
    assert ASKED[name].grade(text) is Grade.WRONG
    assert ASKED[name].scores(text)["helpful"] < 1


@pytest.mark.parametrize(("name", "texts"), [
    ("fruits", ("Apples and pears, my friend.", "Apples and pears are good.", "Apples are good.", "apple", "")),
    ("sky", ("It is blue.", "It is blue", "it is blue it is blue it is blue", "It is big.")),
    ("cat", ("My cat is old. It eats.", "My cat is old.", "My cat is very old.", "A dog is old. It runs.")),
    ("天空", ("天空是蓝色的。", "天空是蓝色的", "天空很大。")),
])  # fmt: skip
def test_the_better_answer_has_more(name: str, texts: tuple[str, ...]) -> None:
    """Each is worse than the one before, and what is off the subject is worse than whatever is on it."""
    values = [ASKED[name].scores(text)["helpful"] for text in texts]
    assert values == sorted(set(values), reverse=True), values


def test_what_fits_one_request_does_not_fit_others() -> None:
    """No one answer earns much: a solution is right for few of the requests of other topics or things."""
    for lang in LANGS:
        problems = FAMILY.generate(2, 120, 1, lang)
        pairs = [(one, other) for one, other in product(problems, problems) if one.gold.named != other.gold.named]  # type: ignore[attr-defined]
        right = sum(FAMILY.check(one, other.solution) is Grade.RIGHT for one, other in pairs)
        assert right < 0.03 * len(pairs), right / len(pairs)


def test_the_tables_are_sound() -> None:
    """No member of a kind, in Chinese, is part of another; what may be forbidden is in no other table."""
    for (english, _), members in KINDS:
        assert len(members) >= 7, english
        for one, other in product(members, members):
            assert one is other or one[1] not in other[1], (one, other)
    for side in (0, 1):
        said = " ".join(row[-1][side] for table in (THINGS, FACTS, RUDE, EXTRAS) for row in table).lower()
        assert not [row for row in UNWANTED if row[0][side] in said]
        assert all(row[0][side] in row[1][side] for row in EXTRAS)
        for rows in (THINGS, FACTS, RUDE, EXTRAS, ABOUT_US, NAMES):
            assert all(pair[side] for row in rows for pair in row) and len({row[0][side] for row in rows}) == len(rows)
    assert len(THINGS) == 40
    for thing, sentence in THINGS:
        assert sentence[0].startswith(thing[0]) or thing[0] in sentence[0]
        assert thing[1] in sentence[1]


def test_seeds_and_languages() -> None:
    """The same seed asks the same, in Chinese as in English; another seed asks something else."""
    for level in range(1, 6):
        first, again, other = ([one.prompt for one in FAMILY.generate(seed, 50, level)] for seed in (0, 0, 1))
        assert first == again and len(set(first)) == 50 and len(set(first) & set(other)) < 10
        english, chinese = (FAMILY.generate(0, 100, level, lang) for lang in LANGS)
        assert not any(re.search("[一-鿿]", one.prompt) for one in english)
        assert not any(re.search("[A-Za-z]", one.prompt) for one in chinese)
        assert [len(str(one.gold).split(";")) for one in english] == [len(str(one.gold).split(";")) for one in chinese]
        many = FAMILY.generate(0, 200, level, split="test")
        assert len({one.prompt for one in many}) == 200, "what an evaluation asks for by default"


def about(prompt: str) -> str:
    """What a request is about: without conditions, openings and manners."""
    for frame in (
        r' ?(?:Use|Do not use|Begin with) the word "\w+"\.| ?Answer in \w+ sentences\.',
        r"请用上“\w+”。|不要用“\w+”。|以“\w+”开头。|用.句话回答。",
        r"^(?:Please help me|I have a request|I need this now)\. |^(?:请帮帮我|我有一个请求|我现在需要这个)。",
    ):
        prompt = re.sub(frame, "", prompt)
    listed = r"(?:two|three|four|five) [a-z ]+(?=\.)|[两三四五][种个项门]\w+"
    for core in ('"[^"]+"|“[^”]+”', listed, r"[^.:：。!！?？]+[?？]"):
        if found := re.findall(core, prompt):
            return str(found[-1]).strip()
    return prompt


def test_what_is_asked_about_stays_on_one_side_of_the_split() -> None:
    """Whatever stands around it, in any language, level and seed."""
    seen: dict[str, set[str]] = {"train": set(), "test": set()}
    for level, lang, seed in product(range(1, 6), LANGS, range(2)):
        for split in ("train", "test"):
            problems = FAMILY.generate(seed, 180, level, lang, split=split)  # type: ignore[arg-type]
            seen[split] |= {about(problem.prompt) for problem in problems}
    assert not seen["train"] & seen["test"], seen["train"] & seen["test"]
    assert len(seen["train"]) > 150 and len(seen["test"]) > 30
