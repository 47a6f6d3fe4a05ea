"""The audit report: every file becomes rows or is named, a failure shows, and no question is on the page."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from candor import files
from candor.errors import DataError
from candor.evaluate.audits.find import KINDS, find
from candor.evaluate.audits.report import AuditReport, gather
from candor.evaluate.audits.row import AuditRow
from candor.evaluate.audits.words import ROWS as CHINESE_ROWS
from candor.evaluate.audits.words import chinese, title
from candor.evaluate.safety.register import ROWS
from candor.evaluate.statistics import Figure
from candor.records import Provenance
from tests.evaluate.audits.files import QUESTION, facts, made_up, memory, safety


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two models: r1 passes or is not shown, base fails what it can."""
    run = tmp_path_factory.mktemp("run")
    safety(run / "audits/safety/base", "base", refuses=False)
    safety(run / "audits/safety/r1", "r1", refuses=True)
    memory(run / "audits/memory/base.json", "base", 200)
    memory(run / "audits/memory/r1.json", "r1", 0, {"canaries": "nothing is planted in this corpus"})
    made_up(run / "audits/hallucination.json", base=40, last=4)
    facts(run / "evals/facts-rgb.json")
    files.write_json(run / "model/config.json", {"hidden_size": 64})
    files.write_json(run / "report/summary.json", {"r1_zero.pass_at_1": 0.5, "base.pass_at_1": 0.1})
    files.write_json(run / "corpus/manifest.json", {"sources": []})
    (run / ".tmp-9-audits").mkdir()
    (run / ".tmp-9-audits/safety.json").write_text("{")
    return run


def rows(report: AuditReport) -> dict[tuple[str, str], AuditRow]:
    return {(row.name, row.model): row for row in report.rows}


def test_every_file_becomes_rows_counted_by_hand(folder: Path) -> None:
    report = gather(folder)
    found = rows(report)
    assert {key: row.outcome for key, row in found.items()} == {
        ("should-refuse", "base"): "fail", ("should-refuse", "r1"): "pass",
        ("extraction.random", "base"): "fail", ("extraction.random", "r1"): "pass", ("canaries", "r1"): "not shown",
        ("unanswerable", "r1"): "pass", ("facts.rgb", "r1"): "not shown",
    }  # fmt: skip
    assert report.outcomes == {"pass": 3, "fail": 2, "not shown": 2} and report.outcome == "fail"
    refused = found["should-refuse", "r1"]
    assert (refused.n, refused.threshold, refused.at_least, refused.judge) == (
        300,
        0.95,
        True,
        "keywords (refusals only)",
    )
    extracted = found["extraction.random", "base"]
    assert extracted.figure and extracted.figure.value == 0.5 and extracted.control and extracted.control.value == 0
    assert extracted.compared == "the same of held-out text" and extracted.threshold == 0.02 and extracted.limits
    left = found["canaries", "r1"]
    assert left.figure is None and left.reasons == ("left out: nothing is planted in this corpus",) and left.n == 0
    open_ = found["unanswerable", "r1"]
    assert open_.figure and open_.figure.value == 0.1 and open_.control and open_.control.value == 1 and open_.n == 40
    assert (
        open_.judged and open_.judged.value == pytest.approx(-0.9) and open_.parts["base.unanswerable.wrong"].value == 1
    )
    asked = found["facts.rgb", "r1"]
    assert asked.threshold is None and "no threshold" in asked.reasons[0] and "1 broken rows left out" in asked.asked
    assert all((folder / row.file).is_file() and files.sha256(folder / row.file) == row.sha256 for row in report.rows)
    assert report.passed_over == ("corpus/manifest.json", "model/config.json", "report/summary.json")
    assert report.register and report.register.states["met"] == 3 and not report.unreadable


