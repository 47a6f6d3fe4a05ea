"""Recipes: a run is a Python function that returns a full typed configuration. Copy one and change it."""

import difflib
import runpy
from collections.abc import Callable
from pathlib import Path

from candor.data import CorpusConfig
from candor.errors import ConfigError
from candor.recipes.laptop import dedup_controls, laptop, laptop_controls, smoke
from candor.recipes.pretraining import one_gpu, v3_671b
from candor.recipes.r1 import r1_one_gpu, r1_zero_gsm8k, v3_r1
from candor.stages.controls import Controls
from candor.stages.pipeline import RunConfig

_SHIPPED = (laptop, smoke, one_gpu, v3_671b, r1_zero_gsm8k, r1_one_gpu, v3_r1)
RECIPES: dict[str, Callable[[], RunConfig]] = {recipe.__name__: recipe for recipe in _SHIPPED}
"""The recipes that ship, by name."""


CONTROLS: dict[str, Callable[[], Controls]] = {one.__name__: one for one in (laptop_controls, dedup_controls)}
"""Recipes of many runs that are compared."""


def find_recipe(name: str) -> RunConfig | Controls:
    """The configuration of a recipe by its name, or of the function `recipe()` in a Python file of your own."""
    if name in CONTROLS:
        return CONTROLS[name]()
    if name in RECIPES:
        return RECIPES[name]()
    if name.endswith(".py"):
        config = _from_file(name)
        if not isinstance(config, RunConfig | Controls):
            raise ConfigError(f"{name} has no function recipe() that returns a RunConfig; see `candor init`")
        return config
    near = difflib.get_close_matches(name, [*RECIPES, *CONTROLS], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join([*RECIPES, *CONTROLS])}, or a Python file"
    raise ConfigError(f"there is no recipe {name!r}; {hint}")


def find_corpus(name: str) -> CorpusConfig:
    """The corpus of a recipe by its name, or of `recipe()` in a Python file, which may return one alone."""
    config = _from_file(name) if name.endswith(".py") else find_recipe(name)
    if isinstance(config, Controls):
        config = config.base
    if isinstance(config, RunConfig):
        config = config.corpus
    if not isinstance(config, CorpusConfig):
        raise ConfigError(f"{name} has no function recipe() that returns a CorpusConfig or a RunConfig")
    return config


def _from_file(name: str) -> object:
    if not Path(name).is_file():
        raise ConfigError(f"recipe file {name} does not exist; `candor init laptop {name}` writes one to start from")
    found = runpy.run_path(name).get("recipe")
    return found() if callable(found) else None
