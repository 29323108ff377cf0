import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from llavaplus_graph.errors import TrainingError
from llavaplus_graph.train.fitting import finish_stage
from llavaplus_graph.train.room import check_room, explained


def test_what_cannot_be_saved_is_not_begun(tmp_path: Path) -> None:
    with torch.device("meta"):
        huge = torch.nn.Linear(2**22, 2**22)
    with pytest.raises(TrainingError, match=r"take 589824\.\d GiB and the disk has .* left; make room"):
        check_room(huge, tmp_path)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, which fails as a full disk does, in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_becomes_full_is_one_sentence_and_leaves_no_half_file(tmp_path: Path) -> None:
    with (
        files_of_at_most(1_000_000),
        pytest.raises(TrainingError, match=r"no room for the files in .*; make some and run the same command again"),
    ):
        finish_stage(torch.nn.Linear(1_000, 1_000), tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_what_fails_for_another_reason_is_not_called_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), explained(tmp_path):
        raise PermissionError(13, "Permission denied")
