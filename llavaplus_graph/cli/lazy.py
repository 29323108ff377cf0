"""The one place where the command line imports what is slow to import: ``lazy.conversation`` loads it when first used.

Example:
    >>> from llavaplus_graph.cli import lazy
    >>> lazy.catalogue.rows()[0]["name"]
    'detect_objects'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llavaplus_graph.cli import catalogue as catalogue
    from llavaplus_graph.cli import conversation as conversation
    from llavaplus_graph.cli import convert as convert
    from llavaplus_graph.cli import curation as curation
    from llavaplus_graph.cli import examination as examination
    from llavaplus_graph.cli import fetching as fetching
    from llavaplus_graph.cli import knowledge as knowledge
    from llavaplus_graph.cli import learning as learning
    from llavaplus_graph.cli import training as training

_SLOW = (
    "catalogue",
    "conversation",
    "convert",
    "curation",
    "examination",
    "fetching",
    "learning",
    "knowledge",
    "training",
)


def __getattr__(name: str) -> object:
    if name not in _SLOW:
        raise AttributeError(f"module 'llavaplus_graph.cli.lazy' has no attribute {name!r}")
    return import_module(f"llavaplus_graph.cli.{name}")
