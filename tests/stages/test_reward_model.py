"""Training of reward models: the data's two sides, that it learns, and that a stopped run ends in the same bits.

Run as a program with two folders, it is the run that `test_killed_and_resumed` kills.
"""

import dataclasses
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from candor.data.dialogues import LeftOut
from candor.data.preferences import Preference, Verdict
from candor.errors import CheckpointError, ConfigError, DataError, Interrupted, ModelError
from candor.model.hub import load_model
from candor.records import no_progress
from candor.rl.reward_model import Item, RewardModel
from candor.stages.reward_model import (
    Judged,
    RewardModelConfig,
    RewardModelRun,
    RewardTask,
    export_reward_model,
    make_reward_model,
    prepare,
    train_reward_model,
)
from candor.stages.supervised import read_heldout
from candor.text import Tokenizer
from candor.train.loop import LoopConfig
from candor.train.optim import OptimConfig
from tests.stages.test_sft import ANIMALS, VOCAB, make_base
from tests.stages.ui import Quiet
from tests.train.conftest import same_bits

KIND, RUDE = "yes dear cat and dog, gladly".split(), "no you old toad and rat, never".split()


def sentence(words: Sequence[str], chance: random.Random) -> str:
    return " ".join(chance.choices(words, k=chance.randint(2, 5)))


def kind_pairs(questions: int = 60, each: int = 2) -> list[Preference]:
    """Which words are kind has to be learnt; length says nothing."""
    chance = random.Random(0)
    return [
        Preference(
            messages=({"role": "user", "content": f"{ANIMALS[number % 20]} {number}?"},),
            chosen=sentence(KIND, chance), rejected=sentence(RUDE, chance), origin="team-hand", place=f"pairs:{number}",
        )
        for number in range(questions) for _ in range(each)
    ]  # fmt: skip


def verdicts() -> list[Verdict]:
    """Rude words are unsafe, within the thought too."""
    found = []
    chance = random.Random(1)
    for pair in kind_pairs():
        inside, behind = chance.random() < 0.3, chance.random() < 0.3
        thought, said = (sentence(RUDE if bad else KIND, chance) for bad in (inside, behind))
        response, safe = f"<think>{thought}</think>{said}", not (inside or behind)
        found.append(Verdict(messages=pair.messages, response=response, safe=safe, origin="team-hand"))
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer.train([" ".join([*ANIMALS, *KIND, *RUDE, "0123456789 ?"] * 5)], VOCAB)
    return make_base(tmp_path_factory.mktemp("base") / "model", tokenizer)


CONFIG = RewardModelConfig(
    epochs=3, sequence_length=64, batch=20, micro_batch=7, heldout_share=0.2, precision="float32",
    optim=OptimConfig("adamw", learning_rate=3e-3, weight_decay=0.0),
)  # fmt: skip
LOOP = LoopConfig(checkpoint_every=4, keep_checkpoints=3)


def train(
    base: Path,
    out: Path,
    config: RewardModelConfig = CONFIG,
    data: Judged | None = None,
    loop: LoopConfig = LOOP,
    progress: Callable[[int, int, str], None] = no_progress,
    said: list[str] | None = None,
    left_out: LeftOut | None = None,
) -> RewardModel:
    out.mkdir(exist_ok=True, parents=True)
    lines = [] if said is None else said
    return train_reward_model(
        config, loop, base, kind_pairs() if data is None else data, out, 5,
        say=lines.append, progress=progress, device=torch.device("cpu"), left_out=left_out,
    )  # fmt: skip


