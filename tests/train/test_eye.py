from pathlib import Path

import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from llavaplus_graph.data.conversations import PictureFact
from llavaplus_graph.data.recipe import Eye
from llavaplus_graph.errors import DataError
from llavaplus_graph.train.eye import distort, teach_eye

SEEN = [PictureFact(f"{kind}/{index}.png", kind, ()) for kind in ("dark", "light") for index in range(20)]
PIXELS = {fact.file: torch.full((3, 16, 16), -1.0 if fact.kind == "dark" else 1.0) for fact in SEEN}


def tower() -> CLIPVisionModel:
    torch.manual_seed(0)
    return CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=16,
            patch_size=8,
            projection_dim=16,
        )
    )


def looked(eye: CLIPVisionModel, file: str) -> torch.Tensor:
    with torch.no_grad():
        seen: torch.Tensor = eye(pixel_values=PIXELS[file][None]).last_hidden_state
        return seen


def test_an_eye_learns_to_tell_kinds_apart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "llavaplus_graph")
    teach_eye(tower(), PIXELS, SEEN, Eye(epochs=20, learning_rate=1e-2, batch=8), 7, tmp_path / "eye" / "a.safetensors")
    assert "100.0% of 2 unseen pictures named" in caplog.text


def test_an_eye_that_is_trained_is_only_loaded(tmp_path: Path) -> None:
    trained, loaded = tower(), tower()
    teach_eye(trained, PIXELS, SEEN, Eye(epochs=1, batch=8), 7, tmp_path / "eye.safetensors")
    teach_eye(loaded, {}, [], Eye(), 7, tmp_path / "eye.safetensors")
    assert torch.equal(looked(trained, SEEN[0].file), looked(loaded, SEEN[0].file))
    assert not torch.equal(looked(tower(), SEEN[0].file), looked(loaded, SEEN[0].file))


def test_the_same_seed_gives_the_same_eye(tmp_path: Path) -> None:
    eyes = [tower(), tower()]
    for number, eye in enumerate(eyes):
        teach_eye(eye, PIXELS, SEEN, Eye(epochs=1, batch=8), 7, tmp_path / f"{number}.safetensors")
    assert torch.equal(looked(eyes[0], SEEN[0].file), looked(eyes[1], SEEN[0].file))


def test_pictures_of_one_kind_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least two kinds to tell apart, not dark"):
        teach_eye(tower(), PIXELS, SEEN[:20], Eye(), 7, tmp_path / "eye.safetensors")


def test_distorted_pictures_keep_their_shape_and_differ_from_one_another() -> None:
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 16, 16).repeat(4, 1, 1, 1)
    distorted = distort(picture)
    assert distorted.shape == picture.shape
    assert all(not torch.equal(distorted[0], other) for other in distorted[1:])
