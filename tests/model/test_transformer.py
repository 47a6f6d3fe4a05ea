"""The model against itself in its two forms, and against brute force where no library has the part."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from candor.errors import ConfigError
from candor.model import ModelConfig, Routing, Transformer
from candor.model.attention import attend
from candor.model.layers import RMSNorm
from candor.model.moe import group
from tests.model.test_hub import TINY


def build(config: ModelConfig = TINY, dtype: torch.dtype = torch.float64) -> Transformer:
    torch.manual_seed(1)
    model = Transformer(config)
    model.init_weights(0.2)
    for router in model.routers():
        router.e_score_correction_bias.normal_(0, 0.1)
    return model.to(dtype).eval()


@pytest.mark.parametrize("pieces", [[1] * 20, [12, 1, 1, 6], [5, 15]])
def test_absorbed_decoding_gives_the_states_of_the_full_forward(pieces: list[int]) -> None:
    """However the tokens are cut: one by one, prompt then single tokens, a long second piece; the MTP module too.

    What stands in the cache behind a row's last token must not matter, so it is filled with noise.
    """
    model = build(dtype=torch.float32)
    ids = torch.randint(0, 64, (3, 22))
    latents = torch.randn(TINY.num_hidden_layers + 1, 3, 30, TINY.latent_dim)
    states, drafts, start = [], [], 0
    with torch.no_grad():
        for S in pieces:
            piece, following = ids[:, start : start + S], ids[:, start + 1 : start + S + 1]
            if start:
                lengths = torch.full((3,), start)
                states.append(model.extend(piece, lengths, latents))
                drafts.append(model.draft(following, states[-1], latents, lengths))
            else:
                states.append(model.prefill(piece, latents[:, :, :S]))
                drafts.append(model.draft(following, states[-1], latents[:, :, :S]))
            start += S
        full = model.train_forward(ids)
    for ours, theirs in ((states, full.hidden), (drafts, full.mtp_hidden[0])):
        assert (torch.cat(ours, dim=1) - theirs).abs().max() < 1e-5 * theirs.abs().max()


def test_rows_of_unequal_length_extend_side_by_side() -> None:
    model = build()
    ids = torch.randint(0, 64, (3, 20))
    latents = torch.randn(TINY.num_hidden_layers + 1, 3, 24, TINY.latent_dim, dtype=torch.float64)
    lengths = torch.tensor([3, 11, 1])
    with torch.no_grad():
        for row, length in enumerate(lengths.tolist()):
            model.prefill(ids[row : row + 1, :length], latents[:, row : row + 1, :length])
        next_two = torch.stack([ids[row, n : n + 2] for row, n in enumerate(lengths.tolist())])
        got = model.extend(next_two, lengths, latents)
        for row, n in enumerate(lengths.tolist()):
            torch.testing.assert_close(got[row], model.hidden(ids[row : row + 1, : n + 2])[0, -2:])


def test_no_token_sees_the_future_or_another_document() -> None:
    model = build()
    tokens = torch.randint(0, 64, (1, 22))
    segments = torch.tensor([[0] * 8 + [1] * 14])
    base = model.train_forward(tokens, segments)
    changed = tokens.clone()
    changed[0, 2] += 1 if changed[0, 2] < 63 else -1
    other = model.train_forward(changed, segments)
    # 1e-9, not 0: another token in an expert's group may change the last bit of the others' products.
    moved = ((base.hidden - other.hidden).abs() > 1e-9).any(-1)[0]
    assert moved.tolist() == [False] * 2 + [True] * 6 + [False] * 12
    # The MTP module joins position i with token i + 1: position 1 sees the change too.
    moved = ((base.mtp_hidden[0] - other.mtp_hidden[0]).abs() > 1e-9).any(-1)[0]
    assert moved.tolist() == [False] + [True] * 7 + [False] * 12
    unmasked = model.train_forward(changed)
    assert ((model.train_forward(tokens).hidden - unmasked.hidden).abs() > 1e-9).any(-1)[0, 8:].all()


def brute_force_balance(scores: Tensor, chosen: Tensor, experts: int) -> float:
    """V3 equations 17 to 20 for one sequence, term by term."""
    T, K = chosen.shape
    total = 0.0
    for i in range(experts):
        f = experts / (K * T) * sum(int(i in chosen[t]) for t in range(T))
        p = sum(float(scores[t, i] / scores[t].sum()) for t in range(T)) / T
        total += f * p
    return total


def test_balance_loss_and_load_equal_the_paper_term_by_term() -> None:
    router = build().routers()[0]
    x = torch.randn(2 * 7, 32, dtype=torch.float64)
    scores, chosen, _ = router(x)
    routing = router.statistics(scores, chosen, sequences=2)
    fixed = scores.detach()
    expected = sum(brute_force_balance(fixed[s : s + 7], chosen[s : s + 7], 4) for s in (0, 7))
    assert math.isclose(float(routing.balance.detach()), expected, rel_tol=1e-12)
    assert routing.load.tolist() == [int((chosen == e).sum()) for e in range(4)]
    routing.balance.backward()
    assert router.weight.grad is not None and router.weight.grad.abs().sum() > 0


def test_gate_equals_a_plain_loop() -> None:
    """Group score = sum of the two best biased scores; the choice inside the best groups; weights without bias."""
    config = dataclasses.replace(TINY, n_routed_experts=12, n_group=4, topk_group=2, num_experts_per_tok=3)
    router = build(config).routers()[0]
    x = torch.randn(30, 32, dtype=torch.float64)
    _, chosen, weights = router(x)
    for row, picked, weight in zip(x, chosen, weights, strict=True):
        score = [1 / (1 + math.exp(-float((row @ router.weight[e]).detach()))) for e in range(12)]
        biased = [score[e] + float(router.e_score_correction_bias[e]) for e in range(12)]
        groups = sorted(range(4), key=lambda g: -sum(sorted(biased[3 * g : 3 * g + 3])[1:]))[:2]
        best = sorted((e for e in range(12) if e // 3 in groups), key=lambda e: -biased[e])[:3]
        assert picked.tolist() == best
        total = sum(score[e] for e in best)
        assert weight.tolist() == pytest.approx([2.5 * score[e] / total for e in best], rel=1e-9)


def test_bias_update_lowers_the_overloaded_and_raises_the_others() -> None:
    model = build()
    for router in model.routers():
        router.e_score_correction_bias.zero_()
    model.update_biases(torch.tensor([[10, 2, 4, 4], [5, 5, 5, 5]]), speed=0.001)
    first, second = (router.e_score_correction_bias.tolist() for router in model.routers())
    assert first == pytest.approx([-0.001, 0.001, 0.001, 0.001])
    assert second == [0, 0, 0, 0]


@pytest.mark.parametrize("length", [9, 90, 500])
def test_every_expert_matrix_gets_the_gradient_of_a_plain_loop(length: int) -> None:
    """The grouped multiplication against summing expert by expert, gradients included; groups filled up to 1, 4, 16."""
    moe = build().layers[1].mlp
    x = torch.randn(2, length, 32, dtype=torch.float64, requires_grad=True)
    load = torch.tensor([0, length, length, 2 * length])
    ends = group(torch.arange(4).repeat_interleave(load).view(-1, 2), load).ends
    assert {int(end) % {9: 1, 90: 4, 500: 16}[length] for end in ends} == {0} and ends[0] == 0
    moe(x)[0].square().sum().backward()
    got = [x.grad, *(p.grad.clone() for p in moe.parameters())]
    x.grad = None
    moe.zero_grad()
    _, chosen, weights = moe.gate(x.flatten(0, 1))
    out = moe.shared_experts(x).flatten(0, 1)
    for e in range(4):
        gate, up = moe.experts.gate_up[e].chunk(2)
        each = (torch.nn.functional.silu(x @ gate.T) * (x @ up.T) @ moe.experts.down[e].T).flatten(0, 1)
        out = out + each * ((chosen == e) * weights).sum(-1, keepdim=True)
    out.square().sum().backward()
    torch.testing.assert_close(got, [x.grad, *(p.grad for p in moe.parameters())])


def test_initialisation_is_the_papers() -> None:
    model = Transformer(dataclasses.replace(TINY, vocab_size=4000))
    model.init_weights(0.006, torch.Generator().manual_seed(3))
    assert float(model.embed_tokens.weight.detach().std()) == pytest.approx(0.006, rel=0.02)
    assert all(bool((p == 1).all()) for p in model.parameters() if p.ndim == 1)
    again = Transformer(dataclasses.replace(TINY, vocab_size=4000))
    again.init_weights(0.006, torch.Generator().manual_seed(3))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"num_attention_heads": 0}, "num_attention_heads=0"),
        ({"n_group": 3}, "n_group=3"),
        ({"topk_group": 3}, "topk_group=3"),
        ({"num_experts_per_tok": 3}, "num_experts_per_tok=3"),
        ({"n_group": 4, "topk_group": 4}, "n_group=4"),
        ({"qk_rope_head_dim": 5}, "qk_rope_head_dim=5"),
        ({"first_k_dense_replace": 3}, "first_k_dense_replace=3"),
        ({"q_lora_rank": 0}, "q_lora_rank"),
        ({"hidden_size": -8}, "hidden_size=-8"),
    ],
)
def test_shapes_that_cannot_work_are_refused_by_name(change: dict[str, int], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        dataclasses.replace(TINY, **change)


def test_routing_stacks_in_the_order_of_the_routers() -> None:
    parts = [Routing(torch.tensor([1, 2]), torch.tensor(0.5)), Routing(torch.tensor([3, 4]), torch.tensor(0.25))]
    whole = Routing.stack(parts)
    assert (whole.load.tolist(), float(whole.balance)) == ([[1, 2], [3, 4]], 0.75)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("length", [1, 128, 129, 300])
def test_attention_in_blocks_is_pytorchs(length: int, masked: bool) -> None:
    """Output and gradients against torch's own attention, over one, two and three blocks of queries."""
    generator = torch.Generator().manual_seed(length)
    q, k, v, grad = (
        torch.randn(2, 3, length, width, dtype=torch.float64, generator=generator) for width in (12, 12, 8, 8)
    )
    mask = None
    if masked:
        documents = torch.randint(0, 3, (2, length), generator=generator).sort(-1).values
        mask = ((documents[:, :, None] == documents[:, None]) & torch.ones(length, length, dtype=torch.bool).tril())[
            :, None
        ]
    inputs = [x.requires_grad_() for x in (q, k, v)]
    ours = attend(*inputs, mask, 0.3)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None, scale=0.3
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, inputs, grad), torch.autograd.grad(theirs, inputs, grad))


def test_norm_is_pytorchs() -> None:
    """Forward and both gradients of the norm that is written by hand."""
    ours, theirs = RMSNorm(24, eps=1e-5).double(), torch.nn.RMSNorm(24, eps=1e-5).double()
    x, grad = torch.randn(2, 5, 24, dtype=torch.float64), torch.randn(2, 5, 24, dtype=torch.float64)
    found = []
    for norm in (ours, theirs):
        torch.nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
        y = norm(leaf := x.clone().requires_grad_())
        found.append((y, *torch.autograd.grad(y, (leaf, norm.weight), grad)))
    torch.testing.assert_close(*found)
