"""Inference: ids in, ids, text and logprobs out."""

from candor.infer.generate import Completion, SamplingParams, generate

__all__ = ["Completion", "SamplingParams", "generate"]
