"""Compilation, recomputation and sharding of a model that knows of none of them. Apply them in this order."""

import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.utils.checkpoint import checkpoint

from candor.errors import ConfigError
from candor.model import Transformer
from candor.model.transformer import DecoderLayer


def decoder_layers(model: Transformer) -> list[DecoderLayer]:
    """The layers of the main model, then those of the MTP modules."""
    return [module for module in model.modules() if isinstance(module, DecoderLayer)]


def recompute(model: Transformer, names: Sequence[str]) -> None:
    """Drop the activations inside the named parts after the forward pass and make them again in the backward pass.

    A name is `layer` for whole decoder layers, or that of a part of one: `mlp`, `self_attn`, `input_layernorm`,
    `self_attn.kv_b_proj`, ... (V3 section 3.2.3 recomputes norms and up-projections). The result stays the same to
    the last bit. In a compiled layer the named part runs uncompiled: PyTorch 2.13 gets the gradient of a recomputed
    `mlp` wrong when it traces it.
    """
    again = partial(partial, checkpoint, use_reentrant=False, preserve_rng_state=False)
    for name in names:
        found: list[Any] = []
        for layer in decoder_layers(model):
            parts = dict(layer.named_modules())
            found += [layer] if name == "layer" else [parts[name]] if name in parts and name else []
        if not found:
            parts = {part: None for layer in decoder_layers(model) for part, _ in layer.named_modules() if part}
            raise ConfigError(f"train.recompute: there is no part {name!r}; there are: layer, {', '.join(parts)}")
        for module in found:
            if name == "layer" and module._compiled_call_impl is not None:  # recompute by the compiled code
                module._compiled_call_impl = again(module._compiled_call_impl)
            else:
                module.forward = torch.compiler.disable(again(module.forward))


def compile_layers(model: Transformer, sequences: int | None = None) -> None:
    """Compile each decoder layer by itself: layers of one kind share the code, so a deep model compiles no longer.

    With `sequences`, batches of that many run compiled and all others, the few steps of a growing batch and the rests
    of cut ones, as they are: every other size would be compiled anew, and behind eight PyTorch gives up.

    The code is kept in TORCHINDUCTOR_CACHE_DIR (by default `candor/inductor` in the user's cache folder): the second
    start of the same shapes takes seconds. Needs a C++ compiler on a CPU, else ConfigError.
    """
    wanted = [os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")]  # what inductor calls
    if next(model.parameters()).device.type == "cpu" and not any(name and shutil.which(name) for name in wanted):
        raise ConfigError("train.compile needs a C++ compiler; install g++ or clang++, or set train.compile=false")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "candor" / "inductor"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache))
    for layer in decoder_layers(model):
        layer.compile(dynamic=False)
        if sequences:
            layer._compiled_call_impl = partial(_of_size, layer, layer._compiled_call_impl, sequences)


def _of_size(layer: DecoderLayer, compiled: Any, sequences: int, x: Tensor, *rest: Any, **more: Any) -> Any:
    return (compiled if len(x) == sequences else layer._call_impl)(x, *rest, **more)


def shard(model: Transformer, mesh: DeviceMesh) -> None:
    """FSDP2 over a 1-D mesh: every layer gathers its weights before use and scatters its gradients after.

    Gradients are summed over the ranks, not averaged: the step divides by the global number of tokens. Weights and
    gradients travel as they are stored: rounded to bfloat16 on the way, the router would choose other experts than in
    one process.
    """
    for layer in decoder_layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "train_forward")
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo has no sum that multiplies first
