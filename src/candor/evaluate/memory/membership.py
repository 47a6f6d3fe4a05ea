"""Membership: can one tell from a model's surprise whether it learnt a document (Min-K%++, 2404.02936)?

By itself this says little, since texts differ; members are compared with held-out documents of the same source.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from candor.evaluate.memory.model import Audited
from candor.evaluate.memory.record import Audit, outcome_of
from candor.evaluate.statistics import Figure

_ROUNDS = 500
Pairs = Mapping[str, tuple[Sequence[float], Sequence[float]]]
"""Of each source the scores of members and of others."""


def auc(members: Sequence[float], others: Sequence[float]) -> float:
    """Chance that a member scores above another, ties half: the area under the ROC curve (Mann-Whitney)."""
    wins, pairs = _wins(np.asarray(members, np.float64), np.asarray(others, np.float64))
    return wins / pairs


def _wins(members: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[float, int]:
    ranked = np.sort(others)
    below = np.searchsorted(ranked, members, "left") + np.searchsorted(ranked, members, "right")
    return float(below.sum()) / 2, len(members) * len(others)


def told_apart(scores: Pairs, seed: int = 0) -> Figure:
    """The AUC over pairs of the same source, with a 95% bootstrap interval over documents."""
    groups = [
        (np.asarray(members, np.float64), np.asarray(others, np.float64))
        for members, others in scores.values()
        if len(members) and len(others)
    ]
    if not groups:
        return Figure(float("nan"), None, None, None, 0)

    def pooled(some: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float:
        counts = [_wins(*pair) for pair in some]
        return sum(wins for wins, _ in counts) / sum(pairs for _, pairs in counts)

    chance = np.random.default_rng(seed)
    n = sum(len(members) + len(others) for members, others in groups)
    drawn = np.array(
        [pooled([(chance.choice(a, len(a)), chance.choice(b, len(b))) for a, b in groups]) for _ in range(_ROUNDS)]
    )
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    return Figure(pooled(groups), float(drawn.std(ddof=1)), low, high, n)


def min_k(surprise: NDArray[np.float64], k: float) -> float:
    """Mean of the `k` share of tokens (at least one) that surprise most."""
    count = max(1, int(len(surprise) * k))
    return float(np.partition(surprise, count - 1)[:count].mean())


def scored(model: Audited, documents: Sequence[Sequence[int]], k: float, most: int) -> list[float]:
    """Min-K%++ of each document's first `most` tokens behind the begin token."""
    bos = model.tokenizer.bos_id
    rows = [([bos, *ids[:most]], 1) for ids in documents]
    return [min_k(one, k) for one in model.surprise(rows)]


def membership(
    model: Audited,
    members: Mapping[str, Sequence[Sequence[int]]],
    held_out: Mapping[str, Sequence[Sequence[int]]],
    *,
    k: float,
    most: int,
    threshold: float,
    control: Audited | None = None,
) -> Audit:
    """The audit `membership`: the AUC of Min-K%++ over documents of each source that were learnt or held out."""
    sources = [name for name in members if members[name] and held_out.get(name)]
    most = min(most, model.context - 1)

    def of(one: Audited) -> Figure:
        both = {name: (scored(one, members[name], k, most), scored(one, held_out[name], k, most)) for name in sources}
        return told_apart(both)

    measured = of(model)
    shown = None if control is None else of(control)
    counts = {f"{name}, members": len(members[name]) for name in sources}
    counts |= {f"{name}, held out": len(held_out[name]) for name in sources}
    return Audit(
        name="membership",
        asked="whether documents that were learnt surprise it less than held-out ones of the same source "
        f"(Min-{k:.0%}++, first {most} tokens); the AUC, 0.5 for not at all",
        measured=measured,
        control=shown,
        compared="0.5, a coin" if control is None else f"the model {control.name}",
        judged=measured,
        threshold=threshold,
        outcome=outcome_of(measured, threshold),
        limits="That documents as a whole cannot be told apart does not show that no single one is remembered.",
        counts=counts,
    )


def answer_leak(
    model: Audited,
    bank: Sequence[tuple[str, str]],
    twins: Sequence[tuple[str, str]],
    *,
    threshold: float,
) -> Audit:
    """The audit `answers`: are the answers of a test bank likelier than those of new problems made the same way?

    Both are (prompt, right answer); that the bank leaked into the training text would make them so.
    """

    def scores(pairs: Sequence[tuple[str, str]]) -> list[float]:
        bos, tokenizer = model.tokenizer.bos_id, model.tokenizer
        heads = tokenizer.encode_batch([head.rstrip() for head, _ in pairs])
        wholes = tokenizer.encode_batch([head + answer for head, answer in pairs])
        return model.loglik([([bos, *ids], 1 + len(head)) for head, ids in zip(heads, wholes, strict=True)])

    measured = told_apart({"bank": (scores(bank), scores(twins))})
    return Audit(
        name="answers",
        asked=f"the right answers to {len(bank)} test problems, and to {len(twins)} new ones made the same way: "
        "which are likelier; the AUC, 0.5 for neither",
        measured=measured,
        control=None,
        compared="0.5, a coin",
        judged=measured,
        threshold=threshold,
        outcome=outcome_of(measured, threshold),
        limits="A leak of few of the problems does not show, nor one in other words than the prompts'.",
    )
