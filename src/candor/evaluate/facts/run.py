"""Asking a model questions of fact, alone or with passages, and the report of what it knew, made up and left open."""

import dataclasses
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import ConfigError, DataError
from candor.evaluate.facts.citations import check_citations
from candor.evaluate.facts.grading import FactGrade, fact_figures, grade_fact
from candor.evaluate.facts.items import FactItem, FactSet
from candor.evaluate.statistics import Figure, mean, share
from candor.evaluate.subject import Subject
from candor.infer import Completion, SamplingParams
from candor.records import Progress, code_version, no_progress

_ALONE = {
    "en": "Question: {question}\nIf you do not know the answer, say that you do not know.\nAnswer:",
    "zh": "问题：{question}\n如果不知道答案，请回答不知道。\n答案：",
}
_READ = {
    "en": "{passages}\n\nAnswer from the passages above and cite them as [1]. If they do not hold the answer, say: "
    "insufficient information.\nQuestion: {question}\nAnswer:",
    "zh": "{passages}\n\n请根据以上资料回答并以[1]的形式注明出处。如果资料中没有答案，请回答：信息不足。\n"
    "问题：{question}\n答案：",
}


@dataclass(frozen=True)
class FactsConfig:
    """How questions are asked."""

    n: int = 200
    """Questions, drawn at random where the set has more; 0 takes all."""
    passages: int = 0
    """Passages shown with each question, of sets that have some; 0 asks the model alone."""
    noise: float = 0.0
    """Share of these that do not hold the answer; with 1 none does, and saying so is right."""
    chat: bool = False
    """Ask in the model's chat template."""
    max_tokens: int = 128
    """Most tokens of an answer."""
    temperature: float = 0.0
    """Temperature of the sampling."""
    seed: int = 0
    """Seed of what is drawn."""

    def __post_init__(self) -> None:
        if self.n < 0 or self.passages < 0 or self.max_tokens < 1 or not 0 <= self.noise <= 1:
            raise ConfigError(
                f"facts: n={self.n} and passages={self.passages} must be 0 or more, max_tokens={self.max_tokens} 1 or "
                f"more, noise={self.noise} from 0 to 1"
            )


@dataclass(frozen=True, kw_only=True)
class FactsReport:
    """What a model did with the questions of a set: the file `facts-NAME.json`.

    >>> FactsReport(model="runs/laptop/model", set="rgb", questions=200, rows=300, broken={}, settings={},
    ...             figures={"correct": Figure(...), "wrong": Figure(...), "abstained": Figure(...)})
    """

    model: str
    """The model as the user named it."""
    set: str
    """The format of the set."""
    questions: int
    """Questions asked."""
    rows: int
    """Rows of the file."""
    broken: dict[int, str]
    """Rows that could not be used, by number, and why."""
    settings: dict[str, Any]
    """How it was asked."""
    figures: dict[str, Figure]
    """`correct`, `wrong`, `abstained`, `invalid`, `correct_given_attempted`, `f_score`; with passages
    `citation_precision`, `citation_recall`, and where none holds the answer `rejection`."""
    seconds: float = 0.0
    """Time of asking."""
    code: str = field(default_factory=code_version)
    """`code_version()` of what graded."""

    def write(self, path: Path) -> None:
        """As JSON; figures over nothing are left out, for they are no numbers."""
        known = {name: one for name, one in self.figures.items() if not math.isnan(one.value)}
        files.write_json(path, dataclasses.asdict(dataclasses.replace(self, figures=known)))

    @classmethod
    def read(cls, path: Path) -> "FactsReport":
        """What `write` wrote; DataError where it has another form."""
        values = files.read_json(path)
        try:
            figures = {name: Figure(**one) for name, one in values.pop("figures").items()}
            broken = {int(number): why for number, why in values.pop("broken").items()}
            return cls(figures=figures, broken=broken, **values)
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise DataError(f"{path} is no report of facts ({error!r}); ask the questions again") from None


