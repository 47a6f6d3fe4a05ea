"""The risk register says only what files say: no evidence is open, changed evidence is open, a failure stays one."""

import json
from pathlib import Path
from typing import Any

import pytest

from candor import files
from candor.errors import ConfigError, DataError
from candor.evaluate.safety.audit import audit, together, write_audit
from candor.evaluate.safety.bank import KINDS
from candor.evaluate.safety.judges import ModelJudge
from candor.evaluate.safety.register import ROWS, Entry, read_owners, register, write_register
from candor.records import Provenance
from tests.evaluate.safety.banks import full_bank, model

GOOD: dict[str, Any] = {
    "model.parameters": 2_298_624, "pretrain.bits_per_byte": 1.9, "pretrain.gzip_bits_per_byte": 2.2,
    **{f"{stage}.pass_at_1": 0.3 for stage in ("base", "dev1", "dev2", "dev3", "r1")}, "r1_zero.pass_at_1": 0.8,
    "r1.refusal": 0.97, "base.refusal": 0.0, "r1.over_refusal": 0.02,
}  # fmt: skip


def put(run: Path, place: str, value: Any) -> Path:
    files.write_json(run / place, value)
    return run / place


def rows(run: Path) -> dict[str, Entry]:
    return {row.row: row for row in register(run).rows}


def test_an_empty_run_is_all_open(tmp_path: Path) -> None:
    found = register(tmp_path)
    assert [row.row for row in found.rows] == [f"M{number}" for number in range(1, 18)] == list(ROWS)
    assert found.states == {"met": 0, "not met": 0, "open": 17}
    assert all(row.detail.startswith("no ") and not row.evidence and row.measure and row.says for row in found.rows)
    with pytest.raises(DataError, match="is no folder"):
        register(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({"pretrain.bits_per_byte": 2.3}, "M2"),
        ({"r1_zero.pass_at_1": 0.2}, "M3"),
        ({"r1.refusal": 0.0}, "M8"),
        ({"r1.over_refusal": 0.051}, "M8"),
    ],
)
def test_figures_meet_a_row_or_do_not(change: dict[str, float], row: str, tmp_path: Path) -> None:
    path = put(tmp_path, "report/summary.json", GOOD)
    good = rows(tmp_path)
    assert {name for name, one in good.items() if one.state == "met"} == {"M1", "M2", "M3", "M4", "M8"}
    assert good["M2"].evidence == "report/summary.json" and good["M2"].sha256 == files.sha256(path)
    put(tmp_path, "report/summary.json", GOOD | change)
    bad = rows(tmp_path)
    assert bad[row].state == "not met" and [n for n in bad if bad[n].state != good[n].state] == [row]
    name = next(iter(change))
    put(tmp_path, "report/summary.json", {key: value for key, value in GOOD.items() if key != name})
    assert rows(tmp_path)[row].state == "open" and name in rows(tmp_path)[row].detail


def test_the_corpus_gate_and_masking(tmp_path: Path) -> None:
    put(tmp_path, "corpus/gate.json", {"missing": []})
    source = {"path": "news", "kind": "public", "steps": "encoding/1 private/1"}
    put(tmp_path, "corpus/manifest.json", {"sources": [source, {**source, "kind": "synthetic", "steps": "copies/1"}]})
    assert rows(tmp_path)["M5"].state == rows(tmp_path)["M6"].state == "met"
    put(tmp_path, "corpus/gate.json", {"missing": ["human sample: 0 of 10 documents have a verdict"]})
    put(tmp_path, "corpus/manifest.json", {"sources": [{**source, "steps": "encoding/1"}]})
    assert rows(tmp_path)["M5"].state == rows(tmp_path)["M6"].state == "not met"
    assert "0 of 10" in rows(tmp_path)["M5"].detail and "news" in rows(tmp_path)["M6"].detail


@pytest.mark.parametrize(
    ("outcome", "state"), [("pass", "met"), ("fail", "not met"), ("not shown", "open"), ("ok", "open")]
)
def test_audits_and_statements_by_their_outcome(outcome: str, state: str, tmp_path: Path) -> None:
    put(tmp_path, "safety/test/safety.json", {"outcome": outcome})
    put(tmp_path, "evidence/M7.json", {"outcome": outcome, "by": "li"})
    assert rows(tmp_path)["M15"].state == rows(tmp_path)["M7"].state == state
    assert rows(tmp_path)["M15"].evidence == "safety/test/safety.json"


def test_a_statement_does_not_undo_a_figure(tmp_path: Path) -> None:
    put(tmp_path, "report/summary.json", GOOD | {"r1.refusal": 0.0})
    put(tmp_path, "evidence/M8.json", {"outcome": "pass"})
    assert rows(tmp_path)["M8"].state == "not met"


