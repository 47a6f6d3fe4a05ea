"""What a run will take, before it starts: memory per accelerator and time, from the shape of the model alone."""

from dataclasses import dataclass

from candor.errors import ConfigError
from candor.model import ModelConfig
from candor.plan.counts import count_parameters, training_flops_per_token
from candor.plan.device import Precision, best_device, compute_dtype, measure_peak


@dataclass(frozen=True)
class HardwareConfig:
    """The machines of a run: what it is estimated to take, and whether it may start here."""

    accelerators: int = 1
    """Number of accelerators; 1 with `peak_tflops` 0 is this machine."""
    peak_tflops: float = 0.0
    """Dense matmul peak of one accelerator in TFLOP/s; 0 measures this machine's, in the type it will compute in."""
    utilisation: float = 0.35
    """Share of the peak that the step reaches."""
    bytes_per_parameter: float = 16.0
    """Weights, gradients, optimizer: 16 for float32 AdamW; V3 13 (FP32 master and gradient, BF16 moments, FP8)."""
    bytes_per_activation: float = 4.0
    """Size of a value kept for the backward pass."""

    def __post_init__(self) -> None:
        if self.accelerators < 1 or not 0 < self.utilisation <= 1 or not self.peak_tflops >= 0:
            raise ConfigError(
                f"hardware: accelerators={self.accelerators} must be at least 1, utilisation={self.utilisation} lie in "
                f"(0, 1], peak_tflops={self.peak_tflops} not be negative"
            )


@dataclass(frozen=True)
class Estimate:
    """Memory and time of a training run."""

    state_bytes: float
    """Weights, gradients and optimizer state on one accelerator, evenly sharded."""
    activation_bytes: float
    """Activations of one micro-batch on one accelerator if the layers are not split and nothing is recomputed."""
    flops_per_token: float
    """Forward and backward, MTP included."""
    seconds: float
    """Training time at the assumed share of the peak."""
    peak_flops: float
    """The peak that was measured or given, of one accelerator."""


def estimate_training(
    model: ModelConfig,
    hardware: HardwareConfig,
    *,
    total_tokens: int,
    sequence_length: int,
    micro_batch: int,
    precision: Precision = "auto",
) -> Estimate:
    """Estimate for `micro_batch` sequences at once."""
    counts = count_parameters(model)
    flops = training_flops_per_token(model, sequence_length, mtp=True)
    peak = hardware.peak_tflops * 1e12 or measure_peak(dtype=compute_dtype(precision, best_device()))
    tokens = micro_batch * sequence_length
    return Estimate(
        state_bytes=(counts.main + counts.mtp) * hardware.bytes_per_parameter / hardware.accelerators,
        activation_bytes=tokens * activation_values_per_token(model) * hardware.bytes_per_activation,
        flops_per_token=flops,
        seconds=flops * total_tokens / (peak * hardware.utilisation * hardware.accelerators),
        peak_flops=peak,
    )


def activation_values_per_token(c: ModelConfig) -> int:
    """Values kept per token for the backward pass: every input of a matmul, norm, product or activation function."""
    attention = (
        4 * c.hidden_size
        + 2 * (c.q_lora_rank or 0)
        + 2 * c.latent_dim
        + c.num_attention_heads * (3 * c.qk_head_dim + c.qk_nope_head_dim + 3 * c.v_head_dim)
    )
    dense = 4 * c.intermediate_size + 2 * c.hidden_size
    routed = c.num_experts_per_tok * (5 * c.moe_intermediate_size + c.hidden_size)
    moe = routed + 4 * c.n_shared_experts * c.moe_intermediate_size + c.hidden_size + 4 * c.n_routed_experts
    layers = c.num_hidden_layers + c.num_nextn_predict_layers
    return layers * attention + c.first_k_dense_replace * dense + c.num_moe_layers * moe + 8 * c.hidden_size
