"""The decoding step on a CPU in one call: `step.cpp`, compiled for this processor at first use."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from candor import files
from candor.errors import ConfigError, StorageError
from candor.governance.watermark import Mark
from candor.infer.params import SamplingParams
from candor.model import Transformer
from candor.model.moe import MoE
from candor.model.rope import rotations, softmax_scale
from candor.model.transformer import DecoderLayer, NextTokenModule

_FLAGS = ("-O3", "-std=c++17", "-ffp-contract=off", "-shared", "-fPIC", "-pthread")


class _Shape(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int32) for name in (
            "D", "H", "q_lora", "kv", "nope", "rope", "v", "dense", "experts", "chosen", "groups", "top_groups", "moe",
            "shared", "norm_topk", "vocab", "layers", "dense_layers", "bf16",
        )),
        *((name, ctypes.c_float) for name in ("scaling", "scale", "eps")),
    ]  # fmt: skip


class _Choice(ctypes.Structure):
    _fields_ = [
        ("temperature", ctypes.c_float), ("top_p", ctypes.c_float), ("min_p", ctypes.c_float),
        ("top_k", ctypes.c_int32), ("chance", ctypes.c_double),
    ]  # fmt: skip


class _Mark(ctypes.Structure):
    _fields_ = [
        ("scheme", ctypes.c_int32),
        ("key", ctypes.c_uint64 * 2),
        ("context", ctypes.c_uint64 * 2),
    ]


_SCHEMES = {"tournament": 1, "kgw": 2}


def compiler() -> str | None:
    """A C++ compiler of this machine, or None."""
    return next(
        (found for name in (os.environ.get("CXX"), "g++", "clang++") if name and (found := shutil.which(name))), None
    )


@cache
def _library() -> ctypes.CDLL:
    """The compiled step, from the cache folder where it is there and whole; ConfigError where it cannot be made."""
    source = resources.files(__name__).joinpath("step.cpp").read_bytes()
    command = compiler()
    if command is None:
        raise ConfigError("the compiled step needs a C++ compiler; install g++ or clang++, or pass compile=False")
    key = hashlib.sha256("\0".join([source.decode(), *_about(command), *_FLAGS]).encode()).hexdigest()[:24]
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        library = _load(command, source, cache_home / "candor" / "native" / f"step-{key}.so")
    except (OSError, StorageError):  # a folder that cannot be written: for this process only
        with tempfile.TemporaryDirectory() as folder:
            library = _load(command, source, Path(folder) / "step.so")
    library.candor_new.restype = ctypes.c_void_p
    return library


def _about(command: str) -> list[str]:
    """What the code depends on besides its source: compiler and processor."""
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return [command, version, platform.machine(), platform.processor(), flags]


def _load(command: str, source: bytes, path: Path) -> ctypes.CDLL:
    """Load the library at `path`, compiled first where it is missing or damaged: a torn one would end the process."""
    seal = path.with_suffix(".sha256")
    if not (path.exists() and seal.exists() and seal.read_text() == files.sha256(path)):
        with files.atomic_file(path) as temporary:
            _compile(command, source, temporary)
        files.atomic_write(seal, files.sha256(path))
    return ctypes.CDLL(str(path))


def _compile(command: str, source: bytes, path: Path) -> None:
    problem = ""
    for machine in ("-march=native", "-mcpu=native"):
        call = [command, *_FLAGS, machine, "-x", "c++", "-", "-o", str(path)]
        done = subprocess.run(call, input=source, capture_output=True, check=False)
        if done.returncode == 0:
            return
        said = done.stderr.decode(errors="replace").strip().splitlines() or [f"it ended with {done.returncode}"]
        problem = problem or said[-1]
    raise ConfigError(f"{command} cannot compile the step ({problem}); install another compiler, or pass compile=False")


class NativeStep:
    """The step of a model on the CPU with float32 or bfloat16 weights, which are read where they lie.

    A token's result does not depend, to the last bit, on what else is in the step, nor on how prompts are cut.
    Tensors are float32; see `steps.TorchStep` for the methods.
    """

    dtype = torch.float32

    def __init__(self, model: Transformer, threads: int | None = None):
        c, kind = model.config, model.lm_head.weight.dtype
        assert kind in (torch.float32, torch.bfloat16) and not model.lm_head.weight.is_cuda
        self.model, self._library = model, _library()
        shape = _Shape(
            D=c.hidden_size, H=c.num_attention_heads, q_lora=c.q_lora_rank or 0, kv=c.kv_lora_rank,
            nope=c.qk_nope_head_dim, rope=c.qk_rope_head_dim, v=c.v_head_dim, dense=c.intermediate_size,
            experts=c.n_routed_experts, chosen=c.num_experts_per_tok, groups=c.n_group, top_groups=c.topk_group,
            moe=c.moe_intermediate_size, shared=c.moe_intermediate_size * c.n_shared_experts,
            norm_topk=c.norm_topk_prob, vocab=c.vocab_size, layers=c.num_hidden_layers,
            dense_layers=c.first_k_dense_replace, bf16=kind == torch.bfloat16,
            scaling=c.routed_scaling_factor, scale=softmax_scale(c), eps=c.rms_norm_eps,
        )  # fmt: skip
        self._handle = ctypes.c_void_p(
            self._library.candor_new(ctypes.byref(shape), threads or torch.get_num_threads())
        )
        cos, sin = rotations(c, torch.arange(c.max_position_embeddings + 64))
        self._turns = cos.contiguous(), sin.contiguous()
        self.refresh()

    def __del__(self) -> None:
        if handle := getattr(self, "_handle", None):
            self._library.candor_free(handle)

    def refresh(self) -> None:
        """Look up where the weights lie: after tensors of the model were replaced, not only changed in place."""
        m = self.model
        layers = [*m.layers, *(module.layer for module in m.mtp)]
        self._kept = [_layer(layer) for layer in layers]  # the tensors live as long as their addresses are known
        extra: list[Tensor | None] = [None] * 4
        if m.mtp:
            module = m.mtp[0]
            assert isinstance(module, NextTokenModule)
            extra = [module.enorm.weight, module.hnorm.weight, module.eh_proj.weight, module.norm.weight]
        self._top = [_plain(x) for x in (m.embed_tokens.weight, m.norm.weight, m.lm_head.weight, *extra)]
        wanted = m.lm_head.weight.dtype
        for tensor in (*self._top, *(x for kept in self._kept for x in (*kept[:13], *kept[14:]))):
            if tensor is not None and (tensor.dtype != wanted or type(tensor) is not Tensor):
                raise ConfigError(f"the compiled step wants all weights in {wanted}, and plain; one is {tensor.dtype}")
        self._library.candor_weights(
            self._handle, _addresses(self._top), _addresses([x for kept in self._kept for x in kept]), len(layers),
            *(ctypes.c_void_p(turns.data_ptr()) for turns in self._turns),
        )  # fmt: skip

    def states(self, ids: Tensor, lengths: Tensor | None, latents: Tensor, counts: Sequence[int]) -> Tensor:
        """The main model's states [B, S, D] after the tokens `ids` [B, S]."""
        return self._run(ids, lengths, latents, counts, None)

    def draft(
        self, next_ids: Tensor, hidden: Tensor, lengths: Tensor | None, latents: Tensor, counts: Sequence[int]
    ) -> Tensor:
        """The MTP module's states [B, S, D]."""
        return self._run(next_ids, lengths, latents, counts, hidden.contiguous())

    def _run(
        self, ids: Tensor, lengths: Tensor | None, latents: Tensor, counts: Sequence[int], hidden: Tensor | None
    ) -> Tensor:
        B, S = ids.shape
        ids, real = ids.contiguous(), torch.tensor(counts)
        lengths = torch.zeros(B, dtype=torch.int64) if lengths is None else lengths
        out = torch.zeros(B, S, self.model.config.hidden_size)
        stride = latents.stride()
        assert stride[3] == 1 and stride[2] == latents.shape[3] and latents.dtype == torch.float32
        self._library.candor_states(
            self._handle, ctypes.c_int64(B), ctypes.c_int64(S), _at(ids), _at(lengths), _at(real), _at(latents),
            ctypes.c_int64(stride[0]), ctypes.c_int64(stride[1]), _at(hidden), _at(out),
        )  # fmt: skip
        return out

    def logits(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [M, vocab] after the states [M, D], and their log-sum-exp [M]."""
        states = states.contiguous()
        out, norms = torch.empty(len(states), self.model.config.vocab_size), torch.empty(len(states))
        self._library.candor_logits(self._handle, ctypes.c_int64(len(states)), _at(states), _at(out), _at(norms))
        return out, norms

    def draw(
        self,
        logits: Tensor,
        rows: Sequence[SamplingParams],
        chances: Sequence[float],
        marks: Sequence[Mark | None] = (),
    ) -> Tensor:
        """One token [M] int64 for each row of logits [M, vocab], by its number from [0, 1); by its mark, where any."""
        logits = logits.contiguous()
        choices = (_Choice * len(rows))(
            *(_Choice(min(row.temperature, 1e30), row.top_p, row.min_p, min(row.top_k, 2**31 - 1), chance)
              for row, chance in zip(rows, chances, strict=True))
        )  # fmt: skip
        out = torch.empty(len(rows), dtype=torch.int64)
        self._library.candor_draw(
            self._handle, ctypes.c_int64(len(rows)), _at(logits), choices, _marks(marks) if marks else None, _at(out)
        )
        return out

    def mark(self, shares: Tensor, marks: Sequence[Mark | None]) -> Tensor:
        """Probabilities [M, vocab] as the rows' marks change them."""
        shares = shares.contiguous()
        self._library.candor_mark(self._handle, ctypes.c_int64(len(marks)), _marks(marks), _at(shares))
        return shares


def _marks(marks: Sequence[Mark | None]) -> ctypes.Array[_Mark]:
    """As step.cpp reads them: 0 for none; a context is 16 bytes, two ids in each half."""
    result = (_Mark * len(marks))()
    for place, mark in zip(result, marks, strict=True):
        if mark:
            a, b, c, d = mark.context
            place.scheme, place.key[:] = _SCHEMES[mark.key.scheme], mark.key.prf
            place.context[:] = a | b << 32, c | d << 32
    return result


def _layer(layer: DecoderLayer) -> list[Tensor | None]:
    """In the order of `Layer` in step.cpp."""
    a, mlp = layer.self_attn, layer.mlp
    queries = (a.q_a_proj, a.q_a_layernorm, a.q_b_proj) if a.config.q_lora_rank else (None, None, a.q_proj)
    attention = (layer.input_layernorm, *queries, a.kv_a_proj_with_mqa, a.kv_a_layernorm, a.kv_b_proj, a.o_proj)
    dense = mlp.shared_experts if isinstance(mlp, MoE) else mlp
    maps = (None, None, None) if dense is None else (dense.gate_proj, dense.up_proj, dense.down_proj)
    weights = [None if part is None else part.weight for part in (*attention, layer.post_attention_layernorm, *maps)]
    stacks: list[Tensor | None] = [None] * 4
    if isinstance(mlp, MoE):
        stacks = [mlp.gate.weight, mlp.gate.e_score_correction_bias.float(), mlp.experts.gate_up, mlp.experts.down]
    return [_plain(tensor) for tensor in (*weights, *stacks)]


def _plain(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().contiguous()


def _addresses(tensors: Sequence[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(None if x is None else x.data_ptr() for x in tensors))


def _at(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())
