"""The compiled step against the model's own forward, and its promise: the same bits whatever else is in the step."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from candor.errors import ConfigError
from candor.infer import Engine, SamplingParams, native
from candor.infer.native import NativeStep
from candor.infer.sampler import distribution, draw
from candor.infer.steps import TorchStep, step_for
from candor.model import ModelConfig, Transformer, YarnConfig
from candor.model.config import micro, nano
from candor.text import Tokenizer
from tests.infer.conftest import CONFIG, random_prompts
from tests.model.test_transformer import build

SHAPES = {
    "nano": nano(512),
    "micro": micro(600),
    "groups, yarn, no q_lora": dataclasses.replace(
        nano(512), q_lora_rank=None, n_group=4, topk_group=2, num_experts_per_tok=3, n_shared_experts=2,
        rope_scaling=YarnConfig(4, 512),
    ),
    "no width a multiple of a register": dataclasses.replace(
        nano(517), kv_lora_rank=36, qk_rope_head_dim=6, v_head_dim=20, qk_nope_head_dim=22, hidden_size=72,
        moe_intermediate_size=40, n_shared_experts=0, num_attention_heads=3, norm_topk_prob=False,
    ),
    "dense": dataclasses.replace(nano(512), first_k_dense_replace=4, num_attention_heads=1),
}  # fmt: skip


def make(config: ModelConfig, kind: torch.dtype = torch.float32) -> Transformer:
    model = build(dataclasses.replace(config, num_nextn_predict_layers=1, initializer_range=0.1), torch.float32)
    model.init_weights(0.1, torch.Generator().manual_seed(3))
    for router in model.routers():
        router.e_score_correction_bias.normal_(0, 0.1)
    biases = [router.e_score_correction_bias for router in model.routers()]
    model = model.to(kind)
    for router, bias in zip(model.routers(), biases, strict=True):
        router.e_score_correction_bias = bias
    return model


def states(step: NativeStep, ids: torch.Tensor, cuts: list[int], row: int | None = None) -> torch.Tensor:
    """Main and MTP states [B, S, 2 D] of all rows or of one alone, the tokens cut at the given places."""
    ids = ids if row is None else ids[row : row + 1]
    config = step.model.config
    latents = torch.randn(config.num_hidden_layers + 1, len(ids), ids.shape[1] + 5, config.latent_dim)
    parts = []
    for start, end in zip([0, *cuts], [*cuts, ids.shape[1] - 2], strict=True):
        lengths, counts = torch.full((len(ids),), start), [end - start] * len(ids)
        hidden = step.states(ids[:, start:end], lengths, latents, counts)
        parts.append(torch.cat((hidden, step.draft(ids[:, start + 1 : end + 1], hidden, lengths, latents, counts)), -1))
    return torch.cat(parts, 1)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_states_are_the_models(shape: str, threads: int) -> None:
    """Within float32's rounding; and to the last bit the same for one row, cut otherwise, as for five."""
    model = make(SHAPES[shape])
    ids = torch.randint(0, 500, (5, 24))
    with torch.inference_mode():
        step = NativeStep(model, threads)
        got = states(step, ids, [7, 8, 10])
        expected = model.train_forward(ids)
        whole = torch.cat((expected.hidden, expected.mtp_hidden[0]), -1)
        assert (got - whole).abs().max() < 2e-5 * whole.abs().max()
        logits, norms = step.logits(got[0, :, : model.config.hidden_size])
        theirs = model.lm_head(got[0, :, : model.config.hidden_size]).log_softmax(-1)
        assert (logits - norms[:, None] - theirs).abs().max() < 2e-5
        for row, cuts in ((1, []), (2, list(range(1, 22))), (4, [13])):
            assert torch.equal(states(step, ids, cuts, row)[0], got[row])


@pytest.mark.parametrize("shape", SHAPES)
def test_threads_change_nothing(shape: str) -> None:
    """To the last bit, for any number of rows: the team halves itself where another process takes a core away."""
    model = make(SHAPES[shape])
    for rows in range(1, 6):
        ids = torch.randint(0, 500, (rows, 7))
        with torch.inference_mode():
            alone, *others = (states(NativeStep(model, threads), ids, [4]) for threads in (1, 2, 3))
        assert all(torch.equal(alone, other) for other in others), rows


def test_bfloat16_weights_are_read_as_they_are() -> None:
    """The same numbers as float32 weights of the same values: only reading differs."""
    model = make(nano(512), torch.bfloat16)
    wide = make(nano(512))
    wide.load_state_dict({name: value.float() for name, value in model.state_dict().items()})
    ids = torch.randint(0, 500, (3, 12))
    with torch.inference_mode():
        assert torch.equal(states(NativeStep(model), ids, [4]), states(NativeStep(wide), ids, [4]))


