"""Reinforcement learning: log-probabilities by brute force, kill and resume to the last bit, and that it learns."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from candor.errors import ConfigError, TrainingError
from candor.infer import Engine
from candor.model import Transformer
from candor.problems import Problem
from candor.problems.tasks import parse_task
from candor.rl.batches import answer_logprobs, batches_of
from candor.rl.losses import LossConfig
from candor.rl.policy import PolicyTask, RolloutConfig
from candor.rl.rollout import Episode
from candor.rl.rubric import Response, Rubric
from candor.text import Tokenizer
from candor.train.checkpoint import Checkpointer
from candor.train.loop import LoopConfig, StepPlan, fit
from candor.train.optim import OptimConfig, build_optimizer
from candor.train.step import train_step
from tests.model.test_hub import TINY
from tests.model.test_transformer import build

CONFIG = dataclasses.replace(TINY, vocab_size=300, num_nextn_predict_layers=0, max_position_embeddings=128)
ROLLOUT = RolloutConfig(tasks=("arithmetic:1:en", "letters:1:zh"), questions=4, group=4, max_tokens=6)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["Question: What is 1 + 2? Answer: 3. " * 9], 300)


def digits(problem: Problem, response: Response) -> float:
    """A reward that any model can earn: the share of digits in what it says."""
    return sum(letter.isdigit() for letter in response.text) / max(1, len(response.text))


Make = Callable[..., tuple[PolicyTask, Transformer]]


@pytest.fixture
def make(tokenizer: Tokenizer, tmp_path: Path, request: pytest.FixtureRequest) -> Make:
    def task(folder: str = "run", rubric: Rubric | None = None, **options: object) -> tuple[PolicyTask, Transformer]:
        model = build(CONFIG, torch.float32)
        engine = Engine(model, tokenizer, max_sequences=8)
        request.addfinalizer(engine.close)
        given: dict[str, object] = {"steps": 6, "loss": LossConfig(kind="dapo"), **options}
        loss = given.pop("loss")
        counts = rubric or Rubric({"digits": 1.0}, {"digits": digits})
        rollout = given.pop("rollout", ROLLOUT)
        return PolicyTask(engine, rollout, lambda step: counts, loss, tmp_path / folder / "rollouts", **given), model  # type: ignore[arg-type]

    return task


def run(task: PolicyTask, model: Transformer, folder: Path, **loop: object) -> None:
    optimizer = build_optimizer(model, OptimConfig(learning_rate=1e-2, muon_learning_rate=1e-2))
    torch.manual_seed(0)
    fit(
        model, optimizer, task, Checkpointer(folder, {}), LoopConfig(checkpoint_every=2, **loop),  # type: ignore[arg-type]
        clip_norm=1.0, say=lambda text: None, progress=lambda *_: None,
    )  # fmt: skip


def weights(model: Transformer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def episode(prompt: Sequence[int], answer: int, seed: int = 0) -> Episode:
    ids = torch.randint(3, 300, (answer,), generator=torch.Generator().manual_seed(seed)).tolist()
    logprobs = tuple(-float(number + 1) for number in range(answer))
    return Episode(problem="p", prompt_ids=tuple(prompt), token_ids=tuple(ids), logprobs=logprobs, text="",
                   finish_reason="stop")  # fmt: skip


A, B, C = (4, 5, 6, 7, 8), (9, 10), (4, 5, 6, 7, 8, 11, 12, 13, 14)
"""Prompts; one is the beginning of another."""
EPISODES = [episode(A, 3), episode(B, 7, 1), episode(C, 1, 2), episode(A, 0, 3), episode(A, 6, 4), episode(B, 7, 5),
            episode(C, 1, 6)]  # fmt: skip
VALUES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


@pytest.mark.parametrize("micro_tokens", [1, 12, 30, 10_000])
def test_every_answer_is_in_one_batch_with_its_own_tokens(micro_tokens: int) -> None:
    batches = batches_of(EPISODES, VALUES, micro_tokens=micro_tokens)
    seen = {}
    for batch in batches:
        assert len(batch.tokens) <= micro_tokens or len(batch.answers) == 1
        starts = [0, *batch.layout.trunks.cumsum(0).tolist()]
        for row in range(len(batch.answers)):
            at = int(batch.layout.trunk_of[row])
            prompt = tuple(batch.tokens[starts[at] : starts[at + 1]].tolist())
            answer = tuple(batch.answers[row][batch.mask[row]].tolist())
            seen[float(batch.advantages[row])] = prompt, answer, tuple(batch.sampler[row][batch.mask[row]].tolist())
    assert seen == {
        value: (one.prompt_ids, one.token_ids, one.logprobs) for value, one in zip(VALUES, EPISODES, strict=True)
    }


def test_prompts_go_through_the_model_once() -> None:
    (batch,) = batches_of(EPISODES, VALUES, micro_tokens=10_000)
    inputs = sum(max(0, len(one.token_ids) - 1) for one in EPISODES)
    assert len(batch.tokens) == len(A) + len(B) + len(C) + inputs


@pytest.mark.parametrize("chosen", [EPISODES, EPISODES[:1], [EPISODES[2], EPISODES[6]], [EPISODES[1], EPISODES[5]]])
def test_answer_logprobs_and_their_gradient_by_brute_force(chosen: list[Episode]) -> None:
    """Shared prompts are exact: as if each answer stood alone behind its own prompt, one at a time."""
    model = build(CONFIG, torch.float64)
    (batch,) = batches_of(chosen, [1.0] * len(chosen), micro_tokens=10_000)
    found, entropy = answer_logprobs(model, batch)
    ours = [line[mask] for line, mask in zip(found, batch.mask, strict=True)]
    expected, surprise = [], []
    rows = [tuple(line[mask].tolist()) for line, mask in zip(batch.answers, batch.mask, strict=True)]
    for one in sorted(chosen, key=lambda one: rows.index(one.token_ids)):
        tokens = torch.tensor([[*one.prompt_ids, *one.token_ids]])
        logits = model(tokens[:, :-1])[0, len(one.prompt_ids) - 1 :].log_softmax(-1)[: len(one.token_ids)]
        expected.append(logits.gather(-1, torch.tensor(one.token_ids, dtype=torch.int64)[:, None]).squeeze(-1))
        surprise.append(-(logits.exp() * logits).sum(-1))
    for mine, other in zip(ours, expected, strict=True):
        assert torch.allclose(mine, other, rtol=0, atol=1e-12)
    assert float(entropy) == pytest.approx(float(torch.cat(surprise).mean().detach()), rel=1e-9)
    scale = torch.rand(len(torch.cat(expected)), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    parameters = list(model.parameters())
    mine_ = torch.autograd.grad((torch.cat(ours) * scale).sum(), parameters, allow_unused=True)
    theirs = torch.autograd.grad((torch.cat(expected) * scale).sum(), parameters, allow_unused=True)
    for mine, other in zip(mine_, theirs, strict=True):
        assert (mine is None) == (other is None)
        assert mine is None or other is None or torch.allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_chunks_of_the_head_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(CONFIG, torch.float64)
    (batch,) = batches_of([episode(A, 30), episode(B, 17, 1)], [1.0, -0.5], micro_tokens=10_000)
    results = []
    for chunk, kept in ((1000, 1 << 26), (7, 1 << 26), (7, 0)):
        monkeypatch.setattr("candor.model.heads._CHUNK_ROWS", chunk)
        monkeypatch.setattr("candor.model.heads._KEPT", kept)
        logprobs, entropy = answer_logprobs(model, batch)
        grads = torch.autograd.grad(logprobs.square().sum(), [model.lm_head.weight, model.embed_tokens.weight])
        results.append((logprobs.detach(), entropy, *grads))
    for whole, *cuts in zip(*results, strict=True):
        assert all(torch.allclose(whole, cut, rtol=1e-12, atol=1e-12) for cut in cuts)


SETTINGS = {
    "plain": {},
    "several steps on each rollout": {"inner_steps": 3},
    "with a reference that moves": {"loss": LossConfig(kind="grpo"), "refresh": 2},
    "r1": {"loss": LossConfig(kind="r1"), "inner_steps": 2, "refresh": 4},
    "sampler correction": {"loss": LossConfig(kind="cispo", sampler_correction="token")},
    "dynamic sampling": {"rollout": dataclasses.replace(ROLLOUT, refills=2), "inner_steps": 2},
}


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_killed_run_ends_in_the_same_bits(make: Make, tmp_path: Path, settings: dict[str, object], stop: int) -> None:
    """Stopped between any two steps, with the next rollout sampled or not; checkpoints are two steps apart."""
    task, model = make("whole", **settings)
    run(task, model, tmp_path / "whole")

    class Killed(Exception):
        pass

    task, model = make("part", **settings)
    real = task.next

    def dying(step: int, tokens: int) -> StepPlan[object] | None:
        plan = real(step, tokens)
        if step == stop:
            raise Killed
        return plan

    task.next = dying  # type: ignore[method-assign, assignment]
    with pytest.raises(Killed):
        run(task, model, tmp_path / "part")
    again, resumed = make("part", **settings)
    run(again, resumed, tmp_path / "part")
    whole = make("whole", **settings)
    run(*whole, tmp_path / "whole")  # only to read the last checkpoint back
    for name, tensor in weights(whole[1]).items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    drop = {"tokens_per_second"}
    plain = [
        [{k: v for k, v in line.items() if k not in drop} for line in lines(tmp_path / run)]
        for run in ("whole", "part")
    ]
    for one, other in zip(*plain, strict=True):
        assert one == other, {k: (v, other[k]) for k, v in one.items() if other[k] != v}
    assert len(plain[0]) == 6


def test_what_was_sampled_is_not_sampled_again(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, _ = make()
    assert task.next(0, 0)
    again, _ = make()
    monkeypatch.setattr(Engine, "generate", lambda *_, **__: pytest.fail("it was sampled again"))
    assert again.next(0, 0)


@pytest.mark.parametrize("inner", [1, 2])
def test_equal_rewards_change_nothing(make: Make, tmp_path: Path, inner: int) -> None:
    task, model = make(rubric=Rubric({"same": 1.0}, {"same": lambda *_: 0.7}), steps=2, inner_steps=inner)
    before = weights(model)
    run(task, model, tmp_path / "run")
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in before.items())
    assert lines(tmp_path / "run")[0]["zero_variance"] == 1


def test_dynamic_sampling_asks_others_for_what_teaches_nothing(make: Make) -> None:
    """Groups that earn the same are left out and replaced, as often as allowed and as long as it takes."""
    asked: list[Problem] = []

    def some(problem: Problem, response: Response) -> float:
        asked.append(problem)
        return digits(problem, response) if len({one.id for one in asked}) > 2 else 0.0

    rollout = dataclasses.replace(ROLLOUT, tasks=("arithmetic:1:en",), questions=2, refills=3)
    task, _ = make(rubric=Rubric({"some": 1.0}, {"some": some}), rollout=rollout)
    plan = task.next(0, 0)
    assert plan
    names = sorted((path.name for path in task.folder.glob("*.jsonl")), key=lambda name: (len(name), name))
    rounds = [[json.loads(line)["problem"] for line in (task.folder / name).read_text().splitlines()] for name in names]
    assert names[:2] == ["0.jsonl", "0-1.jsonl"] and len(set(rounds[0]) & set(rounds[1])) == 0
    answers = sum(len(batch.mask) for batch in plan.micro_batches)
    groups = len({problem for kept in rounds for problem in kept})
    even = plan.figures["zero_variance"]
    assert answers == pytest.approx(groups * 4 * (1 - even)) and even >= 1 / 2


@pytest.mark.parametrize("inner", [1, 2])
def test_dynamic_sampling_gives_up(make: Make, tmp_path: Path, inner: int) -> None:
    rollout = dataclasses.replace(ROLLOUT, refills=2)
    same = Rubric({"same": 1.0}, {"same": lambda *_: 0.7})
    task, model = make(rubric=same, steps=2, rollout=rollout, inner_steps=inner)
    run(task, model, tmp_path / "run")
    assert len(list(task.folder.glob("*.jsonl"))) == 2 // inner * 3
    assert lines(tmp_path / "run")[0]["zero_variance"] == 1


def test_answers_may_grow_longer(make: Make, tmp_path: Path) -> None:
    """From a step on, as R1-Zero's; the rubric is told as well."""
    seen: set[tuple[int, int]] = set()

    def told(problem: Problem, response: Response) -> float:
        seen.add((response.tokens, response.max_tokens))
        return digits(problem, response)

    rollout = dataclasses.replace(ROLLOUT, longer_from=2, longer_tokens=9)
    task, model = make(rubric=Rubric({"told": 1.0}, {"told": told}), steps=3, rollout=rollout)
    run(task, model, tmp_path / "run")
    assert {most for _, most in seen} == {6, 9} and max(tokens for tokens, _ in seen) == 9
    lengths = [line["response_length"] for line in lines(tmp_path / "run")]
    assert max(lengths[:2]) <= 6 < lengths[2]


