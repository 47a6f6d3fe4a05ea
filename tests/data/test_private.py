"""What a corpus masks, and what it leaves as it is."""

from pathlib import Path

import pytest

from candor.data import CorpusConfig, SourceConfig
from candor.data.build import build_corpus
from candor.data.corpus import read_corpus, read_rejects
from candor.data.minhash import MinHashConfig
from candor.data.private import PrivateConfig
from candor.data.steps import StepsConfig
from candor.errors import ConfigError
from tests.data.conftest import jsonl

TEXT = "Mr Braun lives in Linz; his card is 4111 1111 1111 1111 and his address is braun@example.org."


def test_identifiers_are_masked_and_names_stay() -> None:
    text, count = PrivateConfig().mask(TEXT)
    assert text == "Mr Braun lives in Linz; his card is <bank_card> and his address is <email>." and count == 2
    assert PrivateConfig().mask(text) == (text, 0)
    assert PrivateConfig(on=False).mask(TEXT) == (TEXT, 0)


def test_names_are_masked_where_asked_for() -> None:
    text, _ = PrivateConfig(names=True).mask(TEXT)
    assert "Braun" not in text and "Linz" not in text
    assert PrivateConfig(names=True, action="redact").mask(TEXT)[0].count("████") >= 4
    with pytest.raises(ConfigError, match="surrogates need a key"):
        PrivateConfig(action="surrogate")  # type: ignore[arg-type]


def test_a_corpus_holds_no_identifiers_nor_do_its_rejects(tmp_path: Path) -> None:
    rows = [
        f"Line {n} of many that say something else each time, number {n * 7919}. Card {n}: {TEXT}" for n in range(30)
    ]
    source = SourceConfig(str(jsonl(tmp_path / "x.jsonl", [*rows, rows[0], "\ufffd" * 20 + TEXT])), form="any")
    (tmp_path / "corpus").mkdir()
    steps = StepsConfig(harmful=1.0, minhash=MinHashConfig(bands=0))
    build_corpus(CorpusConfig((source,), steps=steps), tmp_path / "corpus")
    kept = [*read_corpus(tmp_path / "corpus", "train"), *read_corpus(tmp_path / "corpus", "heldout")]
    rejected = list(read_rejects(tmp_path / "corpus"))
    assert len(kept) == 30 and {row["reason"] for row in rejected} == {"copies", "encoding"}
    for text in (*(one.text for one in kept), *(row["text"] for row in rejected)):
        assert "4111" not in text and "braun@" not in text and "Mr Braun" in text
    assert all("private 2" in one.changes for one in kept)


def test_what_users_wrote_keeps_no_name(tmp_path: Path) -> None:
    """Whatever the settings say."""
    rows = [f"Number {n * 7919}: {TEXT}" for n in range(4)]
    source = SourceConfig(str(jsonl(tmp_path / "x.jsonl", rows)), form="any", kind="user-derived")
    (tmp_path / "corpus").mkdir()
    steps = StepsConfig(harmful=1.0, minhash=MinHashConfig(bands=0), private=PrivateConfig(on=False))
    build_corpus(CorpusConfig((source,), steps=steps), tmp_path / "corpus")
    kept = [*read_corpus(tmp_path / "corpus", "train"), *read_corpus(tmp_path / "corpus", "heldout")]
    assert len(kept) == 4 and not any("Braun" in one.text or "4111" in one.text for one in kept)
