"""The shape of a DeepSeek-V3 model: field names and defaults of the released `config.json`, checked when built."""

import dataclasses
from dataclasses import dataclass

from candor.errors import ConfigError


@dataclass(frozen=True)
class YarnConfig:
    """YaRN extension of the rotary positions (V3 section 4.3; arXiv 2309.00071)."""

    factor: float = 40.0
    """Ratio of the extended context to the original one."""
    original_max_position_embeddings: int = 4096
    """Context length of pre-training."""
    beta_fast: float = 32.0
    """Dimensions with more rotations than this over the original context keep their frequency."""
    beta_slow: float = 1.0
    """Dimensions with fewer rotations than this are slowed down by `factor`."""
    mscale: float = 1.0
    """Weight of the attention temperature in cos and sin."""
    mscale_all_dim: float = 1.0
    """Weight of the attention temperature in the softmax scale."""


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides the shape and the forward pass of a model; defaults are DeepSeek-V3's 671B."""

    vocab_size: int = 129280
    """Rows of the embedding and of the output head."""
    hidden_size: int = 7168
    """Width of the residual stream."""
    num_hidden_layers: int = 61
    """Decoder layers of the main model, dense ones included."""
    first_k_dense_replace: int = 3
    """The first layers, whose feed-forward is dense."""
    num_nextn_predict_layers: int = 1
    """Multi-token-prediction modules, each one more layer behind the last."""
    num_attention_heads: int = 128
    """Query heads."""
    q_lora_rank: int | None = 1536
    """Rank of the query compression; none projects queries directly."""
    kv_lora_rank: int = 512
    """Rank of the latent that is cached for keys and values."""
    qk_nope_head_dim: int = 128
    """Width of a head's part without position."""
    qk_rope_head_dim: int = 64
    """Width of a head's rotary part, one key shared by all heads."""
    v_head_dim: int = 128
    """Width of a value head."""
    intermediate_size: int = 18432
    """Width of the dense feed-forward."""
    moe_intermediate_size: int = 2048
    """Width of one expert."""
    n_routed_experts: int = 256
    """Routed experts in a layer."""
    n_shared_experts: int = 1
    """Experts that every token passes."""
    num_experts_per_tok: int = 8
    """Routed experts that a token is sent to."""
    n_group: int = 8
    """Groups that the routed experts are split into."""
    topk_group: int = 4
    """Groups that a token may choose from."""
    norm_topk_prob: bool = True
    """Whether the chosen experts' weights are normalised to sum to one."""
    routed_scaling_factor: float = 2.5
    """Factor on the routed experts' output."""
    rms_norm_eps: float = 1e-6
    """Epsilon of the layer norms."""
    rope_theta: float = 10000.0
    """Base of the rotary frequencies."""
    max_position_embeddings: int = 4096
    """Longest context the model is meant for, in tokens."""
    rope_scaling: YarnConfig | None = None
    """YaRN, or none for plain RoPE."""
    initializer_range: float = 0.02
    """Standard deviation of the initial weights (V3: 0.006 in the report, 0.02 in its config.json)."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in ("first_k_dense_replace", "num_nextn_predict_layers", "n_shared_experts") else 1
            if field.type is int:
                _require(value >= least, f"model.{field.name}={value} must be at least {least}")
        _require(0 < self.initializer_range < 10, f"model.initializer_range={self.initializer_range} must be positive")
        _require(0 < self.rms_norm_eps < 1, f"model.rms_norm_eps={self.rms_norm_eps} must lie between 0 and 1")
        _require(1 < self.rope_theta < float("inf"), f"model.rope_theta={self.rope_theta} must be above 1")
        _require(
            0 < self.routed_scaling_factor < float("inf"),
            f"model.routed_scaling_factor={self.routed_scaling_factor} must be positive",
        )
        if self.rope_scaling:
            _require(self.rope_scaling.factor >= 1, f"model.rope_scaling.factor={self.rope_scaling.factor} is below 1")
            _require(
                self.rope_scaling.original_max_position_embeddings >= 1,
                "model.rope_scaling.original_max_position_embeddings must be at least 1",
            )
        _require(self.q_lora_rank is None or self.q_lora_rank > 0, "model.q_lora_rank must be positive, or none")
        _require(self.qk_rope_head_dim % 2 == 0, f"model.qk_rope_head_dim={self.qk_rope_head_dim} must be even (pairs)")
        _require(
            self.first_k_dense_replace <= self.num_hidden_layers,
            f"model.first_k_dense_replace={self.first_k_dense_replace} exceeds model.num_hidden_layers="
            f"{self.num_hidden_layers}",
        )
        _require(
            self.n_routed_experts % self.n_group == 0,
            f"model.n_routed_experts={self.n_routed_experts} cannot be split into n_group={self.n_group} equal groups",
        )
        _require(
            self.topk_group <= self.n_group, f"model.topk_group={self.topk_group} exceeds model.n_group={self.n_group}"
        )
        per_group = self.n_routed_experts // self.n_group
        _require(
            per_group >= 2 or self.n_group == 1,
            f"model.n_group={self.n_group} leaves {per_group} expert per group; a group's score needs its best two",
        )
        _require(
            self.num_experts_per_tok <= self.topk_group * per_group,
            f"model.num_experts_per_tok={self.num_experts_per_tok} exceeds the {self.topk_group * per_group} experts "
            f"of the topk_group={self.topk_group} groups allowed",
        )

    @property
    def qk_head_dim(self) -> int:
        """Width of a query or key head, both parts."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    @property
    def latent_dim(self) -> int:
        """Values cached per token and layer: the latent and the shared rotary key."""
        return self.kv_lora_rank + self.qk_rope_head_dim

    @property
    def num_moe_layers(self) -> int:
        """Layers with a router, those of the MTP modules included."""
        return self.num_hidden_layers - self.first_k_dense_replace + self.num_nextn_predict_layers


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def nano(vocab_size: int = 4096) -> ModelConfig:
    """About 2M parameters besides the embeddings: the laptop model."""
    return ModelConfig(
        vocab_size=vocab_size,
        hidden_size=128,
        num_hidden_layers=4,
        first_k_dense_replace=1,
        num_attention_heads=4,
        q_lora_rank=96,
        kv_lora_rank=64,
        qk_nope_head_dim=32,
        qk_rope_head_dim=16,
        v_head_dim=32,
        intermediate_size=384,
        moe_intermediate_size=128,
        n_routed_experts=8,
        num_experts_per_tok=2,
        n_group=1,
        topk_group=1,
        max_position_embeddings=2048,
    )


