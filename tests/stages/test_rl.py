"""Reinforcement learning as a stage: when which rewards count, what is told, and that a stopped run is the same run."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from candor.config import override
from candor.errors import CheckpointError, ConfigError, ModelError, TrainingError
from candor.evaluate.task import task_of
from candor.model import Transformer
from candor.model.hub import load_model
from candor.problems import Grade, Problem
from candor.problems.families import FAMILIES
from candor.problems.golds import Maths
from candor.problems.tasks import draw
from candor.rl.policy import RewardConfig, RolloutConfig
from candor.rl.reward_model import Kind, RewardModel
from candor.rl.rubric import REWARDS, Response
from candor.stages.rl import TRANSCRIPTS, RLConfig, RLRun, reinforce, rl
from candor.text import Tokenizer
from candor.train.loop import LoopConfig
from candor.train.optim import OptimConfig
from tests.stages.test_sft import VOCAB, make_base
from tests.stages.ui import Quiet

CONFIG = RLConfig(
    rollout=RolloutConfig(tasks=("arithmetic:1:en", "letters:1:zh"), questions=4, group=4, max_tokens=6),
    rewards=RewardConfig(accuracy=1.0, format=0.0, language=1.0), steps=6, watch_every=2, watch_problems=3,
    optim=OptimConfig(learning_rate=1e-2, muon_learning_rate=1e-2), precision="float32",
)  # fmt: skip
LOOP = LoopConfig(checkpoint_every=2)


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights, whose letters are Latin and Chinese by chance."""
    tokenizer = Tokenizer.train(["Question: What is 1 + 2? Answer: 问题：答案：字母 等于多少 <think> " * 9], VOCAB)
    return make_base(tmp_path_factory.mktemp("base") / "model", tokenizer)


def train(
    base: Path, out: Path, config: RLConfig = CONFIG, loop: LoopConfig = LOOP, *, kill: int = 0, judges: Any = ()
) -> Transformer:
    """A run that ends after step `kill` without a word."""
    out.mkdir(exist_ok=True, parents=True)
    done = 0

    def progress(*_: Any) -> None:
        nonlocal done
        done = (out / "metrics.jsonl").read_text().count("\n")
        if done == kill:
            raise Killed

    return rl(
        config, loop, base, out, 5, reward_models=judges, say=lambda text: None, progress=progress,
        device=torch.device("cpu"),
    )  # fmt: skip


def metrics(out: Path) -> list[dict[str, Any]]:
    """The lines but for what the clock decides."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(line.pop("tokens_per_second") > 0 for line in lines)
    return lines


def told(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / TRANSCRIPTS).read_text().splitlines()]


def sampled(out: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        path.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted((out / "rollouts").glob("*.jsonl"))
    }


def assert_same(one: Path, other: Path, *models: Transformer) -> None:
    assert metrics(one) == metrics(other) and told(one) == told(other) and sampled(one) == sampled(other)
    first, second = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)


# Before, during, after.


def test_the_same_questions_are_told_all_through_the_training(base: Path, tmp_path: Path) -> None:
    model = train(base, tmp_path)
    lines = told(tmp_path)
    assert [line["step"] for line in lines] == [step for step in (0, 2, 4, 6) for _ in range(4)]
    asked = [
        [(line["task"], line["prompt"], line["gold"]) for line in lines if line["step"] == step] for step in (0, 6)
    ]
    assert asked[0] == asked[1] and [task for task, *_ in asked[0]] == ["arithmetic-1-en"] * 2 + ["letters-1-zh"] * 2
    held = [
        problem
        for name, lang in (("arithmetic", "en"), ("letters", "zh"))
        for problem in FAMILIES[name].generate(0, 2, 1, lang, split="test")  # type: ignore[arg-type]
    ]
    assert all(problem.prompt in prompt for problem, (_, prompt, _) in zip(held, asked[0], strict=True))
    trained_on = {line["problem"] for lines in sampled(tmp_path).values() for line in lines}
    assert not trained_on & {problem.id for problem in held}
    assert {line["response"] for line in lines if line["step"] == 0} != {
        line["response"] for line in lines if line["step"] == 6
    }
    watched = [line["step"] for line in metrics(tmp_path) if "heldout.arithmetic-1-en" in line]
    assert watched == [1, 3, 5], "the figure of before a step stands in its line"
    assert not model.training


def odd(self: Maths, response: str, *, strict: bool = False) -> Grade:
    """A checker whose verdict a model of random weights can meet."""
    return Grade.RIGHT if sum(map(ord, response)) % 2 else Grade.WRONG


def gsm8k(path: Path, first: int, last: int) -> None:
    path.write_text("".join(f'{{"question": "{n} + 1?", "answer": "#### {n + 1}"}}\n' for n in range(first, last)))


def test_held_out_figures_are_the_share_of_right_answers(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the test split alone; with two problems, the transcripts hold all that the figure rests on."""
    monkeypatch.setattr(Maths, "grade", odd)
    gsm8k(tmp_path / "train.jsonl", 0, 9)
    gsm8k(tmp_path / "test.jsonl", 20, 22)
    rollout = replace(CONFIG.rollout, tasks=(f"gsm8k:{tmp_path}",))
    train(base, tmp_path / "out", replace(CONFIG, rollout=rollout, steps=4, watch_every=1))
    lines, told_of = metrics(tmp_path / "out"), told(tmp_path / "out")
    for step in range(4):
        right = [sum(map(ord, line["response"])) % 2 for line in told_of if line["step"] == step]
        assert len(right) == 2 and lines[step]["heldout.gsm8k"] == sum(right) / 2
    assert len({line["heldout.gsm8k"] for line in lines}) > 1, "or this would show nothing"
    assert {line["prompt"] for line in told_of} == {f"Question: {n} + 1?\nAnswer:" for n in (20, 21)}


