"""Model folders: what is written, what is refused, and FP8 blocks by the published rule."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from candor.errors import ModelError, StorageError
from candor.model import ModelConfig, Transformer, YarnConfig
from candor.model.config import v3_671b
from candor.model.hub import config_from_hf, config_to_hf, dequantise_fp8, is_fp8, load_model, save_model, write_model
from tests.conftest import file_size_limit

TINY = ModelConfig(
    vocab_size=64,
    hidden_size=32,
    num_hidden_layers=2,
    first_k_dense_replace=1,
    num_nextn_predict_layers=1,
    num_attention_heads=2,
    q_lora_rank=16,
    kv_lora_rank=8,
    qk_nope_head_dim=8,
    qk_rope_head_dim=4,
    v_head_dim=8,
    intermediate_size=48,
    moe_intermediate_size=16,
    n_routed_experts=4,
    num_experts_per_tok=2,
    n_group=2,
    topk_group=1,
    max_position_embeddings=64,
)


@pytest.fixture
def model() -> Transformer:
    torch.manual_seed(0)
    model = Transformer(TINY)
    model.init_weights(0.1)
    for router in model.routers():
        router.e_score_correction_bias.normal_()
    return model.eval()


def same(a: Transformer, b: Transformer) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_round_trip_is_exact_in_one_file_and_in_shards(model: Transformer, tmp_path: Path) -> None:
    save_model(model, tmp_path / "one")
    assert same(load_model(tmp_path / "one"), model)
    (tmp_path / "many").mkdir()
    write_model(model, tmp_path / "many", torch.float32, shard_bytes=10_000)
    index = json.loads((tmp_path / "many" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 3
    assert index["metadata"]["total_size"] == sum(
        t.nbytes for f in (tmp_path / "many").glob("*.safetensors") for t in load_file(f).values()
    )
    assert same(load_model(tmp_path / "many"), model)


def test_names_are_those_of_the_release(model: Transformer, tmp_path: Path) -> None:
    """Written out by hand for the MTP layer and one expert, which is where exporters go wrong."""
    save_model(model, tmp_path / "m")
    names = load_file(tmp_path / "m" / "model.safetensors").keys()
    mtp = {name.removeprefix("model.layers.2.") for name in names if name.startswith("model.layers.2.")}
    assert {
        "embed_tokens.weight",
        "enorm.weight",
        "hnorm.weight",
        "eh_proj.weight",
        "shared_head.norm.weight",
        "shared_head.head.weight",
        "input_layernorm.weight",
        "self_attn.kv_a_proj_with_mqa.weight",
        "mlp.gate.e_score_correction_bias",
        "mlp.experts.3.down_proj.weight",
        "mlp.shared_experts.up_proj.weight",
    } <= mtp
    assert "model.layers.1.mlp.experts.0.gate_proj.weight" in names
    assert "model.layers.0.mlp.gate_proj.weight" in names
    assert {"lm_head.weight", "model.norm.weight", "model.embed_tokens.weight"} <= names


def test_gate_bias_stays_float32_in_a_bfloat16_folder(model: Transformer, tmp_path: Path) -> None:
    save_model(model, tmp_path / "m", dtype=torch.bfloat16)
    tensors = load_file(tmp_path / "m" / "model.safetensors")
    for name, tensor in tensors.items():
        assert tensor.dtype == (torch.float32 if name.endswith("correction_bias") else torch.bfloat16), name
    loaded = load_model(tmp_path / "m")
    assert loaded.lm_head.weight.dtype == torch.bfloat16
    bias = model.routers()[0].e_score_correction_bias
    assert torch.equal(loaded.routers()[0].e_score_correction_bias, bias)
    assert load_model(tmp_path / "m", dtype=torch.float32).lm_head.weight.dtype == torch.float32


def test_config_json_has_the_values_of_the_release() -> None:
    """Fields and values of deepseek-ai/DeepSeek-V3's config.json, and the new rope form beside the old."""
    values = config_to_hf(v3_671b())
    released = {
        "architectures": ["DeepseekV3ForCausalLM"],
        "model_type": "deepseek_v3",
        "vocab_size": 129280,
        "hidden_size": 7168,
        "num_hidden_layers": 61,
        "first_k_dense_replace": 3,
        "moe_layer_freq": 1,
        "num_nextn_predict_layers": 1,
        "num_attention_heads": 128,
        "num_key_value_heads": 128,
        "q_lora_rank": 1536,
        "kv_lora_rank": 512,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "intermediate_size": 18432,
        "moe_intermediate_size": 2048,
        "n_routed_experts": 256,
        "n_shared_experts": 1,
        "num_experts_per_tok": 8,
        "n_group": 8,
        "topk_group": 4,
        "topk_method": "noaux_tc",
        "scoring_func": "sigmoid",
        "norm_topk_prob": True,
        "routed_scaling_factor": 2.5,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000,
        "max_position_embeddings": 163840,
        "tie_word_embeddings": False,
        "initializer_range": 0.02,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "ep_size": 1,
        "pretraining_tp": 1,
        "aux_loss_alpha": 0.001,
        "seq_aux": True,
        "use_cache": True,
        "torch_dtype": "bfloat16",
    }
    assert {name: values[name] for name in released} == released
    yarn = {"factor": 40, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0}
    assert values["rope_scaling"] == yarn | {"type": "yarn", "original_max_position_embeddings": 4096}
    assert values["rope_parameters"].items() >= (yarn | {"rope_type": "yarn", "rope_theta": 10000}).items()


