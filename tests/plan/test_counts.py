"""Parameter counts against the published ones, FLOPs against "Insights into DeepSeek-V3"."""

import pytest

from candor.model import config as sizes
from candor.model.config import ModelConfig, v3_16b, v3_671b
from candor.plan.counts import count_parameters, training_flops_per_token


def test_v3_counts_are_the_published_ones_to_the_parameter() -> None:
    counts = count_parameters(v3_671b())
    assert counts.main == 671_026_404_352
    assert counts.activated == 37_552_282_624
    assert counts.mtp == 11_610_067_968
    assert counts.stored == 684_531_386_000


@pytest.mark.parametrize(
    ("size", "least", "most"), [("nano", 2e6, 3.5e6), ("micro", 20e6, 28e6), ("small", 230e6, 270e6)]
)
def test_sizes_are_what_their_names_promise(size: str, least: float, most: float) -> None:
    assert least < count_parameters(getattr(sizes, size)()).main < most


def test_16b_is_the_ablation_model_of_the_report() -> None:
    counts = count_parameters(v3_16b())
    assert (round(counts.main / 1e9, 1), round(counts.activated / 1e9, 1)) == (15.7, 2.7)  # 2.4B without embedding
    assert round((counts.activated - counts.embedding) / 1e9, 1) == 2.5


@pytest.mark.parametrize("size", ["small", "v3_16b", "v3_671b"])
def test_sizes_meant_for_serving_keep_the_head_sizes_of_v3(size: str) -> None:
    config = getattr(sizes, size)()
    assert (config.kv_lora_rank, config.qk_rope_head_dim, config.qk_nope_head_dim, config.v_head_dim) == (
        (512, 64, 128, 128)
    )


def test_flops_per_token_are_those_of_the_isca_paper() -> None:
    """250 GFLOPs per token at 4K; 260.6 with MTP and 219.7 without attention by the same formula."""
    assert training_flops_per_token(v3_671b(), 4096) / 1e9 == pytest.approx(250.4, abs=0.1)
    assert training_flops_per_token(v3_671b(), 4096, mtp=True) / 1e9 == pytest.approx(260.6, abs=0.1)
    assert training_flops_per_token(v3_671b(), 0) / 1e9 == pytest.approx(219.7, abs=0.1)


def test_counts_by_hand_for_a_tiny_model() -> None:
    config = ModelConfig(
        vocab_size=10,
        hidden_size=4,
        num_hidden_layers=2,
        first_k_dense_replace=1,
        num_nextn_predict_layers=0,
        num_attention_heads=2,
        q_lora_rank=None,
        kv_lora_rank=3,
        qk_nope_head_dim=2,
        qk_rope_head_dim=2,
        v_head_dim=2,
        intermediate_size=5,
        moe_intermediate_size=3,
        n_routed_experts=4,
        num_experts_per_tok=1,
        n_group=1,
        topk_group=1,
    )
    attention = 4 * 2 * 4 + 4 * 5 + 3 + 3 * 2 * 4 + 2 * 2 * 4
    dense, moe = 3 * 4 * 5, 4 * 4 + 5 * 3 * 4 * 3
    total = 2 * 10 * 4 + 2 * (attention + 8) + dense + moe + 4
    counts = count_parameters(config)
    assert (counts.main, counts.activated, counts.mtp) == (total, total - 3 * 36, 0)
