"""The optimisation step: one function, shared by every stage that trains."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grad_norm_

from candor.errors import TrainingError
from candor.model import Routing, Transformer

B = TypeVar("B")


@dataclass(frozen=True)
class Loss:
    """What one micro-batch gives the step: sums, which the step divides by the tokens of all micro-batches.

    >>> Loss(total=tensor(812.4, grad_fn=...), sums={"loss": tensor(790.1)}, routing=None)
    """

    total: Tensor
    """Scalar to minimise, summed over predicted tokens; carries gradient."""
    sums: dict[str, Tensor]
    """Figures for the log, summed over predicted tokens."""
    routing: Routing | None
    """What the routers did, for the bias update."""


def train_step(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[B],
    objective: Callable[[Transformer, B], Loss],
    denominator: int,
    *,
    clip_norm: float,
    bias_speed: float = 0.0,
    ranks: dist.ProcessGroup | None = None,
) -> dict[str, float]:
    """Accumulate the gradient of the summed losses over `denominator`, clip it, step, and rebalance the experts.

    `denominator` is the number of predicted tokens in all micro-batches of all ranks together, so that how they are cut
    and spread changes nothing; 1 for losses that are divided already. With `ranks`, each brings as many micro-batches
    of its own; gradients are summed over them, by `parallel.shard`, or here where the model is replicated. Returns the
    means of the objective's sums and the figures of gradient and routers, the same on every rank. A loss or gradient
    that is not finite raises TrainingError before the optimizer has seen it.
    """
    sums: dict[str, Tensor] = {}
    load: Tensor | None = None
    for batch in micro_batches:
        loss = objective(model, batch)
        (loss.total / denominator).backward()
        for name, value in loss.sums.items():
            sums[name] = sums.get(name, 0) + value.detach()
        if loss.routing is not None:
            load = loss.routing.load if load is None else load + loss.routing.load
    if ranks is not None:
        for shared in (*sums.values(), *([] if load is None else [load])):
            dist.all_reduce(shared, group=ranks)
        for parameter in model.parameters():
            if parameter.grad is not None and not isinstance(parameter.grad, DTensor):
                dist.all_reduce(parameter.grad, group=ranks)
    norm = clip_grad_norm_(model.parameters(), clip_norm)
    norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
    figures = {name: float(value) / denominator for name, value in sums.items()} | {"grad_norm": float(norm)}
    if bad := [f"{name}={value}" for name, value in figures.items() if not math.isfinite(value)]:
        optimizer.zero_grad(set_to_none=True)
        raise TrainingError(
            f"{', '.join(bad)}: not finite, so the step was not taken; lower the learning rates and start over in "
            "another --out, or look at the data of this step"
        )
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if load is not None:
        model.update_biases(load, bias_speed)
        load = load.cpu().double()  # not every device has float64
        mean = load.mean(-1)
        figures["max_violation"] = float(((load.amax(-1) - mean) / mean).max())
        share = load / load.sum(-1, keepdim=True)
        figures["router_entropy"] = float(-torch.xlogy(share, share).sum(-1).mean())
    return figures
