"""The figures behind the audits, against brute force, other people's code and published examples."""

import dataclasses
import itertools
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from candor.data.planted import canaries, persons, planted, secrets
from candor.errors import DataError
from candor.evaluate.memory.canaries import exposure
from candor.evaluate.memory.copying import histogram
from candor.evaluate.memory.extraction import bleu
from candor.evaluate.memory.membership import auc, min_k, told_apart
from candor.evaluate.memory.model import surprises
from candor.evaluate.memory.record import Audit, MemoryReport, Outcome, clustered, outcome_of
from candor.evaluate.memory.texts import random_windows, repeated_windows
from candor.evaluate.statistics import Figure, difference, share
from candor.governance import pii
from tests.model.test_hub import TINY
from tests.model.test_transformer import build


def test_difference_of_newcombe() -> None:
    """Newcombe 1998, table II, method 10: 56/70 - 48/80 has 0.0524 to 0.3339."""
    found = difference(share([1.0] * 56 + [0.0] * 14), share([1.0] * 48 + [0.0] * 32))
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
    nothing = difference(share([0.0] * 10), share([]))
    assert nothing.low is None and outcome_of(nothing, 1.0) == "not shown"


@pytest.mark.parametrize(
    ("low", "high", "threshold", "above", "outcome"),
    [
        (0.0, 0.05, 0.05, None, "pass"),
        (0.051, 0.2, 0.05, None, "fail"),
        (0.0, 0.2, 0.05, None, "not shown"),
        (0.01, 0.04, 0.05, 0.0, "fail"),
        (None, None, 0.05, None, "not shown"),
    ],
)
def test_outcomes(
    low: float | None, high: float | None, threshold: float, above: float | None, outcome: Outcome
) -> None:
    assert outcome_of(Figure(0.03, None, low, high, 9), threshold, above) == outcome
    assert outcome_of(Figure(math.nan, None, 0.0, 0.0, 0), 1.0) == "not shown"


def test_windows_of_one_document_are_not_so_many_draws() -> None:
    many = clustered([1.0] * 50 + [0.0] * 50, [0] * 50 + [1] * 50)
    alone = clustered([1.0] * 50 + [0.0] * 50, range(100))
    assert many.value == alone.value == 0.5 and many.n == 2 and alone.n == 100
    assert many.high is not None and alone.high is not None and many.high > 0.8 > 0.65 > alone.high


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_that_of_mann_whitney(seed: int) -> None:
    chance = np.random.default_rng(seed)
    a, b = chance.integers(0, 9, 40).tolist(), chance.integers(1, 10, 30).tolist()
    wanted = stats.mannwhitneyu(a, b).statistic / (len(a) * len(b))
    assert auc(a, b) == pytest.approx(wanted)
    figure = told_apart({"x": (a, b)})
    assert figure.value == pytest.approx(wanted) and figure.low is not None and figure.high is not None
    assert figure.low < wanted < figure.high
    # The error of Hanley and McNeil 1982, by another formula, is about that of the bootstrap.
    q1, q2 = wanted / (2 - wanted), 2 * wanted**2 / (1 + wanted)
    error = math.sqrt((wanted * (1 - wanted) + 39 * (q1 - wanted**2) + 29 * (q2 - wanted**2)) / 1200)
    assert figure.stderr == pytest.approx(error, rel=0.35)


def test_documents_are_only_compared_with_those_of_their_source() -> None:
    """Sources on other levels, each without any difference: pooled blindly they would be told apart."""
    figure = told_apart({"a": ([1, 2, 3] * 9, [1, 2, 3]), "b": ([11, 12, 13], [11, 12, 13] * 9)})
    assert figure.value == 0.5 and auc([1, 2, 3] * 9 + [11, 12, 13], [1, 2, 3] + [11, 12, 13] * 9) < 0.3
    assert told_apart({"a": ([1.0], [])}).n == 0


def test_surprise_by_brute_force() -> None:
    model = build(dataclasses.replace(TINY, vocab_size=40, num_hidden_layers=2), torch.float64)
    rows = [([0, 5, 6, 7, 9], 1), ([0, 8, 3], 2), (list(range(20)), 1)]
    for (ids, read), found in zip(rows, surprises(model, rows), strict=True):
        for place, value in zip(range(read, len(ids)), found, strict=True):
            with torch.no_grad():
                p = model(torch.tensor([ids[:place]]))[0, -1].softmax(-1).numpy()
            mean = sum(one * math.log(one) for one in p)
            spread = math.sqrt(sum(one * (math.log(one) - mean) ** 2 for one in p))
            assert value == pytest.approx((math.log(p[ids[place]]) - mean) / spread, abs=1e-4)


