"""Fine-tuning: the loss by brute force, the data's two sides, and that a stopped run ends in the same bits.

Run as a program with a folder, it is the run that `test_killed_and_resumed` kills.
"""

import dataclasses
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

from candor.config import to_dict
from candor.data.dialogues import Dialogue, LeftOut, Origin
from candor.data.examples import Example, ExampleLoader
from candor.errors import CheckpointError, ConfigError, Interrupted, ModelError, StorageError
from candor.infer import Engine, SamplingParams
from candor.model import Transformer
from candor.model.config import nano
from candor.model.hub import load_model, save_model
from candor.records import no_progress
from candor.stages.export import export_like
from candor.stages.lessons import learnt_tokens
from candor.stages.sft import Finetuning, SftConfig, SftRun, finetune, sft, sft_loss
from candor.stages.supervised import read_heldout
from candor.text import Tokenizer
from candor.train.loop import LoopConfig
from candor.train.optim import OptimConfig
from tests.conftest import file_size_limit
from tests.stages.ui import Quiet
from tests.train.conftest import ONE_GROUP, same_bits, tiny

ANIMALS = """ant bat cat dog eel fox gnu hen ibis jay koi lynx mole newt owl pig quail rat seal toad""".split()
VOCAB = 330
MODEL = dataclasses.replace(
    nano(VOCAB), hidden_size=48, num_hidden_layers=2, num_attention_heads=2, q_lora_rank=32, kv_lora_rank=24,
    qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=16, intermediate_size=96, moe_intermediate_size=32,
    n_routed_experts=4, max_position_embeddings=128, initializer_range=0.05,
)  # fmt: skip


