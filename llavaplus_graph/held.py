"""Which models the processes of this user hold in memory. Knows small files and locks, no model and no skill.

Every process that holds models keeps a file about them, and a lock on a second one for as long as it lives: a file
whose lock is free belongs to a process that is gone.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path
from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A model in the memory of a process.

    Attributes:
        kind: what it was loaded as.
        id: its weights.
        device: where it is.
        bytes: what it takes there.
        process: the process's number.
        program: its name.
    """

    kind: str
    id: str
    device: str
    bytes: int
    process: int = 0
    program: str = ""


_HELD = TypeAdapter(tuple[HeldModel, ...])


def announce(models: Sequence[HeldModel]) -> None:
    """Says which models this process holds, in place of what it said before. Never fails: no skill shall, over this.

    Args:
        models: all of them; process and program are filled in.
    """
    program = Path(sys.argv[0]).name or "python"
    told = [{**asdict(model), "process": os.getpid(), "program": program} for model in models]
    path = _folder() / f"{os.getpid()}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _life(os.getpid(), path.parent)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(told), "utf-8")
        partial.replace(path)
    except OSError as err:
        _LOG.info("cannot say which models are loaded: %s", err)


def held_models() -> list[HeldModel]:
    """What every living process has announced; forgets those that are gone."""
    return [model for path in sorted(_folder().glob("*.json")) if _lives(path) for model in _read(path)]


def _folder() -> Path:
    return user_cache_path("llavaplus-graph", appauthor=False) / "loaded"


@cache
def _life(process: int, folder: Path) -> BaseFileLock:
    """A lock that is held until the process ends."""
    from filelock import FileLock

    lock = FileLock(folder / f"{process}.lock")
    lock.acquire(timeout=1)
    return lock


def _lives(path: Path) -> bool:
    from filelock import FileLock, Timeout

    if path.stem == str(os.getpid()):
        return True
    lock = path.with_suffix(".lock")
    try:
        with FileLock(lock, timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return True
    except OSError:
        return False
    lock.unlink(missing_ok=True)
    return False


def _read(path: Path) -> tuple[HeldModel, ...]:
    try:
        return _HELD.validate_json(path.read_bytes())
    except (OSError, ValidationError):  # written by another version, or gone by now
        return ()
