"""How sure a score is: standard errors, intervals, pass@k, majority votes, paired comparison, agreement of judges.

A score is a mean over problems. With k samples of each, the samples of one problem are not independent, so every
standard error here is taken over problems, from their means.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z = 1.959963984540054
"""97.5% point of the normal distribution."""
_EXACT = 14
"""Up to this many pairs that differ, all sign patterns are counted."""
_SHUFFLES = 10_000


@dataclass(frozen=True)
class Figure:
    """A score with its uncertainty.

    >>> Figure(value=0.62, stderr=0.034, low=0.551, high=0.685, n=200)
    """

    value: float
    """The mean over problems."""
    stderr: float | None
    """Standard error of that mean; None where it cannot be told (fewer than two problems, a corpus figure)."""
    low: float | None
    """Lower end of the 95% interval."""
    high: float | None
    """Upper end of the 95% interval."""
    n: int
    """Problems that it rests on."""


def standard_error(values: Sequence[float]) -> float | None:
    """Sample standard deviation (n - 1) over the root of n; None below two values."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))


def share(values: Sequence[float], samples: int = 1) -> Figure:
    """Mean of per-problem values that lie between 0 and 1, each the mean of `samples` draws.

    The interval is Wilson's, for as many independent draws as would have the observed standard error: between one per
    problem and `samples` per problem. It stays within 0 and 1 and does not vanish where all answers are alike.
    """
    n = len(values)
    if not n:
        return Figure(math.nan, None, None, None, 0)
    p = math.fsum(values) / n
    error = standard_error(values)
    draws = float(n)
    if error:
        draws = min(max(p * (1 - p) / error**2, n), n * samples)
    shrunk = 1 + _Z**2 / draws
    centre = (p + _Z**2 / (2 * draws)) / shrunk
    half = _Z / shrunk * math.sqrt(p * (1 - p) / draws + _Z**2 / (4 * draws**2))
    # At the ends both terms are the same number but for rounding: what was never seen has a low end of just 0.
    low, high = 0.0 if p == 0 else max(0.0, centre - half), 1.0 if p == 1 else min(1.0, centre + half)
    return Figure(p, error, low, high, n)


def mean(values: Sequence[float]) -> Figure:
    """Mean of values of any size (lengths, F1), with a normal interval."""
    n = len(values)
    if not n:
        return Figure(math.nan, None, None, None, 0)
    m, error = math.fsum(values) / n, standard_error(values)
    return Figure(m, error, None if error is None else m - _Z * error, None if error is None else m + _Z * error, n)


def difference(measured: Figure, control: Figure) -> Figure:
    """measured - control of independent samples, with the interval of Newcombe 1998 (method 10) from their own two."""
    value = measured.value - control.value
    ends = (measured.low, measured.high, control.low, control.high)
    if None in ends or not math.isfinite(value):
        return Figure(value, None, None, None, min(measured.n, control.n))
    low, high, low0, high0 = (float(end) for end in ends if end is not None)
    down = math.hypot(measured.value - low, high0 - control.value)
    up = math.hypot(high - measured.value, control.value - low0)
    error = math.hypot(measured.stderr or 0.0, control.stderr or 0.0) or None
    return Figure(value, error, value - down, value + up, min(measured.n, control.n))


def ratio(parts: Sequence[float], wholes: Sequence[float]) -> Figure:
    """sum(parts) / sum(wholes), such as bits per byte over documents; the error by linearisation."""
    n, whole = len(parts), math.fsum(wholes)
    value = math.fsum(parts) / whole
    if n < 2:
        return Figure(value, None, None, None, n)
    rest = math.fsum((part - value * size) ** 2 for part, size in zip(parts, wholes, strict=True))
    error = math.sqrt(n / (n - 1) * rest) / whole
    return Figure(value, error, value - _Z * error, value + _Z * error, n)


def pass_at_k(n: int, right: int, k: int) -> float:
    """Chance that at least one of `k` samples, drawn from `n` of which `right` are right, is right.

    The unbiased estimator of Chen et al. 2021 (2107.03374), equation 1.
    """
    if not 0 <= right <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs 1 <= k <= n and 0 <= right <= n, got n={n}, right={right}")
    return 1.0 - math.comb(n - right, k) / math.comb(n, k)


