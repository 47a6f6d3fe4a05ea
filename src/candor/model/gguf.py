"""A model folder as one GGUF file for llama.cpp (architecture `deepseek2`), tokenizer and chat template included.

llama.cpp's own converter knows vocabularies by a hash and refuses new ones; this one writes any tokenizer that has
DeepSeek-V3's split pattern. MTP modules are left out: llama.cpp has no use for them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
import torch
from torch import Tensor

from candor import files
from candor.errors import ConfigError, ModelError
from candor.model.hub import load_model
from candor.model.transformer import Transformer

GgufType = Literal["f32", "f16", "q8_0"]
_TYPES = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
}
_FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
_ATTENTION = {
    "q_a_proj": "attn_q_a",
    "q_a_layernorm": "attn_q_a_norm",
    "q_b_proj": "attn_q_b",
    "kv_a_proj_with_mqa": "attn_kv_a_mqa",
    "kv_a_layernorm": "attn_kv_a_norm",
    "o_proj": "attn_output",
}


def write_gguf(folder: str | Path, path: str | Path, dtype: GgufType = "f16") -> None:
    """Write the model in `folder` (Hugging Face format, with its tokenizer) to the file `path`, whole or not at all.

    Norms, router and gate biases stay float32. With q8_0, matrices whose rows are no multiple of 32 become f16.
    ModelError for a model that llama.cpp cannot hold (without `q_lora_rank`) or a folder without tokenizer.
    """
    if dtype not in _TYPES:
        raise ConfigError(f"there is no type {dtype!r}; choose one of {', '.join(_TYPES)}")
    folder, path = Path(folder), Path(path)
    model = load_model(folder, dtype=torch.float32)
    if model.config.q_lora_rank is None:
        raise ModelError(f"{folder} has no q_lora_rank; llama.cpp reads DeepSeek-V3 models with one only")
    if (yarn := model.config.rope_scaling) and yarn.mscale != yarn.mscale_all_dim:
        raise ModelError(f"{folder} has YaRN with mscale unlike mscale_all_dim, which llama.cpp does not know")
    with files.atomic_file(path) as temporary:
        writer = gguf.GGUFWriter(temporary, "deepseek2")
        try:
            _write_shape(writer, model, _FILE_TYPES[dtype])
            _write_tokenizer(writer, folder, model.config.vocab_size)
            for name, tensor in _tensors(model):
                _add(writer, name, tensor, _TYPES[dtype])
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()


def _write_shape(writer: gguf.GGUFWriter, model: Transformer, kind: gguf.LlamaFileType) -> None:
    c = model.config
    assert c.q_lora_rank is not None
    writer.add_file_type(kind)
    writer.add_vocab_size(c.vocab_size)
    writer.add_context_length(c.max_position_embeddings)
    writer.add_embedding_length(c.hidden_size)
    writer.add_block_count(c.num_hidden_layers)
    writer.add_leading_dense_block_count(c.first_k_dense_replace)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    # Attention runs on the latents: one key of latent and rotary part, shared by all heads.
    writer.add_head_count(c.num_attention_heads)
    writer.add_head_count_kv(1)
    writer.add_q_lora_rank(c.q_lora_rank)
    writer.add_kv_lora_rank(c.kv_lora_rank)
    writer.add_key_length(c.latent_dim)
    writer.add_value_length(c.kv_lora_rank)
    writer.add_key_length_mla(c.qk_head_dim)
    writer.add_value_length_mla(c.v_head_dim)
    writer.add_rope_dimension_count(c.qk_rope_head_dim)
    writer.add_rope_freq_base(c.rope_theta)
    # llama.cpp computes other logits, without a word, where one of these is missing.
    writer.add_expert_count(c.n_routed_experts)
    writer.add_expert_used_count(c.num_experts_per_tok)
    writer.add_expert_shared_count(c.n_shared_experts)
    writer.add_expert_feed_forward_length(c.moe_intermediate_size)
    writer.add_expert_group_count(c.n_group)
    writer.add_expert_group_used_count(c.topk_group)
    writer.add_expert_weights_scale(c.routed_scaling_factor)
    writer.add_expert_weights_norm(c.norm_topk_prob)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    if yarn := c.rope_scaling:
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(yarn.factor)
        writer.add_rope_scaling_orig_ctx_len(yarn.original_max_position_embeddings)
        writer.add_rope_scaling_yarn_log_mul(0.1 * yarn.mscale_all_dim)
        writer.add_rope_scaling_yarn_beta_fast(yarn.beta_fast)
        writer.add_rope_scaling_yarn_beta_slow(yarn.beta_slow)


def _write_tokenizer(writer: gguf.GGUFWriter, folder: Path, vocab_size: int) -> None:
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{folder} has no tokenizer.json; a GGUF file needs the tokenizer too")
    state = files.read_json(folder / "tokenizer.json")
    config = files.read_json(folder / "tokenizer_config.json")
    names = [f"[PAD{number}]" for number in range(vocab_size)]  # a model's vocabulary may be wider
    kinds = [gguf.TokenType.UNUSED] * vocab_size
    for token, number in state["model"]["vocab"].items():
        names[number], kinds[number] = token, gguf.TokenType.NORMAL
    ids = {}
    for added in state["added_tokens"]:
        number = ids[added["content"]] = added["id"]
        names[number] = added["content"]
        kinds[number] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("deepseek-v3")
    writer.add_token_list(names)
    writer.add_token_types(kinds)
    merges = state["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])

    def special(key: str) -> int:
        value = config[key]
        return int(ids[value["content"] if isinstance(value, dict) else value])

    writer.add_bos_token_id(special("bos_token"))
    writer.add_eos_token_id(special("eos_token"))
    writer.add_pad_token_id(special("pad_token" if config.get("pad_token") else "eos_token"))
    writer.add_add_bos_token(False)  # as everywhere in Candor: the prompt brings its own
    if isinstance(template := _template(folder, config), str):
        writer.add_chat_template(template)


def _template(folder: Path, config: dict[str, Any]) -> Any:
    own = folder / "chat_template.jinja"
    return own.read_text(encoding="utf-8") if own.is_file() else config.get("chat_template")


def _tensors(model: Transformer) -> Iterator[tuple[str, Tensor]]:
    """llama.cpp's names; `kv_b_proj` stands as the two maps that absorbed attention uses."""
    c = model.config
    yield "token_embd.weight", model.embed_tokens.weight
    yield "output_norm.weight", model.norm.weight
    yield "output.weight", model.lm_head.weight
    for number, layer in enumerate(model.layers):
        at, state = f"blk.{number}", layer.state_dict()
        yield f"{at}.attn_norm.weight", state["input_layernorm.weight"]
        yield f"{at}.ffn_norm.weight", state["post_attention_layernorm.weight"]
        for ours, theirs in _ATTENTION.items():
            yield f"{at}.{theirs}.weight", state[f"self_attn.{ours}.weight"]
        up = state["self_attn.kv_b_proj.weight"].view(c.num_attention_heads, -1, c.kv_lora_rank)
        up_k, up_v = up.split((c.qk_nope_head_dim, c.v_head_dim), dim=1)
        yield f"{at}.attn_k_b.weight", up_k.transpose(1, 2)  # [H, kv_lora_rank, nope]
        yield f"{at}.attn_v_b.weight", up_v
        if number < c.first_k_dense_replace:
            for part in ("gate", "up", "down"):
                yield f"{at}.ffn_{part}.weight", state[f"mlp.{part}_proj.weight"]
            continue
        gate, up = state["mlp.experts.gate_up"].chunk(2, dim=1)
        yield f"{at}.ffn_gate_exps.weight", gate
        yield f"{at}.ffn_up_exps.weight", up
        yield f"{at}.ffn_down_exps.weight", state["mlp.experts.down"]
        yield f"{at}.ffn_gate_inp.weight", state["mlp.gate.weight"]
        yield f"{at}.exp_probs_b.bias", state["mlp.gate.e_score_correction_bias"]
        for part in ("gate", "up", "down") if c.n_shared_experts else ():
            yield f"{at}.ffn_{part}_shexp.weight", state[f"mlp.shared_experts.{part}_proj.weight"]


def _add(writer: gguf.GGUFWriter, name: str, tensor: Tensor, kind: gguf.GGMLQuantizationType) -> None:
    array: np.ndarray[Any, Any] = tensor.detach().float().contiguous().numpy()
    if array.ndim == 1 or name.endswith("ffn_gate_inp.weight"):
        kind = gguf.GGMLQuantizationType.F32
    elif kind == gguf.GGMLQuantizationType.Q8_0 and array.shape[-1] % 32:
        kind = gguf.GGMLQuantizationType.F16
    writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