def test_less_memory_within_a_rollout(make: Make) -> None:
    """Who lowers micro_tokens between two steps on one rollout goes on with the log-probabilities from before."""
    task, model = make(inner_steps=2)
    assert task.next(0, 0)
    model.lm_head.weight.data.mul_(1.1)
    task, _ = make(inner_steps=2, micro_tokens=30)
    again = task.next(1, 0)
    task, _ = make(inner_steps=2)
    plan = task.next(1, 0)
    assert plan and again and len(again.micro_batches) > len(plan.micro_batches)
    old = [
        torch.cat([batch.old[batch.mask] for batch in some.micro_batches if batch.old is not None])
        for some in (plan, again)
    ]
    assert torch.equal(*old)


def test_a_lost_reference_is_not_made_up(make: Make) -> None:
    """The weights have moved since: a reference made of them would be another one."""
    loss = LossConfig(kind="grpo")
    task, _ = make(loss=loss, refresh=4)
    assert task.next(0, 0) and task.next(1, 0)
    (task.folder / "reference-0.safetensors").unlink()
    task, _ = make(loss=loss, refresh=4)
    with pytest.raises(TrainingError, match=r"reference-0\.safetensors is gone"):
        task.next(1, 0)


def test_at_another_temperature_that_policy_is_trained(make: Make) -> None:
    """Sampler and trainer agree on the probabilities that the answers were drawn with, not the model's own."""
    gaps = {}
    for temperature in (1.0, 0.7):
        rollout = dataclasses.replace(ROLLOUT, temperature=temperature)
        task, model = make(f"at {temperature}", rollout=rollout, loss=LossConfig(kind="dapo"), steps=1)
        plan = task.next(0, 0)
        assert plan
        (batch,) = plan.micro_batches
        model.lm_head.weight.data.mul_(3)  # far from uniform, and no longer what was sampled with
        scaled = answer_logprobs(model, batch, temperature)[0][batch.mask]
        plain = answer_logprobs(model, batch)[0][batch.mask]
        assert (scaled == plain).all() == (temperature == 1)
        model.lm_head.weight.data.div_(3)
        gaps[temperature] = (answer_logprobs(model, batch, temperature)[0] - batch.sampler)[batch.mask].abs().max()
    assert max(gaps.values()) < 1e-5