def metrics(out: Path) -> list[dict[str, Any]]:
    """The lines but for what the clock decides."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(line.pop("tokens_per_second") > 0 for line in lines)
    return lines


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    train(base, out)
    return out


# What comes of it.


def test_it_learns_which_answers_are_better(base: Path, whole: Path) -> None:
    figures = read_heldout(whole)
    assert abs(figures["before"].value - 0.5) < 0.3 and figures["after"].value > 0.9
    assert figures["after"].n < 30 and figures["change"].stderr is not None
    assert figures["change"].value == pytest.approx(figures["after"].value - figures["before"].value)
    lines = metrics(whole)
    assert lines[-1]["accuracy"] > 0.9 and lines[-1]["loss"] < lines[0]["loss"] / 2


def test_it_learns_which_answers_are_safe(base: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, kind="safety", epochs=12)
    model = train(base, tmp_path, config, verdicts())
    values = json.loads((tmp_path / "heldout.json").read_text())
    assert values["after"]["value"] > 0.9 > values["guessing"] > 0.5
    said = ("<think>yes dear</think>gladly", "<think>no you old toad</think>gladly")
    chats = [[{"role": "user", "content": "owl 3?"}, {"role": "assistant", "content": text}] for text in said]
    good, bad = model.scores(chats)
    assert good > 0.5 > bad, "what the thought says counts"


def test_only_the_final_answer_is_helpful(base: Path) -> None:
    """A thought, good or bad, changes nothing of what is learnt from a pair."""
    model = RewardModel(load_model(base), Tokenizer.load(base), "helpfulness")
    pairs = kind_pairs(6)
    thinking = [
        dataclasses.replace(one, chosen=f"<think>no</think>{one.chosen}", rejected=f"<think>yes</think>{one.rejected}")
        for one in pairs
    ]
    assert prepare(CONFIG, model, thinking, LeftOut()) == prepare(CONFIG, model, pairs, LeftOut())


# The data.


def test_a_question_stands_on_one_side(base: Path) -> None:
    model = RewardModel(load_model(base), Tokenizer.load(base), "helpfulness")
    data = kind_pairs(each=3)
    lessons = prepare(CONFIG, model, data, LeftOut())
    sides = [{item.asked for item in side} for side in (lessons.train, lessons.heldout)]
    assert not sides[0] & sides[1] and len(sides[0]) + len(sides[1]) == 60
    assert len(lessons.train) + len(lessons.heldout) == len(data)
    assert 2 < len(sides[1]) < 30
    every = prepare(dataclasses.replace(CONFIG, heldout_share=0.0), model, data, LeftOut())
    assert not every.heldout and len(every.train) == len(data)


def test_wordings_of_one_case_stand_on_one_side(base: Path) -> None:
    model = RewardModel(load_model(base), Tokenizer.load(base), "helpfulness")
    data = [dataclasses.replace(one, case=f"case {place // 10}") for place, one in enumerate(kind_pairs(each=2))]
    cases = {one.asked_id: one.case for one in data}
    lessons = prepare(CONFIG, model, data, LeftOut())
    sides = [{cases[item.asked] for item in side} for side in (lessons.train, lessons.heldout)]
    assert sides[1] and not sides[0] & sides[1] and len(sides[0] | sides[1]) == 12


def test_user_derived_rows_are_capped_and_counted(base: Path) -> None:
    model, left_out = RewardModel(load_model(base), Tokenizer.load(base), "helpfulness"), LeftOut()
    data = [
        dataclasses.replace(one, origin="user-derived" if place % 2 else "team-hand", place=f"row {place}")
        for place, one in enumerate(kind_pairs(each=2))
    ]
    lessons = prepare(dataclasses.replace(CONFIG, heldout_share=0.0), model, data, left_out)
    assert lessons.origin == {"team-hand": 60, "user-derived": 3} and len(lessons.train) == 63  # 3 of 63 are 5%
    assert left_out.counts() == {"user-derived beyond rm.user_derived_share=0.05": 57}


def test_what_is_left_out_is_said(base: Path, tmp_path: Path) -> None:
    left_out, said = LeftOut(), list[str]()
    left_out.add("broken rows", "pairs.jsonl:3 has an empty answer")
    one = kind_pairs(1)[0]
    odd = [
        dataclasses.replace(one, chosen="no " * 80, place="long"),
        dataclasses.replace(one, chosen="<think>never ends", place="unfinished"),
        dataclasses.replace(one, chosen="<think>1</think>dog", rejected="<think>2</think>dog", place="same"),
    ]
    config = dataclasses.replace(CONFIG, epochs=1, heldout_share=0.0)
    train(base, tmp_path, config, [*kind_pairs(), *odd], said=said, left_out=left_out)
    lines = [json.loads(line) for line in (tmp_path / "left_out.jsonl").read_text().splitlines()]
    assert [line["why"] for line in lines] == [
        "broken rows", "longer than rm.sequence_length=64", *["no two final answers that differ"] * 2,
    ]  # fmt: skip
    assert re.fullmatch(r"long \(\d+ tokens\)", lines[1]["what"]) and lines[3]["what"] == "same"
    assert said[2] == "left out 2: no two final answers that differ; the first: unfinished"
    assert said[3] == "120 pairs on 60 questions to learn, 0 held out"
    assert json.loads((tmp_path / "heldout.json").read_text()) == {"items": 0} and read_heldout(tmp_path) == {}


@pytest.mark.parametrize(
    ("change", "data", "error", "says"),
    [
        ({"kind": "safety"}, None, ConfigError, "rm.kind=safety learns from Verdict rows, not Preference"),
        ({"sequence_length": 4}, None, DataError, "none of 120 rows is left to train on: left out 120: longer than"),
        ({"sequence_length": 999}, None, ConfigError, "rm.sequence_length=999 exceeds the model's context of 128"),
    ],
)
def test_what_cannot_work(
    change: dict[str, Any], data: Any, error: type[Exception], says: str, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=re.escape(says)):
        train(base, tmp_path, dataclasses.replace(CONFIG, **change), data)
    assert not [*tmp_path.glob("step-*")]


def test_settings_that_cannot_work() -> None:
    for change in ({"epochs": 0}, {"warmup": 2.0}, {"heldout_share": 1.0}):
        ((name, value),) = change.items()
        with pytest.raises(ConfigError, match=re.escape(f"rm.{name}={value} must")):
            dataclasses.replace(CONFIG, **change)


# The plan, and going on.


def test_the_whole_run_by_hand() -> None:
    """Every item once an epoch, the last step with what is left; losses are divided by items, not by tokens."""
    items = [Item(f"{number}", ((5,) * (number + 1), (7,) * 3)) for number in range(11)]
    task = RewardTask(dataclasses.replace(CONFIG, epochs=2, batch=4, micro_batch=3), items, 0, seed=1)
    plans, seen = [], []
    while plan := task.next(len(plans), 0):
        plans.append(plan)
        for batch in plan.micro_batches:
            half = len(batch.tokens) // 2
            assert half <= 3 and torch.equal(batch.lengths, (batch.tokens != 0).sum(-1))
            assert batch.lengths[half:].tolist() == [3] * half, "the rejected ones stand behind the chosen ones"
            seen += batch.lengths[:half].tolist()
    assert [plan.denominator for plan in plans] == [4, 4, 4, 4, 4, 2]
    assert sorted(seen) == sorted([*range(1, 12)] * 2)
    assert sum(plan.tokens for plan in plans) == task.total_tokens == 2 * (sum(range(1, 12)) + 33)
    assert plans[0].lr_factor == 1 and 0.1 < plans[-1].lr_factor < 0.3
    again = RewardTask(task.config, items, 0, seed=1)
    again.load_state_dict({"position": 12})
    plan = again.next(3, 0)
    assert plan is not None
    for batch, same in zip(plan.micro_batches, plans[3].micro_batches, strict=True):
        assert torch.equal(batch.tokens, same.tokens)


def assert_same_end(out: Path, other: Path) -> None:
    ends = []
    for folder in (out, other):
        (last,) = sorted(folder.glob("step-*"), key=lambda path: int(path.name[5:]))[-1:]
        assert last.name == "step-15"
        ends.append(metrics(folder))
    assert ends[0] == ends[1]
    assert (out / "heldout.json").read_text() == (other / "heldout.json").read_text()


def test_stopped_and_resumed(base: Path, whole: Path, tmp_path: Path) -> None:
    """SIGTERM saves; the same call goes on to the same bits, and another cut into micro-batches may follow."""
    seen = []

    def stop(done: int, total: int, note: str) -> None:
        seen.append(done)
        if len(seen) in (3, 6):
            os.kill(os.getpid(), signal.SIGTERM)

    for _ in range(2):
        with pytest.raises(Interrupted):
            train(base, tmp_path, progress=stop)
    model = train(base, tmp_path)
    assert_same_end(tmp_path, whole)
    assert same_bits(model.state_dict(), train(base, whole).state_dict())
    said: list[str] = []
    train(base, tmp_path, dataclasses.replace(CONFIG, micro_batch=20), said=said)
    assert "resumed after step 15" in said[-1]


def test_killed_and_resumed(base: Path, tmp_path: Path) -> None:
    """kill -9 in the middle; each in a process of its own, since others may turn the last bit of a sum."""

    def run(out: str, how: str) -> subprocess.Popen[str]:
        given = [sys.executable, "-W", "error", "-m", "tests.stages.test_reward_model"]
        command = [*given, str(base), str(tmp_path / out), how]
        return subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    killed, whole = run("killed", "kill"), run("whole", "go on")
    assert killed.communicate()[1] == "" and killed.returncode == -signal.SIGKILL
    resumed = run("killed", "go on")
    assert "resumed after step 4 (" in resumed.communicate()[0] and resumed.returncode == 0
    assert whole.communicate()[1] == "" and whole.returncode == 0
    assert_same_end(tmp_path / "killed", tmp_path / "whole")


def test_another_run_is_refused(base: Path, whole: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is of another run: rm\.epochs was 3 and is now 4"):
        train(base, whole, dataclasses.replace(CONFIG, epochs=4))
    with pytest.raises(CheckpointError, match="is of another run: data was"):
        train(base, whole, data=kind_pairs(61))


# The whole: checkpoints and model folder.


def test_a_folder_that_scores_as_the_trained_model(base: Path, whole: Path, tmp_path: Path) -> None:
    ui, run = Quiet(), RewardModelRun(seed=5, rm=CONFIG, train=LOOP)
    make_reward_model(run, base, kind_pairs(), tmp_path / "out", ui)
    trained, model = train(base, whole), RewardModel.load(tmp_path / "out" / "model")
    chats = [[*one.messages, {"role": "assistant", "content": one.chosen}] for one in kind_pairs(5)]
    assert model.kind == "helpfulness" and model.scores(chats) == pytest.approx(trained.scores(chats), abs=1e-5)
    with pytest.raises(ModelError, match="is no reward model"):
        RewardModel.load(base)
    with pytest.raises(ModelError, match="holds no checkpoint; run the training stage"):
        export_reward_model(CONFIG, base, tmp_path, tmp_path / "none")
    ui.said.clear()
    make_reward_model(run, base, kind_pairs(), tmp_path / "out", ui)
    assert [line.split(" by ")[0].split(",")[0] for line in ui.said] == [
        "checkpoints: done before", "model: done before",
    ]  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    base_, out_, how_ = sys.argv[1:]

    def kill(done: int, total: int, note: str) -> None:
        if how_ == "kill" and len((Path(out_) / "metrics.jsonl").read_text().splitlines()) == 6:
            os.kill(os.getpid(), signal.SIGKILL)

    said_: list[str] = []
    train(Path(base_), Path(out_), progress=kill, said=said_)
    sys.stdout.write("\n".join(said_))