def test_a_set_in_one_file_has_nothing_held_out(base: Path, tmp_path: Path) -> None:
    """A figure on the very problems that are trained on would look like progress."""
    gsm8k(tmp_path / "train.jsonl", 0, 4)
    rollout = replace(CONFIG.rollout, tasks=(f"gsm8k:{tmp_path / 'train.jsonl'}",))
    train(base, tmp_path / "out", replace(CONFIG, rollout=rollout, steps=1, watch_every=1))
    assert not [name for line in metrics(tmp_path / "out") for name in line if name.startswith("heldout")]
    assert [line["step"] for line in told(tmp_path / "out")] == [0, 0, 1, 1]


def test_the_rate_rises_and_then_stays(base: Path, tmp_path: Path) -> None:
    train(base, tmp_path, replace(CONFIG, steps=4, warmup_steps=3, watch_every=0))
    assert [line["lr_factor"] for line in metrics(tmp_path)] == [pytest.approx(rate) for rate in (1 / 3, 2 / 3, 1, 1)]
    assert not (tmp_path / TRANSCRIPTS).exists(), "who never looks has nothing to tell"


# Rewards of models.


def judge_of(base: Path, folder: Path, kind: Kind, seed: int = 0) -> Path:
    model = RewardModel(load_model(base), Tokenizer.load(base), kind)
    with torch.no_grad():
        model.reward_head.weight.normal_(generator=torch.Generator().manual_seed(seed))
    model.save(folder)
    return folder


BOTH = replace(
    CONFIG,
    rollout=replace(CONFIG.rollout, tasks=("requests:1:en", "arithmetic:1:en"), questions=4),
    rewards=RewardConfig(accuracy=0.0, format=0.0, language=1.0, helpfulness=2.0),
    preference_steps=2, steps=4, watch_every=0,
)  # fmt: skip


def test_preferences_count_in_the_last_steps_alone(base: Path, tmp_path: Path) -> None:
    """Followed for long, a reward model is gamed; and what it says is what it says of the final answers."""
    judge = judge_of(base, tmp_path / "judge", "helpfulness")
    train(base, tmp_path / "out", BOTH, judges=[judge])
    lines = metrics(tmp_path / "out")
    assert ["helpfulness" in line for line in lines] == [False, False, True, True]
    loaded = RewardModel.load(judge)
    questions = {problem.id: problem for number in range(4) for problem in draw("requests:1:en", 5_000_015 + number, 2)}
    for rollout in (2, 3):
        answers = [line for line in sampled(tmp_path / "out")[f"{rollout}.jsonl"] if line["problem"] in questions]
        chats = [
            [{"role": "user", "content": questions[line["problem"]].prompt}, {"role": "assistant", "content": said}]
            for line in answers if (said := line["text"].strip()) and "<think>" not in said
        ]  # fmt: skip
        assert len(answers) == 8
        expected = sum(loaded.scores(chats)) / 8  # who says nothing helps nobody
        assert lines[rollout]["helpfulness"] == pytest.approx(expected, abs=1e-5)
        parts = 2 * lines[rollout]["helpfulness"] * 8 / 16  # half of the answers are to requests
        shares = [
            language for line in sampled(tmp_path / "out")[f"{rollout}.jsonl"] if (language := share(line)) is not None
        ]
        assert lines[rollout]["reward"] == pytest.approx(parts + sum(shares) / 16, abs=1e-5)


def share(line: dict[str, Any]) -> float | None:
    (problem,) = FAMILIES["arithmetic"].generate(0, 1)
    return REWARDS["language"](problem, Response(line["text"]))


