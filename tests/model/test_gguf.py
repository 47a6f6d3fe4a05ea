"""GGUF files: by llama.cpp's own reader library here, by llama.cpp itself where it is installed."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

from candor.errors import ConfigError, ModelError
from candor.infer import Engine, SamplingParams
from candor.model import ModelConfig, Transformer, YarnConfig
from candor.model.config import nano
from candor.model.gguf import GgufType, write_gguf
from candor.model.hub import load_model, save_model
from candor.text import Tokenizer

LLAMACPP = Path(__file__).parents[2] / ".bench" / "llamacpp" / "bin" / "python"
TEXTS = ["def main() -> None:\n    return 12345\n\n", "机器学习 is 很有趣的。", "😀 naïve\r\n\t x=1; 3.14159"]


def folder_of(config: ModelConfig, path: Path) -> Path:
    tokenizer = Tokenizer.train([*TEXTS * 5, "the cat sat on the mat"], 500)
    model = Transformer(config)
    model.init_weights(0.1, torch.Generator().manual_seed(2))
    for router in model.routers():
        router.e_score_correction_bias.normal_(0, 0.1, generator=torch.Generator().manual_seed(5))
    save_model(model, path, tokenizer=tokenizer)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(nano(512), tmp_path_factory.mktemp("gguf") / "model")


def test_every_weight_stands_there(folder: Path, tmp_path: Path) -> None:
    """By the gguf package's reader: as many values as the main model has, and each under its name."""
    write_gguf(folder, tmp_path / "m.gguf", "f32")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    model = load_model(folder)
    own = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in model.mtp.parameters())
    biases = sum(router.e_score_correction_bias.numel() for router in model.routers()[:-1])
    assert sum(int(tensor.n_elements) for tensor in tensors.values()) == own + biases
    assert np.array_equal(tensors["output.weight"].data, model.lm_head.weight.detach().numpy())
    expert = model.layers[2].mlp.experts.gate_up[5, :128].detach().numpy()
    assert np.array_equal(tensors["blk.2.ffn_gate_exps.weight"].data[5], expert)
    assert not any(name.startswith("blk.4") for name in tensors), "MTP is left out"
    assert reader.fields["tokenizer.ggml.pre"].contents() == "deepseek-v3"
    names = reader.fields["tokenizer.ggml.tokens"].contents()
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    assert len(names) == len(kinds) == 512 and len(set(names)) == 512
    assert names[0] == "<｜begin▁of▁sentence｜>" and kinds[0] == gguf.TokenType.CONTROL
    assert kinds[500:] == [gguf.TokenType.UNUSED] * 12
    assert kinds[names.index("<think>")] == gguf.TokenType.USER_DEFINED


@pytest.mark.parametrize(("dtype", "limit"), [("f16", 1e-3), ("q8_0", 2e-2)])
def test_smaller_types(folder: Path, tmp_path: Path, dtype: GgufType, limit: float) -> None:
    write_gguf(folder, tmp_path / "full.gguf", "f32")
    write_gguf(folder, tmp_path / "small.gguf", dtype)
    assert (tmp_path / "small.gguf").stat().st_size < 0.6 * (tmp_path / "full.gguf").stat().st_size
    small = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "small.gguf").tensors}
    for tensor in gguf.GGUFReader(tmp_path / "full.gguf").tensors:
        got = gguf.quants.dequantize(small[tensor.name].data, small[tensor.name].tensor_type)
        assert np.abs(got - tensor.data).max() <= limit * np.abs(tensor.data).max(), tensor.name
    for name in ("blk.1.attn_norm.weight", "blk.1.ffn_gate_inp.weight", "blk.1.exp_probs_b.bias"):
        assert small[name].tensor_type == gguf.GGMLQuantizationType.F32


def test_what_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    direct = folder_of(dataclasses.replace(nano(512), q_lora_rank=None), tmp_path / "direct")
    with pytest.raises(ModelError, match="has no q_lora_rank"):
        write_gguf(direct, tmp_path / "m.gguf")
    with pytest.raises(ConfigError, match="there is no type 'q4'"):
        write_gguf(folder, tmp_path / "m.gguf", "q4")  # type: ignore[arg-type]
    (direct / "tokenizer.json").unlink()
    with pytest.raises(ModelError):
        write_gguf(direct, tmp_path / "m.gguf")
    assert not list(tmp_path.glob("*.gguf")) and not list(tmp_path.glob(".tmp*"))


# llama.cpp itself.

SCRIPT = """
import json, sys
import numpy as np
from llama_cpp import Llama
path, prompts, texts = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
model = Llama(path, n_ctx=256, logits_all=True, type_k=0, type_v=0, n_threads=1, verbose=False)
answer = {"greedy": [], "logits": [], "ids": [], "meta": model.metadata.get("tokenizer.chat_template", "")[:30]}
for prompt in prompts:
    model.reset()
    ids = []
    for token in model.generate(prompt, temp=0.0, top_k=1, repeat_penalty=1.0, reset=True):
        ids.append(token)
        if len(ids) == 64:
            break
    answer["greedy"].append(ids)
    model.reset()
    model.eval(prompt)
    answer["logits"].append(np.array(model.scores[: len(prompt)]).tolist())
for text in texts:
    answer["ids"].append(model.tokenize(text.encode(), add_bos=False, special=False))
json.dump(answer, sys.stdout)
model.close()
"""


def llama(path: Path, prompts: list[list[int]], texts: list[str]) -> dict[str, Any]:
    if not LLAMACPP.exists():
        pytest.skip("llama.cpp is not installed; `make bench-install` installs it")
    done = subprocess.run(
        [LLAMACPP, "-c", SCRIPT, path, json.dumps(prompts), json.dumps(texts)], capture_output=True, text=True,
        check=True, env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["nano", "groups and yarn"])
def test_llama_cpp_says_what_candor_says(shape: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Logits of a prompt, 64 greedy tokens, ids of texts in both scripts, the chat template."""
    config = nano(512)
    if shape != "nano":
        config = dataclasses.replace(config, n_group=4, topk_group=2, rope_scaling=YarnConfig(4, 32))
    path = folder_of(config, tmp_path / "model")
    write_gguf(path, tmp_path / "m.gguf", "f32")
    tokenizer, model = Tokenizer.load(path), load_model(path)
    prompts = [[0, *tokenizer.encode(text)] for text in TEXTS]
    theirs = llama(tmp_path / "m.gguf", prompts, TEXTS)
    with Engine(model, tokenizer) as engine:
        ours = engine.generate(prompts, SamplingParams(temperature=0, max_tokens=64, ignore_eos=True))
    apart = 0.0
    for prompt, one, greedy, logits in zip(prompts, ours, theirs["greedy"], theirs["logits"], strict=True):
        assert list(one.token_ids[: len(greedy)]) == greedy
        with torch.no_grad():
            apart = max(apart, float((model(torch.tensor([prompt]))[0] - torch.tensor(logits)).abs().max()))
    with capsys.disabled():
        sys.stdout.write(f"\n  llama.cpp's logits differ by at most {apart:.1e}")
    assert apart < 1e-3
    assert theirs["ids"] == [tokenizer.encode(text) for text in TEXTS]
    assert theirs["meta"] == (tokenizer.chat_template or "")[:30]
