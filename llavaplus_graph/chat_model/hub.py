"""Where a model that was named lies on this machine: a directory, or a hub id in the local cache. Downloads nothing."""

import re
from pathlib import Path

from llavaplus_graph.errors import CheckpointError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def located(name: str) -> Path:
    """Give the directory of a model.

    Args:
        name: A directory, or a hub id (`owner/name`) whose files are in the local cache.

    Raises:
        CheckpointError: If it is not on this machine; the message says how to fetch it.
    """
    directory = Path(name).expanduser()
    if directory.is_dir():
        return directory
    if not _HUB_ID.fullmatch(name) or directory.exists():
        raise CheckpointError(
            f"There is no model directory {name!r}; give the path of one, or leave it out for the bundled LMM."
        )
    cached = _cached(name)
    if cached is None:
        raise CheckpointError(
            f"There is no model directory {name!r}, and nothing of that name from the hub is on this machine; "
            f"to fetch it run: hf download {name} --local-dir DIR"
        )
    return cached


def _cached(hub_id: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
