"""Which of the processes of a training this one is, and how they wait for each other. Knows no model.

Launchers (`torchrun`, `accelerate launch`) say it in the environment; without them there is one process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def rank() -> int:
    """Give the number of this process, from 0; the first one writes files and talks."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """Give the number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def meet() -> None:
    """Wait until every process has come here."""
    if count() == 1:
        return
    if not torch.distributed.is_initialized():
        on_gpu = torch.cuda.is_available()
        if on_gpu:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        torch.distributed.init_process_group("cuda:nccl,cpu:gloo" if on_gpu else "gloo")
    torch.distributed.barrier()


def part() -> None:
    """Close what the processes met through; without it torch complains at the end of each."""
    if count() > 1 and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process do something, for example write a file, before the others do the same and find it."""
    if rank() > 0:
        meet()
    yield
    if rank() == 0:
        meet()
