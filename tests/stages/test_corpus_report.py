"""What a corpus shows: examples of all that was rejected, a gate that counts verdicts, records, a page without harm."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from candor import files
from candor.data import CorpusConfig, SourceConfig, build_corpus
from candor.data import shards as tasks
from candor.data.corpus import read_rejects
from candor.data.steps import StepsConfig
from candor.errors import DataError
from candor.stages import corpus_report
from candor.stages.corpus_report import corpus_folder, examples, gate, manifest_of, records, write_page
from tests.data.conftest import jsonl
from tests.data.test_build import prose

TERM = "zyxxy"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report")
    chance = random.Random(0)
    rows = [prose(chance) for _ in range(80)] + ["short"] * 3 + [f"short {number}" for number in range(9)]
    rows += [f"{prose(chance)} <b>{TERM}</b>" for _ in range(3)]
    (place / "bank.txt").write_text(f"{TERM}\tspam\n")
    source = SourceConfig(
        str(jsonl(place / "x.jsonl", rows)),
        form="prose",
        licence="CC0-1.0",
        address="https://a.b/<i>",
        collected="2026-11-30",
    )
    (place / "corpus").mkdir()
    config = CorpusConfig((source,), steps=StepsConfig(harmful=1.0, keywords=(str(place / "bank.txt"),)))
    build_corpus(config, place / "corpus")
    return place / "corpus"


def test_where_a_corpus_is(corpus: Path, tmp_path: Path) -> None:
    assert corpus_folder(corpus) == corpus == corpus_folder(corpus.parent)
    with pytest.raises(DataError, match="holds no corpus"):
        corpus_folder(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(DataError, match="has another form"):
        manifest_of(tmp_path)


def test_examples_are_drawn_from_all(corpus: Path) -> None:
    rejected = Counter(row["reason"] for row in read_rejects(corpus))
    assert rejected == {"quality.words": 12, "keywords.spam": 3}
    found = examples(corpus, each=5)
    assert {reason: len(rows) for reason, rows in found.items()} == {"quality.words": 5, "keywords.spam": 3}
    drawn = {row["origin"] for seed in range(30) for row in examples(corpus, "quality", 2, seed)["quality.words"]}
    assert len(drawn) == 12, "each of them comes up for some seed"
    assert examples(corpus, "quality", 2, 7) == examples(corpus, "quality", 2, 7)
    assert examples(corpus, "no such") == {}


def test_the_page_shows_reasons_but_no_harm_and_escapes(corpus: Path, tmp_path: Path) -> None:
    write_page(corpus, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "quality.words" in page and "<pre>short" in page
    assert TERM in page, "the term that was found is told"
    assert f"<b>{TERM}" not in page and f"&lt;b&gt;{TERM}" not in page, "the text around it is not"
    assert "https://a.b/&lt;i&gt;" in page and "http" not in page.replace("https://a.b", ""), "no call to any host"


def sample(corpus: Path, verdicts: Any, path: Path) -> Path:
    """The sample of a corpus with what `verdicts` says of the line with each number."""
    lines = [json.loads(line) for line in (corpus / "human_sample.jsonl").read_text().splitlines()]
    path.write_text("".join(json.dumps(line | verdicts(number)) + "\n" for number, line in enumerate(lines)))
    return path


def test_the_gate_counts_verdicts(corpus: Path, tmp_path: Path) -> None:
    count = len((corpus / "human_sample.jsonl").read_text().splitlines())
    manifest = manifest_of(corpus)
    assert count == manifest["train"]["documents"] + manifest["heldout"]["documents"] == 80, "all, where there are few"
    closed = gate(corpus)
    assert not closed.open and closed.missing == ["human sample: 0 of 80 documents have a verdict"]
    assert closed.technical_checked == closed.technical_passed > 0

    def verdict(failing: int, until: int = 80) -> Any:
        bad = {"verdict": "fail", "annotator": "li", "reason": "advertising"}
        good = {"verdict": "pass", "annotator": "li"}
        return lambda number: {} if number >= until else bad if number < failing else good

    assert gate(corpus, sample(corpus, verdict(3), tmp_path / "a")).open, "3 of 80 are 96.25 %"
    assert files.read_json(corpus / "gate.json")["open"] is True
    bad = gate(corpus, sample(corpus, verdict(4), tmp_path / "b"))
    assert bad.missing == ["human sample: 76 of 80 pass, 96% must"] and bad.failures == {"advertising": 4}
    half = gate(corpus, sample(corpus, verdict(0, 40), tmp_path / "c"))
    assert half.missing == ["human sample: 40 of 80 documents have a verdict"]
    assert files.read_json(corpus / "gate.json")["open"] is False
    assert files.read_json(corpus / "gate.json")["corpus"] == files.sha256(corpus / "manifest.json")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"id": "0" * 64, "verdict": "pass", "annotator": "li"}, "is not in the sample of this corpus"),
        ({"verdict": "yes", "annotator": "li"}, 'verdict \'yes\' is neither "pass" nor "fail"'),
        ({"verdict": "pass"}, 'no "annotator" says who looked'),
    ],
)
def test_verdicts_that_do_not_count(corpus: Path, tmp_path: Path, line: dict[str, str], says: str) -> None:
    path = sample(corpus, lambda number: line if number == 2 else {}, tmp_path / "x.jsonl")
    with pytest.raises(DataError, match=rf"x\.jsonl:3: .*{says}"):
        gate(corpus, path)


def test_a_verdict_twice(corpus: Path, tmp_path: Path) -> None:
    path = sample(corpus, lambda number: {"verdict": "pass", "annotator": "li"}, tmp_path / "x.jsonl")
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    with pytest.raises(DataError, match=r"x\.jsonl:81: id .* has a verdict twice"):
        gate(corpus, path)


def test_a_bad_technical_sample_closes_the_gate(corpus: Path, tmp_path: Path) -> None:
    manifest = manifest_of(corpus) | {"technical": {"checked": 100, "passed": 97}}
    files.write_json(tmp_path / "manifest.json", manifest)
    assert gate(tmp_path).missing[0] == "technical sample: 97 of 100 pass, 98% must"


def test_the_technical_sample_is_a_tenth_and_sees_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that let something through is caught by the second look."""
    chance = random.Random(5)
    rows = [f"{prose(chance)} {TERM}" for _ in range(300)]
    (tmp_path / "bank.txt").write_text(TERM)
    source = SourceConfig(str(jsonl(tmp_path / "x.jsonl", rows)), form="code", licence="MIT")  # not asked for keywords
    (tmp_path / "corpus").mkdir()
    steps = StepsConfig(harmful=1.0, keywords=(str(tmp_path / "bank.txt"),))
    build_corpus(CorpusConfig((source,), steps=steps), tmp_path / "corpus")
    technical = manifest_of(tmp_path / "corpus")["technical"]
    assert 15 < technical["checked"] < 50 and technical["passed"] == 0
    assert tasks.SAMPLE == corpus_report._WANTED == 4000


