import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from llavaplus_graph.chat_model.conversion import shards
from llavaplus_graph.errors import CheckpointError

WEIGHTS = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}


@pytest.mark.parametrize("kind", ["w.safetensors", "new.bin", "old.bin"])
def test_every_format_gives_the_same_tensors(tmp_path: Path, kind: str) -> None:
    file = tmp_path / kind
    if kind.endswith(".bin"):
        torch.save(WEIGHTS, file, _use_new_zipfile_serialization=kind == "new.bin")
    else:
        save_file(WEIGHTS, file)
    found = shards.tensors(file)
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], weight) for name, weight in WEIGHTS.items())
    assert shards.entries(file)["b"] == shards.Entry((4,), "bfloat16", 8)
    assert torch.equal(shards.one_tensor(file, "a"), WEIGHTS["a"])


def test_a_pickle_with_code_is_not_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "plain.bin").write_bytes(pickle.dumps({"a": Trap()}, protocol=2))
    torch.save({"a": torch.ones(1), "b": Trap()}, tmp_path / "zip.bin")
    for name in ("plain.bin", "zip.bin"):
        with pytest.raises(CheckpointError, match=rf"{name}' holds more than tensors.* run code"):
            shards.tensors(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [{}, [torch.ones(1)], {"state_dict": {"a": torch.ones(1)}}, torch.ones(2)])
def test_what_is_no_mapping_of_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.bin")
    with pytest.raises(CheckpointError, match="not a mapping of names to tensors"):
        shards.tensors(tmp_path / "w.bin")


@pytest.mark.parametrize("kind", ["w.safetensors", "new.bin", "old.bin"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    file = tmp_path / kind
    many = {str(index): torch.ones(50, 50) for index in range(3)}
    if kind.endswith(".bin"):
        torch.save(many, file, _use_new_zipfile_serialization=kind == "new.bin")
    else:
        save_file(many, file)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with pytest.raises(CheckpointError, match=r"is damaged|or is damaged"):
        shards.tensors(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'.*pytorch_model-00002.bin' are missing"):
        shards.entries(tmp_path / "pytorch_model-00002.bin")


def test_tied_and_strided_tensors_are_written_each_on_its_own(tmp_path: Path) -> None:
    weight = torch.arange(6.0).view(2, 3)
    shards.write({"a": weight, "tied": weight, "turned": weight.T}, tmp_path / "w.safetensors")
    found = load_file(tmp_path / "w.safetensors")
    assert torch.equal(found["tied"], weight)
    assert torch.equal(found["turned"], weight.T)


def test_a_disk_that_does_not_take_it_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        shards.write({"a": torch.ones(1)}, tmp_path / "nowhere" / "w.safetensors")
