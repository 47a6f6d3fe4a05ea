"""The statistics against brute force, SciPy, and simulated models whose true score is known."""

import itertools
import math
import random

import numpy as np
import pytest
from scipy import stats

from candor.evaluate.statistics import compare, kappa, majority, mean, pass_at_k, ratio, share, standard_error


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_sample(n: int) -> None:
    for right, k in itertools.product(range(n + 1), range(1, n + 1)):
        samples = [True] * right + [False] * (n - right)
        draws = list(itertools.combinations(samples, k))
        assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, draws)) / len(draws))


@pytest.mark.parametrize(("n", "right", "k"), [(4, 5, 1), (4, -1, 1), (4, 2, 5), (4, 2, 0)])
def test_pass_at_k_refuses_what_cannot_be(n: int, right: int, k: int) -> None:
    with pytest.raises(ValueError):
        pass_at_k(n, right, k)


@pytest.mark.parametrize(("n", "p", "k"), [(200, 0.25, 1), (200, 0.5, 4), (100, 0.02, 1), (50, 0.9, 8), (300, 0.99, 1)])
def test_intervals_of_a_random_answerer_hold_its_true_score(n: int, p: float, k: int) -> None:
    """95% intervals: at least 90 of 100 seeds, and where seeds are many, near 95% of them."""
    held = 0
    for seed in range(1000):
        source = random.Random(seed)
        values = [sum(source.random() < p for _ in range(k)) / k for _ in range(n)]
        figure = share(values, k)
        good = figure.low is not None and figure.high is not None and figure.low <= p <= figure.high
        held += good
        if seed == 99:
            assert held >= 90
    assert held >= 930


def test_intervals_hold_where_problems_differ_in_difficulty() -> None:
    """Samples of one problem are alike: an interval that took all n * k samples for independent would be too narrow."""
    held = 0
    for seed in range(200):
        source = random.Random(seed)
        values = []
        for _ in range(100):
            ability = source.betavariate(0.5, 0.5)  # nearly always right, or nearly always wrong; mean 0.5
            values.append(sum(source.random() < ability for _ in range(16)) / 16)
        figure = share(values, 16)
        assert figure.low is not None and figure.high is not None
        held += figure.low <= 0.5 <= figure.high
    assert held >= 180


def test_one_draw_a_problem_gives_the_interval_of_wilson() -> None:
    for n, right in ((20, 0), (20, 7), (500, 499)):
        theirs = stats.binomtest(right, n).proportion_ci(0.95, "wilson")
        figure = share([1.0] * right + [0.0] * (n - right))
        # The observed standard error divides by n - 1: as many draws as n - 1, but never fewer than n.
        assert (figure.low, figure.high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))


def test_an_interval_ends_where_all_agree_at_just_that() -> None:
    """A rounding error above 0 would read as "surely more than nothing" where nothing was ever seen."""
    for n in range(1, 200):
        assert share([0.0] * n).low == 0 and share([1.0] * n).high == 1


def test_standard_errors_are_those_of_scipy() -> None:
    source = random.Random(1)
    values = [source.random() for _ in range(37)]
    assert standard_error(values) == pytest.approx(stats.sem(values))
    assert mean(values).stderr == pytest.approx(stats.sem(values))
    assert standard_error([1.0]) is None
    assert share([]).n == 0 and math.isnan(share([]).value)


def test_the_error_of_a_ratio_is_what_resampling_shows() -> None:
    source = random.Random(2)
    wholes = [source.uniform(100, 2000) for _ in range(400)]
    parts = [whole * source.gauss(2, 0.3) for whole in wholes]
    figure = ratio(parts, wholes)
    pairs = list(zip(parts, wholes, strict=True))
    values = []
    for _ in range(800):
        drawn = source.choices(pairs, k=len(pairs))
        values.append(sum(part for part, _ in drawn) / sum(whole for _, whole in drawn))
    spread = standard_error(values)
    assert figure.stderr is not None and spread is not None
    assert figure.stderr == pytest.approx(spread * math.sqrt(len(values)), rel=0.15)


def test_majority() -> None:
    assert majority(["7", "7", "5"], [True, True, False]) == 1
    assert majority(["7", "5", "5"], [True, False, False]) == 0
    assert majority(["7", "5"], [True, False]) == 0.5  # a tie is decided by a coin
    assert majority([None, None, "7"], [False, False, True]) == 1  # no answer has no vote
    assert majority([None], [False]) == 0


