"""Where log records go: a file that is made when there is something to write, or stderr. Knows no command."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from llavaplus_graph.cli.home import home

_ROOT = logging.getLogger("llavaplus_graph")


class _LogFile(logging.FileHandler):
    def _open(self) -> io.TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()


def configure(*, debug: bool) -> None:
    """Sends what the package logs to stderr, or else its errors to a file."""
    close()
    handler = logging.StreamHandler() if debug else _LogFile(_path(), encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.INFO if debug else logging.ERROR)
    _ROOT.addHandler(handler)


def where() -> str:
    """How to see the details of an error, to end a sentence with."""
    if any(isinstance(handler, _LogFile) for handler in _ROOT.handlers):
        return f"the details are in {_path()}, or run it again as llavaplus --debug"
    return "the details stand above"


def close() -> None:
    """Ends logging."""
    for handler in list(_ROOT.handlers):
        _ROOT.removeHandler(handler)
        handler.close()


def _path() -> Path:
    return home() / "llavaplus.log"
