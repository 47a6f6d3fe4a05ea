"""A safety test: questions drawn from a bank, asked bare or under an attack, judged, and held against the thresholds.

A result names ids, classes and counts. Neither questions nor answers stand in it.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

from candor import files
from candor.errors import ConfigError, DataError
from candor.evaluate.safety.attacks import Attack
from candor.evaluate.safety.bank import KINDS, RULES, Bank, Kind, Outcome, decide, draw, shortfalls
from candor.evaluate.safety.judges import Exchange, Judge, Turns, Verdict
from candor.evaluate.statistics import Figure, kappa, share
from candor.records import code_version

Respond = Callable[[Sequence[Turns]], Sequence[tuple[str | None, ...]]]
"""Has each conversation with a model: an answer to each turn, None from where the model gave none."""
FILE = "safety.json"
"""What a test leaves in its folder."""

_COUNTED: dict[str, dict[Verdict, bool | None]] = {
    "passed": {Verdict.SAFE: True, Verdict.REFUSED: True, Verdict.UNSAFE: False, Verdict.INVALID: None},
    "refused": {Verdict.SAFE: False, Verdict.REFUSED: True, Verdict.UNSAFE: False, Verdict.INVALID: None},
}
"""What a figure counts: a generated text passes where it is safe or was not written."""


@dataclass(frozen=True, kw_only=True)
class SafetyResult:
    """What one judge says of one bank, bare or under one attack.

    >>> SafetyResult(bank="ours", kind="should-refuse", model="runs/laptop/model", judge="keywords", attack="", n=300,
    ...              verdicts={"refused": 297, "unsafe": 3}, outcome="pass", figure=Figure(...), ...)
    """

    bank: str
    """Name of the bank."""
    kind: Kind
    """Its kind."""
    bank_sha256: str
    """`Bank.sha256`: which questions it held."""
    items: int
    """Questions in it."""
    broken: tuple[int, ...]
    """Numbers of the rows of its file that could not be read."""
    model: str
    """Who was asked."""
    judge: str
    """Who judged."""
    attack: str
    """What was done to the questions; "" for nothing."""
    unchanged: int
    """Questions that the attack left as they were."""
    n: int
    """Questions asked."""
    seed: int
    """Seed of the draw and of the attack."""
    verdicts: dict[str, int]
    """Verdict -> answers."""
    labels: dict[str, dict[str, int]]
    """Class or aspect -> verdict -> answers."""
    wrong: tuple[str, ...]
    """Ids of the questions whose answer is not as it should be, those that nobody could judge included."""
    name: str
    """What `figure` is a share of: `passed` or `refused`."""
    figure: Figure
    """That share; answers that could not be judged count against the model."""
    limit: float
    """Where the model begins to pass."""
    at_least: bool
    """Whether the limit is the least share; else the greatest."""
    outcome: Outcome
    """pass, fail, or not shown."""
    reasons: tuple[str, ...]
    """Why it is not shown."""
    code: str = dataclasses.field(default_factory=code_version)
    """`code_version()` of what judged."""
    time: str = dataclasses.field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """When, UTC, ISO 8601."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two judges say the same of the same answers, those left out of which either could not tell.

    >>> Agreement(bank="ours", kind="should-refuse", attack="", judges=("keywords", "people"), n=300, ...)
    """

    bank: str
    """Name of the bank."""
    kind: Kind
    """Its kind."""
    attack: str
    """What was done to the questions."""
    judges: tuple[str, str]
    """Who judged."""
    same: Figure
    """Share of the answers to which both gave one verdict."""
    kappa: Figure | None
    """Cohen's kappa; None where both gave one verdict to all."""


@dataclass(frozen=True)
class Audit:
    """What a test found.

    >>> Audit(results=(SafetyResult(...),), agreements=())
    """

    results: tuple[SafetyResult, ...]
    """Of each judge."""
    agreements: tuple[Agreement, ...] = ()
    """Of each two judges."""


def audit(
    bank: Bank, respond: Respond, judges: Sequence[Judge], *, model: str, n: int = 0, seed: int = 0,
    attack: Attack | None = None,
) -> Audit:  # fmt: skip
    """Ask `n` questions of the bank (0: as many as the rule of its kind needs, or all of them), and judge the answers.

    Raises DataError for an empty bank, ConfigError for two judges of one name or none.
    """
    names = [judge.name for judge in judges]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"judges {', '.join(names) or '(none)'}: name at least one, and each once")
    items = draw(bank, n or RULES[bank.kind].sample, seed)
    turns = [
        attack.apply(item.prompt, Random(f"{seed}|{attack.name}|{item.id}")) if attack else (item.prompt,)
        for item in items
    ]
    replies = respond(turns)
    exchanges = [
        Exchange(item=item, turns=said, replies=heard) for item, said, heard in zip(items, turns, replies, strict=True)
    ]
    given = [judge.judge(bank.kind, exchanges) for judge in judges]
    name = attack.name if attack else ""
    unchanged = sum(said == (item.prompt,) for item, said in zip(items, turns, strict=True)) if attack else 0
    shared: dict[str, Any] = {"model": model, "attack": name, "unchanged": unchanged, "seed": seed}
    results = (_result(bank, exchanges, judge, own, **shared) for judge, own in zip(judges, given, strict=True))
    pairs = combinations(zip(names, given, strict=True), 2)
    return Audit(tuple(results), tuple(_agreement(bank, name, one, other) for one, other in pairs))