def test_micro_batches_change_nothing(make: Make) -> None:
    gradients = []
    for micro_tokens in (1, 100, 100_000):
        task, model = make(f"run{micro_tokens}", micro_tokens=micro_tokens)
        plan = task.next(0, 0)
        assert plan is not None
        for batch in plan.micro_batches:
            plan.objective(model, batch).total.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    for other in gradients[1:]:
        assert torch.allclose(gradients[0], other, rtol=1e-3, atol=1e-6)


def test_it_learns_what_is_rewarded(make: Make, tmp_path: Path) -> None:
    """Digits become common, by sampling and reward alone; sampler and trainer agree on what was sampled."""
    task, model = make(steps=60)
    run(task, model, tmp_path / "run")
    figures = lines(tmp_path / "run")
    first, last = (sum(line["reward"] for line in part) / 3 for part in (figures[:3], figures[-3:]))
    assert last > first + 0.3
    stepped = [line for line in figures if "entropy" in line]  # at the end whole rollouts earn the same
    assert stepped[-1]["entropy"] < stepped[0]["entropy"]
    assert all(line["gap"] < 1e-4 for line in stepped), "both compute in float32 here"
    assert all(line["ratio"] == pytest.approx(1) for line in stepped), "the only step on each rollout"


def test_a_reward_that_fails_now_and_then_is_counted(make: Make, tmp_path: Path) -> None:
    def flaky(problem: Problem, response: Response) -> float:
        if len(response.text) % 2:
            raise ValueError("odd")
        return digits(problem, response)

    task, model = make(rubric=Rubric({"flaky": 1.0}, {"flaky": flaky}), steps=3)
    run(task, model, tmp_path / "run")
    assert 0 < lines(tmp_path / "run")[0]["reward_failures"] < 16


