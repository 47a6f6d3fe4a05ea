"""A model as a folder in Hugging Face format: the tensor names and config fields of the released DeepSeek-V3.

Read by `load_model`, transformers, vLLM, SGLang and llama.cpp. Experts stand one by one; an MTP module is the layer
behind the last, with its own copies of embedding and head; the gate bias stays float32; FP8 block weights are read.
"""

import dataclasses
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from candor import files
from candor.config import check
from candor.errors import DataError, ModelError
from candor.model.config import ModelConfig, YarnConfig
from candor.model.transformer import Transformer

_INDEX = "model.safetensors.index.json"
_SHARD_BYTES = 5_000_000_000
_FIXED = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "model_type": "deepseek_v3",
    "attention_bias": False,
    "attention_dropout": 0.0,
    "aux_loss_alpha": 0.001,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "ep_size": 1,
    "hidden_act": "silu",
    "moe_layer_freq": 1,
    "pretraining_tp": 1,
    "rope_interleave": True,
    "scoring_func": "sigmoid",
    "seq_aux": True,
    "tie_word_embeddings": False,
    "topk_method": "noaux_tc",
    "use_cache": True,
}
"""Fields that every V3 model shares. Engines take the wrong gate where `scoring_func` and `topk_method` are missing."""


# Config


def config_to_hf(config: ModelConfig, dtype: torch.dtype = torch.bfloat16) -> dict[str, Any]:
    """The `config.json` of a model: every field that transformers, vLLM, SGLang and llama.cpp read."""
    fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.name != "rope_scaling"}
    fields |= _FIXED | {"num_key_value_heads": config.num_attention_heads}
    name = str(dtype).removeprefix("torch.")
    rope: dict[str, Any] = {"rope_theta": config.rope_theta, "rope_type": "default"}
    fields["rope_scaling"] = None
    if config.rope_scaling:
        yarn = dataclasses.asdict(config.rope_scaling)
        fields["rope_scaling"] = yarn | {"type": "yarn"}  # older readers
        rope |= yarn | {"rope_type": "yarn"}  # transformers 5
    return dict(sorted((fields | {"rope_parameters": rope, "torch_dtype": name, "dtype": name}).items()))


def config_from_hf(values: dict[str, Any]) -> ModelConfig:
    """Read `config.json` of any DeepSeek-V3 model.

    ModelError for another architecture or a gate we do not have, ConfigError for values that cannot work.
    """
    if values.get("model_type") != "deepseek_v3":
        raise ModelError(f"model_type is {values.get('model_type')!r}; Candor reads 'deepseek_v3' (V3, V3.1, R1) only")
    for name in (
        "scoring_func",
        "topk_method",
        "hidden_act",
        "attention_bias",
        "tie_word_embeddings",
        "moe_layer_freq",
        "rope_interleave",
    ):
        if values.get(name, _FIXED[name]) != _FIXED[name]:
            raise ModelError(f"{name} is {values[name]!r}; a DeepSeek-V3 model has {_FIXED[name]!r}")
    known = {f.name for f in dataclasses.fields(ModelConfig)} - {"rope_scaling"}
    fields = {name: value for name, value in values.items() if name in known}
    if "num_mtp_layers" in values:
        fields.setdefault("num_nextn_predict_layers", values["num_mtp_layers"])
    rope = values.get("rope_parameters") or {}
    scaling = values.get("rope_scaling") or rope
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind not in ("default", "yarn"):
        raise ModelError(f"rope type is {kind!r}; Candor has 'default' and 'yarn'")
    fields["rope_theta"] = float(rope.get("rope_theta", values.get("rope_theta", 10000.0)))
    if kind == "yarn":
        needed = ("factor", "mscale", "mscale_all_dim", "original_max_position_embeddings")
        if missing := [name for name in needed if not scaling.get(name)]:
            raise ModelError(f"YaRN without {missing[0]} means something else to every reader; add it to config.json")
        if scaling.get("attention_factor") is not None:
            raise ModelError("YaRN with an attention_factor of its own is not DeepSeek-V3's; remove it or convert")
        yarn = {f.name for f in dataclasses.fields(YarnConfig)}
        fields["rope_scaling"] = YarnConfig(**{k: v for k, v in scaling.items() if k in yarn and v is not None})
    config = ModelConfig(**fields)
    check(config)
    return config


# Names


