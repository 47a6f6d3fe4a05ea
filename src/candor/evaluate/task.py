"""What is asked, of how many problems, in which words: everything that a score depends on besides the model."""

import hashlib
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from candor.errors import ConfigError
from candor.problems import Lang, Problem
from candor.problems.families import FAMILIES
from candor.problems.prompts import asked, check_format, worked
from candor.problems.readers import READERS, read
from candor.problems.tasks import parse_task

COMPRESS = "bits_per_byte"
"""The task that measures how well a text is predicted; `data` names the text."""
LM_EVAL = "lm_eval:"
"""Before the name of a task of lm-eval."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One evaluation: problems, words, sampling.

    >>> Task(name="arithmetic", difficulty=3, lang="zh", n=500, k=4)
    """

    name: str
    """A family, a real set, `bits_per_byte`, or `lm_eval:NAME`."""
    data: str = ""
    """Where a real set or a text is read: a path or `hf:owner/name`."""
    lang: Lang = "en"
    """Language of a family's problems; a real set has its own."""
    difficulty: int = 1
    """Level of a family's problems."""
    n: int = 200
    """Problems, drawn at random where the set has more; 0 takes all of a set."""
    k: int = 1
    """Samples of each problem."""
    format: str = "plain"
    """`plain` (Question:, Answer:), `chat` (the model's template), `r1_zero`, or a text of your own with {prompt}."""
    num_fewshot: int = 0
    """Worked examples before the question: of a family's train split, or of `fewshot_data`."""
    fewshot_data: str = ""
    """Where examples of a real set are read."""
    max_tokens: int = 256
    """Most tokens of an answer."""
    temperature: float = 0.6
    """Temperature; 0 takes the most likely tokens."""
    top_p: float = 0.95
    """Share of the probability that is sampled from."""
    stop: tuple[str, ...] = ()
    """Texts that end an answer, besides the format's own."""
    seed: int = 0
    """Seed of the sampling."""
    problem_seed: int = 0
    """Seed of the problems: the same ones for every model that is to be compared."""
    strict: bool = False
    """Count an answer only in the place made for it (`<answer>`, `\\boxed{}`, `####`)."""
    context: int = 1024
    """Most tokens before a predicted one, in `bits_per_byte`."""

    def __post_init__(self) -> None:
        least = {"n": 0, "k": 1, "num_fewshot": 0, "max_tokens": 1, "difficulty": 1, "context": 2}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least {lowest}")
        if self.lang not in ("en", "zh"):
            raise ConfigError(f"lang={self.lang!r} must be en or zh")
        known = [*FAMILIES, *READERS, COMPRESS]
        if self.name not in known and not self.name.startswith(LM_EVAL):
            raise ConfigError(f"there is no task {self.name!r}; known: {', '.join(known)}, {LM_EVAL}NAME")
        if self.name not in FAMILIES and (self.lang != "en" or self.difficulty != 1):
            raise ConfigError(f"{self.name} has no language or difficulty to choose; see candor eval --list")
        if self.name in READERS and not self.data:
            raise ConfigError(
                f"{self.name} needs a place to read it from: --data {self.name}=PATH, or from the hub "
                f"--data {self.name}={READERS[self.name].hub}"
            )
        if self.name in FAMILIES and self.n == 0:
            raise ConfigError(f"n=0 takes all of a set, and {self.name} has no end; give a number")
        check_format(self.format)
        if self.num_fewshot and self.name in READERS and not self.fewshot_data:
            raise ConfigError(f"examples for {self.name} need fewshot_data: problems that are not those of the test")

    @property
    def label(self) -> str:
        """The task's name in files and tables."""
        parts = [self.name]
        if self.name in FAMILIES:
            parts += [str(self.difficulty), self.lang]
        return re.sub(r"[^\w.-]+", "_", "-".join(parts))

    @property
    def version(self) -> str:
        """Version of the problems."""
        source = FAMILIES.get(self.name) or READERS.get(self.name)
        return str(source.version) if source else "1"


def task_of(text: str, **fields: Any) -> Task:
    """The evaluation of what training names as a task: the test split of a family's level or of a real set."""
    name, _, place = text.partition(":")
    if name in READERS:
        return Task(name=name, data=place, **fields)
    family, difficulty, lang = parse_task(text)
    return Task(name=family.name, difficulty=difficulty, lang=lang, **fields)


def problems_of(task: Task) -> list[Problem]:
    """The problems of a family's test split or of a real set."""
    if task.name in FAMILIES:
        family = FAMILIES[task.name]
        return family.generate(task.problem_seed, task.n, task.difficulty, task.lang, split="test")
    problems = read(task.name, task.data)
    if 0 < task.n < len(problems):
        chosen = random.Random(task.problem_seed).sample(range(len(problems)), task.n)
        problems = [problems[place] for place in sorted(chosen)]
    return problems


def texts_of(task: Task, problems: Sequence[Problem]) -> list[str]:
    """What each problem is asked with: a text to continue, or in format `chat` a user's message."""
    if task.format == "chat" and any(len(option) > 1 for problem in problems for option in problem.options):
        raise ConfigError(f"the options of {task.name} are not in its questions; choose another format than chat")
    shots = _examples(task, {problem.id for problem in problems})
    return [shots + asked(problem, task.format) for problem in problems]


def _examples(task: Task, held_back: set[str]) -> str:
    if not task.num_fewshot:
        return ""
    if task.format == "chat":
        raise ConfigError("num_fewshot needs a format that continues a text, such as plain; a chat shows no examples")
    if task.name in FAMILIES:
        pool = FAMILIES[task.name].generate(task.problem_seed, task.num_fewshot, task.difficulty, task.lang)
    else:
        every = read(task.name, task.fewshot_data, split="train")
        pool = [problem for problem in every if problem.id not in held_back and problem.gradable]
        pool = random.Random(task.problem_seed).sample(pool, min(task.num_fewshot, len(pool)))
    if len(pool) < task.num_fewshot:
        raise ConfigError(f"num_fewshot={task.num_fewshot}, but {task.fewshot_data} has {len(pool)} problems to show")
    return "".join(f"{asked(one, task.format)} {worked(one)}\n\n" for one in pool)


def prompt_hash(texts: Sequence[str]) -> str:
    """SHA-256 over all that the model is asked, hex."""
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()
