from pathlib import Path

import huggingface_hub.constants
import pytest

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.chat_model.hub import located
from llavaplus_graph.errors import CheckpointError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(cache: Path, hub_id: str, directory: Path) -> Path:
    """Lay a directory into the cache as the hub's client does."""
    repo = cache / f"models--{hub_id.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("a" * 40)
    (repo / "snapshots").mkdir()
    return directory.rename(repo / "snapshots" / ("a" * 40))


def test_a_directory_is_where_it_is(tmp_path: Path) -> None:
    assert located(str(tmp_path)) == tmp_path


def test_a_hub_id_is_found_in_the_cache(checkpoint: Path, cache: Path) -> None:
    where = put(cache, "someone/some-llava", checkpoint)
    assert located("someone/some-llava") == where
    lmm = ChatLlavaPlus(model="someone/some-llava", max_tokens=3)
    assert lmm.dialect.names == "skills"
    assert lmm.invoke("Hi").response_metadata["model_name"] == "some-llava"
    assert dict(lmm._identifying_params)["files"]


def test_what_is_not_on_this_machine_is_refused_with_the_command_that_fetches_it(cache: Path) -> None:
    with pytest.raises(CheckpointError, match=r"from the hub is on this machine; to fetch it run: hf download a/b-7b "):
        open_checkpoint("a/b-7b")
    with pytest.raises(CheckpointError, match=r"hf download a/b-7b --local-dir DIR"):
        ChatLlavaPlus(model="a/b-7b").load()


@pytest.mark.parametrize(
    "name", ["nowhere", "/no/where", "./no/where", "a/b/c", "a b/c", "../c", "a/../b", "http://a/b"]
)
def test_what_is_no_hub_id_is_a_missing_directory(cache: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=r"There is no model directory .*; give the path of one"):
        located(name)


def test_a_file_is_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").mkdir()
    Path("a/b").touch()
    with pytest.raises(CheckpointError, match="no model directory 'a/b'; give the path"):
        located("a/b")