def say(*turns: str, origin: Origin = "team-hand", place: str = "here") -> Dialogue:
    messages = tuple({"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(turns))
    return Dialogue(messages=messages, origin=origin, place=place)


DIALOGUES = [
    say(f"{animal}?", f"{number * 37 % 100}.", "then?", f"{animal[::-1]}!") if number % 3 else say(f"{animal}?", "no.")
    for number, animal in enumerate(ANIMALS)
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([" ".join([*ANIMALS, "then?", "no.", "0123456789", "!"] * 5)], VOCAB)


@pytest.fixture(scope="module")
def base(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights."""
    return make_base(tmp_path_factory.mktemp("base") / "model", tokenizer)


def make_base(folder: Path, tokenizer: Tokenizer) -> Path:
    model = Transformer(MODEL)
    model.init_weights(MODEL.initializer_range, torch.Generator().manual_seed(3))
    save_model(model, folder, tokenizer=tokenizer)
    return folder


CONFIG = SftConfig(
    epochs=3, sequence_length=48, batch=3, micro_batch=2, heldout_share=0.2, precision="float32", bias_speed=0.01,
    optim=OptimConfig(learning_rate=1e-2, muon_learning_rate=1e-2),
)  # fmt: skip
LOOP = LoopConfig(checkpoint_every=4, keep_checkpoints=3)


def train(
    base: Path,
    out: Path,
    config: SftConfig = CONFIG,
    dialogues: Sequence[Dialogue] = DIALOGUES,
    loop: LoopConfig = LOOP,
    progress: Callable[[int, int, str], None] = no_progress,
    said: list[str] | None = None,
    left_out: LeftOut | None = None,
) -> Transformer:
    out.mkdir(exist_ok=True, parents=True)
    lines = [] if said is None else said
    return sft(
        config, loop, base, dialogues, out, 5,
        say=lines.append, progress=progress, device=torch.device("cpu"), left_out=left_out,
    )  # fmt: skip


def metrics(out: Path) -> list[dict[str, Any]]:
    """The lines but for what the clock decides."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(line.pop("tokens_per_second") > 0 for line in lines)
    return lines


# The loss.


def random_examples(count: int, seed: int = 0) -> list[Example]:
    source = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        length = int(source.integers(4, 12))
        learnt = source.random(length) < 0.5
        learnt[0], learnt[-1] = False, True
        found.append(Example(source.integers(3, 64, length).astype(np.int32), learnt))
    return found


def loss_alone(model: Transformer, example: Example, ahead: int) -> float:
    """Of one example in no window, from whole logits: every learnt token, `ahead` of the last one that is read."""
    ids = torch.from_numpy(example.ids.astype(np.int64))
    padded = torch.cat((ids, torch.zeros(len(model.mtp), dtype=torch.int64)))[None]
    out = model.train_forward(padded)
    hidden = (out.hidden, *out.mtp_hidden)[ahead - 1][0]
    logprobs = F.log_softmax(hidden @ model.lm_head.weight.T, -1)
    places = [place for place in np.flatnonzero(example.learnt) if place >= ahead]
    return -sum(float(logprobs[place - ahead, ids[place]]) for place in places)


@pytest.mark.parametrize("modules", [0, 1, 2])
@torch.no_grad()
def test_a_window_is_worth_what_its_examples_are_alone(modules: int) -> None:
    """None sees another, and no token is learnt across a seam, by the MTP modules either."""
    model = tiny(dataclasses.replace(ONE_GROUP, num_nextn_predict_layers=modules), dtype=torch.float64)
    examples = random_examples(12)
    loader = ExampleLoader(examples, 24, lookahead=1 + modules, seed=1)
    batch = loader.next_batch(loader.windows)
    assert any(len(loader.members(number)) > 1 for number in range(loader.windows))
    got = sft_loss(model, batch, mtp_weight=0.3, balance_weight=0, per_window=7)
    alone = [sum(loss_alone(model, example, ahead) for example in examples) for ahead in range(1, 2 + modules)]
    assert float(got.sums["loss"]) == pytest.approx(alone[0], rel=1e-8)
    for name, value in zip(("mtp", "mtp2"), alone[1:], strict=False):
        assert float(got.sums[f"{name}_loss"]) == pytest.approx(value, rel=1e-8)
    wanted = alone[0] + sum(0.3 / modules * loss for loss in alone[1:])
    assert float(got.total) == pytest.approx(wanted, rel=1e-8)
    heavy = sft_loss(model, batch, mtp_weight=0.3, balance_weight=2, per_window=7)
    assert heavy.routing is not None
    assert float(heavy.total - got.total) == pytest.approx(14 * float(heavy.routing.balance), rel=1e-9)


def test_no_gradient_where_nothing_is_learnt() -> None:
    """Nor does it matter what stands where padding does, or which token an unlearnt place holds as a target."""
    model = tiny(dtype=torch.float64)
    states: list[torch.Tensor] = []
    for norm in (model.norm, model.mtp[0].norm):
        norm.register_forward_hook(lambda _, __, out: (out.retain_grad(), states.append(out))[1])  # type: ignore[func-returns-value]
    loader = ExampleLoader(random_examples(9), 24, lookahead=2)
    batch = loader.next_batch(loader.windows)
    assert batch.valid is not None and batch.segments is not None
    sft_loss(model, batch, mtp_weight=0.3, balance_weight=0, per_window=1).total.backward()
    main, mtp = (state.grad.ne(0).any(-1) for state in states if state.grad is not None)
    tail = F.pad(batch.valid[:, 1:], (0, 1)) & (batch.segments[:, :24] == batch.segments[:, 2:])
    head_only = main & ~batch.valid  # the module's own gradient flows through the main states before it
    assert torch.equal(mtp, tail) and not (head_only & (batch.segments[:, :24] == 0)).any()
    model.zero_grad()
    states.clear()
    sft_loss(model, batch, mtp_weight=0, balance_weight=0, per_window=1).total.backward()
    assert states[0].grad is not None
    assert torch.equal(states[0].grad.ne(0).any(-1), batch.valid)


# The plan.


def test_the_whole_run_by_hand() -> None:
    """Every example `epochs` times, the last step with what is left, rates along the cosine, then the end."""
    examples = random_examples(20)
    config = dataclasses.replace(CONFIG, sequence_length=16, batch=4, micro_batch=3, warmup=0.2)
    loader, same = (ExampleLoader(examples, 16, lookahead=2, seed=2) for _ in range(2))
    task = Finetuning(config, loader, learnt_tokens(examples))
    windows, steps = 3 * loader.windows, math.ceil(3 * loader.windows / 4)
    assert windows % 4, "the last step is shorter"
    step, tokens, rates = 0, 0, []
    while plan := task.next(step, tokens):
        for batch in plan.micro_batches:
            assert torch.equal(batch.tokens, same.next_batch(len(batch.tokens)).tokens) and len(batch.tokens) <= 3
        assert plan.tokens == sum(int(batch.valid.sum()) for batch in plan.micro_batches)
        assert plan.bias_speed == 0.01
        rates.append(plan.lr_factor)
        step, tokens = step + 1, tokens + plan.tokens
    assert step == steps and tokens == task.total_tokens == 3 * sum(int(one.learnt.sum()) for one in examples)
    assert task.state_dict() == {"position": windows} == same.state_dict()
    warm = round(0.2 * steps)
    cosine = [0.1 + 0.45 * (1 + math.cos(math.pi * 4 * number / windows)) for number in range(steps)]
    wanted = [min(1, (number + 1) / warm) * factor for number, factor in enumerate(cosine)]
    assert rates == pytest.approx(wanted)


# Training.


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    train(base, out)
    return out


def end(out: Path, place: Path) -> Any:
    """All that the last checkpoint holds."""
    step = max(int(path.name.removeprefix("step-")) for path in out.glob("step-*"))
    dcp_to_torch_save(out / f"step-{step}", place / "all.pt")
    state = json.loads((out / f"step-{step}" / "state.json").read_text())
    return {"state": state, **torch.load(place / "all.pt", weights_only=True)}


def assert_same_end(out: Path, whole: Path, place: Path) -> None:
    assert same_bits(end(out, place), end(whole, place))
    assert metrics(out) == metrics(whole)
    for name in ("heldout.json", "data.json", "left_out.jsonl"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_what_a_run_leaves(whole: Path, tokenizer: Tokenizer) -> None:
    lines, data = metrics(whole), json.loads((whole / "data.json").read_text())
    held, learnt = data["dialogues"]["heldout"], data["learnt_tokens"]
    assert data["dialogues"] == {"train": 20 - held, "heldout": held, "left_out": {}} and held > 1
    assert data["origin"] == {"team-hand": 20 - held} and data["lang"] == {"not said": 20 - held}
    assert lines[-1]["tokens"] == 3 * learnt and len(lines) == math.ceil(3 * data["windows"] / 3)
    assert lines[-1]["loss"] < lines[0]["loss"] and 0 <= lines[-1]["accuracy"] <= 1 and "mtp_loss" in lines[-1]
    figures = read_heldout(whole)
    assert figures["before"].value > figures["after"].value and figures["after"].n == held
    assert figures["change"].value == pytest.approx(figures["after"].value - figures["before"].value)
    assert all(figure.stderr and figure.stderr > 0 for figure in figures.values())


def test_killed_and_resumed(base: Path, tmp_path: Path) -> None:
    """kill -9 in the middle; the same call goes on and ends in the bits of a run that was never stopped.

    Each in a process of its own, on one thread: what ran before in this one may turn the last bit of a sum.
    """

    def run(out: Path, how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-m", "tests.stages.test_sft", str(base), str(out), how]
        return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)

    out, whole = tmp_path / "killed", tmp_path / "whole"
    killed = run(out, "kill")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in out.glob("step-*")] == ["step-4"] and len(metrics(out)) == 6
    resumed = run(out, "go on")
    assert resumed.returncode == 0 and "resumed after step 4 (" in resumed.stdout, resumed.stderr
    assert run(whole, "go on").returncode == 0
    assert_same_end(out, whole, tmp_path)


def test_stopped_and_resumed(base: Path, whole: Path, tmp_path: Path) -> None:
    """SIGTERM twice, and another cut into micro-batches may follow; a finished run is left as it is."""
    out, seen = tmp_path / "stopped", []

    def stop(done: int, total: int, note: str) -> None:
        seen.append(done)
        if len(seen) in (3, 5):
            os.kill(os.getpid(), signal.SIGTERM)

    for _ in range(2):
        with pytest.raises(Interrupted, match="which is saved; run the same command to go on"):
            train(base, out, progress=stop)
    train(base, out)
    assert_same_end(out, whole, tmp_path)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    said: list[str] = []
    train(base, out, dataclasses.replace(CONFIG, micro_batch=3), said=said)
    assert "resumed after step" in said[-1]
    changed = [path.name for path, content in before.items() if path.read_bytes() != content]
    assert set(changed) <= {"heldout.json"}, "which another cut may round otherwise"


@pytest.mark.parametrize(
    ("change", "says"),
    [({"epochs": 4}, "sft.epochs was 3 and is now 4"), ({"mtp_weight": 0.2}, "sft.mtp_weight was 0.1 and is now 0.2")],
)
def test_another_run_is_refused(change: dict[str, Any], says: str, base: Path, whole: Path) -> None:
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError, match=f"is of another run: {re.escape(says)}"):
        train(base, whole, dataclasses.replace(CONFIG, **change))
    with pytest.raises(CheckpointError, match="is of another run: data was"):
        train(base, whole, dialogues=[*DIALOGUES, say("more?", "more.")])
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before


def test_what_reading_left_out_is_kept_too(base: Path, tmp_path: Path) -> None:
    left_out = LeftOut()
    left_out.add("broken rows", "chat.jsonl:3 ends with the user")
    said: list[str] = []
    derived = [say(f"{n}?", "no.", origin="user-derived", place=f"chat.jsonl:{n}") for n in range(40)]
    few = dataclasses.replace(CONFIG, epochs=1, heldout_share=0.0)
    train(base, tmp_path, few, [*DIALOGUES, *derived], said=said, left_out=left_out)
    lines = [json.loads(line) for line in (tmp_path / "left_out.jsonl").read_text().splitlines()]
    assert lines[0] == {"why": "broken rows", "what": "chat.jsonl:3 ends with the user"} and len(lines) == 1 + 39
    assert said[0] == "left out 1: broken rows; the first: chat.jsonl:3 ends with the user"
    assert said[1].startswith("left out 39: user-derived beyond sft.user_derived_share=0.05; the first: chat.jsonl:")
    assert said[2].startswith("21 dialogues to learn (20 team-hand, 1 user-derived), 0 held out; ")
    assert json.loads((tmp_path / "heldout.json").read_text()) == {"dialogues": 0} and read_heldout(tmp_path) == {}


@pytest.mark.parametrize("template", ["v3", pytest.param("r1", marks=pytest.mark.slow)])
def test_it_learns_dialogues_by_heart(template: Any, base: Path, tmp_path: Path) -> None:
    """And the engine, given the prompt of the exported folder's own template, says them: turns, thoughts, end."""
    dialogues = [
        say(f"{animal}?", f"<think>\n{animal[::-1]}\n</think>\n\n{number}." if template == "r1" else f"{number}.",
            "then?", f"{animal[::-1]}!")
        for number, animal in enumerate(ANIMALS)
    ]  # fmt: skip
    config = dataclasses.replace(CONFIG, epochs=45, template=template, heldout_share=0.0, batch=4, micro_batch=4)
    train(base, tmp_path / "checkpoints", config, dialogues)
    (tmp_path / "model").mkdir()
    export_like(base, tmp_path / "checkpoints", tmp_path / "model", config.template)
    tokenizer = Tokenizer.load(tmp_path / "model")
    prompts, answers = [], []
    for dialogue in dialogues:
        for place in (1, 3):
            prompts.append(tokenizer.encode_chat(dialogue.messages[:place]))
            said = dialogue.messages[place]["content"]
            if template == "r1":
                said = said.removeprefix("<think>\n") if place == 1 else f"\n</think>\n\n{said}"
            answers.append(said)
    with Engine(load_model(tmp_path / "model"), tokenizer, compile=False) as engine:
        given = engine.generate(prompts, SamplingParams(temperature=0, max_tokens=40))
    right = sum(
        completion.text == answer and completion.finish_reason == "stop"
        for completion, answer in zip(given, answers, strict=True)
    )
    assert right >= 38, [(one.text, answer) for one, answer in zip(given, answers, strict=True) if one.text != answer]


# The whole: checkpoints and model folder.


ONCE = SftRun(seed=5, sft=dataclasses.replace(CONFIG, epochs=1))


def test_a_run_is_exported_and_kept(base: Path, tmp_path: Path) -> None:
    ui = Quiet()
    finetune(ONCE, base, DIALOGUES, tmp_path, ui)
    model, tokenizer = load_model(tmp_path / "model"), Tokenizer.load(tmp_path / "model")
    assert model.lm_head.weight.dtype == torch.float32 and len(model.mtp) == 1
    assert tokenizer.chat_template == Tokenizer.load(base).chat_template
    assert not torch.equal(model.lm_head.weight, load_model(base).lm_head.weight)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"}
    ui.said.clear()
    finetune(ONCE, base, DIALOGUES, tmp_path, ui)
    assert [line.split(":")[0] for line in ui.said] == ["checkpoints", "model"] and "kept" in ui.said[1]
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before
    with pytest.raises(CheckpointError, match=r"holds the work of another run: checkpoints\.dialogues was"):
        finetune(ONCE, base, DIALOGUES[:-1], tmp_path, ui)


def test_a_place_to_resume_from_that_is_no_checkpoint_of_this_run(base: Path, tmp_path: Path) -> None:
    """It is not taken for `auto`."""
    (tmp_path / "kept" / "step-20").mkdir(parents=True)
    train = dataclasses.replace(ONCE.train, resume=str(tmp_path / "kept" / "step-20"))
    with pytest.raises(ConfigError, match="is in no folder of checkpoints of this run"):
        finetune(dataclasses.replace(ONCE, train=train), base, DIALOGUES, tmp_path, Quiet())


@pytest.mark.parametrize("template", [None, "r1"])
def test_the_exported_template_is_the_one_that_was_learnt(template: Any, base: Path, tmp_path: Path) -> None:
    """A template of the folder's own stays, and so does bfloat16."""
    source = tmp_path / "source"
    tokenizer = Tokenizer.load(base)
    tokenizer.chat_template = str(tokenizer.chat_template) + "{#- ours -#}"
    save_model(load_model(base), source, tokenizer=tokenizer, dtype=torch.bfloat16)
    run = dataclasses.replace(ONCE, sft=dataclasses.replace(ONCE.sft, template=template))
    finetune(run, source, DIALOGUES, tmp_path / "out", Quiet())
    exported = Tokenizer.load(tmp_path / "out" / "model")
    prompt = exported.encode_chat([{"role": "user", "content": "hen?"}])
    assert prompt == tokenizer.encode_chat([{"role": "user", "content": "hen?"}], template=template)
    assert ("ours" in str(exported.chat_template)) == (template is None)
    assert load_model(tmp_path / "out" / "model").lm_head.weight.dtype == torch.bfloat16


def test_a_full_disk_says_so_and_the_same_call_goes_on(base: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(StorageError, match=r"cannot write .*step-4.*raise the limit"), file_size_limit(2**15):
        train(base, out)
    assert not list(out.glob("step-*"))
    train(base, out)
    assert_same_end(out, whole, tmp_path)


# What is refused.


def test_models_and_data_that_do_not_fit(base: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    long = dataclasses.replace(CONFIG, sequence_length=129)
    with pytest.raises(ConfigError, match=r"sft\.sequence_length=129 exceeds the model's context of 128; lower it"):
        train(base, tmp_path, long)
    larger = Tokenizer.train(["ab"], VOCAB + 1)
    other = tmp_path / "other"
    save_model(load_model(base), other, tokenizer=larger)
    with pytest.raises(ConfigError, match=r"the tokenizer has 331 tokens, the model 330; they do not belong together"):
        train(other, tmp_path)
    bare = tmp_path / "bare"
    save_model(load_model(base), bare)
    with pytest.raises(ModelError, match=r"has no tokenizer\.json"):
        train(bare, tmp_path)
    without = Tokenizer.load(base)
    without.chat_template = None
    save_model(load_model(base), bare, tokenizer=without)
    with pytest.raises(ConfigError, match=r"has no chat template; choose one: sft\.template=v3"):
        train(bare, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0), ("sequence_length", 0), ("batch", 0), ("micro_batch", 0), ("mtp_weight", -0.1),
        ("balance_weight", -1), ("bias_speed", -1), ("warmup", 1.1), ("user_derived_share", -0.1),
        ("heldout_share", 1), ("mtp_weight", float("nan")),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"sft.{name}={value} must ")):
        SftConfig(**{name: value})


def test_only_what_decides_the_result_is_part_of_the_identity() -> None:
    assert CONFIG.deciding().keys() == to_dict(CONFIG).keys() - {"micro_batch"}


if __name__ == "__main__":
    torch.set_num_threads(1)
    base_, out_, how_ = sys.argv[1:]

    def kill(done: int, total: int, note: str) -> None:
        if how_ == "kill" and len((Path(out_) / "metrics.jsonl").read_text().splitlines()) == 6:
            os.kill(os.getpid(), signal.SIGKILL)

    said_: list[str] = []
    train(Path(base_), Path(out_), progress=kill, said=said_)
    sys.stdout.write("\n".join(said_))
