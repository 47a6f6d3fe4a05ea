"""The tagger: what it learns from few documents, that it is the same for many texts and for one, and its file."""

from pathlib import Path

import numpy as np
import pytest

from candor.errors import DataError
from candor.governance.pii.made import known_words, made
from candor.governance.pii.tagger import CLASSES, Tagger
from candor.governance.pii.training import Annotated, annotated, common_words, train
from candor.governance.pii.words import HAN, LOWER, NUMBER, TITLE, UPPER, Gazetteer, Words
from candor.view import View

COURT = "Mr Braun, a Austrian national, was born in 1950 and lives in Linz. Braun complained in May 1999."


@pytest.fixture(scope="module")
def small() -> Tagger:
    return train(made(1, 150), Gazetteer.made(known_words(common_words(one.text for one in made(2, 100)))))


def test_made_texts_say_where_everything_is() -> None:
    texts = made(0, 40)
    assert texts == made(0, 40) and texts != made(1, 40)
    assert {kind for one in texts for _, _, kind in one.spans} <= set(CLASSES)
    for one in texts:
        assert all(0 <= start < end <= len(one.text) for start, end, _ in one.spans)
        assert all(one.text[start:end].strip() for start, end, _ in one.spans)
    assert sum("\u4e00" <= one.text[0] <= "\u9fff" for one in texts) > 10


def test_a_small_training_is_learnt(small: Tagger) -> None:
    """Of names in sentences that it has not seen at least 80% are found, and few other words."""
    texts = made(7, 100)
    named = hits = masked = right = 0
    for one, spans in zip(texts, small.find([text.text for text in texts], 0.5), strict=True):
        covered = {place for span in spans for place in range(span.start, span.end)}
        gold = {place for start, end, _ in one.spans for place in range(start, end)}
        masked, right = masked + len(covered), right + len(covered & gold)
        for start, end, kind in one.spans:
            if kind == "person":
                named, hits = named + 1, hits + ({*range(start, end)} <= covered)
    assert hits / named > 0.8 and right / masked > 0.8


def test_many_texts_are_as_each_by_itself(small: Tagger) -> None:
    texts = [COURT, "", "我叫王小明。", "x", " ", *(one.text for one in made(3, 10))]
    assert small.find(texts) == [small.find([text])[0] for text in texts]


def test_the_same_data_give_the_same_weights(small: Tagger, tmp_path: Path) -> None:
    again = train(made(1, 150), small.gazetteer)
    small.save(tmp_path / "a.npz")
    again.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert Tagger.load(tmp_path / "a.npz").find([COURT]) == small.find([COURT])


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK not really")
    with pytest.raises(DataError, match=r"x\.npz: no weights"):
        Tagger.load(tmp_path / "x.npz")


def test_forms_of_words() -> None:
    words = Words(["the Court PKK 1999 王"], Gazetteer.made(known_words([])))
    assert words.form.tolist() == [LOWER, TITLE, UPPER, NUMBER + 3, HAN]


def test_features_do_not_depend_on_the_neighbours_in_a_batch() -> None:
    gazetteer = Gazetteer.made(known_words(["court"]))
    alone = Words([COURT], gazetteer).features
    batch = Words(["Somebody else here", COURT, "Mr Other"], gazetteer)
    assert np.array_equal(batch.features[:, batch.document == 1], alone)


def test_lists_are_known() -> None:
    gazetteer = Gazetteer.made(known_words(["court"]))
    texts = ["court Turkish Germany Mr 王小明住在杭州"]
    lists = gazetteer.of(View(texts), texts)
    assert (lists[:4] > 0).all() and lists[4] > 0


def test_benchmark_documents_are_read_as_ours() -> None:
    from tests.governance.pii.test_tab import DOCUMENT

    (one,) = annotated([DOCUMENT])
    assert one == Annotated(
        DOCUMENT.text, ((0, 8, "person"), (13, 18, "person"), (22, 26, "location"), (30, 35, "date"))
    )