def majority(answers: Sequence[str | None], right: Sequence[bool]) -> float:
    """Score of the most frequent answer among samples of one problem; tied ones share.

    Samples without an answer (None) have no vote; without any vote the score is 0.
    """
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return 0.0
    most = max(votes.values())
    winners = {answer for answer, count in votes.items() if count == most}
    grades: dict[str, list[bool]] = {}
    for answer, good in zip(answers, right, strict=True):
        if answer in winners:
            grades.setdefault(str(answer), []).append(good)
    return math.fsum(sum(good) / len(good) for good in grades.values()) / len(winners)


@dataclass(frozen=True)
class Comparison:
    """Two evaluations of the same problems, problem by problem.

    >>> Comparison(difference=0.05, stderr=0.02, low=0.011, high=0.089, p_value=0.013, n=200, better=18, worse=8)
    """

    difference: float
    """Mean of (this minus the baseline) over problems."""
    stderr: float | None
    """Its standard error, from the paired differences."""
    low: float | None
    """Lower end of its 95% interval."""
    high: float | None
    """Upper end of its 95% interval."""
    p_value: float
    """Two-sided sign-flip test: how often chance alone would give a difference at least this far from zero."""
    n: int
    """Problems that both answered."""
    better: int
    """Problems with a higher score than the baseline's."""
    worse: int
    """Problems with a lower one."""


def compare(ours: Sequence[float], baseline: Sequence[float]) -> Comparison:
    """Compare per-problem scores of the same problems in the same order.

    Exact where all differences are of one size (for right and wrong answers this is McNemar's exact test) or at most 14
    problems differ, else by 10,000 sign patterns drawn from a fixed seed.
    """
    differences = [a - b for a, b in zip(ours, baseline, strict=True)]
    figure = mean(differences)
    moved = [difference for difference in differences if difference]
    better, worse = sum(difference > 0 for difference in moved), sum(difference < 0 for difference in moved)
    observed, tolerance = abs(math.fsum(moved)), 1e-12
    if len({abs(difference) for difference in moved}) <= 1:
        tail = sum(math.comb(len(moved), k) for k in range(min(better, worse) + 1))
        p = min(1.0, 2 * tail / 2 ** len(moved))
    elif len(moved) <= _EXACT:
        sums = [0.0]
        for difference in moved:
            sums = [total + sign * difference for total in sums for sign in (1, -1)]
        p = sum(abs(total) >= observed - tolerance for total in sums) / len(sums)
    else:
        source, hits = np.random.default_rng(0), 0
        for _ in range(_SHUFFLES // 100):
            signs = source.integers(0, 2, (100, len(moved)), dtype=np.int8) * 2 - 1
            hits += int((np.abs(signs @ np.array(moved)) >= observed - tolerance).sum())
        p = (hits + 1) / (_SHUFFLES + 1)
    return Comparison(
        figure.value,
        figure.stderr,
        figure.low,
        figure.high,
        p,
        len(differences),
        better,
        worse,
    )


def kappa(ours: Sequence[str], theirs: Sequence[str]) -> Figure | None:
    """Cohen's kappa of two judges who put the same things into classes: 1 where they always agree, 0 as by chance.

    The standard error is that of Fleiss, Cohen and Everitt (Psychological Bulletin 72, 1969, eq. 13), the interval
    normal and cut at -1 and 1. None where it is not defined: nothing was judged, or both gave one class to all.
    """
    n, counts = len(ours), Counter(zip(ours, theirs, strict=True))
    rows, columns = (Counter(side) for side in (ours, theirs))
    same = math.fsum(count for (a, b), count in counts.items() if a == b) / n if n else 0.0
    chance = math.fsum(rows[name] * columns[name] for name in rows) / n**2 if n else 1.0
    if chance == 1:
        return None
    value, spread = (same - chance) / (1 - chance), 0.0
    for (a, b), count in counts.items():
        if a == b:
            spread += count / n * ((1 - chance) - (rows[a] + columns[a]) / n * (1 - same)) ** 2
        else:
            spread += count / n * ((1 - same) * (columns[a] + rows[b]) / n) ** 2
    spread -= (same * chance - 2 * chance + same) ** 2
    error = math.sqrt(max(0.0, spread) / n) / (1 - chance) ** 2
    return Figure(value, error, max(-1.0, value - _Z * error), min(1.0, value + _Z * error), n)