@pytest.mark.parametrize("config", [v3_671b(), TINY])
def test_config_round_trip(config: ModelConfig) -> None:
    assert config_from_hf(config_to_hf(config)) == config


def test_config_is_read_in_the_old_and_the_new_form_of_rope() -> None:
    values = config_to_hf(v3_671b())
    old = {name: value for name, value in values.items() if name != "rope_parameters"}
    new = {name: value for name, value in values.items() if name not in ("rope_scaling", "rope_theta")}
    assert config_from_hf(old).rope_scaling == config_from_hf(new).rope_scaling == YarnConfig()


def test_fp8_blocks_equal_the_published_rule_to_the_bit(model: Transformer, tmp_path: Path) -> None:
    """Quantised block by block in a plain loop; the reader must give float32(w) * scale of each block."""
    torch.manual_seed(0)
    weight = torch.randn(300, 200)
    codes = torch.empty(300, 200, dtype=torch.float8_e4m3fn)
    scales = torch.empty(3, 2)
    expected = torch.empty(300, 200)
    for i in range(3):
        for j in range(2):
            block = (slice(i * 128, (i + 1) * 128), slice(j * 128, (j + 1) * 128))
            scales[i, j] = weight[block].abs().max() / 448
            codes[block] = (weight[block] / scales[i, j]).to(torch.float8_e4m3fn)
            expected[block] = codes[block].to(torch.float32) * scales[i, j]
    assert torch.equal(dequantise_fp8(codes, scales), expected)
    assert (expected - weight).abs().max() < 0.2

    save_model(model, tmp_path / "m", dtype=torch.bfloat16)
    tensors = load_file(tmp_path / "m" / "model.safetensors")
    reference = dict(tensors)
    for name in list(tensors):
        if is_fp8(name):
            scale = tensors[name].float().abs().max() / 448
            tensors[name] = (tensors[name].float() / scale).to(torch.float8_e4m3fn)
            tensors[f"{name}_scale_inv"] = scale.view(1, 1)
            reference[name] = (tensors[name].float() * scale).to(torch.bfloat16)
    assert sum(t.dtype == torch.float8_e4m3fn for t in tensors.values()) > 20
    save_file(tensors, tmp_path / "m" / "model.safetensors")
    loaded = load_model(tmp_path / "m")
    save_model(loaded, tmp_path / "again")
    again = load_file(tmp_path / "again" / "model.safetensors")
    assert again.keys() == reference.keys()
    for name, tensor in reference.items():
        assert torch.equal(again[name], tensor), name


def test_config_with_mtp_but_weights_without_gives_one_warning(model: Transformer, tmp_path: Path) -> None:
    save_model(model, tmp_path / "m")
    file = tmp_path / "m" / "model.safetensors"
    save_file({name: t for name, t in load_file(file).items() if ".layers.2." not in name}, file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = load_model(tmp_path / "m")
    assert len(caught) == 1 and "MTP is off" in str(caught[0].message)
    assert len(loaded.mtp) == 0
    ids = torch.arange(10)[None]
    assert torch.equal(loaded(ids), model(ids))


def test_folders_that_are_no_model_are_refused_in_one_line(model: Transformer, tmp_path: Path) -> None:
    def error() -> str:
        with pytest.raises(ModelError) as caught:
            load_model(tmp_path / "m")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no config.json" in error()
    save_model(model, tmp_path / "m")
    config, weights = tmp_path / "m" / "config.json", tmp_path / "m" / "model.safetensors"
    good_config, good_weights = config.read_text(), weights.read_bytes()

    config.write_text("{ not json")
    assert "config.json" in error()
    config.write_text(good_config.replace("deepseek_v3", "llama"))
    assert "'llama'" in error()
    config.write_text(good_config.replace('"sigmoid"', '"softmax"'))
    assert "scoring_func" in error()
    config.write_text(good_config.replace('"n_group": 2', '"n_group": 3'))
    assert "n_group=3" in error()
    config.write_text(good_config.replace('"kv_lora_rank": 8', '"kv_lora_rank": 9'))
    assert "kv_a_proj_with_mqa" in error() and "shape" in error()
    config.write_text(good_config)

    weights.write_bytes(good_weights[:-1000])
    assert "corrupt" in error()
    weights.write_bytes(good_weights)
    kept = load_file(weights)
    del kept["model.layers.1.mlp.experts.2.up_proj.weight"]
    save_file(kept, weights)
    assert "experts.2.up_proj" in error()
    weights.unlink()
    assert "no model.safetensors" in error()
    for index in ("[]", "{}", '{"weight_map": {}}'):
        (tmp_path / "m" / "model.safetensors.index.json").write_text(index)
        assert "download or export" in error()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: [],
        lambda values: values | {"rope_parameters": 3},
        lambda values: values | {"rope_scaling": {"type": "yarn", "factor": "many"}, "rope_parameters": None},
        lambda values: values | {"hidden_size": "wide"},
        lambda values: values | {"rope_interleave": False},
        lambda values: values | {"rope_scaling": {"type": "yarn", "factor": 4.0}, "rope_parameters": None},
        lambda values: values | {"hidden_size": None},
        lambda values: values | {"rope_theta": [], "rope_parameters": None},
        lambda values: {"model_type": "deepseek_v3", "hidden_size": 64.5},
    ],
)
def test_a_config_of_wrong_types_is_one_line(
    model: Transformer, tmp_path: Path, spoil: Callable[[dict[str, Any]], Any]
) -> None:
    save_model(model, tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path)
    assert "config.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_disk_that_refuses_leaves_no_folder(model: Transformer, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the file would exceed the allowed size"), file_size_limit(2**14):
        save_model(model, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
