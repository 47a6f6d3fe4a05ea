"""A family with few problems."""

from random import Random
from typing import ClassVar

from candor.problems.golds import Exact
from candor.problems.problem import Family, Lang, Question


class Coin(Family[int]):
    """Ten coins."""

    name: ClassVar[str] = "coin"

    def draw(self, random: Random, difficulty: int) -> int:
        """Which coin."""
        return random.randrange(10)

    def write(self, case: int, lang: Lang) -> Question:
        """What it shows."""
        return Question(f"Coin {case}?", Exact("heads"))
