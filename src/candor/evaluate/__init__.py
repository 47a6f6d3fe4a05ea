"""Measuring models: figures with their conditions, never a bare number."""

from candor.evaluate.result import EvalResult

__all__ = ["EvalResult"]