def _views(config: ModelConfig, name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """One tensor of the model as views by their names in the file: itself, or the matrices of an expert stack."""
    if match := re.fullmatch(r"mtp\.(\d+)\.(.*)", name):
        rest = "shared_head.norm.weight" if match[2] == "norm.weight" else match[2].removeprefix("layer.")
        name = f"layers.{config.num_hidden_layers + int(match[1])}.{rest}"
    name = name if name.startswith("lm_head") else f"model.{name}"
    if match := re.fullmatch(r"(.*\.experts)\.(gate_up|down)", name):
        # Stacks are [E, out, in]; gate_up holds gate above up.
        parts = ("gate_proj", "up_proj") if match[2] == "gate_up" else ("down_proj",)
        for expert, matrices in enumerate(tensor.unbind()):
            for part, matrix in zip(parts, matrices.chunk(len(parts)), strict=True):
                yield f"{match[1]}.{expert}.{part}.weight", matrix
    else:
        yield name, tensor


def _mtp_copies(config: ModelConfig) -> Iterator[tuple[str, str]]:
    """(copy, original) of the embedding and head that the released format repeats in each MTP layer."""
    for k in range(config.num_nextn_predict_layers):
        prefix = f"model.layers.{config.num_hidden_layers + k}"
        yield f"{prefix}.embed_tokens.weight", "model.embed_tokens.weight"
        yield f"{prefix}.shared_head.head.weight", "lm_head.weight"


def hf_tensors(model: Transformer) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the released format by its name, as views on the model's own (also on the meta device)."""
    config, state = model.config, model.state_dict()
    for name, tensor in state.items():
        yield from _views(config, name, tensor)
    for copy, original in _mtp_copies(config):
        yield copy, state[original.removeprefix("model.")]


def is_fp8(name: str) -> bool:
    """Whether the release stores this tensor as FP8 blocks: the linears of attention and feed-forward, nothing else."""
    return name.endswith(("_proj.weight", "_with_mqa.weight")) and not name.endswith("eh_proj.weight")


def _always_float32(name: str) -> bool:
    """The gate bias decides between close scores: the release keeps it in float32 whatever the weights have."""
    return name.endswith("e_score_correction_bias")


# Writing


def save_model(
    model: Transformer, path: str | Path, *, tokenizer: Any = None, dtype: torch.dtype | None = None
) -> None:
    """Write `model` as a folder that `load_model`, transformers, vLLM and SGLang read, MTP modules included.

    `dtype` is that of the weights (default: the model's own); the gate bias is always float32. `tokenizer` is anything
    with `save(folder)`. The folder appears whole or not at all.
    """
    path = Path(path)
    dtype = dtype or model.lm_head.weight.dtype
    with files.atomic_dir(path) as folder:
        write_model(model, folder, dtype)
        if tokenizer is not None:
            tokenizer.save(folder)


def write_model(model: Transformer, folder: Path, dtype: torch.dtype, shard_bytes: int = _SHARD_BYTES) -> None:
    """Write config, generation config and sharded weights into an existing folder."""
    files.write_json(folder / "config.json", config_to_hf(model.config, dtype))
    generation = {"_from_model_config": True, "bos_token_id": 0, "eos_token_id": 1, "do_sample": True}
    files.write_json(folder / "generation_config.json", generation | {"temperature": 0.6, "top_p": 0.95})
    shards: list[dict[str, Tensor]] = [{}]
    size = total = 0
    for name, tensor in hf_tensors(model):
        length = tensor.numel() * (torch.float32 if _always_float32(name) else dtype).itemsize
        if size and size + length > shard_bytes:
            shards.append({})
            size = 0
        shards[-1][name] = tensor.detach()
        size, total = size + length, total + length
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors" if len(shards) > 1 else "model.safetensors"
        weight_map |= dict.fromkeys(shard, file)
        # A copy each: safetensors refuses tensors that share memory, as the MTP copies and expert views do.
        copies = {
            name: tensor.to("cpu", torch.float32 if _always_float32(name) else dtype, copy=True).contiguous()
            for name, tensor in shard.items()
        }
        with files.disk_errors(folder / file):
            try:
                save_file(copies, folder / file, metadata={"format": "pt"})
            except SafetensorError as error:  # it keeps the number of the disk's error in its text only
                found = re.search(r"os error (\d+)", str(error))
                raise OSError(int(found[1]) if found else 0, str(error)) from None
    if len(shards) > 1:
        files.write_json(folder / _INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})


# Reading


