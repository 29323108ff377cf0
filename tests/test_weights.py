from pathlib import Path

import pytest

from llavaplus_graph.skills import CATALOGUE
from llavaplus_graph.weights import WEIGHTS, folder_of, weight_files, weights_info


def test_the_weights_of_every_skill_have_a_licence_and_a_size() -> None:
    used = {id_ for info in CATALOGUE for id_ in info.weights}
    assert used == {info.id for info in WEIGHTS}
    assert all(info.licence and info.megabytes > 0 for info in WEIGHTS)


def test_weights_of_ones_own_have_none() -> None:
    assert weights_info("some/model") is None


def test_a_directory_is_taken_as_it_is(tmp_path: Path) -> None:
    assert folder_of(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("name", ["some/model", "/no/such/directory", "a b", ""])
def test_what_is_not_here_is_none(name: str, tmp_path: Path) -> None:
    assert folder_of(name, cache=tmp_path) is None


def snapshot(cache: Path, *files: str) -> Path:
    """A cache with some files of one repository."""
    repository = cache / "models--some--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123")
    for file in files:
        path = repository / "snapshots" / "0123" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return repository / "snapshots" / "0123"


def test_a_configuration_without_weights_is_not_the_weights(tmp_path: Path) -> None:
    snapshot(tmp_path, "config.json", "pytorch_model.bin")
    assert folder_of("some/model", cache=tmp_path) is None


def test_a_pipeline_is_here_when_each_of_its_models_is(tmp_path: Path) -> None:
    settings = ("model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "vae/config.json")
    folder = snapshot(tmp_path, *settings, "unet/diffusion_pytorch_model.safetensors")
    assert folder_of("some/model", cache=tmp_path) is None
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_text("")
    assert folder_of("some/model", cache=tmp_path) == folder


def test_another_revision_is_not_this_one(tmp_path: Path) -> None:
    snapshot(tmp_path, "config.json", "model.safetensors")
    assert folder_of("some/model", "v2", cache=tmp_path) is None


def test_variants_are_not_what_a_model_is_loaded_from(tmp_path: Path) -> None:
    for name in ("model.fp16.safetensors", "model.safetensors", "other.safetensors"):
        (tmp_path / name).write_text("")
    assert [path.name for path in weight_files(tmp_path)] == ["model.safetensors"]
    assert weight_files(tmp_path / "nowhere") == []
