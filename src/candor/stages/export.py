"""A checkpoint as a model folder in Hugging Face format, proven to be the same model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from candor.errors import ModelError
from candor.model import ModelConfig, Transformer
from candor.model.hub import load_model, write_model
from candor.text import Tokenizer
from candor.train.checkpoint import checkpoint_steps, load_weights


@dataclass(frozen=True)
class ExportConfig:
    """The released weights."""

    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Type of the weights; the gate bias is always float32."""
    template: Literal["v3", "r1"] = "v3"
    """Chat template in tokenizer_config.json: v3, or r1 which opens with <think>."""


def export(config: ExportConfig, model_config: ModelConfig, checkpoints: Path, tokenizer: Path, folder: Path) -> None:
    """Write the last checkpoint with its tokenizer into an existing folder, read it back and compare.

    ModelError where a logit of a random probe or the tokenizer differs.
    """
    steps = checkpoint_steps(checkpoints)
    if not steps:
        raise ModelError(f"{checkpoints} holds no checkpoint; run the training stage")
    model = Transformer(model_config).eval()
    load_weights(steps[-1], model)
    dtype: torch.dtype = getattr(torch, config.dtype)
    write_model(model, folder, dtype)
    ours = Tokenizer.load(tokenizer)
    ours.save(folder, template=config.template)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    probe = torch.randint(0, model_config.vocab_size, (1, 64), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        difference = float((load_model(folder)(probe).float() - model(probe).float()).abs().max())
    if difference != 0 or Tokenizer.load(folder).fingerprint != ours.fingerprint:
        raise ModelError(f"the exported folder differs from the trained model (logits by {difference}); not exported")


def export_like(source: Path, checkpoints: Path, folder: Path, template: Literal["v3", "r1"] | None = None) -> None:
    """Write what was trained from a model folder into an existing folder: with that one's type and tokenizer, and its
    chat template unless another is named."""
    model = load_model(source)
    single = model.lm_head.weight.dtype == torch.float32
    settings = ExportConfig("float32" if single else "bfloat16", template or "v3")
    export(settings, model.config, checkpoints, source, folder)
    if template is None:
        Tokenizer.load(source).save(folder)
