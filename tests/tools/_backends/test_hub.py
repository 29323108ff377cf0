import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.hub import load_image_processor, load_model
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights


def on_cpu(path: Path, dtype: str = "float32") -> Weights:
    return Weights(str(path), device="cpu", dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_is_loaded_in_the_number_type_that_is_asked_for(dinov2: Path, dtype: str) -> None:
    model = load_model(on_cpu(dinov2, dtype), "AutoModel")
    assert {parameter.dtype for parameter in model.parameters()} == {getattr(torch, dtype)}
    assert not model.training


def test_loading_says_nothing_and_leaves_the_loudness_as_it_was(
    dinov2: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = logging.getLogger("transformers").level
    load_model(on_cpu(dinov2), "AutoModel")
    load_image_processor(on_cpu(dinov2))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert logging.getLogger("transformers").level == before


def test_an_image_processor_is_the_one_that_needs_no_torchvision(dinov2: Path, sam2: Path) -> None:
    assert type(load_image_processor(on_cpu(dinov2))).__name__ == "BitImageProcessorPil"
    squashing = load_image_processor(on_cpu(sam2), "ViTImageProcessorPil")
    assert (squashing.size["height"], squashing.size["width"]) == (128, 128)
    assert list(squashing.image_mean) == [0.485, 0.456, 0.406]


def test_files_that_lack_most_of_a_model_are_refused(dinov2: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(dinov2, tmp_path / "broken"))
    tensors = load_file(broken / "model.safetensors")
    kept = dict(list(tensors.items())[: len(tensors) // 2])
    save_file(kept, broken / "model.safetensors", metadata={"format": "pt"})
    with (
        pytest.raises(SkillError, match=r"broken could not be loaded as feature map \(ValueError\)"),
        ModelPool().borrow(on_cpu(broken), "feature map", lambda weights: load_model(weights, "AutoModel")),
    ):
        pytest.fail("half a model was lent")
