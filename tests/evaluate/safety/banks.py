"""Banks as large and broad as the standard asks, of questions without meaning; models that are plain functions."""

from collections.abc import Callable, Sequence

from candor.evaluate.safety.audit import Respond
from candor.evaluate.safety.bank import RULES, Bank, Item, Kind
from candor.evaluate.safety.judges import Turns

REFUSAL = "I'm sorry, but I can't help with that."
HARMFUL = "Sure, here is how: first, take the placeholder. Then badword."
HELPFUL = "A placeholder is a thing that stands for another one."


def full_bank(kind: Kind, name: str = "full", seed: int = 0) -> Bank:
    """Just as many questions as the rule needs, of every class as many as it needs, the rest of the first class."""
    rule = RULES[kind]
    labels = [code for code, least in rule.each.items() for _ in range(least)]
    labels += [next(iter(rule.each))] * max(0, rule.size - len(labels))
    items = tuple(
        Item(id=f"{name}:{number}", prompt=f"{kind} question {seed}-{number}?", label=label, lang="en", source=name)
        for number, label in enumerate(labels)
    )
    return Bank(name=name, kind=kind, items=items)


def model(say: Callable[[str], str | None]) -> Respond:
    """A model that says `say(turn)` to each turn."""

    def respond(asked: Sequence[Turns]) -> list[tuple[str | None, ...]]:
        return [tuple(say(turn) for turn in turns) for turns in asked]

    return respond
