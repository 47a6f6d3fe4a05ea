"""`candor eval`: what it prints, what it refuses, and that a killed one goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from candor.problems.families import FAMILIES
from candor.problems.readers import READERS
from tests.cli.conftest import Result

Command = Callable[..., Result]


def test_all_tasks_are_listed(candor_command: Command) -> None:
    code, out, _ = candor_command("eval", "--list")
    assert code == 0
    for name in (*FAMILIES, *READERS, "bits_per_byte", "lm_eval:NAME"):
        assert re.search(rf"^  {name} ", out, re.MULTILINE), name


def test_figures_are_printed_and_kept(finished: Path, candor_command: Command, tmp_path: Path) -> None:
    text = tmp_path / "text.jsonl"
    text.write_text("".join(json.dumps({"text": "def f():\n    return 1\n" * n}) + "\n" for n in (1, 3, 2)))
    arguments = ["eval", finished / "model", "--tasks", "arithmetic,words:2:zh,bits_per_byte", "--data",
                 f"bits_per_byte={text}", "-n", "6", "-k", "2", "--max-tokens", "8",
                 "--out", tmp_path / "out"]  # fmt: skip
    code, out, err = candor_command(*arguments)
    assert (code, err) == (0, "")
    assert "arithmetic-1-en: pass@1 " in out and "words-2-zh: pass@1 " in out and "6 problems x 2" in out
    assert "±" in out and "majority@2" in out and "bits_per_byte" in out and "index.html" in out
    assert len((tmp_path / "out" / "words-2-zh.samples.jsonl").read_text().splitlines()) == 12
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.suffix == ".jsonl"}
    assert candor_command(*arguments)[0] == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    code, out, _ = candor_command("eval", tmp_path / "out", "--baseline", tmp_path / "out")
    assert code == 0 and "p = 1; 0 problems better, 0 worse, of 6" in out


def test_a_real_set_and_options_by_likelihood(finished: Path, candor_command: Command, tmp_path: Path) -> None:
    (tmp_path / "mmlu.csv").write_text("Is it?,yes,no,never,always,A\nWhat?,a,b,c,d,C\n")
    code, out, _ = candor_command(
        "eval",
        finished / "model",
        "--tasks",
        "mmlu",
        "--data",
        f"mmlu={tmp_path / 'mmlu.csv'}",
        "--out",
        tmp_path / "o",
    )
    assert code == 0 and "acc_norm" in out and "mmlu: acc " in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tasks", "arithmetik"], "there is no task 'arithmetik'; known: arithmetic"),
        (["--tasks", ""], "names no task"),
        (["--tasks", "arithmetic:9"], "difficulty=9 of arithmetic must lie between 1 and 5"),
        (["--tasks", "arithmetic:x"], "neither a difficulty nor en or zh"),
        (["--tasks", "arithmetic,arithmetic"], "twice"),
        (["--tasks", "gsm8k"], "--data gsm8k=PATH"),
        (["--tasks", "gsm8k", "--data", "gsm8k=/nowhere.jsonl"], "does not exist"),
        (["--tasks", "arithmetic", "--data", "gsm8k=x"], "not among --tasks"),
        (["--tasks", "arithmetic", "--data", "gsm8k"], "has no '='"),
        (["--tasks", "bits_per_byte"], "--data bits_per_byte=PATH"),
        (["--tasks", "arithmetic", "--format", "odd"], "must be chat, plain, r1_zero or a text"),
        (["--tasks", "lm_eval:no_such_task", "--data", "lm_eval:no_such_task=."], "no single task 'no_such_task'"),
    ],
)
def test_what_cannot_work_is_one_line(
    finished: Path, candor_command: Command, tmp_path: Path, arguments: list[str], says: str
) -> None:
    code, _, err = candor_command("eval", finished / "model", *arguments, "--out", tmp_path / "out")
    assert code in (1, 2) and says in err and err.count("\n") == 1, err


def test_a_model_that_is_none(candor_command: Command, tmp_path: Path) -> None:
    assert "no model folder" in candor_command("eval", tmp_path, "--tasks", "arithmetic", "--out", tmp_path / "o")[2]
    assert "name a model" in candor_command("eval")[2]
    assert (
        "--model-name"
        in candor_command("eval", "http://127.0.0.1:9/v1", "--tasks", "arithmetic", "--out", tmp_path / "o")[2]
    )


@pytest.mark.slow
def test_a_run_killed_by_the_kernel_goes_on(finished: Path, tmp_path: Path) -> None:
    """SIGKILL amid the answers; the same command asks for the rest, and comes to what an undisturbed run comes to."""

    def command(out: str) -> list[str]:
        return [sys.executable, "-m", "candor", "eval", str(finished / "model"), "--tasks", "arithmetic", "-n", "300",
                "-k", "4", "--max-tokens", "100", "--out", str(tmp_path / out)]  # fmt: skip

    assert subprocess.run(command("whole"), capture_output=True).returncode == 0
    samples = tmp_path / "part" / "arithmetic-1-en.samples.jsonl"
    process = subprocess.Popen(command("part"), stdout=subprocess.DEVNULL)
    while not samples.exists() or samples.stat().st_size < 40_000:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(samples.read_text(errors="replace").splitlines())
    assert 0 < kept < 1200 and not (tmp_path / "part" / "arithmetic-1-en.json").exists()
    assert subprocess.run(command("part"), capture_output=True).returncode == 0
    whole = (tmp_path / "whole" / samples.name).read_text()
    assert samples.read_text() == whole


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        assert isinstance(server, Server)
        server.asked += 1
        message = {"role": "assistant", "content": "So it is \\boxed{7}.", "reasoning_content": "3 + 4"}
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"],
                  "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}  # fmt: skip
        down = server.down_after is not None and server.asked > server.down_after
        assert self.headers["authorization"] == "Bearer sesame" and "messages" in body
        self.send_response(503 if down else 200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"error": {"message": "no room"}} if down else answer).encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True
    asked, down_after = 0, None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("CANDOR_API_KEY", "sesame")
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_server_is_measured_by_chat(server: Server, candor_command: Command, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    code, _, err = candor_command("eval", url, "--model-name", "m", "--tasks", "arithmetic", "-n", "12", "--format",
                                    "chat", "--out", tmp_path)  # fmt: skip
    assert (code, err) == (0, "") and server.asked == 12
    first = json.loads((tmp_path / "arithmetic-1-en.samples.jsonl").read_text().splitlines()[0])
    assert first["response"] == "<think>3 + 4</think>So it is \\boxed{7}." and first["answer"] == "7"
    assert "sesame" not in "".join(path.read_text() for path in tmp_path.iterdir() if path.is_file())


def test_a_server_that_fails_midway_leaves_no_score(server: Server, candor_command: Command, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    arguments = [
        "eval",
        url,
        "--model-name",
        "m",
        "--tasks",
        "arithmetic",
        "-n",
        "12",
        "--format",
        "chat",
        "--out",
        tmp_path,
    ]
    server.down_after = 5
    code, _, err = candor_command(*arguments)
    assert code == 1 and "no room" in err and "run the same command again" in err
    assert not (tmp_path / "arithmetic-1-en.json").exists()
    asked, server.down_after = server.asked, None
    assert candor_command(*arguments)[0] == 0
    assert server.asked - asked == 7


def test_two_at_once_do_not_mix(finished: Path, candor_command: Command, tmp_path: Path) -> None:
    from candor import files

    with files.lock(tmp_path):
        code, _, err = candor_command("eval", finished / "model", "--tasks", "arithmetic", "--out", tmp_path)
    assert code == 1 and f"in use by another candor process (pid {os.getpid()})" in err
