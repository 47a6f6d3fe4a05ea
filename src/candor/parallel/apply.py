"""Compilation, recomputation and sharding of a model that knows of none of them. Apply them in this order."""

import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
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


def compile_layers(model: Transformer) -> None:
    """Compile each decoder layer by itself: layers of one kind share the code, so a deep model compiles no longer.

    The code is kept in TORCHINDUCTOR_CACHE_DIR (by default `candor/inductor` in the user's cache folder): the second
    start of the same shapes takes seconds. Needs a C++ compiler on a CPU, else ConfigError.
    """
    wanted = (os.environ.get("CXX"), "g++", "clang++")
    if next(model.parameters()).device.type == "cpu" and not any(name and shutil.which(name) for name in wanted):
        raise ConfigError("train.compile needs a C++ compiler; install g++ or clang++, or set train.compile=false")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "candor" / "inductor"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache))
    for layer in decoder_layers(model):
        layer.compile(dynamic=False)


def shard(model: Transformer, mesh: DeviceMesh) -> None:
    """FSDP2 over a 1-D mesh: every layer gathers its weights before use and scatters its gradients after.

    Gradients are summed over the ranks, not averaged: the step divides by the global number of tokens. Weights travel
    in the model's compute type, gradients in float32 or wider.
    """
    wide = next(model.parameters()).dtype
    policy = MixedPrecisionPolicy(param_dtype=model.compute_dtype, reduce_dtype=wide if model.compute_dtype else None)
    for layer in decoder_layers(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    register_fsdp_forward_method(model, "train_forward")
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo has no sum that multiplies first
