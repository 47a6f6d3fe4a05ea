"""What a problem is, how an answer is graded, and what a family of generated problems has to say.

The same `grade` gives the reward in training and the score in an evaluation.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import ClassVar, Generic, Literal, TypeVar

from candor.errors import ConfigError

Lang = Literal["en", "zh"]
Split = Literal["train", "test"]

LEVELS = 5
"""Difficulties of every family run from 1 to this."""
_TEST_SHARE = 8
"""One case in this many belongs to the test split."""
_PATIENCE = 1000
"""Draws in a row that gave nothing new, after which the cases of a difficulty count as used up."""


class Grade(StrEnum):
    """What an answer is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    INVALID = "invalid"
    """It cannot be told: the gold answer is no answer, or the checker itself failed. Never a reward, never a score."""


Form = Literal["value", "option", "span", "code", "free"]
"""What an answer looks like, which the prompt says: a number or word, a letter, words of the text, code, as told."""


class Gold(ABC):
    """The right answer of one problem, which knows how to recognise itself. A frozen dataclass, safe in any thread.

    Where `strict`, an answer counts only in the place made for it (`<answer>`, `\\boxed{}`, `####`); otherwise also
    after "the answer is" and, where nothing else is there, as the last value of the text (see `extract.py`).
    """

    @abstractmethod
    def __str__(self) -> str:
        """The gold answer for people to read."""

    @abstractmethod
    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The answer that a whole response gives, in a form equal for equal answers (majority votes count these);
        None where it gives none, or several that differ."""

    @abstractmethod
    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """What a whole response is worth, its reasoning included in the text."""

    def scores(self, response: str) -> dict[str, float]:
        """What else is measured of a response, by name, from 0 to 1."""
        return {}


@dataclass(frozen=True)
class Unreadable(Gold):
    """Gold of a problem whose answer cannot be understood: whatever is answered, it cannot be told."""

    reason: str
    """What is wrong with it."""

    def __str__(self) -> str:
        return f"unreadable: {self.reason}"

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """None: there is nothing to compare an answer with."""
        return None

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """INVALID."""
        return Grade.INVALID


@dataclass(frozen=True)
class Question:
    """What is asked, put into words."""

    prompt: str
    """The question, without instructions on the form of the answer."""
    gold: Gold
    """The right answer."""
    solution: str = ""
    """Worked steps that end in the answer, in the language of the prompt; empty where there are none."""
    difficulty: int = 0
    """Level within its family, from 1; 0 where none is known."""
    options: tuple[str, ...] = ()
    """Answers to choose from, for log-likelihood tasks."""


@dataclass(frozen=True, kw_only=True)
class Problem(Question):
    """A question with where it comes from.

    >>> Problem(family="arithmetic", version=1, lang="en", difficulty=1, prompt="What is 3 + 4?", gold=Maths("7"))
    """

    family: str
    """Family or reader that it comes from."""
    version: int
    """Version of that family or reader; figures of different versions are not comparable."""
    lang: Lang
    """Language of the prompt."""
    form: Form = "value"
    """What an answer looks like; the same for all problems of a family, so that it tells nothing of this one's."""
    origin: str = ""
    """Where it was read or how it was drawn: `test.jsonl:12`, `seed 0, 3`."""
    case: str = ""
    """Hash of what it is about, where its family says that: problems of one case are not independent of each other."""
    time: int = 1
    """2 where its set asks the same question for the second time, ...; published sizes count these."""

    @property
    def id(self) -> str:
        """Hash of family, prompt and options: the same question has the same id everywhere, in any order."""
        text = "\0".join((self.family, self.prompt, *self.options))
        again = f"-{self.time}" if self.time > 1 else ""
        return hashlib.sha256(text.encode()).hexdigest()[:16] + again

    @property
    def gradable(self) -> bool:
        """Whether its gold answer can be understood."""
        return self.gold.grade("") is not Grade.INVALID


C = TypeVar("C")
_CLASS_NAMES = re.compile(r"\b[A-Z]\w*\(")


class Family(ABC, Generic[C]):
    """Problems of one kind, as many as wanted, from a seed.

    A subclass draws cases that know no language (frozen dataclasses) and puts them into words. A case belongs to the
    train or the test split by the hash of its `key`, so neither another seed nor another language or difficulty can
    carry a test problem into training.
    """

    name: ClassVar[str]
    """As in the registry."""
    version: ClassVar[int] = 1
    """Goes up with every change of what is drawn, said or accepted."""
    form: ClassVar[Form] = "value"
    """What answers look like."""

    @abstractmethod
    def draw(self, random: Random, difficulty: int) -> C:
        """One case; the same state of `random` gives the same one."""

    @abstractmethod
    def write(self, case: C, lang: Lang) -> Question:
        """The case in words, always the same ones."""

    def key(self, case: C) -> str:
        """Equal for cases that ask the same: what decides on the split, and what comes only once."""
        return _CLASS_NAMES.sub("(", repr(case))

    def generate(
        self, seed: int, n: int, difficulty: int = 1, lang: Lang = "en", *, split: Split = "train"
    ) -> list[Problem]:
        """`n` different problems. ConfigError where the difficulty is unknown or has fewer problems than `n`."""
        if not 1 <= difficulty <= LEVELS:
            raise ConfigError(f"difficulty={difficulty} of {self.name} must lie between 1 and {LEVELS}")
        random = Random(f"{self.name}|{self.version}|{difficulty}|{split}|{seed}")
        seen: set[str] = set()
        problems: list[Problem] = []
        misses = 0
        while len(problems) < n:
            case = self.draw(random, difficulty)
            key = self.key(case)
            if key in seen or self._split(key) != split:
                misses += 1
                if misses > _PATIENCE:
                    raise ConfigError(
                        f"{self.name} at difficulty {difficulty} has only about {len(problems)} different {split} "
                        f"problems, {n} were asked for; ask for fewer or raise the difficulty"
                    )
                continue
            misses = 0
            seen.add(key)
            asked = vars(self.write(case, lang)) | {"difficulty": difficulty}
            asked |= {"origin": f"seed {seed}, {len(problems) + 1}", "case": self._case(key).hex()[:16]}
            problems.append(Problem(family=self.name, version=self.version, lang=lang, form=self.form, **asked))
        return problems

    def check(self, problem: Problem, answer: str, *, strict: bool = False) -> Grade:
        """Grade a response, whole or the answer alone."""
        return problem.gold.grade(answer, strict=strict)

    def subject(self, key: str) -> str:
        """What of a key decides on the split: all of it, unless a family keeps wordings of one thing together."""
        return key

    def _case(self, key: str) -> bytes:
        return hashlib.sha256(f"{self.name}|{self.subject(key)}".encode()).digest()

    def _split(self, key: str) -> Split:
        return "test" if self._case(key)[0] % _TEST_SHARE == 0 else "train"
