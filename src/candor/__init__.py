"""Candor: train, align, evaluate, release and serve a language model of the DeepSeek-V3 / R1 family."""

from typing import Any

from candor.records import __version__

__all__ = ["Completion", "Engine", "SamplingParams", "__version__", "load_model", "save_model"]

_HOMES = {
    "Completion": "candor.infer",
    "Engine": "candor.infer",
    "SamplingParams": "candor.infer",
    "load_model": "candor.model.hub",
    "save_model": "candor.model.hub",
}


def __getattr__(name: str) -> Any:
    """Import the public names when first used, so that `import candor` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'candor' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