def load_model(
    path: str | Path, *, dtype: torch.dtype | None = None, device: str | torch.device = "cpu"
) -> Transformer:
    """Read a folder in Hugging Face format -> Transformer in eval mode on `device`.

    Reads BF16, F16, F32 and FP8-block weights; `dtype` is that of the result (default: float32 for float32 files,
    bfloat16 otherwise). A config that announces MTP without MTP tensors gives one warning and a model without MTP.
    ModelError names the first file or tensor that is missing, has another shape, or cannot be read.
    """
    path = Path(path)
    if not (path / "config.json").is_file():
        raise ModelError(f"{path} is not a model folder: it has no config.json; give the folder that holds it")
    values = _json_object(path / "config.json")
    try:
        config = config_from_hf(values)
    except (ModelError, TypeError, AttributeError, ValueError) as error:
        raise ModelError(f"{path / 'config.json'} describes no model that Candor has: {error}") from None
    weights = _Weights(path)
    mtp_names = {name for name in weights.names if name.startswith(f"model.layers.{config.num_hidden_layers}.")}
    if config.num_nextn_predict_layers and not mtp_names:
        warnings.warn(f"{path}: config.json announces MTP but the weights hold none; MTP is off", stacklevel=2)
        config = dataclasses.replace(config, num_nextn_predict_layers=0)
    with torch.device("meta"):
        model = Transformer(config)
    dtype = dtype or weights.dtype("lm_head.weight")
    state = {}
    for name, tensor in model.state_dict().items():
        kind = torch.float32 if _always_float32(name) else dtype
        filled = torch.empty(tensor.shape, dtype=kind, device=device)
        for part, target in _views(config, name, filled):
            target.copy_(weights.read(part, target.shape))
        state[name] = filled
    model.load_state_dict(state, assign=True)
    return model.eval()


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = files.read_json(path)
    except DataError as error:
        raise ModelError(str(error)) from None
    if not isinstance(value, dict):
        raise ModelError(f"{path} is not a JSON object; download or export the folder again")
    return value


class _Weights:
    """The tensors of a folder by name, read one at a time from one or many safetensors files."""

    def __init__(self, path: Path):
        self.path = path
        if (path / _INDEX).is_file():
            self.files: dict[str, str] = _json_object(path / _INDEX).get("weight_map", {})
            if not self.files or not isinstance(self.files, dict):
                raise ModelError(f"{path / _INDEX} names no weights; download or export the folder again")
        elif (path / "model.safetensors").is_file():
            self.files = dict.fromkeys(self._open("model.safetensors").keys(), "model.safetensors")
        else:
            raise ModelError(
                f"{path} holds no model.safetensors and no {_INDEX}; give a folder with safetensors weights"
            )
        self.names = self.files.keys()

    def _open(self, file: str) -> Any:
        try:
            return safe_open(self.path / file, framework="pt")
        except FileNotFoundError:
            raise ModelError(f"{self.path / file} is missing; download or export the folder again") from None
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{self.path / file} is corrupt ({error}); download or export it again") from None

    def _raw(self, name: str) -> Tensor:
        if name not in self.files:
            raise ModelError(f"{self.path} lacks the tensor {name}; download or export the folder again")
        with self._open(self.files[name]) as file:
            return file.get_tensor(name)

    def dtype(self, name: str) -> torch.dtype:
        """float32 for a float32 tensor, bfloat16 for all others."""
        return torch.float32 if self._raw(name).dtype == torch.float32 else torch.bfloat16

    def read(self, name: str, shape: torch.Size) -> Tensor:
        """The tensor, which must have `shape`; FP8 blocks are turned into float32."""
        tensor = self._raw(name)
        if tensor.dtype == torch.float8_e4m3fn:
            scale = self._raw(f"{name}_scale_inv")
            blocks = [-(-length // 128) for length in tensor.shape]
            if list(scale.shape) != blocks:
                raise ModelError(
                    f"{self.path}: {name}_scale_inv has shape {list(scale.shape)}, blocks of 128 ask for {blocks}; "
                    "only 128 x 128 blocks are read"
                )
            tensor = dequantise_fp8(tensor, scale)
        if tensor.shape != shape:
            raise ModelError(
                f"{self.path}: {name} has shape {list(tensor.shape)}, config.json asks for {list(shape)}; "
                "the weights belong to another config"
            )
        return tensor


def dequantise_fp8(weight: Tensor, scale_inv: Tensor, block: int = 128) -> Tensor:
    """Block-quantised weight [out, in] e4m3 times scale_inv [ceil(out/128), ceil(in/128)] float32 -> float32 [out, in].

    The published rule (fp8_cast_bf16.py): w = w_fp8 * scale_inv of its block, in float32, then cast.
    """
    rows, columns = weight.shape
    scale = scale_inv.repeat_interleave(block, 0)[:rows].repeat_interleave(block, 1)[:, :columns]
    return weight.to(torch.float32) * scale