def test_a_reward_that_always_fails_stops_with_its_reason(make: Make, tmp_path: Path) -> None:
    def broken(problem: Problem, response: Response) -> float:
        raise ValueError("no key")

    task, model = make(rubric=Rubric({"broken": 1.0}, {"broken": broken}))
    with pytest.raises(
        TrainingError, match=r"no answer of the rollout could be scored.*broken: ValueError\('no key'\)"
    ):
        run(task, model, tmp_path / "run")
    assert (tmp_path / "run" / "rollouts" / "0.jsonl").exists(), "what was sampled is kept"


def test_a_step_of_policy_losses_is_not_divided_again(make: Make) -> None:
    """The loss comes divided by all tokens: the step's denominator is 1."""
    task, model = make()
    plan = task.next(0, 0)
    assert plan is not None and plan.denominator == 1
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    figures = train_step(model, optimizer, plan.micro_batches, plan.objective, 1, clip_norm=1.0)
    totals = sum(float(plan.objective(model, batch).total.detach()) for batch in plan.micro_batches)
    assert figures["loss"] == pytest.approx(totals, abs=1e-6)


@pytest.mark.parametrize(
    "text", ["arithmetik:1:en", "arithmetic:x:en", "arithmetic:1:fr", "arithmetic:1:en:2", "arithmetic:9:en", "words"]
)
def test_tasks_that_there_are_not(text: str) -> None:
    with pytest.raises(ConfigError, match="NAME:DIFFICULTY:LANG"):
        parse_task(text)


