"""AdamW, and Muon for the hidden matrices, as one optimizer so that one state dict holds all.

Muon (K. Jordan et al., 2024; arXiv 2502.16982 for the scale) replaces a matrix's momentum by the nearest orthogonal
matrix. `torch.optim.Muon` takes 2-D parameters only and one matrix at a time; expert stacks are 3-D, and a small model
has a hundred small matrices, so here equal shapes are orthogonalised in one batch.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim.adamw import adamw

from candor.errors import ConfigError
from candor.model import Transformer

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True)
class OptimConfig:
    """The optimizer and its peak learning rates."""

    name: Literal["muon", "adamw"] = "muon"
    """muon: Muon for hidden matrices, AdamW for the rest; adamw: AdamW for all, as V3."""
    learning_rate: float = 3e-3
    """Peak rate of AdamW."""
    muon_learning_rate: float = 3e-3
    """Peak rate of Muon; its updates have the size of AdamW's (RMS 0.2), so the rates compare."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay of the first and second moment."""
    momentum: float = 0.95
    """Muon's momentum (Nesterov)."""
    weight_decay: float = 0.1
    """Decoupled weight decay of everything but norms."""
    clip_norm: float = 1.0
    """Largest norm of the whole gradient."""

    def __post_init__(self) -> None:
        checks = {
            "learning_rate": (self.learning_rate >= 0, "0 or more"),
            "muon_learning_rate": (self.muon_learning_rate >= 0, "0 or more"),
            "betas": (all(0 <= beta < 1 for beta in self.betas), "two numbers from 0 to below 1"),
            "momentum": (0 <= self.momentum < 1, "from 0 to below 1"),
            "weight_decay": (self.weight_decay >= 0, "0 or more"),
            "clip_norm": (self.clip_norm > 0, "above 0"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise ConfigError(f"pretrain.optim.{name}={getattr(self, name)} must be {wanted}")


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon may take it: a matrix, or a stack of them, between hidden states; not embedding, heads or router."""
    apart = ("embed_tokens.weight", "lm_head.weight", "mlp.gate.weight", "reward_head.weight")
    return parameter.ndim >= 2 and not name.endswith(apart)


def build_optimizer(model: Transformer, config: OptimConfig) -> "MuonAdamW":
    """The optimizer over all parameters of `model`, at its peak rates."""
    groups: dict[str, list[Tensor]] = {"muon": [], "muon_pairs": [], "adamw": [], "no_decay": []}
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            groups["no_decay"].append(parameter)
        elif config.name == "muon" and is_hidden_matrix(name, parameter):
            groups["muon_pairs" if name.endswith("experts.gate_up") else "muon"].append(parameter)
        else:
            groups["adamw"].append(parameter)
    return MuonAdamW(
        [
            {
                "params": parameters,
                "kind": kind.removesuffix("_pairs"),
                "parts": 2 if kind == "muon_pairs" else 1,  # gate above up: two maps in one tensor
                "peak": config.muon_learning_rate if kind.startswith("muon") else config.learning_rate,
                "weight_decay": 0.0 if kind == "no_decay" else config.weight_decay,
                "betas": config.betas,
                "momentum": config.momentum,
            }
            for kind, parameters in groups.items()
            if parameters
        ]
    )


class MuonAdamW(torch.optim.Optimizer):
    """Groups of kind `muon` and `adamw`; `set_rate` scales the peak rate of every group."""

    def __init__(self, groups: list[dict[str, Any]]):
        for group in groups:
            group.setdefault("lr", group["peak"])
        super().__init__(groups, defaults={})

    def set_rate(self, factor: float) -> None:
        """Set every group's rate to `factor` times its peak."""
        for group in self.param_groups:
            group["lr"] = factor * group["peak"]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        assert closure is None, "closures are not used here"
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                (self._muon if group["kind"] == "muon" else self._adamw)(parameters, group)

    def _adamw(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            if not (state := self.state[parameter]):
                state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        states = [self.state[parameter] for parameter in parameters]
        adamw(
            parameters,
            [parameter.grad for parameter in parameters],  # type: ignore[misc]
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=float(group["lr"]),
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )

    def _muon(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)  # parameter, its matrices
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            momentum, gradient = state["momentum"], parameter.grad
            assert gradient is not None
            momentum.lerp_(gradient, 1 - group["momentum"])
            update = gradient.lerp(momentum, group["momentum"])
            matrices = _matrices(update, group["parts"])
            by_shape[matrices.shape[-2:]].append((parameter, matrices))
        rate = float(group["lr"])
        for (rows, columns), pairs in by_shape.items():
            stack = orthogonalise(torch.cat([direction for _, direction in pairs]))
            scale = rate * 0.2 * max(rows, columns) ** 0.5  # an orthogonal matrix has RMS 1 / sqrt(max(rows, columns))
            parts = stack.split([len(matrices) for _, matrices in pairs])
            for (parameter, _), part in zip(pairs, parts, strict=True):
                whole = part.reshape(parameter.shape)
                if isinstance(parameter, DTensor):  # every rank has the whole direction and takes its own share of it
                    whole = distribute_tensor(whole, parameter.device_mesh, parameter.placements, src_data_rank=None)
                parameter.mul_(1 - rate * group["weight_decay"]).add_(whole, alpha=-scale)


def _matrices(tensor: Tensor, parts: int) -> Tensor:
    """[n, rows, columns]: the whole matrices in [rows, columns] or [experts, parts * rows, columns]."""
    tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return tensor.view(-1, tensor.shape[-2] // parts, tensor.shape[-1])


def orthogonalise(stack: Tensor, steps: int = 5) -> Tensor:
    """Newton-Schulz: the nearest (semi-)orthogonal matrix of each matrix in [n, rows, columns], roughly.

    Singular values end between about 0.7 and 1.2. Runs in bfloat16 on accelerators, in the tensor's own type on a CPU.
    """
    a, b, c = _NEWTON_SCHULZ
    x = stack.bfloat16() if stack.is_cuda else stack
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(stack.dtype)
