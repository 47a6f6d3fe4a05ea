"""`candor data` as people use it."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from candor.data.corpus import verify
from tests.cli.conftest import Result
from tests.cli.test_run import assert_one_line
from tests.data.conftest import jsonl
from tests.data.test_build import prose


@pytest.fixture
def text(tmp_path: Path) -> Path:
    chance = random.Random(0)
    rows = [{"title": f"number {n}", "body": prose(chance)} for n in range(40)]
    return jsonl(tmp_path / "texts.jsonl", [*rows, rows[0], {"title": "a", "body": "short"}])


def test_build_inspect_verify_gate_records(text: Path, tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    run = tmp_path / "run"
    build = ("data", "build", text, "--licence", "CC0-1.0", "--collected", "2026-11-30", "--out", run)
    code, out, _ = candor_command(*build)
    assert code == 0 and "2 documents" in out and "rejected: copies 1, quality.words 1" in out
    assert f"corpus  {run / 'corpus'}" in out
    assert verify(run / "corpus") == []
    code, out, _ = candor_command(*build)
    assert code == 0 and "done before" in out
    code, out, _ = candor_command("data", "inspect", run)
    assert code == 0 and "CC0-1.0" in out and "quality.words" in out
    assert (run / "corpus" / "page.html").exists()
    code, out, _ = candor_command("data", "inspect", run, "--reason", "quality.words")
    assert code == 0 and "texts.jsonl:42" in out and "short" in out
    assert_one_line(
        candor_command("data", "inspect", run, "--reason", "nothing"),
        "--reason nothing",
        "copies, quality.words",
        code=2,
    )
    code, out, _ = candor_command("data", "verify", run)
    assert code == 0 and "is what its manifest says" in out
    code, out, _ = candor_command("data", "gate", run)
    assert code == 1 and "closed: human sample: 0 of 40 documents have a verdict" in out
    lines = [json.loads(line) for line in (run / "corpus" / "human_sample.jsonl").read_text().splitlines()]
    back = jsonl(tmp_path / "back.jsonl", [line | {"verdict": "pass", "annotator": "li"} for line in lines])
    code, out, _ = candor_command("data", "gate", run, "--reviewed", back)
    assert code == 0 and "open" in out
    code, out, _ = candor_command("data", "records", run)
    assert code == 0 and "| CC0-1.0 | - | 2026-11-30 |" in out and "通过 / open" in out
    (run / "corpus" / "train-00000.parquet").write_bytes(b"torn")
    assert_one_line(candor_command("data", "verify", run), "train-00000.parquet", "build")
    code, out, _ = candor_command(*build)
    assert code == 0 and "making it again" in out and verify(run / "corpus") == []


def test_fields_form_and_settings(text: Path, tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    code, out, _ = candor_command(
        "data", "build", text, "--fields", "title,body", "--form", "any", "--out", tmp_path / "run", "--workers", "2",
        "--set", "corpus.steps.minhash.bands=0", "--set", "heldout_fraction=0.5",
    )  # fmt: skip
    assert code == 0 and "1 documents" in out
    manifest = json.loads((tmp_path / "run" / "corpus" / "manifest.json").read_text())
    assert manifest["config"]["sources"][0]["fields"] == ["title", "body"]
    assert manifest["config"]["steps"]["minhash"]["bands"] == 0 and manifest["config"]["heldout_fraction"] == 0.5
    assert manifest["sources"][0]["rejected"] == {"copies": 1}


def test_a_recipe_of_ones_own(text: Path, tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    (tmp_path / "mine.py").write_text(
        "from candor.data import CorpusConfig, SourceConfig\n"
        f"def recipe():\n    return CorpusConfig((SourceConfig({str(text)!r}, form='prose', licence='MIT'),))\n"
    )
    code, _, _ = candor_command("data", "build", tmp_path / "mine.py", "--out", tmp_path / "run")
    assert code == 0 and verify(tmp_path / "run" / "corpus") == []
    (tmp_path / "other.py").write_text("def recipe():\n    return 7\n")
    assert_one_line(
        candor_command("data", "build", tmp_path / "other.py", "--out", tmp_path / "x"),
        "recipe()",
        "CorpusConfig",
        code=2,
    )


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["build", "nowhere"], "there is no recipe 'nowhere'", 2),
        (["build", "python-docs", "--form", "poetry"], "--form 'poetry' is none of prose, code, any, made", 2),
        (["build", "python-docs", "--kind", "stolen"], "--kind 'stolen' is none of", 2),
        (["build", "python-docs", "--engine", "spark"], "--engine 'spark' is none of local, ray", 2),
        (["build", "python-docs", "--workers", "0"], "--workers 0 must be at least 1", 2),
        (["build", "python-docs", "--kind", "synthetic"], "say what made it", 2),
        (["build", "python-docs", "--set", "steps.passages=1"], "did you mean 'passage'", 2),
        (["inspect", "nowhere"], "nowhere holds no corpus", 1),
        (["verify", "nowhere"], "nowhere holds no corpus", 1),
    ],
)
def test_what_cannot_work(
    arguments: list[str], says: str, code: int, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    out = ["--out", tmp_path / "run"] if arguments[0] == "build" else []
    assert_one_line(candor_command("data", *arguments, *out), says, "", code=code)


def test_a_folder_of_pdfs(tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    """Written by another library: matplotlib."""
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    (tmp_path / "pdfs").mkdir()
    for number in range(3):
        with PdfPages(tmp_path / "pdfs" / f"{number}.pdf") as pages:
            figure = Figure()
            figure.text(0.1, 0.5, f"This is page number {number} of the report.")
            pages.savefig(figure)
    (tmp_path / "pdfs" / "photo.png").write_bytes(b"png")
    code, _, err = candor_command("data", "build", tmp_path / "pdfs", "--form", "made", "--out", tmp_path / "run")
    assert code == 0, err
    from candor.data import read_corpus

    found = {d.origin: d.text for side in ("train", "heldout") for d in read_corpus(tmp_path / "run" / "corpus", side)}  # type: ignore[arg-type]
    assert {name: text.split()[4] for name, text in found.items()} == {"0.pdf": "0", "1.pdf": "1", "2.pdf": "2"}
    (tmp_path / "pdfs" / "bad.pdf").write_bytes(b"%PDF-1.4 torn")
    assert_one_line(
        candor_command("data", "build", tmp_path / "pdfs", "--form", "made", "--out", tmp_path / "x"),
        "bad.pdf",
        "replace",
    )