@pytest.mark.parametrize(
    ("rewards", "judges", "error", "says"),
    [
        ({"safety": 1.0}, ["helpfulness"], ConfigError, "helpfulness and safety need a reward model"),
        ({"helpfulness": 0.0}, ["helpfulness"], ConfigError, "needs rl.rewards.helpfulness above 0"),
        ({}, ["helpfulness", "helpfulness"], ConfigError, "is a second one of this kind"),
        ({}, ["base"], ModelError, "is no reward model"),
    ],
)
def test_reward_models_that_do_not_fit(
    rewards: dict[str, float], judges: list[Any], error: type[Exception], says: str, base: Path, tmp_path: Path
) -> None:
    """One that nobody listens to is a mistake that would show only in the figures."""
    folders = [
        base if kind == "base" else judge_of(base, tmp_path / f"{number}", kind) for number, kind in enumerate(judges)
    ]
    config = replace(BOTH, rewards=replace(BOTH.rewards, **rewards))
    with pytest.raises(error, match=says):
        train(base, tmp_path / "out", config, judges=folders)
    assert not (tmp_path / "out" / "rollouts").exists()


# Stopped and gone on with.


@pytest.mark.parametrize("kill", [1, 3, 5])
def test_a_killed_run_is_the_same_run(base: Path, tmp_path: Path, kill: int) -> None:
    whole = train(base, tmp_path / "whole")
    with pytest.raises(Killed):
        train(base, tmp_path / "part", kill=kill)
    assert_same(tmp_path / "whole", tmp_path / "part", whole, train(base, tmp_path / "part"))


@pytest.mark.parametrize("kill", [2, 4, 6])  # before the checkpoint of that step
def test_a_run_killed_within_a_rollout_is_the_same_run(base: Path, tmp_path: Path, kill: int) -> None:
    """Preferences begin, and a look is due, in the middle of a rollout: neither may depend on where the kill fell."""
    judge = judge_of(base, tmp_path / "judge", "helpfulness")
    config = replace(BOTH, steps=6, inner_steps=2, preference_steps=3, watch_every=3)
    loop = replace(LOOP, checkpoint_every=1)
    whole = train(base, tmp_path / "whole", config, loop, judges=[judge])
    assert [line["step"] for line in metrics(tmp_path / "whole") if "helpfulness" in line] == [5]
    assert [line["step"] for line in told(tmp_path / "whole")][::4] == [0, 6]
    with pytest.raises(Killed):
        train(base, tmp_path / "part", config, loop, kill=kill, judges=[judge])
    again = train(base, tmp_path / "part", config, loop, judges=[judge])
    assert_same(tmp_path / "whole", tmp_path / "part", whole, again)


