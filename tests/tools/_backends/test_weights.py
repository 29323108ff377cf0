from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.weights import MissingWeightsError, Weights, loading_error, missing, told_for

DINO, SAM = Weights("IDEA-Research/grounding-dino-tiny"), Weights("facebook/sam2.1-hiera-small")


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def test_missing_weights_are_told_in_the_words_that_the_bundled_lmm_has_learned() -> None:
    assert str(missing("segment_objects", DINO, SAM)) == (
        "segment_objects needs the weights IDEA-Research/grounding-dino-tiny and facebook/sam2.1-hiera-small, which "
        "are not on this machine; to fetch them run: llavaplus skills fetch segment_objects"
    )


def test_weights_of_ones_own_are_fetched_by_their_id_not_by_the_skill() -> None:
    told = str(missing("detect_objects", Weights("my/detector", revision="v2")))
    assert told.endswith("to fetch them run: llavaplus skills fetch my/detector@v2")
    assert str(missing("my_skill", DINO)).endswith(f"llavaplus skills fetch {DINO.id}")


def test_a_composed_skill_names_only_what_is_not_here(tmp_path: Path) -> None:
    with (
        pytest.raises(SkillError, match=f"needs the weights {SAM.id}, which"),
        told_for("segment_objects", Weights(str(tmp_path)), SAM),
    ):
        SAM.resolved()


def test_errors_of_another_kind_go_through_unchanged() -> None:
    with pytest.raises(SkillError, match="my own words"), told_for("detect_objects", DINO):
        raise SkillError("my own words")


def test_weights_that_are_here_become_a_directory(tmp_path: Path) -> None:
    resolved = Weights(str(tmp_path), revision="v2", device="cpu").resolved()
    assert resolved == Weights(str(tmp_path), None, "cpu", "float32")
    assert resolved.options() == {"local_files_only": True, "use_safetensors": True}


def test_weights_that_may_be_downloaded_are(hub: Any) -> None:
    hub.repositories["some/model"] = {"config.json": b"{}", "model.safetensors": save({"a": torch.zeros(3)})}
    with pytest.raises(MissingWeightsError):
        Weights("some/model").resolved()
    assert not hub.asked
    folder = Path(Weights("some/model", allow_download=True).resolved().id)
    assert (folder / "model.safetensors").is_file()
    assert Weights("some/model").resolved().id == str(folder)


def test_a_download_that_fails_is_told_to_the_model(hub: Any) -> None:
    with pytest.raises(SkillError, match="the hub has no weights 'nobody/has-this'"):
        Weights("nobody/has-this", allow_download=True).resolved()


def test_neither_a_directory_nor_an_id_is_said_to_be_so() -> None:
    with pytest.raises(SkillError, match="there is no directory '/no/such/place' with weights"):
        Weights("/no/such/place").resolved()


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (Weights("a/b", device="gpu"), "there is no device 'gpu'"),
        (Weights("a/b", device="cuda:64"), "this machine has no device 'cuda:64'"),
    ],
)
def test_a_device_that_does_not_exist_is_named(weights: Weights, told: str) -> None:
    with pytest.raises(SkillError, match=told):
        weights.device_name()


@pytest.mark.parametrize("dtype", ["half precision", "nn"])
def test_a_number_type_that_does_not_exist_is_named(dtype: str) -> None:
    with pytest.raises(SkillError, match=f"no number type '{dtype}'"):
        Weights("a/b", dtype=dtype).torch_dtype()


def test_number_types_are_found_by_name() -> None:
    assert Weights("a/b", device="cpu").torch_dtype() is torch.float32
    assert Weights("a/b", dtype="bfloat16").torch_dtype() is torch.bfloat16


def test_what_a_library_raised_while_loading_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    err = loading_error("some/model", "detector", RuntimeError("secret detail"))
    assert "some/model could not be loaded as detector (RuntimeError)" in str(err)
    assert "secret detail" not in str(err)
    assert "secret detail" in caplog.text
