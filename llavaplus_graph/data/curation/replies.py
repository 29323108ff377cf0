"""Replies of a labeller on disk, by the content of what was asked, so that nothing is paid for twice. Asks nobody.

One small file a reply; any number of processes may share the folder.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from llavaplus_graph.errors import DataError


def reply_key(model: str, messages: Sequence[BaseMessage], form: Mapping[str, Any], attempt: str) -> str:
    """Give the key of a request: 64 hexadecimal digits.

    Args:
        model: What tells the model and its settings from others.
        messages: What is sent.
        form: JSON schema of the reply.
        attempt: Tells repeated requests apart.
    """
    said = [[message.type, message.content] for message in messages]
    body = json.dumps([model, said, form, attempt], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()


class Replies:
    """A folder of replies.

    Args:
        folder: Where they are; made when the first one is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> dict[str, Any] | None:
        """Give a reply; None when it is not there or its file is damaged."""
        try:
            found = json.loads(self._path(key).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, key: str, reply: Mapping[str, Any]) -> None:
        """Keep a reply; readers never see half of it.

        Raises:
            DataError: If it cannot be written, for example because the disk is full.
        """
        path = self._path(key)
        partial = path.with_suffix(f".{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(reply, ensure_ascii=False), "utf-8")
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise DataError(f"{path} cannot be written: {error.strerror}; free some space and go on.") from error

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}.json"
