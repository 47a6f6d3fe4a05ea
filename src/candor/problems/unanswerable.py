"""Word problems that lack a fact: twins of those in `words`, where the only right answer is that it cannot be known."""

from dataclasses import replace
from random import Random

from candor.problems.golds import NoAnswer
from candor.problems.problem import Family, Lang, Question
from candor.problems.words import Fact, Story, Teller, draw_story

_TRIED = 13
"""Values of the missing amount that are tried: among as many successive ones are two that 12 children can share."""


class Unanswerable(Family[Story]):
    """Anna has 5 more apples than Tom. How many apples does Anna have?

    What is missing is a whole fact, or the amount of a comparison ("Anna has more apples than Tom."), or anything about
    the person of the question. A level has the stories that have one step more in `words`, so that something is left.
    What is missing is not in the case either: it would tell apart what reads the same.
    """

    name = "unanswerable"

    def draw(self, random: Random, difficulty: int) -> Story:
        """A story with a gap that the answer depends on."""
        while True:
            story = draw_story(random, difficulty + 1)
            facts, values = list(story.facts), story.values()
            compared = [index for index, (relation, _) in enumerate(facts) if relation != "is"]
            gap: Fact = ("unsaid", 0)
            match random.choice(("fact", "amount", "person")):
                case "fact" if len(facts) > 1:
                    index = random.randrange(len(facts))
                    filled: Fact = ("is", values[index])
                case "amount" if compared:
                    index = random.choice(compared)
                    gap, filled = (facts[index][0], 0), facts[index]
                case "person":
                    index, filled = len(facts), ("is", values[-1] + 1)
                case _:
                    continue
            case = replace(story, facts=(*facts[:index], gap, *facts[index + 1 :]))
            if _is_open(case, index, filled):
                return case

    def write(self, case: Story, lang: Lang) -> Question:
        """The story with its gap; the solution says what is missing."""
        teller = Teller(case, lang)
        missing = teller.unknown(next(index for index, (_, amount) in enumerate(case.facts) if not amount))
        said = {"en": f"The text does not say {missing}.", "zh": f"题目没有说{missing}。"}[lang]
        gold = NoAnswer(lang)
        return Question(teller.prompt(), gold, f"{said}\n{gold}")


def _is_open(case: Story, index: int, filled: Fact) -> bool:
    """Whether the gap can be filled in two ways that give different answers."""
    relation, amount = filled
    answers: set[int] = set()
    for more in range(_TRIED):
        fact = (relation, amount - more if relation == "fewer" else amount + more)
        whole = replace(case, facts=(*case.facts[:index], fact, *case.facts[index + 1 :]))
        if fact[1] > 0 and (answer := whole.answer()) is not None:
            answers.add(answer)
        if len(answers) > 1:
            return True
    return False
