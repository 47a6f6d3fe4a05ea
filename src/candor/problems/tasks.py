"""Problems by one line of text: a generated family as NAME:DIFFICULTY:LANG, a real set as NAME:PATH."""

import random
import re
import zlib
from functools import lru_cache
from typing import Any

from candor.errors import ConfigError
from candor.problems.families import FAMILIES
from candor.problems.problem import Family, Lang, Problem
from candor.problems.readers import READERS, read


def parse_task(text: str) -> tuple[Family[Any], int, Lang]:
    """`NAME:DIFFICULTY:LANG` as what it names; ConfigError where there is no such thing."""
    name, _, rest = text.partition(":")
    found = re.fullmatch(r"([1-5]):(en|zh)", rest)
    if name not in FAMILIES or not found:
        raise ConfigError(f"tasks: {text!r} must be NAME:DIFFICULTY:LANG with a NAME of {', '.join(FAMILIES)}")
    return FAMILIES[name], int(found[1]), "zh" if found[2] == "zh" else "en"


def check_task(text: str) -> None:
    """ConfigError unless the line names a family's level or a real set with its place."""
    name, _, place = text.partition(":")
    if name not in READERS:
        parse_task(text)
    elif not place:
        raise ConfigError(f"tasks: {text!r} does not say where to read it; write {name}:PATH, or {name}:hf:owner/name")


def draw(text: str, seed: int, n: int) -> list[Problem]:
    """`n` problems to train on: of a family's train split, or drawn from a real set, as often as it takes."""
    check_task(text)
    name, _, place = text.partition(":")
    if name not in READERS:
        family, difficulty, lang = parse_task(text)
        # One seed means the same cases in every language; a rollout is to see others in each.
        return family.generate(seed << 32 | zlib.crc32(text.encode()), n, difficulty, lang)
    problems = _gradable(name, place)
    if not problems:
        raise ConfigError(f"tasks: {text!r} has no problem whose gold answer can be read; check the data")
    chance = random.Random(f"{text}|{seed}")
    drawn: list[Problem] = []
    while len(drawn) < n:
        drawn += chance.sample(problems, min(len(problems), n - len(drawn)))
    return drawn


@lru_cache(maxsize=16)
def _gradable(name: str, place: str) -> tuple[Problem, ...]:
    """Those of a real set's train split that can be judged; rollout after rollout asks for them."""
    return tuple(problem for problem in read(name, place, split="train") if problem.gradable)
