"""What a run will take, before it starts: memory per accelerator and time, from the shape of the model alone."""

import os
import time
from dataclasses import dataclass
from functools import cache

import torch

from candor.model import ModelConfig
from candor.plan.counts import count_parameters, training_flops_per_token


@dataclass(frozen=True)
class HardwareConfig:
    """The machines of a run, for the estimate only."""

    accelerators: int = 1
    """Number of accelerators; 1 with `peak_tflops` 0 is this machine."""
    peak_tflops: float = 0.0
    """Dense matmul peak of one accelerator in TFLOP/s; 0 measures this machine's float32 peak."""
    utilisation: float = 0.35
    """Share of the peak that the step reaches."""
    bytes_per_parameter: float = 16.0
    """Weights, gradients, optimizer: 16 for float32 AdamW; V3 13 (FP32 master and gradient, BF16 moments, FP8)."""


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
    bytes_each: int = 4,
) -> Estimate:
    """Estimate for `micro_batch` sequences at once; `bytes_each` is the size of an activation value."""
    counts = count_parameters(model)
    flops = training_flops_per_token(model, sequence_length, mtp=True)
    peak = hardware.peak_tflops * 1e12 or measure_peak()
    tokens = micro_batch * sequence_length
    return Estimate(
        state_bytes=(counts.main + counts.mtp) * hardware.bytes_per_parameter / hardware.accelerators,
        activation_bytes=tokens * activation_values_per_token(model) * bytes_each,
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
        + c.num_attention_heads * (3 * c.qk_head_dim + 2 * c.qk_head_dim + 2 * c.v_head_dim)
    )
    dense = 4 * c.intermediate_size + 2 * c.hidden_size
    passed = c.num_experts_per_tok + c.n_shared_experts
    moe = passed * (5 * c.moe_intermediate_size + 2 * c.hidden_size) + c.hidden_size + 4 * c.n_routed_experts
    layers = c.num_hidden_layers + c.num_nextn_predict_layers
    return layers * attention + c.first_k_dense_replace * dense + c.num_moe_layers * moe + 8 * c.hidden_size


def best_device() -> torch.device:
    """cuda, then mps, then cpu: the first on which a small product works."""
    for name in ("cuda", "mps"):
        try:
            torch.ones(2, 2, device=name).mm(torch.ones(2, 2, device=name)).sum().item()
            return torch.device(name)
        except (RuntimeError, AssertionError, NotImplementedError):
            continue
    return torch.device("cpu")


def device_memory(device: torch.device) -> int:
    """Bytes of memory in all: the GPU's own, else the machine's."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@cache
def measure_peak(size: int = 1024, seconds: float = 0.3) -> float:
    """Float32 matmul FLOP/s of this machine, the best of what fits into `seconds`."""
    device = best_device()
    a = torch.randn(size, size, device=device)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        (a @ a).sum().item()
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best
