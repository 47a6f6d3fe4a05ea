"""Inference: ids in, ids, text and logprobs out."""

from candor.infer.engine import Engine, EngineStats
from candor.infer.params import Completion, Piece, SamplingParams, StructuredOutput

__all__ = ["Completion", "Engine", "EngineStats", "Piece", "SamplingParams", "StructuredOutput"]
