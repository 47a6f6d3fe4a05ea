"""From text to R1 by the real command: what each stage leaves, what a second run keeps, what a kill loses."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from candor.config import override
from candor.data.dialogues import read_dialogues
from candor.model import Transformer
from candor.model.heads import IGNORE, cross_entropy
from candor.model.hub import load_model, save_model
from candor.problems import Problem
from candor.problems.extract import final_answer
from candor.problems.families import FAMILIES
from candor.problems.prompts import asked
from candor.problems.tasks import draw
from candor.recipes import smoke
from candor.records import Provenance
from candor.stages.chain import Chain
from candor.stages.r1 import _DRAFTS, _SAMPLES, r1_stages
from candor.text import Tokenizer
from tests.cli.conftest import Result
from tests.cli.test_run import assert_one_line, times
from tests.stages.test_sft import MODEL
from tests.stages.ui import Quiet

pytestmark = pytest.mark.slow

SUMS = "arithmetic:1:en,arithmetic:1:zh"
GENERAL = "unanswerable:1:en,safety:1:en,safety:1:zh,requests:1:en"
SETS = [
    "model.vocab_size=400", "model.num_hidden_layers=2", f"corpus.sources.1.tasks={SUMS}",
    "corpus.sources.1.size=40000",
    "pretrain.total_tokens=8192", "pretrain.sequence_length=128", "pretrain.schedule.warmup_steps=2",
    "train.checkpoint_every=2", "evaluate.max_bytes=2000", "evaluate.sample_tokens=8",
    f"r1.scores.reasoning={SUMS}", f"r1.scores.behaviour=words:1:en,{GENERAL}", "r1.scores.problems=3",
    "r1.scores.k=2", "r1.scores.k_other=1", "r1.scores.max_tokens=8",
    *(f"r1.{name}.tasks={SUMS}" for name in ("zero.rollout", "prompted", "collected", "rl.rollout", "samples",
                                             "student_rl.rollout")),
    f"r1.final.rollout.tasks={SUMS},{GENERAL}", f"r1.general={GENERAL}", "r1.general_each=4",
    *(f"r1.{name}.rollout.questions=6" for name in ("zero", "rl", "final", "student_rl")),
    *(f"r1.{name}.rollout.max_tokens=12" for name in ("zero", "rl", "final", "student_rl")),
    *(f"r1.{name}.{field}" for name in ("zero", "rl", "final", "student_rl")
      for field in ("steps=4", "preference_steps=2", "watch_every=2", "watch_problems=2", "rewards.language=1")),
    *(f"r1.{name}.{field}" for name in ("prompted", "collected", "samples", "preferences")
      for field in ("questions=3", "samples=2", "max_tokens=16")),
    "r1.student_pretrain.total_tokens=4096", "audits.models=", "audits.plant=",  # tests/stages/test_audits.py has these
]  # fmt: skip
TRAINED = ("base", "r1_zero", "dev1", "dev2", "dev3", "r1", "student", "distilled", "student_rl")
STAGES = (
    "corpus", "tokenizer", "tokens", "base/checkpoints", "base/model", "base/evals", "base/scores",
    *(f"r1_zero/{part}" for part in ("checkpoints", "model", "scores")), "drafts",
    *(f"{name}/{part}" for name in ("dev1", "dev2") for part in ("checkpoints", "model", "scores")), "samples",
    *(f"dev3/{part}" for part in ("checkpoints", "model", "scores")), "preferences",
    *(f"{name}/{part}" for name in ("helpfulness", "safety") for part in ("checkpoints", "model")),
    *(f"{name}/{part}" for name in ("r1", "student", "distilled", "student_rl")
      for part in ("checkpoints", "model", "scores")),
    "model", "report",
)  # fmt: skip


def command(out: Path, text: Path, *more: str) -> list[str]:
    sets = [item for assignment in (*SETS, *more) for item in ("--set", assignment)]
    return ["run", "smoke", "--data", str(text), "--out", str(out), *sets]


def run(arguments: list[str]) -> Result:
    """By the command in a process of its own; what trains nothing may go through `candor_command`, which is quicker."""
    done = subprocess.run([sys.executable, "-m", "candor", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def whole(text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of one run of the whole chain, and what it printed."""
    out = tmp_path_factory.mktemp("r1") / "whole"
    code, said, err = run(command(out, text))
    assert (code, err) == (0, ""), err  # nor warnings of libraries
    return out, said


def summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (out / "report" / "summary.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON")
    )
    return found


def timeless(out: Path) -> dict[str, Any]:
    return {name: value for name, value in summary(out).items() if "tokens_per_second" not in name}


def test_every_stage_leaves_its_folder_with_its_provenance(whole: tuple[Path, str]) -> None:
    out, said = whole
    assert [line.removesuffix(" ...") for line in said.splitlines() if line.endswith(" ...")] == list(STAGES)
    made: dict[str, str] = {}
    for stage in STAGES:
        record = Provenance.read(out / stage)
        record.verify(out / stage)
        present = {file.relative_to(out / stage).as_posix() for file in (out / stage).rglob("*") if file.is_file()}
        assert set(record.outputs) == present - {Provenance.FILE}, stage
        assert all(made[name] == digest for name, digest in record.inputs.items()), "made from the stages before it"
        made[stage] = record.digest
    assert set(Provenance.read(out / "r1" / "checkpoints").inputs) == {
        "dev3/model", "helpfulness/model", "safety/model",
    }  # fmt: skip
    assert set(Provenance.read(out / "dev3" / "checkpoints").inputs) == {"base/model", "samples"}, "anew from the base"
    assert set(Provenance.read(out / "report").inputs) == set(STAGES) - {"report"}


def test_the_summary_holds_what_the_answers_on_disk_are_worth(whole: tuple[Path, str]) -> None:
    """pass@1 of all nine models with its standard error, computed once more from the kept answers."""
    figures = summary(whole[0])
    for model in TRAINED:
        shares: dict[str, list[bool]] = {}
        for lang in ("en", "zh"):
            path = whole[0] / model / "scores" / f"arithmetic-1-{lang}.samples.jsonl"
            for line in map(json.loads, path.read_text().splitlines()):
                shares.setdefault(line["problem"], []).append(line["grade"] == "right")
        means = [sum(right) / len(right) for right in shares.values()]
        assert len(means) == 6 and all(len(right) == 2 for right in shares.values())
        mean = sum(means) / 6
        error = (sum((one - mean) ** 2 for one in means) / 5 / 6) ** 0.5
        assert figures[f"{model}.pass_at_1"] == pytest.approx(mean)
        assert figures[f"{model}.pass_at_1_stderr"] == pytest.approx(error)
    assert all(not isinstance(value, dict | list) for value in figures.values())
    assert {figures[f"{model}.steps"] for model in ("r1_zero", "dev2", "r1", "student_rl")} == {4}


def test_the_page_shows_the_stage_table_and_fetches_nothing(whole: tuple[Path, str]) -> None:
    page = (whole[0] / "report" / "index.html").read_text(encoding="utf-8")
    figures = summary(whole[0])
    rows = re.findall(r'<tr><td class="l">(.*?)</td>(.*?)</tr>', page)
    assert len(rows) == 9
    for (_, cells), model in zip(rows, TRAINED, strict=True):
        assert f"{100 * figures[f'{model}.pass_at_1']:.1f}%" in cells.split("</td>")[0]
    assert set(re.findall(r'(?:src|href)="(.{11})', page)) == {"data:image/"}
    assert not re.search(r"<script|@import|url\(", page)
    for name in ("R1-Zero", "pure reinforcement", "纯强化学习", "内容由 AI 生成", "同一批题目"):
        assert name.lower() in page.lower()
    for stage in STAGES[:-1]:
        assert f"<code>{stage}/</code>" in page


