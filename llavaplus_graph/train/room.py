"""Whether a disk has room for what a training writes, and what to say when it has none. Knows sizes, no content."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError

from llavaplus_graph.errors import TrainingError
from llavaplus_graph.train.state import trained

_FULL = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]
_COPIES = 3  # two checkpoints are kept while the next is written


def check_room(model: torch.nn.Module, folder: Path) -> None:
    """Refuse to begin what cannot be saved: checkpoints hold weights and two moments of everything that is trained.

    Raises:
        TrainingError: If the disk is too full; says how much is needed.
    """
    weights = sum(weight.numel() * weight.element_size() for weight in trained(model).values())
    needed = 3 * _COPIES * weights
    folder.mkdir(parents=True, exist_ok=True)
    available = shutil.disk_usage(folder).free
    if available < needed:
        raise TrainingError(
            f"The checkpoints in {str(folder)!r} take {_size(needed)} and the disk has {_size(available)} left; "
            "make room, or name another 'out'."
        )


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what a full disk raises into one sentence.

    Raises:
        TrainingError: If writing fails because there is no room.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        # safetensors tells the reason in words only.
        reason = next((text for text in _FULL if text in str(error)), None)
        if reason is None:
            raise
        raise TrainingError(
            f"There is no room for the files in {str(folder)!r} ({reason}); make some and run the same command again, "
            "which goes on from the last checkpoint that is whole."
        ) from error


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
