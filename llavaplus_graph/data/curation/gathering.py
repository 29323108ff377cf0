"""Gathers records that exist already, the released files or plain LLaVA data, into one file. Makes no new ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from llavaplus_graph.data.curation.spec import File, Folder, Somewhere, Strict
from llavaplus_graph.data.sources.released import read_released
from llavaplus_graph.data.sources.streaming import Tally
from llavaplus_graph.data.validated import read_validated
from llavaplus_graph.errors import DataError

Progress = Callable[[int, int], None]
"""Told how many bytes are read and how many there are."""

_TOLD = 256  # records between two calls of a progress


class GatherSpec(Strict):
    """What is gathered.

    Attributes:
        kind: Tells it from other files that the command takes.
        out: The folder to write to.
        files: Files of records: a JSON list, or one a line.
        folders: Where pictures are looked for; without any, pictures are not checked.
    """

    kind: Literal["records"]
    out: Somewhere
    files: Annotated[tuple[File, ...], Field(min_length=1)]
    folders: tuple[Folder, ...] = ()


def load_gather_spec(path: Path) -> GatherSpec:
    """Read the spec; raises ConfigError with file, line and key."""
    return read_validated(path, GatherSpec)


def gather(spec: GatherSpec, *, progress: Progress | None = None) -> Tally:
    """Write `records.jsonl` and `report.json` into the folder of the spec, in constant memory.

    Records keep their order. Assistant turns of plain LLaVA data get thoughts and an empty list of actions.

    Args:
        spec: What is gathered.
        progress: Told now and then.

    Returns:
        How many records were kept, and why others were not.

    Raises:
        DataError: If a file stops in the middle, nothing is left, or the disk is full. What was gathered by an earlier
            run stays then.
    """
    tally = Tally()
    sizes = [path.stat().st_size for path in spec.files]
    target, partial = spec.out / "records.jsonl", spec.out / "records.partial"
    try:
        spec.out.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as out:
            for number, path in enumerate(spec.files):
                told = _Told(progress, sum(sizes[:number]), sum(sizes))
                for record in read_released(path, images=spec.folders, tally=tally, progress=told):
                    out.write(record.to_json() + "\n")
                told.last(sizes[number])
        if not tally.kept:
            raise DataError(f"Nothing is left of {', '.join(path.name for path in spec.files)}: {tally.told()}.")
        partial.replace(target)
        (spec.out / "report.json").write_text(json.dumps(_plain(tally), ensure_ascii=False, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise DataError(f"{str(target)!r} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return tally


class _Told:
    """Passes progress on every few records: a file may hold hundreds of thousands."""

    def __init__(self, progress: Progress | None, before: int, size: int) -> None:
        self._progress, self._before, self._size, self._count = progress, before, size, 0

    def __call__(self, read: int) -> None:
        self._count += 1
        if self._progress is not None and self._count % _TOLD == 0:
            self._progress(self._before + read, self._size)

    def last(self, read: int) -> None:
        """Tell that a file is done."""
        if self._progress is not None:
            self._progress(self._before + read, self._size)


def _plain(tally: Tally) -> dict[str, object]:
    return {"kept": tally.kept, "dropped": dict(tally.dropped.most_common()), "examples": tally.examples}
