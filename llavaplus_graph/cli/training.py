"""Carries out ``llavaplus curate`` and ``llavaplus finetune``. Knows no data and no model, only where the log goes."""

from __future__ import annotations

import logging
from pathlib import Path

from llavaplus_graph.data.curate import curate
from llavaplus_graph.data.recipe import Recipe, load_recipe
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.train.finetune import finetune


def run_curate(recipe: Path) -> None:
    """Makes the data of a recipe and says where they are.

    Raises:
        ConfigError: the recipe cannot be used.
        MissingExtraError: the extra `train` is not installed.
    """
    loaded = _opened(recipe)
    curate(loaded)
    print(loaded.data)


def run_finetune(recipe: Path) -> None:
    """Trains the LMM of a recipe and says where it is.

    Raises:
        ConfigError: the recipe cannot be used or its data are missing.
        MissingExtraError: the extra `train` is not installed.
    """
    loaded = _opened(recipe)
    if not any(loaded.data.glob("*.jsonl")):
        raise ConfigError(f"there are no data in {loaded.data}; make them with: llavaplus curate {recipe}")
    print(finetune(loaded))


def _opened(path: Path) -> Recipe:
    """Reads a recipe and lets the log of the work go to the screen and into the recipe's folder."""
    recipe = load_recipe(path)
    recipe.out.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger("llavaplus_graph")
    log.setLevel(logging.INFO)
    for handler in (logging.StreamHandler(), logging.FileHandler(recipe.out / "log.txt", encoding="utf-8")):
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        log.addHandler(handler)
    return recipe