def _result(
    bank: Bank, exchanges: Sequence[Exchange], judge: Judge, given: Sequence[Verdict], **fields: Any
) -> SafetyResult:
    rule = RULES[bank.kind]
    counted = [_COUNTED[rule.figure][verdict] for verdict in given]
    figure, outcome, reasons = decide(bank.kind, counted, (*shortfalls(bank), *judge.lacks(bank.kind)))
    labels: dict[str, Counter[str]] = {}
    for exchange, verdict in zip(exchanges, given, strict=True):
        labels.setdefault(exchange.item.label, Counter())[verdict.value] += 1
    return SafetyResult(
        bank=bank.name,
        kind=bank.kind,
        bank_sha256=bank.sha256,
        items=len(bank.items),
        judge=judge.name,
        broken=tuple(row.number for row in bank.broken),
        n=len(exchanges),
        verdicts=dict(Counter(verdict.value for verdict in given)),
        labels={label: dict(labels[label]) for label in sorted(labels)},
        wrong=tuple(
            exchange.item.id for exchange, good in zip(exchanges, counted, strict=True) if good is not rule.at_least
        ),
        name=rule.figure,
        figure=figure,
        limit=rule.limit,
        at_least=rule.at_least,
        outcome=outcome,
        reasons=reasons,
        **fields,
    )


def _agreement(
    bank: Bank, attack: str, one: tuple[str, Sequence[Verdict]], other: tuple[str, Sequence[Verdict]]
) -> Agreement:
    pairs = [pair for pair in zip(one[1], other[1], strict=True) if Verdict.INVALID not in pair]
    return Agreement(
        bank=bank.name,
        kind=bank.kind,
        attack=attack,
        judges=(one[0], other[0]),
        same=share([float(a is b) for a, b in pairs]),
        kappa=kappa([a.value for a, _ in pairs], [b.value for _, b in pairs]),
    )


def together(audits: Sequence[Audit]) -> Audit:
    """The results and agreements of several tests as one."""
    return Audit(
        tuple(result for one in audits for result in one.results),
        tuple(agreement for one in audits for agreement in one.agreements),
    )


def overall(results: Sequence[SafetyResult]) -> tuple[Outcome, tuple[str, ...]]:
    """The outcome over all results of one model, and why it is not shown where it is not.

    A failure anywhere is a failure. A pass needs a pass of each kind of bank, bare, and of every result there is.
    """
    if any(result.outcome == "fail" for result in results):
        return "fail", ()
    bare = {result.kind for result in results if not result.attack}
    why = [f"no {kind} bank was used" for kind in KINDS if kind not in bare]
    why += [
        f"{result.bank} ({result.kind}{f', {result.attack}' if result.attack else ''}, {result.judge}): "
        + "; ".join(result.reasons)
        for result in results
        if result.outcome == "not shown"
    ]
    return "not shown" if why else "pass", tuple(why)


def write_audit(found: Audit, folder: Path) -> Path:
    """Write `safety.json`, with the outcome over all; the path of the file."""
    outcome, reasons = overall(found.results)
    value = {"outcome": outcome, "reasons": reasons, **dataclasses.asdict(found)}
    files.write_json(folder / FILE, value)
    return folder / FILE


def read_audit(path: Path) -> Audit:
    """Read a `safety.json`; DataError where it has another form."""
    value = files.read_json(path)
    try:
        results = tuple(_read_result(one) for one in value["results"])
        agreements = tuple(
            Agreement(
                **{**one, "judges": tuple(one["judges"]), "same": _figure(one["same"]), "kappa": _figure(one["kappa"])}
            )
            for one in value["agreements"]
        )
    except (TypeError, KeyError, AttributeError):
        raise DataError(f"{path} is no safety test of this version; delete it and test again") from None
    return Audit(results, agreements)


def _read_result(value: dict[str, Any]) -> SafetyResult:
    lists = {name: tuple(value[name]) for name in ("broken", "wrong", "reasons")}
    return SafetyResult(**{**value, **lists, "figure": _figure(value["figure"])})


def _figure(value: dict[str, Any] | None) -> Any:
    return None if value is None else Figure(**value)
