"""`candor train rl` and `candor train distill`: what they print, leave, keep and refuse."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from candor import files
from candor.model import Transformer
from candor.model.hub import load_model, save_model
from candor.problems.prompts import asked
from candor.problems.tasks import draw
from candor.text import Tokenizer
from tests.cli.conftest import Result
from tests.infer.test_remote import Handler, Server, chat_answer, server
from tests.stages.test_rl import judge_of
from tests.stages.test_sft import MODEL

__all__ = ["server"]

THOUGHT = "First I add what is there, one after the other, and then I look at it once more."
PROBLEMS = draw("arithmetic:1:en", 0, 6)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights, whose tokenizer writes a chat in few tokens."""
    texts = [f"{asked(problem, 'chat')} {THOUGHT} The answer is \\boxed{{{problem.gold}}}." for problem in PROBLEMS]
    tokenizer, folder = Tokenizer.train(texts * 9, 600), tmp_path_factory.mktemp("base") / "model"
    model = Transformer(replace(MODEL, vocab_size=tokenizer.vocab_size))
    model.init_weights(0.05, torch.Generator().manual_seed(3))
    save_model(model, folder, tokenizer=tokenizer)
    return folder


def sets(*assignments: str) -> list[str]:
    return [item for assignment in assignments for item in ("--set", assignment)]


QUICK = sets(
    "rl.steps=3", "rl.rollout.questions=4", "rl.rollout.group=4", "rl.rollout.max_tokens=6", "rl.watch_every=2",
    "rl.watch_problems=4", "rl.rewards.language=1", "train.checkpoint_every=2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("rl", ["--tasks", "--reward-model", "grpo, r1, dr_grpo, dapo, gspo, cispo"]),
        ("rm", ["--kind", "--data", "--skip-broken"]),
        ("distill", ["--teacher", "--teacher-name", "--collect"]),
        ("sft", ["--data", "--origin", "--dry-run"]),
    ],
)
def test_help_names_every_option_and_shows_a_command(
    command: str, says: list[str], candor_command: Callable[..., Result]
) -> None:
    code, out, err = candor_command("train", command, "--help")
    assert (code, err) == (0, "")
    for text in (*says, "--out", "--set", f"candor train {command}"):
        assert text in " ".join(out.split()), text


def test_settings_that_help_shows_exist(candor_command: Callable[..., Result]) -> None:
    """An example that does not work is worse than none."""
    from candor.config import override
    from candor.stages.collect import CollectConfig
    from candor.stages.rl import RLRun
    from candor.stages.sft import SftRun

    for command, config in (("rl", RLRun()), ("sft", SftRun()), ("distill", SftRun())):
        out = candor_command("train", command, "--help")[1].partition("Arguments:")[0]
        for line in re.split(r"\n *candor train ", out)[1:]:
            override(config, *re.findall(r"--set (\w[\w.]+=[^\s.)]+)", line))
            override(CollectConfig(format="chat"), *re.findall(r"--collect (\w[\w.]+=\S+)", line))