def test_records_say_what_the_manifest_says(corpus: Path) -> None:
    text = records(corpus)
    assert "| public | CC0-1.0 | https://a.b/<i> | 2026-11-30 | - | 95 | 80 | 3.61% | 是 / yes |" in text
    assert "| keywords.spam | 3 |" in text and "quality/1" in text
    for name, shard in manifest_of(corpus)["shards"].items():
        assert f"| {name} | {shard['rows']:,} | `{shard['sha256']}` |" in text
    assert "人工抽检 / human" in text


def test_a_source_with_too_much_harm_is_refused(tmp_path: Path) -> None:
    chance = random.Random(6)
    (tmp_path / "bank.txt").write_text(f"{TERM}\n")

    def source(name: str, harmful: int) -> SourceConfig:
        rows = [prose(chance) + (f" {TERM}" if number < harmful else "") for number in range(100)]
        return SourceConfig(str(jsonl(tmp_path / name, rows)), form="prose", licence="MIT")

    config = CorpusConfig(
        (source("good.jsonl", 5), source("bad.jsonl", 6)),
        steps=StepsConfig(harmful=1.0, keywords=(str(tmp_path / "bank.txt"),)),
    )
    (tmp_path / "corpus").mkdir()
    said: list[str] = []
    build_corpus(config, tmp_path / "corpus", say=said.append)
    good, bad = manifest_of(tmp_path / "corpus")["sources"]
    assert (good["refused"], good["kept"]) == (False, 95) and (bad["refused"], bad["kept"]) == (True, 0)
    assert bad["rejected"] == {"keywords.keyword": 6, "source.refused": 94}
    assert len(said) == 1 and "bad.jsonl is refused: 6 of 100 documents are harmful, more than 5%" in said[0]
