"""Reads JSON files of any size one entry at a time, and counts what could not be used. Knows no format.

Plain `json.load` would hold a file of 300 MB as several gigabytes of objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from llavaplus_graph.errors import DataError, MissingExtraError


@dataclass(slots=True)
class Tally:
    """How many records were read and why others were not: reasons with their counts and the first id of each."""

    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def drop(self, reason: str, name: str) -> None:
        """Count a record that cannot be used."""
        self.dropped[reason] += 1
        self.examples.setdefault(reason, name)

    def told(self) -> str:
        """Say why nothing is left, the most frequent reasons first."""
        reasons = (f"{count} because {reason}" for reason, count in self.dropped.most_common(3))
        return ", ".join(reasons) or "none are named"


def read_bodies(path: Path, *, progress: Callable[[int], None] | None = None) -> Iterator[Any]:
    """Read a JSON list, or one JSON value a line, lazily and in constant memory.

    Args:
        path: The file.
        progress: Told the number of bytes read after every entry.

    Raises:
        DataError: If the file cannot be read or stops in the middle; names it. What stood before has been given.
        MissingExtraError: If the extra `train` is not installed.
    """
    with _opened(path) as file:
        start = file.read(64).lstrip()[:1]
        file.seek(0)
        for body in _items(file, path, "item" if start == b"[" else ""):
            yield body
            if progress is not None:
                progress(file.tell())


def read_items(path: Path, prefix: str) -> Iterator[Any]:
    """Read the entries of a list inside one JSON object, for example `annotations.item`; raises as `read_bodies`."""
    with _opened(path) as file:
        yield from _items(file, path, prefix)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"The records {str(path)!r} cannot be read: {error.strerror}.") from error


def _items(file: BinaryIO, path: Path, prefix: str) -> Iterator[Any]:
    try:
        import ijson
    except ImportError as error:
        raise MissingExtraError("ijson", extra="train") from error
    try:
        yield from ijson.items(file, prefix, multiple_values=not prefix, use_float=True)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise DataError(f"{path} stops being JSON near byte {file.tell()}: {' '.join(str(error).split())}.") from error
    except OSError as error:
        raise DataError(f"The records {str(path)!r} cannot be read: {error.strerror}.") from error
