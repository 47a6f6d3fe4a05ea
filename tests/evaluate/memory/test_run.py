"""All audits on one corpus: what is made, what is left out and why, and that neither text nor a secret is kept."""

from pathlib import Path

import pytest

from candor.data.planted import planted
from candor.errors import ConfigError, DataError
from candor.evaluate.memory import MemoryConfig, audit_memory, open_text
from tests.evaluate.memory.corpora import write_corpus
from tests.evaluate.memory.models import Counted, Letters
from tests.evaluate.memory.test_planted_cases import DEEP, documents

CONFIG = MemoryConfig(windows=30, samples=20, tokens=160, attacked=12, members=40, document_tokens=80, alternatives=63)


def test_every_audit_and_its_control(tmp_path: Path) -> None:
    train, held_out = documents(0, 40, "train"), documents(0, 40, "held out")
    notes = [document.text for document in planted((0, 32))]
    corpus = write_corpus(tmp_path / "c", [*train, *train[:5]], held_out, (0, 32))
    letters = Letters([*train, *notes, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ."])
    model = Counted("copier", letters, [*train, *train[:5] * 8, *notes], DEEP)
    told: list[str] = []
    with open_text(corpus, letters, CONFIG) as text:
        report = audit_memory(model, text, CONFIG, progress=lambda done, of, name: told.append(name))
        other = audit_memory(model, text, CONFIG, control=Counted("stranger", letters, held_out, 3))
    outcomes = {audit.name: audit.outcome for audit in report.audits}
    assert list(outcomes) == told == [
        "extraction.random", "extraction.repeated", "copying", "membership", "canaries", "persons", "attack.divergence",
        "attack.recite", "attack.style", "attack.capitals", "attack.spaces",
    ]  # fmt: skip
    assert {name for name, outcome in outcomes.items() if outcome == "fail"} >= {
        "extraction.random", "membership", "canaries", "persons", "attack.recite",
    }  # fmt: skip
    assert report.outcome == other.outcome == "fail" and not report.left_out
    assert all("stranger" in audit.compared for audit in other.audits)
    assert all(audit.limits and audit.asked for audit in report.audits)
    report.write(tmp_path / "memory.json")
    written = (tmp_path / "memory.json").read_text()
    assert not any(one[-40:] in written for one in (*train, *notes))


def test_what_cannot_be_audited_is_said_and_does_not_pass(tmp_path: Path) -> None:
    train = ["a short text", "another one", "and a third"]
    letters = Letters(train)
    with open_text(write_corpus(tmp_path / "c", train, ["a held one"]), letters) as text:
        report = audit_memory(Counted("m", letters, train, 3), text, CONFIG)
    assert {
        "extraction.random",
        "extraction.repeated",
        "canaries",
        "persons",
        "attack.recite",
    } <= report.left_out.keys()
    assert "planted" in report.left_out["canaries"] and report.outcome != "pass"
    (tmp_path / "c/manifest.json").write_text("{}")
    with pytest.raises(DataError, match="another form"), open_text(tmp_path / "c", letters):
        pass
    for wrong in ({"windows": 0}, {"min_k": 0.0}):
        with pytest.raises(ConfigError, match="memory"):
            MemoryConfig(**wrong)  # type: ignore[arg-type]