def test_rl_shows_held_out_figures_and_leaves_a_model(
    base: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    command = ["train", "rl", base, "--tasks", "arithmetic:1:en,letters:1:zh", "--out", tmp_path / "out", *QUICK]
    code, out, err = candor_command(*command)
    assert (code, err) == (0, "")
    assert f"rl of {base} on arithmetic:1:en, letters:1:zh: into {tmp_path / 'out'}" in out
    table = out.partition("before the step\n")[2].splitlines()[:3]
    assert table[0].split() == ["step", "arithmetic-1-en", "letters-1-zh"]
    lines = files.read_lines(tmp_path / "out" / "checkpoints" / "metrics.jsonl")
    watched = [line for line in lines if "heldout.letters-1-zh" in line]
    assert [line["step"] for line in watched] == [1, 3] == [int(row.split()[0]) for row in table[1:]]
    for row, line in zip(table[1:], watched, strict=True):
        shares = (line["heldout.arithmetic-1-en"], line["heldout.letters-1-zh"])
        assert row.split()[1:] == [f"{100 * share:.1f}" for share in shares]
    next_step = re.search(r"try: candor (eval \S+) --tasks arithmetic -k 4", out)
    assert next_step and next_step[1] == f"eval {tmp_path / 'out' / 'model'}"
    told = files.read_lines(Path(re.search(r"answers through training  (\S+)", out)[1]))  # type: ignore[index]
    assert {line["step"] for line in told} == {0, 2, 3}
    assert load_model(tmp_path / "out" / "model").config == load_model(base).config
    code, again, _ = candor_command(*command)
    assert code == 0 and "checkpoints: done before" in again and again.splitlines()[-8:] == out.splitlines()[-8:]


def test_rl_by_a_reward_model(base: Path, tmp_path: Path, candor_command: Callable[..., Result]) -> None:
    judge = judge_of(base, tmp_path / "judge", "safety")
    command = [
        "train",
        "rl",
        base,
        "--tasks",
        "safety:1:en",
        "--reward-model",
        judge,
        "--out",
        tmp_path / "out",
        *QUICK,
    ]
    code, _, err = candor_command(*command)
    assert code == 2 and "needs rl.rewards.safety above 0" in err and err.count("\n") == 1
    code, _, err = candor_command(*command, *sets("rl.rewards.safety=1"))
    assert code == 2 and "rl.preference_steps only, and that is 0" in err
    assert candor_command(*command, *sets("rl.rewards.safety=1", "rl.preference_steps=1"))[0] == 0
    lines = files.read_lines(tmp_path / "out" / "checkpoints" / "metrics.jsonl")
    assert ["safety" in line for line in lines] == [False, False, True] and 0 < lines[-1]["safety"] < 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--tasks", "sums:1:en"], 2, "'sums:1:en' must be NAME:DIFFICULTY:LANG"),
        (["--tasks", "arithmetic:1:en", "--set", "rl.step=3"], 2, "there is no field 'step' in RLConfig; did you mean"),
        (["--tasks", "arithmetic:1:en", "--reward-model", "nowhere"], 1, "nowhere is no "),
        ([], 2, "--tasks"),
    ],
)
def test_rl_says_what_cannot_work(
    arguments: list[str], code: int, says: str, base: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    found, _, err = candor_command("train", "rl", base, "--out", tmp_path / "out", *arguments)
    assert found == code and says in err


# Distillation.


class Teacher(Handler):
    """Answers the question that it is asked, every second problem right."""

    def do_POST(self) -> None:  # noqa: N802 - as http.server calls it
        length = int(self.headers["content-length"])
        body = json.loads(self.rfile.read(length))
        message = body["messages"][0]["content"]
        place = next(place for place, problem in enumerate(PROBLEMS) if problem.prompt in message)
        gold = int(str(PROBLEMS[place].gold)) + place % 2
        self.server.asked.append(body)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(chat_answer(f"The answer is \\boxed{{{gold}}}.", thought=THOUGHT)).encode())


LESSONS = ["--collect", "questions=6", "--collect", "samples=2", *sets("sft.epochs=2", "sft.sequence_length=128")]


def test_a_student_learns_what_a_server_answers_right(
    base: Path, server: Server, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    server.RequestHandlerClass = Teacher
    url = f"http://127.0.0.1:{server.server_port}/v1"
    command = ["train", "distill", base, "--teacher", url, "--teacher-name", "m", "--tasks", "arithmetic:1:en",
               "--out", tmp_path / "out", *LESSONS]  # fmt: skip
    code, out, err = candor_command(*command)
    assert (code, err) == (0, "")
    assert "3 answers are right and readable" in out and len(server.asked) == 12
    counts = files.read_json(tmp_path / "out" / "answers" / "counts.json")
    assert counts == {"samples": 12, "kept": 3, "reasons": {"wrong": 6, "duplicate": 3}}
    data = files.read_json(tmp_path / "out" / "checkpoints" / "data.json")
    assert data["origin"] == {"team-automatic": data["dialogues"]["train"]}
    assert data["dialogues"]["train"] + data["dialogues"]["heldout"] == 3
    student = Tokenizer.load(tmp_path / "out" / "model")
    opened = student.decode(student.encode_chat([{"role": "user", "content": "Hi"}]))
    assert opened.rstrip().endswith("<think>"), "it is asked in the form that it has learnt"
    code, again, _ = candor_command(*command)
    assert code == 0 and "model: done before" in again and len(server.asked) == 12, "nothing is asked twice"


def test_a_teacher_that_knows_nothing_teaches_nothing(
    base: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    """A folder of random weights as teacher: one line that says where to look, and no model."""
    code, _, err = candor_command(
        "train", "distill", base, "--teacher", base, "--tasks", "arithmetic:1:en", "--out", tmp_path / "out",
        "--collect", "max_tokens=4", *LESSONS,
    )  # fmt: skip
    counts = tmp_path / "out" / "answers" / "counts.json"
    assert code == 1 and err == f"error: no answer of {base} is right and readable; {counts} says why\n"
    assert files.read_json(counts)["reasons"]["wrong"] == 12
    assert not (tmp_path / "out" / "model").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--collect", "format=plain"], 2, "rejection sampling keeps answers of a chat"),
        (["--collect", "sample=3"], 2, "did you mean 'samples'"),
        (["--teacher", "http://127.0.0.1:9/v1"], 2, "needs the name of its model"),
        (["--teacher", "nowhere"], 1, "nowhere is no model folder"),
    ],
)
def test_distill_says_what_cannot_work(
    arguments: list[str], code: int, says: str, base: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    given = ["train", "distill", base, "--teacher", base, "--tasks", "arithmetic:1:en", "--out", tmp_path / "out"]
    found, _, err = candor_command(*given, *arguments)
    assert found == code and says in err and err.count("\n") == 1