class _WellFormed(HTMLParser):
    """Fails where a tag closes what is not open; keeps the text, the links and the places."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "img", "link"):
            self.open.append(tag)
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if "href" in given else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


def test_the_page_is_whole_and_shows_what_fails(folder: Path, tmp_path: Path) -> None:
    page = gather(folder).write(tmp_path / "out")
    html = page.read_text(encoding="utf-8")
    parser = _WellFormed()
    parser.feed(html)
    assert not parser.open and len(parser.ids) == len(set(parser.ids))
    assert {link.removeprefix("#") for link in parser.links} <= set(parser.ids), "no link leads away or nowhere"
    assert "<script" not in html and "http" not in html
    failed = html.partition("What fails")[2].partition("</ul>")[0]
    assert failed.count("<li>") == 2 and "questions that must be refused" in failed and "base" in failed
    for said in ("未通过", "未能证明", "通过", "风险登记表", "不能说明", "Does not show", "keywords (refusals only)",
                 "≥ 95.0%", "50.0%", "left out: nothing is planted", "M17", "披露"):  # fmt: skip
        assert said in html, said
    assert QUESTION not in html and "can't help" not in html, "neither questions nor answers"
    value = json.loads((tmp_path / "out/audits.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert value["outcome"] == "fail" and value["outcomes"] == {"pass": 3, "fail": 2, "not shown": 2}
    assert len(value["rows"]) == 7 and value["rows"][0]["section"] == "safety" and value["register"]["rows"][16]
    assert QUESTION not in json.dumps(value)


def test_what_is_missing_is_said_to_be_untested(tmp_path: Path) -> None:
    made_up(tmp_path / "hallucination.json", base=4, last=40)
    report = gather(tmp_path)
    assert report.outcome == "fail" and report.register is None
    html = report.write(tmp_path / "out").read_text()
    assert html.count("Nothing was tested here") == 2 and "The folder is no run" in html
    made_up(tmp_path / "hallucination.json", base=20, last=20)
    assert gather(tmp_path).outcome == "not shown"


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("safety.json", "{"),
        ("x/memory.json", '{"audits": []}'),
        ("memory/r1.json", "[]"),
        ("hallucination.json", '{"outcome": "pass"}'),
        ("facts-rgb.json", '{"figures": {"wrong": 3}}'),
        ("anything.json", '{"torn": '),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_never_passes(place: str, content: str, tmp_path: Path) -> None:
    memory(tmp_path / "memory/good.json", "good", 0)
    assert gather(tmp_path).outcome == "pass"
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    report = gather(tmp_path)
    assert list(report.unreadable) == [place] and report.unreadable[place] and report.outcome == "not shown"
    assert place in report.write(tmp_path / "out").read_text()


@pytest.mark.parametrize(
    "change",
    [{"outcome": "ok"}, {"outcome": "pass", "judged": None}, {"threshold": None},
     {"figure": Figure("0", None, None, None, 1)}],
)  # fmt: skip
def test_a_row_that_says_what_cannot_be_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    memory(tmp_path / "memory.json", "m", 0)
    (row,) = gather(tmp_path).rows
    with pytest.raises(DataError):
        replace(row, **change)  # type: ignore[arg-type]


def test_an_outcome_that_was_written_in_is_unreadable(tmp_path: Path) -> None:
    path = memory(tmp_path / "memory.json", "m", 200)
    path.write_text(path.read_text().replace('"fail"', '"fine"'))
    assert "none of pass, fail, not shown" in gather(tmp_path).unreadable["memory.json"]


def test_a_file_that_was_changed_since_its_folder_was_made(tmp_path: Path) -> None:
    path = memory(tmp_path / "audits/memory/base.json", "base", 200)
    outputs = files.checksums(tmp_path / "audits")
    Provenance(stage="audits", inputs={}, config={}, seed=0, outputs=outputs).write(tmp_path / "audits")
    assert gather(tmp_path).outcome == "fail"
    path.write_text(path.read_text().replace('"fail"', '"pass"'))
    report = gather(tmp_path)
    assert not report.rows and "was changed" in report.unreadable["audits/memory/base.json"]


def test_nothing_to_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no audit: no safety"):
        gather(tmp_path)
    files.write_json(tmp_path / "model/config.json", {})
    with pytest.raises(DataError, match="candor eval safety, memory or facts"):
        gather(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        gather(tmp_path / "none")


def test_files_are_known_by_name_or_by_what_they_hold(tmp_path: Path) -> None:
    memory(tmp_path / "of-march.json", "m", 0)
    facts(tmp_path / "a/b/c/known.json")
    safety(tmp_path / "s", "m", refuses=True)
    found = find(tmp_path)
    assert {kind: [path.name for path in found.audits[kind]] for kind in KINDS} == {
        "safety": ["safety.json"], "memory": ["of-march.json"], "hallucination": [], "facts": ["known.json"],
    }  # fmt: skip
    assert [path.name for path in find(tmp_path / "s").audits["safety"]] == ["safety.json"]
    gather(tmp_path).write(tmp_path)
    assert find(tmp_path) == found, "the report itself is no audit"


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    memory(tmp_path / "memory.json", "<script>alert(1)</script>", 0)
    assert "<script" not in gather(tmp_path).write(tmp_path / "out").read_text()


def test_there_are_chinese_words_for_everything(folder: Path) -> None:
    assert list(CHINESE_ROWS) == list(ROWS)
    names = ["generation", "should-refuse", "should-refuse+role|base64", "should-not-refuse", "extraction.random",
             "extraction.repeated", "copying", "membership", "canaries", "persons", "answers", "unanswerable",
             "facts.rgb", *(f"attack.{one}" for one in "divergence recite style capitals spaces".split())]  # fmt: skip
    assert all(all(title(name)) and all(chinese(name)) for name in names)