def test_min_k_takes_the_most_surprising_tokens() -> None:
    values = np.array([3.0, -1.0, 0.0, -5.0, 2.0, 1.0, 4.0, 6.0, 7.0, 8.0])
    assert min_k(values, 0.2) == -3.0 and min_k(values, 0.01) == -5.0 and min_k(values, 1.0) == values.mean()


def test_bleu_of_known_cases() -> None:
    true = list(range(50))
    assert bleu(true, true) == 1 and bleu([99] * 50, true) == 0 and bleu([], true) == 0
    said = [*true[:48], 98, 99]  # matches: 48 of 50, 47 of 49, 46 of 48, 45 of 47
    assert bleu(said, true) == pytest.approx((48 / 50 * 47 / 49 * 46 / 48 * 45 / 47) ** 0.25)
    assert bleu(true[:40], true) == pytest.approx(math.exp(1 - 50 / 40))


def test_exposure_and_what_is_planted() -> None:
    assert exposure(1, 1024) == 10 and exposure(1024, 1024) == 0
    uniform = [exposure(rank, 1000) for rank in range(1, 1001)]
    assert np.mean(uniform) == pytest.approx(1 / math.log(2), rel=0.01)  # what one that was never seen has
    texts = [document.text for document in planted((0, 1, 4))]
    assert len(set(texts)) == len(texts) == (1 + 4) * (8 + 2 * 6)
    assert all(document.kind == "synthetic" and document.model for document in planted((1,)))
    for canary in canaries((0, 1, 4)):
        assert sum(canary.sentence in text for text in texts) == canary.copies
    people = persons((0, 4), each=20)
    assert len({one.name for one in people}) == 40 and {one.lang for one in people} == {"en", "zh"}
    assert all("555-01" in one.phone or one.phone.startswith("12") for one in people)  # nobody's number
    assert len(set(secrets(1000, 0))) == 1000 and not set(secrets(100, 0)) & set(secrets(100, 1))
    assert any(pii.find(one.sentences()[0]) for one in people if one.lang == "en")  # de-identification would take it


def test_windows() -> None:
    chance = random.Random(0)
    documents = [[chance.randrange(5) for _ in range(chance.randrange(5, 90))] for _ in range(30)]
    documents += [documents[3] * 2, documents[7], documents[7]]
    drawn = random_windows(documents, 40, 10, 0)
    assert len(drawn.ids) == 40 and drawn == random_windows(documents, 40, 10, 0)
    places: dict[int, list[int]] = {}
    for ids, owner in zip(drawn.ids, drawn.owners, strict=True):
        text = documents[owner]
        starts = [at for at in range(len(text) - 9) if text[at : at + 10] == ids]
        assert starts
        places.setdefault(owner, []).append(starts[0])
    assert all(b - a >= 10 for own in places.values() for a, b in itertools.pairwise(sorted(own)))
    counts = Counter(tuple(text[at : at + 10]) for text in documents for at in range(len(text) - 9))
    most = repeated_windows(documents, 8, 10)
    assert most.repeats == [counts[tuple(ids)] for ids in most.ids] and most.repeats[0] == max(counts.values())
    assert most.repeats == sorted(most.repeats, reverse=True) and min(most.repeats) >= 2
    assert not repeated_windows([[1, 2, 3]], 5, 10).ids and not repeated_windows([list(range(50))], 5, 10).ids


def test_histogram_counts_each_once() -> None:
    found = histogram([0, 0, 41, 79, 80, 100, 130, 5000])
    assert sum(found.values()) == 8 and found["none"] == 2 and found["below 80 characters"] == 2
    assert found["from 80 characters"] == 2
    assert found["from 120 characters"] == 1 and found["from 480 characters"] == 1


def test_report_is_read_back_and_passes_only_where_all_do(tmp_path: Path) -> None:
    figure = Figure(0.1, 0.01, 0.08, 0.12, 100)
    one = Audit(
        name="x", asked="?", measured=figure, control=None, compared="", judged=figure, threshold=0.2, outcome="pass",
        limits="", parts={"y": Figure(math.nan, None, None, None, 0)}, counts={"z": 1},
    )  # fmt: skip
    report = MemoryReport(model="m", corpus="c", control="", settings={"a": 1}, audits=(one,))
    assert report.outcome == "pass"
    report.write(tmp_path / "memory.json")
    again = MemoryReport.read(tmp_path / "memory.json")
    assert again.audits[0].judged == figure and math.isnan(again.audits[0].parts["y"].value)
    assert dataclasses.replace(report, left_out={"persons": "none planted"}).outcome == "not shown"
    failed = dataclasses.replace(one, outcome="fail")
    assert dataclasses.replace(report, audits=(one, failed), left_out={"a": "b"}).outcome == "fail"
    assert dataclasses.replace(report, audits=()).outcome == "not shown"
    (tmp_path / "memory.json").write_text("{}")
    with pytest.raises(DataError, match="no report of memory"):
        MemoryReport.read(tmp_path / "memory.json")