def shown_passages(item: FactItem, config: FactsConfig) -> tuple[str, ...]:
    """The passages of a question: so many that hold the answer and so many that do not, shuffled.

    As RGB: where one kind is short, the other fills up, but with noise 1 none that holds the answer is shown.
    """
    bad = math.ceil(config.passages * config.noise)
    good = config.passages - bad
    if config.noise < 1 and bad > len(item.noise):
        bad, good = len(item.noise), config.passages - len(item.noise)
    elif config.noise < 1 and good > len(item.holding):
        good, bad = len(item.holding), config.passages - len(item.holding)
    found = [*item.holding[:good], *item.noise[:bad]]
    random.Random(f"passages|{config.seed}|{item.id}").shuffle(found)
    return tuple(" ".join(one.split()) for one in found)


def audit_facts(
    subject: Subject, known: FactSet, config: FactsConfig = FactsConfig(), *, progress: Progress = no_progress
) -> tuple[FactsReport, list[tuple[FactItem, str | None, FactGrade]]]:
    """Ask, grade and sum up; also each question with its answer (None where the request failed) and grade."""
    start = time.monotonic()
    items = [item for item in known.items if not config.passages or shown_passages(item, config)]
    if not items:
        raise ConfigError(f"{known.name} has no passages to show; ask without, passages=0")
    if config.n and config.n < len(items):
        items = random.Random(f"facts|{config.seed}").sample(items, config.n)
    passages = [shown_passages(item, config) for item in items]
    texts = [_prompt(item, shown) for item, shown in zip(items, passages, strict=True)]
    said = _ask(subject, texts, config, progress)
    graded = [(item, text, grade_fact(item, text)) for item, text in zip(items, said, strict=True)]
    figures = fact_figures([grade for *_, grade in graded], config.seed)
    if config.passages:
        figures |= _reading(graded, passages, config.noise == 1)
    report = FactsReport(
        model=subject.name,
        set=known.name,
        questions=len(items),
        rows=known.rows,
        broken=known.broken,
        settings=dataclasses.asdict(config),
        figures=figures,
        seconds=time.monotonic() - start,
    )
    return report, graded


def _prompt(item: FactItem, passages: Sequence[str]) -> str:
    if not passages:
        return _ALONE[item.lang].format(question=item.question)
    listed = "\n".join(f"[{number}] {text}" for number, text in enumerate(passages, start=1))
    return _READ[item.lang].format(question=item.question, passages=listed)


def _ask(subject: Subject, texts: Sequence[str], config: FactsConfig, progress: Progress) -> list[str | None]:
    found: list[str | None] = [None] * len(texts)
    finished = 0

    def done(place: int, one: Completion) -> None:
        nonlocal finished
        finished += 1
        found[place] = None if one.error else one.text
        progress(finished, len(texts), "facts")

    stop = () if config.chat else ("\nQuestion:", "\n问题：", "\n\n")
    params = [
        SamplingParams(
            temperature=config.temperature, max_tokens=config.max_tokens, seed=config.seed + number, stop=stop
        )
        for number in range(len(texts))
    ]
    subject.generate([subject.chat(text) if config.chat else text for text in texts], params, done)
    return found


def _reading(
    graded: Sequence[tuple[FactItem, str | None, FactGrade]], passages: Sequence[Sequence[str]], none_holds: bool
) -> dict[str, Figure]:
    """Citations of answers that were attempted; where no passage holds the answer, how often that was said."""
    if none_holds:
        return {"rejection": share([float(grade is FactGrade.ABSTAINED) for *_, grade in graded])}
    checked = [
        check_citations(text, shown)
        for (_, text, grade), shown in zip(graded, passages, strict=True)
        if text and grade in (FactGrade.RIGHT, FactGrade.WRONG)
    ]
    return {
        "citation_precision": mean([one.precision for one in checked if one.precision is not None]),
        "citation_recall": mean([one.recall for one in checked if one.recall is not None]),
    }