def test_the_command_prints_the_stage_table(whole: tuple[Path, str]) -> None:
    out, said = whole
    figures = summary(out)
    table = said.partition("shares in percent\n")[2].splitlines()[:10]
    assert table[0].split()[:3] == ["pass", "at", "1"]
    for row, model in zip(table[1:], TRAINED, strict=True):
        name, first = row.split()[:2]
        assert name == model and first.partition("±")[0] == f"{100 * figures[f'{model}.pass_at_1']:.1f}"
    (asked,) = [line for line in said.splitlines() if line.startswith("  problems: pass at 1 ")]
    assert f"pass at 1 {figures['base.pass_at_1_n']}, " in asked and f"seed {figures['scores.seed']}" in asked
    claims = [line for line in said.splitlines() if line.startswith("  pass@1 of ")]
    assert len(claims) == 3 == len([key for key in figures if key.startswith("claims.") and key.endswith("_p_value")])
    assert f"{100 * figures['claims.r1_over_r1_zero']:+.1f} ± " in claims[1]
    assert f"try: candor chat {out / 'model'}" in said


def test_the_model_of_the_run_is_r1(whole: tuple[Path, str], candor_command: Callable[..., Result]) -> None:
    out, _ = whole
    for file in (out / "r1" / "model").iterdir():
        if file.name != Provenance.FILE:
            assert (out / "model" / file.name).read_bytes() == file.read_bytes()
    tokenizer = Tokenizer.load(out / "model")
    opened = tokenizer.decode(tokenizer.encode_chat([{"role": "user", "content": "Hi"}]))
    assert opened.rstrip().endswith("<think>"), "a chat with R1 begins with its thought"
    code, said, _ = candor_command("generate", out / "model", "1 + 1 =", "--max-tokens", "3")
    assert code == 0 and said


def test_what_is_learnt_says_who_made_it(whole: tuple[Path, str]) -> None:
    out, _ = whole
    samples = read_dialogues(out / "samples" / "dialogues.jsonl")
    assert len(samples) >= 16 and {one.origin for one in samples} == {"team-automatic"}
    asked_of = {one.messages[0]["content"] for one in samples}
    for name, lang in (("requests", "en"), ("safety", "zh")):
        for problem in draw(f"{name}:1:{lang}", _SAMPLES, 4):
            assert asked(problem, "chat") in asked_of
    held = {problem.prompt for one in ("requests", "safety") for problem in FAMILIES[one].generate(0, 40, split="test")}
    assert not any(text.split("\n")[0] in held for text in asked_of)


class Judging(BaseHTTPRequestHandler):
    """A server's model that likes the answer which comes later in the alphabet, wherever it stands."""

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["messages"][-1]["content"]
        _, a, b, _ = re.split(r"--- (?:answer A|回答 A|answer B|回答 B|end of the answers|回答到此为止) ---", text)
        message = {"role": "assistant", "content": "[[A>>B]]" if a.strip() > b.strip() else "[[B>>A]]"}
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        self.wfile.write(json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": body["model"],
                                     "choices": choices}).encode())  # fmt: skip


