"""All families, by name."""

from typing import Any

from candor.problems.arithmetic import Arithmetic
from candor.problems.countdown import Countdown
from candor.problems.function import Function
from candor.problems.letters import Letters
from candor.problems.logic import Logic
from candor.problems.output import Output
from candor.problems.problem import Family
from candor.problems.requests import Requests
from candor.problems.safety import Safety
from candor.problems.sequence import Sequence
from candor.problems.unanswerable import Unanswerable
from candor.problems.words import Words

FAMILIES: dict[str, Family[Any]] = {
    family.name: family
    for family in (
        Arithmetic(),
        Countdown(),
        Words(),
        Sequence(),
        Letters(),
        Logic(),
        Output(),
        Function(),
        Unanswerable(),
        Safety(),
        Requests(),
    )
}
"""Name -> family."""
