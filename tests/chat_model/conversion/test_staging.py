import shutil
from pathlib import Path

import pytest

from llavaplus_graph.chat_model.conversion.staging import refuse_taken, staged
from llavaplus_graph.errors import CheckpointError


def test_the_target_appears_with_all_that_was_put_into_it(tmp_path: Path) -> None:
    target = tmp_path / "new" / "target"
    with staged(target, 1) as folder:
        (folder / "a").write_text("x")
        assert not target.exists()
    assert (target / "a").read_text() == "x"
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_an_empty_target_is_taken(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    with staged(target, 1) as folder:
        (folder / "a").touch()
    assert (target / "a").exists()


@pytest.mark.parametrize("error", [CheckpointError("no"), KeyboardInterrupt(), RuntimeError("bug")])
def test_what_fails_or_is_interrupted_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def half() -> None:
        with staged(tmp_path / "target", 1) as folder:
            (folder / "a").write_text("x")
            raise error

    with pytest.raises(type(error)):
        half()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_error_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(CheckpointError, match=r"cannot be written \(No space left on device\); nothing was left"),
        staged(tmp_path / "target", 1),
    ):
        raise OSError(28, "No space left on device")


def test_too_little_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    size = shutil.disk_usage(tmp_path).free + 10**12
    with (
        pytest.raises(CheckpointError, match=r"will take \d+\.\d GB and \d+\.\d GB are free"),
        staged(tmp_path / "t", size),
    ):
        pytest.fail("nothing may be done")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "full", "link"])
def test_a_target_that_is_taken_is_refused_and_kept(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    if kind == "file":
        target.write_text("mine")
    elif kind == "link":
        target.symlink_to(tmp_path / "elsewhere")
    else:
        target.mkdir()
        (target / "mine").touch()
    for refuse in (lambda: refuse_taken(target), lambda: staged(target, 1).__enter__()):
        with pytest.raises(CheckpointError, match="name a directory that does not exist yet"):
            refuse()
    assert len(list(tmp_path.iterdir())) == 1