def test_a_model_judges_preferences(whole: tuple[Path, str], tmp_path: Path) -> None:
    """Where one is named, its judgements make the pairs, and are kept."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Judging)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sets = [*SETS, f"r1.judge=http://127.0.0.1:{server.server_port}/v1", "r1.judge_name=m"]
    try:
        config = override(smoke(), *sets)
        chain = Chain(whole[0], 0, config.train)
        r1_stages(chain, config.r1, "r1")
        (stage,) = [stage for stage in chain.stages if stage.name == "preferences"]
        stage.make(tmp_path, Quiet())
    finally:
        server.shutdown()
        server.server_close()
    pairs = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert pairs and all(final_answer(pair["chosen"]) > final_answer(pair["rejected"]) for pair in pairs)
    assert len((tmp_path / "judgements.jsonl").read_text().splitlines()) >= 4 * len(pairs)
    assert stage.settings["judge"][1] == "m"


# A second run, and another plan.


def test_a_second_run_keeps_everything(
    whole: tuple[Path, str], text: Path, candor_command: Callable[..., Result]
) -> None:
    out, _ = whole
    before = times(out)
    code, said, err = candor_command(*command(out, text))
    assert (code, err) == (0, "")
    assert [line.partition(": done")[0] for line in said.splitlines() if ": done before" in line] == list(STAGES)
    assert times(out) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            "r1.rl.steps=5",
            "dev2/checkpoints holds the work of another run: dev2/checkpoints.rl.steps was 4 and is now 5",
        ),
        ("r1.samples.max_tokens=17", "samples holds the work of another run: samples.samples.max_tokens was 16 and is"),
        ("r1.worked=5", "was 4 and is now 5"),
        ("r1.safety.epochs=2", "safety/checkpoints.rm.epochs was 1 and is now 2"),
        ("seed=1", "seed was 0 and is now 1"),
    ],
)
def test_work_of_another_plan_is_not_thrown_away(
    change: str, says: str, whole: tuple[Path, str], text: Path, candor_command: Callable[..., Result]
) -> None:
    before = times(whole[0])
    assert_one_line(candor_command(*command(whole[0], text, change)), says, "choose another --out")
    assert times(whole[0]) == before, "something was touched before it was refused"


def test_another_question_for_all_models_redoes_the_scores_alone(
    whole: tuple[Path, str], text: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    out = Path(shutil.copytree(whole[0], tmp_path / "run"))
    code, said, err = candor_command(*command(out, text, "r1.scores.k=1", "r1.scores.behaviour=words:1:en"))
    assert (code, err) == (0, "")
    redone = [line.removesuffix(" ...") for line in said.splitlines() if line.endswith(" ...")]
    assert redone == [*(f"{model}/scores" for model in TRAINED), "report"]
    assert "base.over_abstention" in summary(out) and "base.refusal" not in summary(out)


def test_starting_over_is_possible(whole: tuple[Path, str], text: Path, tmp_path: Path) -> None:
    """With another plan, over the answers and checkpoints of the first: none of them may be taken for the new ones."""
    out = Path(shutil.copytree(whole[0], tmp_path / "run"))
    sets = ["until=r1_zero", "r1.zero.steps=2", "train.resume=never"]
    code, said, err = run(command(out, text, *sets))
    assert (code, err) == (0, "")
    assert "base/checkpoints ..." in said and "r1_zero/checkpoints ..." in said and "base/scores ..." in said
    assert len(list((out / "r1_zero" / "checkpoints" / "rollouts").glob("*.jsonl"))) == 2
    assert (out / "model" / "model.safetensors").read_bytes() == (out / "r1_zero/model/model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("resume", "code", "says"),
    [
        ("{out}/dev2/checkpoint/step-2", 2, "is in no folder of checkpoints of this run; there are base/checkpoints"),
        ("{out}/r1_zero/checkpoints/step-9", 1, "r1_zero/checkpoints/step-9 is not a checkpoint folder"),
    ],
)
def test_a_place_to_resume_from_that_there_is_not(
    resume: str,
    code: int,
    says: str,
    whole: tuple[Path, str],
    text: Path,
    tmp_path: Path,
    candor_command: Callable[..., Result],
) -> None:
    out = Path(shutil.copytree(whole[0], tmp_path / "run"))
    found = candor_command(*command(out, text, f"train.resume={resume.format(out=out)}"))
    assert_one_line(found, says, "", code=code)


# Killed.


def killed(arguments: list[str], when: Callable[[], bool]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "candor", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not when():
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.communicate()[1] == "" and process.returncode == -signal.SIGKILL


def lines_in(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


def test_killed_twice_it_ends_with_the_same_stage_table(whole: tuple[Path, str], text: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    zero, drafts = out / "r1_zero" / "checkpoints", out / "drafts"
    killed(command(out, text), lambda: lines_in(zero / "metrics.jsonl") >= 3)
    assert not (zero / Provenance.FILE).exists()
    killed(command(out, text), lambda: lines_in(drafts / "base" / "samples.jsonl") >= 1)
    assert (zero / Provenance.FILE).exists() and not (drafts / Provenance.FILE).exists()
    code, said, err = run(command(out, text))
    assert (code, err) == (0, "") and "r1_zero/checkpoints: done before" in said
    assert timeless(out) == timeless(whole[0])
    for name in ("drafts/dialogues.jsonl", "samples/dialogues.jsonl", "r1_zero/checkpoints/transcripts.jsonl"):
        assert (out / name).read_bytes() == (whole[0] / name).read_bytes(), name
    ours, theirs = (load_model(folder / "model").state_dict() for folder in (out, whole[0]))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    left = [path for path in out.rglob("*") if path.name.startswith(".tmp")]
    assert not left, "what the killed processes left is cleared away"


# With annotators, from a model folder.

PROBLEMS = draw("arithmetic:1:en", _DRAFTS, 4)


def learnt(problem: Problem) -> str:
    return f" <think>\nI add one after the other.\n</think>\n<answer>{problem.gold}</answer>"


@pytest.fixture(scope="module")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model that has learnt four sums by heart, thoughts included: there are drafts to decide on."""
    pairs = [(asked(problem, "plain"), learnt(problem)) for problem in PROBLEMS]
    general = [problem.prompt + problem.solution for name in GENERAL.split(",") for problem in draw(name, 0, 4)]
    tokenizer = Tokenizer.train([*(a + b for a, b in pairs * 9), asked(PROBLEMS[0], "chat") * 3, *general], 700)
    config = replace(MODEL, vocab_size=tokenizer.vocab_size, num_nextn_predict_layers=0, max_position_embeddings=256)
    torch.manual_seed(0)
    model = Transformer(config)
    model.init_weights(0.05)
    ids = [[tokenizer.bos_id, *tokenizer.encode(a), *tokenizer.encode(b), tokenizer.eos_id] for a, b in pairs]
    batch = torch.full((len(ids), max(map(len, ids))), tokenizer.pad_id)
    targets = torch.full((len(ids), batch.shape[1] - 1), IGNORE)
    for row, own in enumerate(ids):
        batch[row, : len(own)], targets[row, : len(own) - 1] = torch.tensor(own), torch.tensor(own[1:])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(120):
        loss, _right = cross_entropy(model.hidden(batch[:, :-1]), model.lm_head.weight, targets)
        optimizer.zero_grad()
        (loss / (targets != IGNORE).sum()).backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("knowing") / "model"
    save_model(model.eval(), folder, tokenizer=tokenizer)
    return folder


