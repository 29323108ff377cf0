"""What became of every sample, one line each, appended as it is done. Survives a process that is killed anywhere."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from langchain_core.tools import BaseTool

from llavaplus_graph.data.curation.filling import Outcome
from llavaplus_graph.data.curation.labelling import Labeller, Spent
from llavaplus_graph.data.curation.plan import Sample
from llavaplus_graph.data.curation.spec import Filters
from llavaplus_graph.errors import DataError
from llavaplus_graph.skills import skill_info

_FILL_FILTERS = {"overlap", "alike"}  # what comes after the journal, so that it can be changed for nothing


class Journal:
    """A file of outcomes by the key of their sample. A last line that was cut off is taken away when it is opened.

    Args:
        path: The file; made when it is not there.

    Raises:
        DataError: If the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise DataError(f"The journal {str(path)!r} cannot be opened: {error.strerror}.") from error
        self.done = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def add(self, key: str, outcome: Outcome) -> None:
        """Append an outcome in one write, so that no other line can stand inside it.

        Raises:
            DataError: If it cannot be written, for example because the disk is full; what stood there before stays.
        """
        line = (json.dumps({"key": key, **asdict(outcome)}, ensure_ascii=False) + "\n").encode()
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise DataError(f"{self._path} cannot be written: {error.strerror}; free some space and go on.") from error
        if written < len(line):
            os.ftruncate(self._file, size)
            raise DataError(f"{self._path} cannot be written: the disk is full; free some space and go on.")
        self.done[key] = outcome

    def _read(self) -> dict[str, Outcome]:
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._file, whole)
        found: dict[str, Outcome] = {}
        for line in data[:whole].splitlines():
            try:
                body = json.loads(line)
                key = body.pop("key")
                found[key] = Outcome(**{**body, "slots": tuple(body["slots"]), "spent": Spent(**body["spent"])})
            except (ValueError, KeyError, TypeError):
                continue  # a line that is damaged is made again
        return found


def sample_key(sample: Sample, labeller: Labeller, tools: Mapping[str, BaseTool], filters: Filters) -> str:
    """Give what tells a sample from all others: whatever its record may depend on."""
    used = sorted({entry for part in sample.parts for entry in part.task.skills})
    # How many records a task has is no part of any of them.
    parts = [(p.task.model_dump(mode="json", exclude={"records"}), p.intention, p.variation) for p in sample.parts]
    body: list[Any] = [
        sample.seed,
        sample.split,
        sample.context.model_dump(mode="json"),
        parts,
        labeller.name,
        [_fingerprint(tools[entry]) for entry in used],
        filters.model_dump(mode="json", exclude=_FILL_FILTERS),
    ]
    return hashlib.sha256(json.dumps(body, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:32]


def _fingerprint(tool: BaseTool) -> list[str]:
    info = skill_info(tool)
    return [tool.name, tool.description, info.version if info else "", json.dumps(tool.args, default=str)]
