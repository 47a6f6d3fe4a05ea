"""Questions of fact, whatever set they come from."""

from dataclasses import dataclass

from candor.problems import Lang


@dataclass(frozen=True)
class FactItem:
    """One question, what counts as its answer, and what may be read for it.

    >>> FactItem(id="7", lang="en", question="Who painted it?", answers=(("Klee", "Paul Klee"),), holding=("...",))
    """

    id: str
    """As the set numbers it, else the number of its row from 1."""
    lang: Lang
    """Language of the question."""
    question: str
    """What is asked."""
    answers: tuple[tuple[str, ...], ...]
    """Parts of the answer, all of which must be said; of each part the ways to say it."""
    wrong: tuple[str, ...] = ()
    """Answers that are known to be false."""
    holding: tuple[str, ...] = ()
    """Passages that hold the answer."""
    noise: tuple[str, ...] = ()
    """Passages about the subject that do not hold it."""


@dataclass(frozen=True)
class FactSet:
    """A set as it was read.

    >>> FactSet(name="rgb", items=(FactItem(...),), rows=300, broken={17: "has no field query"})
    """

    name: str
    """Name of the format."""
    items: tuple[FactItem, ...]
    """The questions, in the order of the rows."""
    rows: int
    """Rows in the file, broken ones too."""
    broken: dict[int, str]
    """By number from 1, the rows that could not be used, and why."""

    def broken_lines(self, most: int = 10) -> list[str]:
        """The broken rows for people, the first `most` one by one."""
        lines = [f"row {number}: {why}" for number, why in list(self.broken.items())[:most]]
        return [*lines, f"and {len(self.broken) - most:,} more"] if len(self.broken) > most else lines
