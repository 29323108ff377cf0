"""Writes pictures into the user's folder, whole or not at all, named by conversation, turn and skill."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from llavaplus_graph.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image


class Folder:
    """Where the pictures of one turn go.

    Args:
        path: the folder; made when the first picture is written.
        prefix: what every name begins with, for example the thread's name.
        turn: number of the user's message in the conversation, from 1.

    Raises:
        ConfigError: the folder is a file, or nothing can be written there.
    """

    def __init__(self, path: Path, *, prefix: str, turn: int) -> None:
        self.path = path
        safe = re.sub(r"[^\w.-]+", "_", prefix)[:60].strip("._") or "picture"
        self._stem = f"{safe}-turn{turn}"
        self._taken: set[str] = set()
        there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
        if not there.is_dir():
            raise ConfigError(f"{str(path)!r} cannot be a folder because {str(there)!r} is a file; give another --save")
        if not os.access(there, os.W_OK | os.X_OK):
            raise ConfigError(f"nothing can be written to {str(path)!r}; give another folder with --save")

    def write(self, picture: Image.Image, skill: str) -> Path:
        """Writes a picture as PNG; a second one of the same skill gets a number.

        Returns:
            The path of the file.
        """
        name, number = f"{self._stem}-{skill}", 1
        while name in self._taken:
            number += 1
            name = f"{self._stem}-{skill}-{number}"
        self._taken.add(name)
        self.path.mkdir(parents=True, exist_ok=True)
        partial = self.path / f".{name}.{secrets.token_hex(4)}.partial"
        try:
            picture.save(partial, format="PNG")
            partial.replace(self.path / f"{name}.png")
        finally:
            partial.unlink(missing_ok=True)
        return self.path / f"{name}.png"