def micro(vocab_size: int = 8192) -> ModelConfig:
    """About 25M parameters."""
    return ModelConfig(
        vocab_size=vocab_size,
        hidden_size=256,
        num_hidden_layers=6,
        first_k_dense_replace=1,
        num_attention_heads=8,
        q_lora_rank=192,
        kv_lora_rank=128,
        qk_nope_head_dim=32,
        qk_rope_head_dim=16,
        v_head_dim=32,
        intermediate_size=768,
        moe_intermediate_size=256,
        n_routed_experts=16,
        num_experts_per_tok=4,
        n_group=1,
        topk_group=1,
        max_position_embeddings=2048,
    )


def small(vocab_size: int = 32768) -> ModelConfig:
    """About 250M parameters; from here up the head sizes are V3's, which the MLA kernels of vLLM and SGLang need."""
    return ModelConfig(
        vocab_size=vocab_size,
        hidden_size=640,
        num_hidden_layers=12,
        first_k_dense_replace=1,
        num_attention_heads=8,
        q_lora_rank=384,
        intermediate_size=1792,
        moe_intermediate_size=256,
        n_routed_experts=32,
        num_experts_per_tok=4,
        n_group=4,
        topk_group=2,
    )


def v3_16b(vocab_size: int = 102400) -> ModelConfig:
    """15.7B parameters, 2.7B activated (2.4B as the V3 report counts): its ablation model, as V2-Lite."""
    return ModelConfig(
        vocab_size=vocab_size,
        hidden_size=2048,
        num_hidden_layers=27,
        first_k_dense_replace=1,
        num_attention_heads=16,
        q_lora_rank=None,
        intermediate_size=10944,
        moe_intermediate_size=1408,
        n_routed_experts=64,
        n_shared_experts=2,
        num_experts_per_tok=6,
        n_group=1,
        topk_group=1,
        routed_scaling_factor=1.0,
    )


def v3_671b(vocab_size: int = 129280) -> ModelConfig:
    """DeepSeek-V3 as released, with the 160K context of its `config.json`."""
    return ModelConfig(vocab_size=vocab_size, max_position_embeddings=163840, rope_scaling=YarnConfig())
