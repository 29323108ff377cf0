"""A directory that appears whole or not at all. Knows nothing of what is in it."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llavaplus_graph.errors import CheckpointError

_GB = 1e9


def refuse_taken(target: Path) -> None:
    """Refuse a target that is a file or a directory with anything in it.

    Raises:
        CheckpointError: In one sentence.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise CheckpointError(f"{str(target)!r} is a file; name a directory that does not exist yet.")
    if target.is_dir() and any(target.iterdir()):
        raise CheckpointError(f"{str(target)!r} is not empty; name a directory that does not exist yet.")


@contextmanager
def staged(target: Path, size: int) -> Iterator[Path]:
    """Give a folder beside the target; when all went well it becomes the target, otherwise it is deleted.

    Args:
        target: What is to be made.
        size: About how many bytes it will take.

    Raises:
        CheckpointError: If the disk has no room for it or does not take it.
    """
    refuse_taken(target)
    folder = target.parent / f".{target.name}.{secrets.token_hex(4)}.partial"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        if free < size:
            raise CheckpointError(
                f"{str(target)!r} will take {size / _GB:.1f} GB and {free / _GB:.1f} GB are free there; "
                "make room or name another directory."
            )
        folder.mkdir()
        yield folder
        if target.is_dir():
            target.rmdir()
        folder.rename(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(f"{str(target)!r} cannot be written ({reason}); nothing was left behind.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
