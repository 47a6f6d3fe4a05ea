"""The estimate of memory against what a real step keeps and a real optimizer holds."""

import pytest
import torch

from candor.data.loader import Batch
from candor.model import ModelConfig, Transformer
from candor.model.config import micro, nano
from candor.plan.estimate import HardwareConfig, activation_values_per_token, estimate_training
from candor.stages.pretrain import pretrain_loss
from candor.train.optim import OptimConfig, build_optimizer


@pytest.mark.parametrize("config", [nano(512), micro(512)])
def test_activations_are_what_autograd_keeps(config: ModelConfig) -> None:
    """Within a quarter of the storages that a forward pass saves; weights are not counted."""
    model = Transformer(config)
    model.init_weights(0.02)
    weights = {tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tensor.is_floating_point():
            kept[storage.data_ptr()] = storage.nbytes() // tensor.itemsize
        return tensor

    tokens = torch.randint(0, 512, (2, 256 + 2))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = pretrain_loss(model, Batch(tokens, None), mtp_weight=0.3, balance_weight=1e-4)
    head = model.lm_head.weight.numel() * (1 + config.num_nextn_predict_layers)  # gradients that the loss makes early
    measured = (sum(kept.values()) - head) / (2 * 256)
    assert loss.total.isfinite()
    assert 0.75 < activation_values_per_token(config) / measured < 1.25


def test_state_is_what_adamw_holds() -> None:
    """16 bytes per parameter: weight, gradient and two moments in float32."""
    config = nano(512)
    model = Transformer(config)
    model.init_weights(0.02)
    optimizer = build_optimizer(model, OptimConfig(name="adamw"))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    tensors = [*model.parameters(), *(p.grad for p in model.parameters() if p.grad is not None)]
    tensors += [value for state in optimizer.state.values() for name, value in state.items() if name != "step"]
    held = sum(tensor.numel() * tensor.itemsize for tensor in tensors)
    estimate = estimate_training(
        config, HardwareConfig(peak_tflops=1), total_tokens=1, sequence_length=256, micro_batch=1
    )
    assert estimate.state_bytes == held