@pytest.mark.parametrize(
    "change", [{"temperature": 0.5}, {"tasks": ("arithmetic:2:en", "arithmetic:1:zh")}, {"format": "{prompt} ="}]
)
def test_what_another_plan_sampled_is_not_taken_over(base: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    """Before the first checkpoint the plan may change; the answers to other questions must not be scored as these."""
    with pytest.raises(Killed):
        train(base, tmp_path / "part", kill=1)
    assert sampled(tmp_path / "part")
    config = replace(CONFIG, rollout=replace(CONFIG.rollout, **change), steps=2)
    whole = train(base, tmp_path / "whole", config)
    assert_same(tmp_path / "whole", tmp_path / "part", whole, train(base, tmp_path / "part", config))


def test_never_starts_over(base: Path, tmp_path: Path) -> None:
    train(base, tmp_path / "out")
    (tmp_path / "out" / "rollouts" / "0.jsonl").write_text("what another program left\n")
    other = replace(CONFIG, steps=2)
    with pytest.raises(CheckpointError, match=r"is of another run: rl\.steps was 6 and is now 2"):
        train(base, tmp_path / "out", other)
    model = train(base, tmp_path / "out", other, replace(LOOP, resume="never"))
    assert_same(tmp_path / "out", tmp_path / "fresh", model, train(base, tmp_path / "fresh", other))
    assert [path.name for path in (tmp_path / "out").glob("step-*")] == ["step-2"]


# Rewards that fail.


@pytest.mark.parametrize("failure", [math.nan, math.inf, "text", ZeroDivisionError("by zero")])
def test_a_reward_that_fails_is_counted_and_the_run_goes_on(
    base: Path, tmp_path: Path, failure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is learnt from an answer that could not be scored; no weight becomes NaN by it."""

    def flaky(problem: Problem, response: Response) -> Any:
        if len(response.text) % 2:
            return 0.5
        if isinstance(failure, Exception):
            raise failure
        return failure

    monkeypatch.setitem(REWARDS, "language", flaky)
    model = train(base, tmp_path, replace(CONFIG, steps=2, watch_every=0))
    odd = [sum(len(line["text"]) % 2 for line in lines) for lines in sampled(tmp_path).values()]
    assert [line["reward_failures"] for line in metrics(tmp_path)] == [16 - number for number in odd]
    assert all(0 < number < 16 for number in odd), "some of them failed and some did not"
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_a_reward_that_always_fails_stops_and_keeps_what_was_sampled(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(problem: Problem, response: Response) -> float:
        raise OSError("no service")

    with monkeypatch.context() as patched, pytest.raises(TrainingError, match=r"no answer .* scored.*no service"):
        patched.setitem(REWARDS, "language", broken)
        train(base, tmp_path / "out")
    before = sampled(tmp_path / "out")
    assert list(before) == ["0.jsonl"] and len(before["0.jsonl"]) == 16
    model = train(base, tmp_path / "out")  # mended, the same command goes on
    assert sampled(tmp_path / "out")["0.jsonl"] == before["0.jsonl"]
    assert_same(tmp_path / "whole", tmp_path / "out", train(base, tmp_path / "whole"), model)


# The command's stages.


def test_reinforce_keeps_what_fits_and_refuses_another_plan(base: Path, tmp_path: Path) -> None:
    run = RLRun(seed=5, rl=replace(CONFIG, steps=2), train=LOOP)
    for expected in ("checkpoints ...", "checkpoints: done before"):
        ui = Quiet()
        reinforce(run, base, [], tmp_path, ui)  # type: ignore[arg-type]
        assert any(line.startswith(expected) for line in ui.said)
    assert Tokenizer.load(tmp_path / "model").fingerprint == Tokenizer.load(base).fingerprint
    trained = train(base, tmp_path / "alone", run.rl).state_dict()
    exported = load_model(tmp_path / "model", dtype=torch.float32).state_dict()
    assert all(torch.equal(exported[name], trained[name]) for name in exported)
    with pytest.raises(CheckpointError, match=r"checkpoints\.rl\.steps was 2 and is now 3"):
        reinforce(override(run, "rl.steps=3"), base, [], tmp_path, Quiet())  # type: ignore[arg-type]
    reinforce(override(run, "rl.steps=3", "train.resume=never"), base, [], tmp_path, Quiet())  # type: ignore[arg-type]
    assert len(metrics(tmp_path / "checkpoints")) == 3


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["rl.steps=0"], "rl.steps=0 must be at least 1"),
        (["rl.watch_problems=0"], "rl.watch_problems=0"),
        (["rl.micro_tokens=0"], "rl.micro_tokens=0"),
        (["rl.inner_steps=3"], "rl.refresh_reference=400 must be a multiple of rl.inner_steps=3"),
        (["rl.rewards.accuracy=0", "rl.rewards.format=0"], "every weight is 0"),
        (["rl.rewards.safety=1"], "rl.rewards.safety counts in the last rl.preference_steps only, and that is 0"),
        (
            ["rl.rewards.accuracy=0", "rl.rewards.format=0", "rl.rewards.safety=1", "rl.preference_steps=5"],
            "only models give rewards and rl.preference_steps is below rl.steps",
        ),
        (["rl.rollout.group=1"], "rollout.group=1 must be at least 2"),
        (
            ["rl.rollout.questions=1", "rl.rollout.tasks=words:1:en,words:1:zh"],
            "rollout.questions=1 must be at least 2",
        ),
        (["rl.rollout.format=chatty"], "format='chatty' must be chat, plain, r1_zero or a text that holds {prompt}"),
        (["rl.rollout.tasks=sums:1:en"], "'sums:1:en' must be NAME:DIFFICULTY:LANG"),
        (["rl.loss.kind=ppo"], "ppo"),
    ],
)
def test_settings_that_cannot_work(sets: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(RLRun(), *sets)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_only_models_may_give_rewards_all_through() -> None:
    sets = ["rl.rewards.accuracy=0", "rl.rewards.format=0", "rl.rewards.safety=1", "rl.preference_steps=100"]
    assert override(RLRun(), *sets).rl.rewards.weights() == {"safety": 1}


@pytest.mark.parametrize(
    ("text", "label"), [("words:2:zh", "words-2-zh"), ("gsm8k:some/place", "gsm8k"), ("math:hf:o/n:c@s", "math")]
)
def test_what_is_trained_on_has_its_evaluation(text: str, label: str, make: Callable[..., Any] = task_of) -> None:
    task = make(text, n=3)
    assert task.label == label and task.data == ("" if "words" in text else text.partition(":")[2])