def test_only_real_tokens_count() -> None:
    """What stands behind a row's count changes neither the others nor its cache."""
    model = make(nano(512))
    ids = torch.randint(0, 500, (3, 6))
    with torch.inference_mode():
        step, layers = NativeStep(model), model.config.num_hidden_layers + 1
        found = []
        for junk in (0, 77):
            latents = torch.zeros(layers, 3, 9, model.config.latent_dim)
            filled = ids.clone()
            filled[1, 2:] = junk
            hidden = step.states(filled, torch.zeros(3, dtype=torch.int64), latents, [6, 2, 5])
            found.append((hidden, latents))
        assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
        assert not found[0][1][:, 1, 2:].any() and found[0][1][:-1, 2, :5].any()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_batch_of_64_says_to_the_last_bit_what_each_alone_says(kind: torch.dtype, tokenizer: Tokenizer) -> None:
    """Greedy and seeded, prompts copied or read, whole or in pieces."""
    model = make(CONFIG, kind)
    prompts = random_prompts(64, seed=6)
    params = [
        SamplingParams(temperature=(0, 1, 0.8)[n % 3], top_p=(1, 0.9)[n % 2], seed=n, max_tokens=20, ignore_eos=True)
        for n in range(64)
    ]
    with Engine(model, tokenizer) as engine:
        together = engine.generate(prompts, params)
    for options in ({"max_sequences": 1}, {"max_sequences": 7, "prefill_tokens": 5}):
        with Engine(model, tokenizer, **options) as engine:
            others = engine.generate(prompts, params)
        for one, other in zip(together, others, strict=True):
            assert (one.token_ids, one.logprobs, one.text) == (other.token_ids, other.logprobs, other.text)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_logprobs_are_those_of_the_training_forward(
    kind: torch.dtype, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    """In bfloat16 training rounds every activation and the engine none; how far they are apart is printed."""
    model = make(CONFIG)
    with Engine(model, tokenizer) as engine:
        done = engine.generate(random_prompts(32, seed=7), SamplingParams(seed=1, max_tokens=20, ignore_eos=True))
    apart = []
    model.compute_dtype = kind
    for prompt, one in zip(random_prompts(32, seed=7), done, strict=True):
        ids = torch.tensor([[*prompt, *one.token_ids]])
        pad = torch.zeros(1, 2, dtype=torch.int64)
        with torch.no_grad():
            hidden = model.train_forward(torch.cat((ids, pad), 1)).hidden
            table = model.lm_head(hidden).float().log_softmax(-1)[0]
        for place, (token, logprob) in enumerate(zip(one.token_ids, one.logprobs, strict=True), start=len(prompt) - 1):
            apart.append(abs(float(table[place, token]) - logprob))
    mean = sum(apart) / len(apart)
    with capsys.disabled():
        sys.stdout.write(
            f"\n  difference of logprobs, {str(kind)[6:]}: {max(apart):.1e} at most, {mean:.1e} on average"
        )
    assert max(apart) <= 1e-4 if kind == torch.float32 else 1e-4 < mean < 0.05


def test_damaged_weights_show(tokenizer: Tokenizer) -> None:
    model = make(CONFIG)
    with torch.no_grad():
        model.norm.weight[3] = float("nan")
    with Engine(model, tokenizer) as engine:
        (one,) = engine.generate([[0, 5]], SamplingParams(temperature=0))
        assert "not finite" in str(one.error)


@pytest.mark.parametrize("flat", [False, True])
def test_draws_are_the_samplers(flat: bool) -> None:
    """Every cut and temperature, also of rows with forbidden tokens, at chances from 0 to just below 1.

    The two sum in other orders, so a chance that falls within 1e-5 of a token's edge may go either way.
    """
    model = make(nano(517))
    logits = torch.randn(64, 517, generator=torch.Generator().manual_seed(int(flat))) * (0.2 if flat else 4)
    logits[::5, ::3] = -float("inf")
    logits[:, 100] = logits[:, 101]  # equals
    rows = [
        SamplingParams(temperature=(1, 0.7, 0, 1.6)[n % 4], top_k=(0, 0, 5, 1, 100)[n % 5], min_p=(0, 0.02)[n % 2],
                       top_p=(1, 0.9, 0.3)[n % 3])
        for n in range(64)
    ]  # fmt: skip
    step, table = NativeStep(model), logits.log_softmax(-1)
    shares = distribution(table, rows)
    sums = shares.double().cumsum(-1)
    for chance in (0.0, 0.1, 0.33333, 0.5, 0.77777, 0.95, 0.999999, 1 - 2**-53):
        ours, theirs = step.draw(table, rows, [chance] * 64), draw(shares, [chance] * 64)
        for row, (one, other) in enumerate(zip(ours.tolist(), theirs.tolist(), strict=True)):
            assert shares[row, one] > 0
            if one != other:
                assert abs(sums[row, min(one, other)] - chance) < 1e-5
    cold = [SamplingParams(temperature=1e-30), SamplingParams(temperature=1e-310)] * 32
    assert torch.equal(step.draw(table, cold, [0.5] * 64), table.argmax(-1))


def test_changed_weights_are_read_where_they_lie() -> None:
    """A trainer may step the very tensors that the engine reads."""
    model = make(nano(512))
    ids = torch.randint(0, 500, (2, 8))
    with torch.no_grad():
        step = NativeStep(model)
        before = states(step, ids, [])
        for parameter in model.parameters():
            parameter.mul_(1.01)
        assert not torch.equal(states(step, ids, []), before)
        expected = model.train_forward(ids).hidden
        assert (states(step, ids, [])[..., : model.config.hidden_size] - expected).abs().max() < 1e-4


def test_weights_of_mixed_types_are_not_read_as_one(tokenizer: Tokenizer) -> None:
    """A gate bias in bfloat16, as `model.to` leaves it, is read as such; for a lone norm PyTorch runs the step."""
    model = make(CONFIG, torch.bfloat16)
    params = SamplingParams(temperature=0, max_tokens=12, ignore_eos=True)
    for router in model.routers():
        router.e_score_correction_bias.copy_(router.e_score_correction_bias.bfloat16())
    with Engine(model, tokenizer) as engine:
        expected = engine.generate(random_prompts(9, 1), params)
    for router in model.routers():
        router.e_score_correction_bias = router.e_score_correction_bias.bfloat16()
    with Engine(model, tokenizer) as engine:
        assert [one.token_ids for one in engine.generate(random_prompts(9, 1), params)] == [
            one.token_ids for one in expected
        ]
    mixed = make(CONFIG)
    mixed.norm.to(torch.bfloat16)
    with pytest.raises(ConfigError, match=r"all weights in torch\.float32"):
        NativeStep(mixed)
    with pytest.warns(UserWarning, match="uncompiled"):
        assert isinstance(step_for(mixed, None), TorchStep)


@pytest.mark.parametrize("place", ["/proc/nope", "torn"])
def test_trouble_with_the_cache_folder(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be made is done without; a torn library is made again instead of ending the process."""
    library = Path(native._library()._name).read_bytes()
    monkeypatch.setenv("XDG_CACHE_HOME", place if place != "torn" else str(tmp_path))
    monkeypatch.setattr(native, "_compile", lambda command, source, path: path.write_bytes(library))
    native._library.cache_clear()
    native._library()
    if place == "torn":
        (made,) = (tmp_path / "candor" / "native").glob("*.so")
        made.unlink()
        made.write_bytes(b"torn")
        native._library.cache_clear()
        native._library()
        assert made.read_bytes() == library
    native._library.cache_clear()


# Where it cannot be made.


def test_without_a_compiler_pytorch_generates_and_says_so(
    model: Transformer, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("candor.infer.steps.compiler", lambda: None)
    monkeypatch.setattr(native, "compiler", lambda: None)
    native._library.cache_clear()
    with pytest.warns(UserWarning, match="no C\\+\\+ compiler"), Engine(model, tokenizer) as engine:
        assert engine.generate([[0, 5]], SamplingParams(max_tokens=3, ignore_eos=True))[0].finish_reason == "length"
    with pytest.raises(ConfigError, match="install g\\+\\+ or clang\\+\\+"):
        Engine(model, tokenizer, compile=True)
    native._library.cache_clear()


def test_a_compiler_that_fails_is_reported_and_leaves_nothing(
    model: Transformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "fake++"
    fake.write_text("#!/bin/sh\necho 'no such architecture' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("CXX", str(fake))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    native._library.cache_clear()
    with pytest.raises(ConfigError, match="cannot compile the step \\(no such architecture\\)"):
        step_for(model, True)
    with pytest.warns(UserWarning, match="cannot compile"):
        assert isinstance(step_for(model, None), TorchStep)
    assert not list((tmp_path / "cache" / "candor" / "native").iterdir())
    native._library.cache_clear()


@pytest.mark.slow
def test_two_processes_may_compile_at_once(tmp_path: Path) -> None:
    script = "from candor.infer import native; native._library(); print('loaded')"
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    running = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in running] == ["loaded", "loaded"]
    assert sorted(path.suffix for path in (tmp_path / "candor" / "native").iterdir()) == [".sha256", ".so"]
