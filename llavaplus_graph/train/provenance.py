"""What the result of a stage was trained with, kept beside it, so that a changed recipe never passes it off as its own.

Knows plain values and files' contents; what of a recipe decides on the weights is said by those who ask.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llavaplus_graph.errors import ConfigError

_log = logging.getLogger(__name__)
_FILE = "trained_with.json"
Facts = Mapping[str, Any]
"""Plain JSON; a value of None is not compared."""


def fingerprint(files: Iterable[Path]) -> str | None:
    """Give a digest of what files hold, in their order; None when one of them is not there."""
    digest = hashlib.sha256()
    for path in files:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def digest(facts: Facts) -> str:
    """Give a digest of facts, for the stage that comes after."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def check(folder: Path, facts: Facts) -> None:
    """Compare what a stage was begun with with what would be done now, and note it where nothing is trained yet.

    Args:
        folder: The stage's checkpoints.
        facts: What decides on its weights.

    Raises:
        ConfigError: If they differ; names the differences and what to do.
    """
    path = folder / _FILE
    trained = any(folder.glob("*.safetensors")) or any(folder.glob("checkpoint-*"))
    if path.exists() and trained:
        before = _flat(json.loads(path.read_text("utf-8")))
        changed = _changes(before, _flat(json.loads(json.dumps(facts))))
        if changed:
            raise ConfigError(
                f"What is in {str(folder)!r} was trained with another recipe: {'; '.join(changed)}. "
                "Put that back, name another 'out', or remove the folder and those of later stages to train them anew."
            )
        return
    if trained:
        _log.warning("stage %s: begun by an earlier version, which did not note its recipe; not compared", folder.name)
        return
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    shown = [key for key in keys if (before.get(key) is not None and now.get(key) is not None) or "." in key]
    lines = [f"{key} was {before.get(key)!r} and is now {now.get(key)!r}" for key in shown[:3]]
    return lines + ([f"and {len(shown) - 3} more"] if len(shown) > 3 else [])


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in facts.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return flat