def test_people_decide_on_the_drafts(
    knowing: Path, text: Path, tmp_path: Path, candor_command: Callable[..., Result]
) -> None:
    """The run waits for them, says how to go on, and learns what they made of the drafts."""
    out, decided = tmp_path / "run", tmp_path / "decided.jsonl"
    sets = ["until=r1", f"base_model={knowing}", "r1.annotators=true", "r1.worked=0",
            "r1.zero.optim.learning_rate=1e-5", "r1.zero.optim.muon_learning_rate=1e-5", "r1.prompted.shots=1",
            "r1.collected.tasks=arithmetic:1:en", "r1.collected.temperature=0.1",
            "r1.collected.max_tokens=64"]  # fmt: skip
    start = command(out, text, *sets)
    code, said, err = run(start)
    assert code == 130 and err.count("\n") == 1, err
    waiting = re.search(
        r"(\d+) drafts wait for annotators; run candor review export --store (\S+) --state waiting", err
    )
    assert waiting and int(waiting[1]) >= 2 and "drafts ..." in said and "dev1" not in said
    assert run(start)[::2] == (code, err), "nobody has decided, so it waits on"
    store = waiting[2]
    assert candor_command("review", "export", "--store", store, "--state", "waiting", "--out", decided)[0] == 0
    rows = [json.loads(line) for line in decided.read_text().splitlines()]
    for row, state in zip(rows, ("edited", "accepted", *("rejected" for _ in rows)), strict=False):
        row |= {"annotator": "li", "state": state}
    rows[0]["edited"] = "<think>\nBy hand.\n</think>\n\nIt is \\boxed{7}."
    decided.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert candor_command("review", "import", decided, "--store", store)[0] == 0
    code, said, err = run(start)
    assert (code, err) == (0, "") and "2 drafts to learn from" in said
    dialogues = read_dialogues(out / "drafts" / "dialogues.jsonl")
    assert sorted(one.origin for one in dialogues) == ["team-automatic", "team-hand"]
    (by_hand,) = [one for one in dialogues if one.origin == "team-hand"]
    assert by_hand.messages[-1]["content"] == rows[0]["edited"]
    assert summary(out)["r1.pass_at_1_stderr"] is not None and "pretrain.loss" not in summary(out)
    code, said, _ = run(start)
    assert code == 0 and "drafts: done before" in said and "dev1/checkpoints: done before" in said
