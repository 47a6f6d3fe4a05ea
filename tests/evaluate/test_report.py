"""The page of an evaluation: whole, bilingual, closed in itself, and safe against what a model writes."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from candor.errors import DataError
from candor.evaluate import pictures
from candor.evaluate.report import MEANING, write_report
from candor.evaluate.run import evaluate
from candor.evaluate.statistics import Figure, share
from candor.evaluate.task import Task
from tests.evaluate.conftest import Scripted

HOSTILE = '<script>alert(1)</script><img src="http://evil.example/x.png" onerror=alert(2)> #### 1'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img", "line", "circle", "rect", "polyline", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evals")
    task = Task(name="arithmetic", n=12, k=4)
    evaluate(task, Scripted(lambda prompt, seed: HOSTILE if seed % 2 else "#### 7"), folder)
    evaluate(replace(task, name="countdown", lang="zh"), Scripted(lambda prompt, seed: "我不知道"), folder)
    write_report(folder)
    return folder


def test_the_page_is_whole_and_links_nowhere(folder: Path) -> None:
    html = (folder / "index.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(html)
    assert not tags.open, "every element is closed"
    names = {tag for tag, _ in tags.seen}
    assert "script" not in names and "svg" in names
    for tag, attributes in tags.seen:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith("#"), value
    assert "&lt;script&gt;" in html, "what the model wrote is shown as text"


def test_figures_stand_in_both_languages_with_their_uncertainty(folder: Path) -> None:
    html = (folder / "index.html").read_text(encoding="utf-8")
    for word in (
        "95% interval",
        "置信区间",
        "stderr",
        "标准误",
        "SHA-256",
        "AI 生成",
        "arithmetic-1-en",
        "countdown-1-zh",
    ):
        assert word in html
    assert "12 × 4" in html
    for english, chinese in MEANING.values():
        assert english and re.search(r"[一-鿿]", chinese)


def test_a_baseline_stands_beside(folder: Path, tmp_path: Path) -> None:
    evaluate(Task(name="arithmetic", n=12, k=4), Scripted(lambda prompt, seed: "#### 7"), tmp_path)
    write_report(folder, tmp_path)
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert "problem by problem" in html and "逐题比较" in html and "no such task" in html
    write_report(folder)


def test_a_folder_without_results_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no evaluation results"):
        write_report(tmp_path)
    (tmp_path / "heldout.json").write_text('{"a": 1}')  # another kind of file: passed over
    with pytest.raises(DataError, match="holds no evaluation results"):
        write_report(tmp_path)
    (tmp_path / "x.json").write_text('{"evaluation": 1}')
    with pytest.raises(DataError, match="no evaluation result of this version"):
        write_report(tmp_path)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_pictures_are_where_the_figures_are(p: float) -> None:
    """The dot of a score lies as far right as the score is high, within its interval."""
    figure = share([1.0] * round(100 * p) + [0.0] * round(100 * (1 - p)))
    svg = ElementTree.fromstring(str(pictures.interval(figure, width=212)))
    dot = float(svg.findall("circle")[0].get("cx", ""))
    assert dot == pytest.approx(6 + 200 * p, abs=0.1)
    bar = [line for line in svg.findall("line") if line.get("stroke-width")]
    assert float(bar[0].get("x1", "")) - 0.1 <= dot <= float(bar[0].get("x2", "")) + 0.1


def test_a_histogram_counts_each_value_once() -> None:
    svg = ElementTree.fromstring(str(pictures.histogram([1, 1, 1, 5, 9.9, 11], height=138)))
    heights = [float(bar.get("height", "")) for bar in svg.findall("rect")]
    assert sum(heights) == pytest.approx(100 / 3 * 6, abs=0.5) and max(heights) == pytest.approx(100)
    assert str(pictures.histogram([4, 4])).count("<rect") == 20


def test_a_curve_rises_with_the_scores() -> None:
    points = [(1, Figure(0.1, None, None, None, 9)), (2, Figure(0.5, 0.1, 0.3, 0.7, 9)), (4, Figure(1.0, 0, 0.9, 1, 9))]
    svg = ElementTree.fromstring(str(pictures.curve(points)))
    heights = [float(dot.get("cy", "")) for dot in svg.findall("circle")]
    assert heights == sorted(heights, reverse=True) and len(heights) == 3


def test_questions_on_safety_stay_out_of_the_page(tmp_path: Path) -> None:
    row = {"id": 1, "question": "A question nobody should see?", "options": ["yes", "no"], "answer": 0}
    (tmp_path / "dev.json").write_text(json.dumps([row]))
    task = Task(name="safetybench_en", data=str(tmp_path / "dev.json"), format="chat")
    evaluate(task, Scripted(lambda prompt, seed: "An echo of what nobody should see. \\boxed{A}"), tmp_path / "out")
    write_report(tmp_path / "out")
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "safetybench_en" in html and "nobody should see" not in html
