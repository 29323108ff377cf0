"""``llavaplus knowledge build``: hands the work to whichever package offers it. Knows no embedder and no picture."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from llavaplus_graph.errors import ConfigError

ENTRY_POINT_GROUP: Final = "llavaplus.knowledge"
"""Packages publish a function under the name ``build``: it takes what `run_build` takes and returns lines to print."""


def run_build(source: Path, out: Path, *, model: str | None, allow_download: bool) -> None:
    """Makes a collection of knowledge and prints what came of it.

    Args:
        source: pictures and facts.
        out: the directory to make.
        model: what compares pictures.
        allow_download: it may be fetched.

    Raises:
        ConfigError: no installed package makes collections.
        DataError: the source or the directory cannot be used.
        SkillError: the weights are not on this machine.
    """
    found = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if "build" not in found:
        raise ConfigError("no installed package makes collections of knowledge; install llavaplus-graph again")
    for line in found["build"].load()(source, out, model=model, allow_download=allow_download):
        print(line)