def test_comparison_of_right_and_wrong_is_mcnemar() -> None:
    ours = [1.0] * 9 + [0.0] * 2 + [1.0] * 30
    theirs = [0.0] * 9 + [1.0] * 2 + [1.0] * 30
    found = compare(ours, theirs)
    assert found.p_value == pytest.approx(stats.binomtest(2, 11, 0.5).pvalue)
    assert (found.better, found.worse, found.n) == (9, 2, 41)
    assert found.difference == pytest.approx(7 / 41)


@pytest.mark.parametrize(("better", "worse"), [(100, 0), (30, 12), (500, 480), (7, 7)])
def test_mcnemar_is_exact_however_many_differ(better: int, worse: int) -> None:
    ours, theirs = [1.0] * better + [0.0] * worse, [0.0] * better + [1.0] * worse
    assert compare(ours, theirs).p_value == pytest.approx(stats.binomtest(better, better + worse, 0.5).pvalue)


def test_comparison_of_many_agrees_with_the_permutation_test_of_scipy() -> None:
    source = random.Random(3)
    ours = [source.choice([0, 0.25, 0.5, 0.75, 1]) for _ in range(80)]
    theirs = [source.choice([0, 0.25, 0.5, 0.75]) for _ in range(80)]
    reference = stats.permutation_test(
        (ours, theirs), lambda a, b: (a - b).mean(), permutation_type="samples", n_resamples=20_000, vectorized=False
    )
    assert compare(ours, theirs).p_value == pytest.approx(reference.pvalue, abs=0.02)


def test_equal_runs_do_not_differ_and_chance_is_seldom_significant() -> None:
    assert compare([1, 0, 1], [1, 0, 1]).p_value == 1
    false_alarms = 0
    for seed in range(100):
        source = random.Random(seed)
        a, b = ([float(source.random() < 0.5) for _ in range(60)] for _ in range(2))
        false_alarms += compare(a, b).p_value < 0.05
    assert false_alarms <= 10


# Two judges.


def judged(table: list[list[int]]) -> tuple[list[str], list[str]]:
    pairs = [(str(a), str(b)) for a, row in enumerate(table) for b, count in enumerate(row) for _ in range(count)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def slope_error(table: list[list[int]]) -> float:
    """The standard error by the delta method, with numeric slopes over the cells of a multinomial table."""
    shares = np.array(table, float) / np.sum(table)

    def value(p: np.ndarray) -> float:
        chance = float(p.sum(1) @ p.sum(0))
        return (float(np.trace(p)) - chance) / (1 - chance)

    slopes = np.zeros_like(shares)
    for cell in np.ndindex(*shares.shape):
        up, down = shares.copy(), shares.copy()
        up[cell] += 1e-6
        down[cell] -= 1e-6
        slopes[cell] = (value(up) - value(down)) / 2e-6
    spread = float((shares * slopes**2).sum() - (shares * slopes).sum() ** 2)
    return math.sqrt(spread / np.sum(table))


@pytest.mark.parametrize(
    "table", [[[20, 5], [10, 15]], [[60, 3, 1], [4, 20, 6], [0, 2, 9]], [[10, 0, 3], [9, 0, 8], [5, 1, 30]]]
)
def test_kappa_and_its_error_are_those_of_the_definition(table: list[list[int]]) -> None:
    found, shares = kappa(*judged(table)), np.array(table) / np.sum(table)
    chance = sum(shares[k].sum() * shares[:, k].sum() for k in range(len(table)))
    assert found is not None and found.value == pytest.approx((np.trace(shares) - chance) / (1 - chance))
    assert found.stderr == pytest.approx(slope_error(table), rel=1e-5)


def test_kappa_of_published_and_of_extreme_tables() -> None:
    example = kappa(*judged([[20, 5], [10, 15]]))  # the table that most textbooks print, 0.4
    assert example is not None and example.value == pytest.approx(0.4)
    same = kappa("aabbc", "aabbc")
    assert same is not None and (same.value, same.low, same.high) == (1, 1, 1)
    opposite = kappa("ab" * 20, "ba" * 20)
    assert opposite is not None and opposite.value == pytest.approx(-1) and opposite.low == -1
    assert kappa("aaa", "aaa") is None and kappa("", "") is None  # chance alone would agree as well


def test_the_interval_of_kappa_holds_the_true_one() -> None:
    """Judges who copy each other with a chance of one half, else toss: the true kappa is 0.5."""
    held = 0
    for seed in range(100):
        source = random.Random(seed)
        ours = [source.choice("ab") for _ in range(300)]
        found = kappa(ours, [one if source.random() < 0.5 else source.choice("ab") for one in ours])
        assert found is not None and found.low is not None and found.high is not None
        held += found.low <= 0.5 <= found.high
    assert held >= 90
