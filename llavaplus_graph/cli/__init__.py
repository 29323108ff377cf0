"""The command ``llavaplus``."""

from llavaplus_graph.cli.app import main as main

__all__ = ["main"]
