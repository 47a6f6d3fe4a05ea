"""Candor: train, align, evaluate, release and serve a language model of the DeepSeek-V3 / R1 family."""

from candor.records import __version__

__all__ = ["__version__"]
