"""`candor label`: verdicts by exit code, and 10 for whatever is wrong with the command."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from candor.governance.labels import new_label, write
from candor.governance.watermark import Mark, Places
from candor.governance.watermark.scheme import mark
from candor.text import Tokenizer
from tests.cli.conftest import Result
from tests.governance.labels.cases import CODE

Command = Callable[..., Result]


@pytest.fixture
def run_label(candor_command: Command) -> Callable[..., str]:
    """Standard output of `candor label ...`, which must end with the code."""

    def run(*arguments: object, code: int = 0) -> str:
        ended, said, error = candor_command("label", *arguments)
        assert ended == code and "Traceback" not in error, (said, error)
        return said

    return run


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "a.md"
    path.write_text("# Title\n\ntext\n")
    return path


@pytest.fixture
def place(candor_command: Command, tmp_path: Path) -> Path:
    """A tokenizer of bytes, a ring, and texts: marked, unmarked, short."""
    from candor.cli.label import watermark_keys

    tokenizer = Tokenizer.train(["no merges"], 300)
    tokenizer.save(tmp_path)
    assert candor_command("keys", "new", tmp_path / "watermark.json", "--ring", "watermark")[0] == 0
    (key,) = watermark_keys(str(tmp_path / "watermark.json"), "acme")
    random, places, ids = np.random.default_rng(0), Places(), list[int]()
    shares = np.zeros((1, 300), dtype=np.float32)
    shares[0, tokenizer.encode("abcdefghijklmnopqrstuvwxyz")] = 1 / 26
    while len(ids) < 300:
        context = places.context()
        sums = (mark(shares, [Mark(key, context)]) if context else shares).cumsum(1)[0]
        ids.append(int((sums <= random.random() * sums[-1]).sum()))
        places.push(ids[-1])
    text = tokenizer.decode(ids)
    (tmp_path / "marked.txt").write_text(text)
    (tmp_path / "plain.txt").write_text("".join(random.permuted(list(text))))
    (tmp_path / "short.txt").write_text(text[:4])
    return tmp_path


def test_verdicts(candor_command: Command, place: Path) -> None:
    """A version that is added later takes nothing from what is marked already. The ring is another every time, so the
    level is one at which chance has no say.
    """
    options = ("--tokenizer", place, "--keys", place / "watermark.json", "--level", "1e-6", "--tenant", "acme")
    code, said, _ = candor_command("label", "detect", place / "marked.txt", *options)
    assert code == 0 and said.startswith("found\n") and "best key acme/1" in said
    candor_command("keys", "new", place / "watermark.json", "--ring", "watermark")
    code, said, _ = candor_command("label", "detect", place / "marked.txt", *options, "--json")
    found = json.loads(said)
    assert code == 0 and (found["status"], found["key_id"], found["tries"]) == ("found", "acme/1", 2)
    assert candor_command("label", "detect", place / "plain.txt", *options)[:1] == (2,)
    assert candor_command("label", "detect", place / "short.txt", *options)[:1] == (3,)
    assert candor_command("label", "detect", place / "marked.txt", *options[:-1], "other")[:1] == (2,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"FILE": "absent.txt"}, "absent.txt"),
        ({"--keys": "absent.json"}, "candor keys new"),
        ({"--tokenizer": "absent"}, "tokenizer.json"),
        ({"--level": "1.5"}, "level=1.5"),
        ({"--scheme": "magic"}, "'magic'"),
        ({"--keys": "hook:true"}, "hook true"),
        ({"--nothing": "1"}, "--nothing"),
    ],
)
def test_faults_end_with_10(candor_command: Command, place: Path, change: dict[str, str], said: str) -> None:
    given = {"FILE": "marked.txt", "--tokenizer": ".", "--keys": "watermark.json"} | change
    words = [str(place / text) if name in ("FILE", "--tokenizer") else text for name, text in given.items()]
    options = [word for name, text in zip(given, words, strict=True) for word in (name, text) if name != "FILE"]
    options = [str(place / "watermark.json") if word == "watermark.json" else word for word in options]
    code, _, error = candor_command("label", "detect", words[0], *options)
    assert code == 10 and said in error and "Traceback" not in error


def test_a_ring_of_watermarks_wraps_nothing(candor_command: Command, place: Path) -> None:
    code, _, error = candor_command("keys", "rotate", place / "watermark.json", "--ring", "watermark")
    assert code == 2 and "wraps nothing" in error


# Files and folders


def test_a_folder_from_the_command_line(candor_command: Command, run_label: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("text")
    (folder / "deep/b.txt").write_text("text")
    (folder / "c.bin").write_bytes(b"\0")
    log = tmp_path / "log.jsonl"
    code, _, error = candor_command("label", "write", folder)
    assert code == 10 and "needs the producer's code" in error
    run_label("write", folder, "--producer", CODE, "--lang", "zh", "--log", log)
    assert len(log.read_text().splitlines()) == 2
    assert "2 compliant" in run_label("verify", folder)
    lines = run_label("verify", folder, "--json").splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["compliant"] * 2


def test_exit_codes(run_label: Callable[..., str], tmp_path: Path) -> None:
    texts = {"good.txt": "text\n\nAI生成\n", "none.txt": "text", "wrong.txt": "text\n\nGenerated by AI\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "torn.json").write_text("{")
    assert run_label("verify", tmp_path / "good.txt", code=0)
    assert "5.1" in run_label("verify", tmp_path / "wrong.txt", code=1)
    run_label("verify", tmp_path / "none.txt", code=2)
    run_label("verify", tmp_path / "torn.json", code=3)
    run_label("verify", tmp_path, code=1)
    run_label("verify", tmp_path / "absent.md", code=10)
    run_label("verify", code=10)
    run_label("verify", tmp_path / "good.txt", "--keys", tmp_path / "none.json", code=10)
    run_label("evidence", tmp_path / "absent", code=10)
    for wrong in (("--position", "left"), ("--lang", "fr"), ("--notice", "made by a model"), ("--label", "4")):
        run_label("write", tmp_path / "none.txt", "--producer", CODE, *wrong, code=10)
    run_label("write", tmp_path / "absent.md", "--producer", CODE, code=10)
    options = ("--producer", CODE, "--log", tmp_path / "log")
    run_label("write", tmp_path / "torn.json", tmp_path / "good.txt", *options, code=1)
    run_label("verify", tmp_path / "good.txt", "--standard", "uk", code=10)
    run_label("verify", "--nonsense", code=10)
    run_label("--nonsense", code=10)


def test_no_command_removes_a_label(candor_command: Command, page: Path) -> None:
    write(page, new_label(CODE))
    before = page.read_bytes()
    code, _, error = candor_command("label", "remove", page)
    assert code == 10 and "Art. 10" in error
    assert page.read_bytes() == before


def test_keys_from_the_command_line(
    candor_command: Command, run_label: Callable[..., str], page: Path, tmp_path: Path
) -> None:
    ring, public = tmp_path / "label.json", tmp_path / "p.json"
    candor_command("keys", "new", ring, "--ring", "label")
    run_label("write", page, "--producer", CODE, "--keys", ring, "--log", tmp_path / "log")
    candor_command("keys", "new", ring, "--ring", "label")
    assert "2 public keys" in run_label("public-keys", ring, public)
    assert len(json.loads(public.read_text())) == 2
    assert "ReservedCode1: valid" in run_label("verify", page, "--keys", public)
    run_label("verify", page, "--keys", ring, code=10)
    for source in ("hook:true", public, tmp_path / "none.json"):
        run_label("write", page, "--producer", CODE, "--keys", source, code=10)
    code, _, error = candor_command("keys", "rotate", ring, "--ring", "label")
    assert code == 2 and "wraps nothing" in error


def test_evidence_states_what_stands_in_the_files(run_label: Callable[..., str], tmp_path: Path) -> None:
    folder, out = tmp_path / "answers", tmp_path / "filing"
    folder.mkdir()
    for name in ("a.md", "b.html", "c.txt", "d.json", "e.md"):
        (folder / name).write_text("{}" if name == "d.json" else "text")
    run_label("write", folder, "--producer", CODE, "--log", tmp_path / "log")
    (folder / "e.md").write_text("no label at all")
    assert "80.0% compliant" in run_label("evidence", folder, "--out", out)
    coverage = json.loads((out / "coverage.json").read_text())
    assert coverage["files"] == 5 and coverage["verdicts"] == {"compliant": 4, "not found": 1}
    for lang, word in (("zh", "未发现标识"), ("en", "not found")):
        paper = (out / f"evidence.{lang}.md").read_text()
        assert CODE in paper and word in paper and "80.0%" in paper and "e.md" in paper
        assert "front matter" in paper and "| Markdown | 0 | 0 | 1 |" in paper, paper
    assert len((out / "files.jsonl").read_text().splitlines()) == 5


# The guide


@pytest.mark.parametrize("page", ["labels.md", "zh/labels.md"])
def test_the_guide_can_be_followed_literally(page: str, tmp_path: Path) -> None:
    """Every command of the page in its order, in a folder that holds the command and nothing else."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    command = tmp_path / ".venv/bin/candor"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m candor "$@"\n')
    command.chmod(0o755)
    text = (Path(__file__).parents[2] / "docs" / page).read_text()
    lines = [line[4:] for line in re.findall(r"(?m)^ {4}\S.*$", text)]
    script = ""
    for line in lines:
        said = re.search(r"#.*(?:exit code|退出码) (\d+)", line)
        script += f"{line}\n[ $? = {said[1] if said else 0} ] || exit 99\n"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and sum("candor label" in line for line in lines) == 7, (done.stdout, done.stderr)
    assert "2 files: 2 compliant" in done.stdout and "ReservedCode1: valid" in done.stdout
    assert len((tmp_path / "labels.jsonl").read_text().splitlines()) == 3
    papers = {one.name for one in (tmp_path / "filing").iterdir()}
    assert papers == {"evidence.en.md", "evidence.zh.md", "coverage.json", "files.jsonl"}


@pytest.mark.parametrize("page", ["labels.md", "zh/labels.md"])
def test_its_python_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"(?s)```python\n(.*?)```", (Path(__file__).parents[2] / "docs" / page).read_text())
    (tmp_path / "answer.md").write_text("text")
    monkeypatch.chdir(tmp_path)
    *before, last = code.strip().splitlines()
    exec("\n".join(before), names := {})
    assert eval(last, names) == "compliant"
