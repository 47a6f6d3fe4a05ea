"""Parameters of a model, counted on the meta device: each count with its meaning, because several are in use."""

from dataclasses import dataclass
from math import ceil

import torch

from candor.model import ModelConfig, Transformer
from candor.model.hub import hf_tensors, is_fp8


@dataclass(frozen=True)
class ParameterCounts:
    """Exact counts; for `v3_671b` they are the published ones."""

    main: int
    """The main model: embedding, layers, final norm, head; no MTP, no gate biases (V3: 671,026,404,352)."""
    activated: int
    """Parameters of the main model that one token passes, embedding and head included (V3: 37,552,282,624)."""
    mtp: int
    """What the MTP modules add, without their copies of embedding and head (V3: 11,610,067,968)."""
    stored: int
    """Elements of the FP8 release, MTP copies, FP8 scales and gate biases included (V3: 684,531,386,000, "685B")."""
    expert: int
    """One routed expert."""
    embedding: int
    """The embedding, as many as the head."""


def count_parameters(config: ModelConfig) -> ParameterCounts:
    """Count the parameters of `config` without allocating any."""
    with torch.device("meta"):
        model = Transformer(config)
    mtp = sum(parameter.numel() for parameter in model.mtp.parameters())
    main = sum(parameter.numel() for parameter in model.parameters()) - mtp
    expert = 3 * config.hidden_size * config.moe_intermediate_size
    idle = (config.num_hidden_layers - config.first_k_dense_replace) * (
        config.n_routed_experts - config.num_experts_per_tok
    )
    stored = 0
    for name, tensor in hf_tensors(model):
        stored += tensor.numel()
        if is_fp8(name):
            stored += ceil(tensor.shape[0] / 128) * ceil(tensor.shape[1] / 128)
    embedding = config.vocab_size * config.hidden_size
    return ParameterCounts(main, main - idle * expert, mtp, stored, expert, embedding)


def training_flops_per_token(config: ModelConfig, sequence_length: int, *, mtp: bool = False) -> float:
    """FLOPs of forward and backward per token, attention counted causal.

    3 * (2 * matmul parameters + layers * 2 * heads * (qk width + v width) * S / 2), the formula that gives 250 GFLOPs
    for V3 at 4K as in "Insights into DeepSeek-V3", table 4.
    """
    counts = count_parameters(config)
    matmul = counts.activated - counts.embedding
    layers = config.num_hidden_layers
    if mtp:
        idle = config.num_nextn_predict_layers * (config.n_routed_experts - config.num_experts_per_tok)
        matmul += counts.mtp - idle * counts.expert + config.num_nextn_predict_layers * counts.embedding
        layers += config.num_nextn_predict_layers
    attention = layers * 2 * config.num_attention_heads * (config.qk_head_dim + config.v_head_dim)
    return 3 * (2 * matmul + attention * sequence_length / 2)
