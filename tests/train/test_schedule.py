"""The schedules against numbers worked out by hand from the V3 report (section 4.2), which counts in tokens."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.errors import ConfigError
from candor.train.schedule import ScheduleConfig, batch_size, rate_factor

T, B = 10**12, 10**9
TOTAL = 14_800 * B
V3 = ScheduleConfig(shape="v3", warmup_steps=2000, batch_start=3072, batch=15360)
LATE = 200_000  # a step long after the warm-up


def rate(tokens: float, step: int = LATE) -> float:
    """V3's learning rate."""
    return 2.2e-4 * rate_factor(V3, step, tokens / TOTAL)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 1.1e-7), (499, 5.5e-5), (999, 1.1e-4), (1998, 2.1989e-4), (1999, 2.2e-4), (2000, 2.2e-4), (2001, 2.2e-4)],
)
def test_warm_up_is_linear_over_2000_steps(step: int, expected: float) -> None:
    assert rate(step * 3072 * 4096, step) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (1 * T, 2.2e-4),
        (10 * T - 1, 2.2e-4),
        (10 * T, 2.2e-4),
        (11_075 * B, 2.2e-5 + 1.98e-4 * (1 + math.sqrt(0.5)) / 2),  # a quarter of the cosine
        (12_150 * B, 1.21e-4),  # its half: the mean of both ends
        (13_225 * B, 2.2e-5 + 1.98e-4 * (1 - math.sqrt(0.5)) / 2),
        (14_300 * B - 1, 2.2e-5),
        (14_300 * B, 2.2e-5),
        (14_310 * B, 2.2e-5),
        (14_633 * B - 1, 2.2e-5),
        (14_633 * B, 7.3e-6),
        (14_633 * B + 1, 7.3e-6),
        (TOTAL - 1, 7.3e-6),
    ],
)
def test_learning_rate_of_v3(tokens: int, expected: float) -> None:
    assert rate(tokens) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("tokens", "sequences"),
    [
        (0, 3072),
        (469 * B // 4, 6144),
        (469 * B // 2, 9216),
        (469 * B - 1, 15359),
        (469 * B, 15360),
        (469 * B + 1, 15360),
        (TOTAL - 1, 15360),
    ],
)
def test_batch_of_v3(tokens: int, sequences: int) -> None:
    assert batch_size(V3, tokens / TOTAL) == sequences


@given(progress=st.floats(0, 1, exclude_max=True), width=st.floats(1e-9, 1e-6))
def test_the_rate_never_jumps_but_for_the_last_drop(progress: float, width: float) -> None:
    """The steepest slope is the cosine's middle: 0.9 / 2 * pi over 4.3/14.8 of the run, below 5 per run."""
    for shape in ("v3", "cosine", "constant"):
        config = ScheduleConfig(shape=shape, warmup_steps=0)
        before, after = (rate_factor(config, 0, min(p, 1.0)) for p in (progress, progress + width))
        assert 0.033 < after <= before <= 1
        crosses = shape == "v3" and progress < 14_633 / 14_800 <= progress + width
        assert crosses or before - after <= 5 * width + 1e-15


@given(progress=st.floats(0, 1, exclude_max=True), start=st.integers(1, 50), end=st.integers(1, 250))
def test_the_batch_follows_a_straight_line(progress: float, start: int, end: int) -> None:
    config = ScheduleConfig(batch_start=start, batch=end, batch_ramp=0.4)
    line = start + (end - start) * min(1.0, progress / 0.4)
    assert line - 1 - 1e-9 < batch_size(config, progress) <= line + 1e-9


def test_a_batch_may_shrink() -> None:
    config = ScheduleConfig(batch_start=16, batch=8, batch_ramp=0.4)
    assert [batch_size(config, progress) for progress in (0, 0.1, 0.2, 0.3, 0.4)] == [16, 14, 12, 10, 8]


def test_cosine_goes_to_a_tenth_over_the_whole_run() -> None:
    config = ScheduleConfig(shape="cosine", warmup_steps=4)
    at = [rate_factor(config, LATE, progress) for progress in (0, 1 / 3, 0.5, 2 / 3, 1)]
    assert at == pytest.approx([1, 0.775, 0.55, 0.325, 0.1], rel=1e-12)
    assert rate_factor(config, 1, 0.5) == pytest.approx(0.275)


def test_constant_stays_after_the_warm_up() -> None:
    config = ScheduleConfig(shape="constant", warmup_steps=4)
    assert [rate_factor(config, step, 0.99) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_without_warm_up_or_ramp_the_first_step_is_whole() -> None:
    config = ScheduleConfig(warmup_steps=0, batch_start=4, batch=16, batch_ramp=0)
    assert (rate_factor(config, 0, 0.0), batch_size(config, 0.0)) == (1, 16)


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch", 0), ("batch_start", 0), ("batch", -4), ("warmup_steps", -1), ("batch_ramp", -0.1)],
)
def test_settings_that_cannot_work_are_refused_by_name(name: str, value: float) -> None:
    """A batch of nothing would train for ever, a negative warm-up would climb the loss."""
    with pytest.raises(ConfigError, match=rf"pretrain\.schedule\.{name}={value}"):
        ScheduleConfig(**{name: value})  # type: ignore[arg-type]