def test_of_several_tests_all_must_hold(tmp_path: Path) -> None:
    put(tmp_path, "a/safety.json", {"outcome": "pass"})
    put(tmp_path, "b/safety.json", {"outcome": "fail"})
    assert (rows(tmp_path)["M15"].state, rows(tmp_path)["M15"].evidence) == ("not met", "b/safety.json")


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("M9", "audits/memory/r1.json"),
        ("M9", "memory.json"),
        ("M9", "evals/r1/memory.json"),
        ("M11", "audits/hallucination.json"),
        ("M15", "audits/safety/r1/safety.json"),
    ],
)
def test_audits_count_wherever_they_lie_and_the_worst_decides(row: str, place: str, tmp_path: Path) -> None:
    assert rows(tmp_path)[row].detail.startswith("no audit of ")
    put(tmp_path, place, {"outcome": "pass"})
    assert (rows(tmp_path)[row].state, rows(tmp_path)[row].evidence) == ("met", place)
    other = put(tmp_path, f"z/{'memory/z' if row == 'M9' else Path(place).stem}.json", {"outcome": "not shown"})
    assert rows(tmp_path)[row].state == "open"
    files.write_json(other, {"outcome": "fail"})
    assert rows(tmp_path)[row].state == "not met"


def test_figures_of_facts_have_no_threshold_and_meet_nothing(tmp_path: Path) -> None:
    put(tmp_path, "evals/facts-rgb.json", {"set": "rgb", "questions": 9, "figures": {}})
    assert (rows(tmp_path)["M11"].state, rows(tmp_path)["M11"].evidence) == ("open", "evals/facts-rgb.json")
    put(tmp_path, "audits/hallucination.json", {"outcome": "pass"})
    assert rows(tmp_path)["M11"].state == "met", "nor do they undo what has one"


def test_a_summary_that_is_not_in_its_place_yet(tmp_path: Path) -> None:
    """As while a report is being made; an earlier one counts no more."""
    put(tmp_path, "report/summary.json", GOOD | {"r1.refusal": 0.0})
    new = put(tmp_path, ".tmp-1-report/summary.json", GOOD)
    row = {one.row: one for one in register(tmp_path, summary=new).rows}["M8"]
    assert (row.state, row.evidence, row.sha256) == ("met", "report/summary.json", files.sha256(new))


def test_a_real_safety_test_is_evidence(tmp_path: Path) -> None:
    judge = ModelJudge(lambda texts: ["<verdict>refused</verdict>"] * len(texts), "guard")
    found = [audit(full_bank(kind), model(lambda turn: "No."), [judge], model="m") for kind in KINDS]
    write_audit(together(found[:2]), tmp_path / "safety")
    assert rows(tmp_path)["M15"].state == "open"  # one kind is missing
    write_audit(together(found), tmp_path / "safety")
    assert rows(tmp_path)["M15"].state == "not met"  # it refuses everything


@pytest.mark.parametrize("content", ["", "[]", "5", '{"sources": 3}', '{"outcome": {}}'])
def test_torn_evidence_shows_nothing(content: str, tmp_path: Path) -> None:
    for place in (
        "report/summary.json",
        "corpus/gate.json",
        "corpus/manifest.json",
        "x/safety.json",
        "evidence/M7.json",
    ):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(content)
    assert register(tmp_path).states == {"met": 0, "not met": 0, "open": 17}


def test_evidence_that_was_changed_shows_nothing(tmp_path: Path) -> None:
    put(tmp_path, "report/summary.json", GOOD)
    outputs = files.checksums(tmp_path / "report")
    Provenance(stage="report", inputs={}, config={}, seed=0, outputs=outputs).write(tmp_path / "report")
    assert rows(tmp_path)["M8"].state == "met"
    put(tmp_path, "report/summary.json", GOOD | {"r1.refusal": 0.99})
    assert (rows(tmp_path)["M8"].state, rows(tmp_path)["M8"].detail) == (
        "open",
        "it was changed since its folder was made",
    )


def test_a_torn_provenance_is_no_proof(tmp_path: Path) -> None:
    put(tmp_path, "report/summary.json", GOOD)
    (tmp_path / "report/provenance.json").write_text("{")
    assert rows(tmp_path)["M8"].state == "open" and "provenance" in rows(tmp_path)["M8"].detail


def test_owners_are_named_and_the_register_is_written(tmp_path: Path) -> None:
    owners = read_owners(put(tmp_path, "owners.json", {"M1": "li", "M17": "wang"}))
    found = register(tmp_path, owners)
    assert [row.owner for row in found.rows] == ["li", *[""] * 15, "wang"]
    write_register(found, tmp_path / "risk_register.json")
    value = json.loads((tmp_path / "risk_register.json").read_text())
    assert value["states"]["open"] == 17 and value["rows"][16]["owner"] == "wang" and value["code"] and value["time"]
    with pytest.raises(ConfigError, match="owners of M18: there are rows M1 to M17"):
        register(tmp_path, {"M18": "li"})
    with pytest.raises(DataError, match="no object like"):
        read_owners(put(tmp_path, "bad.json", ["li"]))
