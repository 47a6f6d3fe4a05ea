"""The DeepSeek-V3 architecture on one device: MLA, DeepSeekMoE, MTP, and its Hugging Face form."""

from candor.model.config import ModelConfig, YarnConfig
from candor.model.moe import Routing
from candor.model.transformer import TrainForward, Transformer

__all__ = ["ModelConfig", "Routing", "TrainForward", "Transformer", "YarnConfig"]
