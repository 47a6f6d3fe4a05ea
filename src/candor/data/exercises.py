"""Worked problems of mixed quality for pre-training, as the web has them: what R1-Zero later finds reasoning in.

V3's corpus holds much mathematics and code; a small one holds this instead. Most answers are short, and most of the
short ones wrong; some are worked out; some of these stand in the tags that R1 uses, a few of them checked again, a few
in another language than the question.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import count

from candor.problems import Lang, Problem
from candor.problems.prompts import BOXED, asked, worked
from candor.problems.tasks import parse_task
from candor.records import Document

EXERCISES = "exercises"
"""`source` of their documents."""
DIRECT, WORKED = 0.6, 0.1
"""Share of the exercises that only state an answer, and of those that work it out and box it; the rest has tags."""
RIGHT = 0.1
"""Share of right answers among those that only state one."""
MIXED = 0.3
"""Share of tagged thoughts in the other language."""
CHECKED = 0.15
"""Share of tagged thoughts that go over the steps again."""
_CHUNK = 500
_STEPS: dict[Lang, tuple[str, str]] = {"en": ("First, ", "Then "), "zh": ("先算", "再算")}
_CHECK: dict[Lang, str] = {"en": "Wait, let me check.", "zh": "等等，检查一下。"}


def exercises(tasks: Sequence[str], size: int, seed: int) -> Iterator[Document]:
    """Documents of `size` bytes in all, the last one whole; the same ones for a seed.

    An equal number comes from each task; one that is named twice has other problems each time.
    """
    chance = random.Random(f"exercises|{seed}")
    written = 0
    first = seed * 1_000_003 + 500_000  # away from the numbers that reinforcement learning counts up
    families = {task: parse_task(task)[0] for task in tasks}
    made_by = {task: f"candor.problems {family.name} {family.version}" for task, family in families.items()}
    for chunk in count():
        drawn: list[list[tuple[Problem, Problem]]] = []
        for place, task in enumerate(tasks):
            family, difficulty, lang = parse_task(task)
            number = first + chunk * len(tasks) + place
            problems = family.generate(number, _CHUNK, difficulty, lang)
            others = family.generate(number, _CHUNK, difficulty, "zh" if lang == "en" else "en")
            drawn.append(list(zip(problems, others, strict=True)))
        for row in zip(*drawn, strict=True):
            for task, (problem, other) in zip(tasks, row, strict=True):
                if written >= size:
                    return
                text = asked(problem, "plain") + _answer(problem, other, chance)
                written += len(text.encode())
                yield Document(text, EXERCISES, f"{task}, {problem.origin}", "MIT", "synthetic", model=made_by[task])


def _answer(problem: Problem, other: Problem, chance: random.Random) -> str:
    gold, kind = str(problem.gold), chance.random()
    if problem.form == "free":
        return f" {problem.solution}"
    if problem.form == "code":
        return f"\n{worked(problem)}"  # the gold answer is a list of cases
    if kind < DIRECT:
        guess = gold
        if chance.random() >= RIGHT:
            known = gold.lstrip("-").isdigit()
            guess = str(int(gold) + chance.choice((-3, -2, -1, 1, 2, 3)) if known else chance.randint(2, 99))
        return f" {guess}"
    if kind < DIRECT + WORKED:
        return f"\n{thought(problem)}\n{BOXED[problem.lang].format(gold)}"
    told = thought(other if chance.random() < MIXED else problem, check=chance.random() < CHECKED)
    return f" <think>\n{told}\n</think>\n<answer>{gold}</answer>"


def thought(problem: Problem, *, check: bool = False) -> str:
    """The steps of a solution as one tells them, in the language of the problem; gone over again where `check`."""
    first, then = _STEPS[problem.lang]
    steps = [line for line in problem.solution.split("\n") if line]
    calculated = all(line[:1].isdigit() for line in steps)
    told = [(then if place else first) + line for place, line in enumerate(steps)] if calculated else steps
    return "\n".join([*told, _CHECK[problem.lang], *steps] if check else told)
