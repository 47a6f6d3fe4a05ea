"""`candor eval memory` and `candor eval facts`: beside `candor eval MODEL`, what they print, write and return."""

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from candor.model import Transformer
from candor.model.hub import save_model
from candor.text import Tokenizer
from tests.cli.conftest import Result
from tests.evaluate.memory.corpora import write_corpus
from tests.evaluate.memory.test_planted_cases import documents
from tests.model.test_hub import TINY

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = Tokenizer.train(documents(0, 20, "train"), 320)
    torch.manual_seed(0)
    made = Transformer(dataclasses.replace(TINY, vocab_size=320, max_position_embeddings=256))
    made.init_weights(0.02)
    save_model(made.eval(), folder, tokenizer=tokenizer)
    return folder


def test_eval_still_takes_a_model_and_shows_its_parts(candor_command: Command) -> None:
    code, out, _ = candor_command("eval", "--help")
    assert code == 0 and "--tasks" in out and "candor eval [OPTIONS] [MODEL]" in " ".join(out.split())
    assert "candor eval safety, memory, facts, report, risks and garak" in " ".join(out.split())
    for part in ("memory", "facts", "report"):
        code, out, _ = candor_command("eval", part, "--help")
        assert code == 0 and f"candor eval {part} " in out
    code, _, err = candor_command("eval")
    assert code == 2 and "name a model" in err


def test_memory_of_a_model(model: Path, candor_command: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c", documents(0, 20, "train"), documents(0, 20, "held out"))
    out = tmp_path / "made" / "memory.json"
    small = "prefix=10 suffix=10 windows=4 samples=3 tokens=8 attacked=2 members=5 document_tokens=16"
    sets = [item for one in small.split() for item in ("--set", one)]
    code, said, _ = candor_command("eval", "memory", model, "--corpus", corpus, "--out", out, *sets)
    report = json.loads(out.read_text())
    assert code == 0 and report["outcome"] == "not shown" and set(report["left_out"]) >= {"canaries", "persons"}
    assert "extraction.random" in said and "does not show" in said and "left out" in said and "planted" in said
    code, _, err = candor_command("eval", "memory", model, "--corpus", tmp_path)
    assert code != 0 and "manifest.json" in err
    code, _, err = candor_command("eval", "memory", model, "--corpus", corpus, "--set", "window=4")
    assert code == 2 and "did you mean 'windows'" in err


def test_facts_of_a_model(model: Path, candor_command: Command, tmp_path: Path) -> None:
    path = tmp_path / "simple.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["metadata", "problem", "answer"], ["", "Who?", "Klee"], ["", "", "?"]])
    arguments = ["eval", "facts", model, "--data", f"simpleqa={path}", "--max-tokens", "4", "--out", tmp_path / "o"]
    code, said, _ = candor_command(*arguments)
    assert code == 0 and "1 questions of 2 rows, 1 broken" in said and "row 2: has no text" in said
    report = json.loads((tmp_path / "o/facts-simpleqa.json").read_text())
    assert report["broken"] == {"2": "has no text in the field problem or question"} and report["questions"] == 1
    sample = json.loads((tmp_path / "o/facts-simpleqa.samples.jsonl").read_text())
    assert sample["question"] == "Who?" and sample["grade"] in ("wrong", "abstained", "invalid")
    code, _, err = candor_command("eval", "facts", model, "--data", str(path))
    assert code == 2 and "has no '='" in err
