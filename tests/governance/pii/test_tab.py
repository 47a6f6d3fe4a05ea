"""Scores of masked court documents: the arithmetic by hand, figures on the public benchmark beside Presidio's."""

import json
from pathlib import Path

import pytest

from candor.errors import DataError
from candor.governance.pii import Finder
from candor.governance.pii.spans import Span
from candor.governance.pii.tab import Mention, TabDocument, read_tab, score

TEXT = "Mr Braun met Braun in Linz on 3 May."


def span(word: str, text: str = TEXT, at: int = 0) -> Span:
    start = text.index(word, at)
    return Span(start, start + len(word), "x", "quasi", "x")


DOCUMENT = TabDocument(
    "d",
    TEXT,
    (
        Mention(0, 8, "PERSON", "DIRECT", "d_1"),
        Mention(13, 18, "PERSON", "QUASI", "d_1"),
        Mention(22, 26, "LOC", "QUASI", "d_2"),
        Mention(30, 35, "DATETIME", "QUASI", "d_3"),
        Mention(9, 12, "MISC", "NO_MASK", "d_4"),
    ),
)


def test_an_entity_counts_when_all_its_mentions_are_masked() -> None:
    both = [span("Braun"), span("Braun", at=9)]
    assert score([DOCUMENT], [both]).direct == 1.0  # the title tells nothing
    assert score([DOCUMENT], [both[:1]]).direct == 0.0
    assert score([DOCUMENT], [[*both, span("Linz")]]).quasi == 0.5
    assert score([DOCUMENT], [[span("3 M")]]).quasi == 0.0  # half a word does not hide it
    assert score([DOCUMENT], [both]).missed == (("LOC", "Linz"), ("DATETIME", "3 May"))


def test_precision_counts_masked_words() -> None:
    found = score([DOCUMENT], [[span("Braun"), span("met"), span("Linz on")]])
    assert found.precision == 2 / 4
    assert score([DOCUMENT], [[]]).precision == 0.0


def test_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(DataError, match="line 1: not annotated as TAB is"):
        read_tab(tmp_path / "x.jsonl")


def test_court_documents(public_data: Path) -> None:
    """The benchmark's own test part, of which the tagger has seen nothing; Presidio's spans by the same arithmetic."""
    folder = public_data / "privacy" / "tab_spia"
    documents = read_tab(folder / "entity_tab_144.jsonl")
    ids = set((folder / "test_ids.txt").read_text().split())
    test = [one for one in documents if one.id in ids]
    assert len(test) == 31
    ours = score(test, Finder().find_all([one.text for one in test]))
    assert ours.direct >= 0.97 and ours.quasi >= 0.80 and ours.precision >= 0.70, ours
    spans = json.loads((folder / "presidio_spans_TAB_all1268.json").read_text())
    theirs = score(documents, [[Span(a, b, "x", "quasi", "x") for a, b, _ in spans[one.id]] for one in documents])
    # Published beside the documents: 0.471, 0.763, 0.814; this arithmetic counts titles as masked words too.
    assert theirs.direct == pytest.approx(0.471, abs=0.001) and theirs.quasi == pytest.approx(0.763, abs=0.001)
    assert theirs.precision == pytest.approx(0.814, abs=0.04)