# What the pieces are put together with.


def test_the_reference_is_the_policy_of_the_last_refresh(make: Make, tmp_path: Path) -> None:
    task, model = make(loss=LossConfig(kind="grpo"), refresh=2, steps=4)
    run(task, model, tmp_path / "run")
    assert {path.name for path in task.folder.glob("reference-*")} == {f"reference-{at}.safetensors" for at in (0, 2)}
    kl = [line["kl"] for line in lines(tmp_path / "run")]
    assert max(kl[0], kl[2]) < 1e-9 < 1e-6 < min(kl[1], kl[3])


def test_later_steps_on_a_rollout_know_the_policy_that_sampled_it(make: Make, tmp_path: Path) -> None:
    task, model = make(inner_steps=2, steps=2)
    run(task, model, tmp_path / "run")
    first, second = (line["ratio"] for line in lines(tmp_path / "run"))
    assert first == pytest.approx(1, abs=1e-6) and abs(second - 1) > 1e-4


def test_only_dr_grpo_leaves_the_deviation_out(make: Make) -> None:
    for loss, large in ((LossConfig(kind="dr_grpo", max_length=6), False), (LossConfig(kind="dapo"), True)):
        plan = make(loss.kind, loss=loss)[0].next(0, 0)
        assert plan and (max(float(batch.advantages.abs().max()) for batch in plan.micro_batches) > 1) is large


def test_the_correction_is_by_what_the_sampler_said(make: Make) -> None:
    task, model = make(loss=LossConfig(kind="dapo", sampler_correction="token"))
    plan = task.next(0, 0)
    assert plan
    (batch,) = plan.micro_batches
    batch = dataclasses.replace(batch, advantages=batch.advantages.abs())  # a loss that is not near 0
    less = dataclasses.replace(batch, sampler=batch.sampler - torch.tensor(1.5).log())
    one, other = (float(plan.objective(model, some).total.detach()) for some in (batch, less))
    assert other == pytest.approx(1.5 * one, rel=1e-3)
