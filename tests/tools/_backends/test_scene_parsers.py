from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Mask2FormerForUniversalSegmentation, Mask2FormerImageProcessorPil

from llavaplus_tools._backends.scene_parsers import HubSceneParser, _load
from llavaplus_tools._backends.weights import Weights


def test_the_areas_are_what_the_queries_and_their_masks_say(mask2former: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Query 0 is sure of sky (2) in the left half, query 1 of floor (3) in the right half; the others are of no class.
    classes = torch.full((1, 5, 5), -20.0)
    classes[0, 0, 2] = classes[0, 1, 3] = classes[0, 2:, 4] = 20
    masks = torch.full((1, 5, 16, 16), -20.0)
    masks[0, 0, :, :8] = masks[0, 1, :, 8:] = 20

    def forward(self: Mask2FormerForUniversalSegmentation, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        output = original(self, **inputs)
        output.class_queries_logits, output.masks_queries_logits = classes, masks
        return output  # type: ignore[no-any-return]  # transformers' output is a mapping too

    original = Mask2FormerForUniversalSegmentation.forward
    monkeypatch.setattr(Mask2FormerForUniversalSegmentation, "forward", forward)
    found = dict(HubSceneParser(Weights(str(mask2former)))(Image.new("RGB", (40, 20))))
    assert list(found) == ["sky", "floor"]
    assert found["sky"].shape == (20, 40)
    assert found["sky"][:, :19].all()
    assert not found["sky"][:, 21:].any()
    assert (found["sky"] ^ found["floor"]).all()


def test_a_large_picture_gets_areas_of_its_size(upernet: Path) -> None:
    found = HubSceneParser(Weights(str(upernet)))(Image.radial_gradient("L").resize((2_400, 1_600)).convert("RGB"))
    assert {region.shape for _, region in found} == {(1_600, 2_400)}
    assert sum(region.sum() for _, region in found) == 1_600 * 2_400


def test_the_areas_are_those_of_transformers_own_processing(mask2former: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (96, 128, 3), dtype=np.uint8))
    processor = Mask2FormerImageProcessorPil.from_pretrained(mask2former)
    model = Mask2FormerForUniversalSegmentation.from_pretrained(mask2former).eval()
    with torch.inference_mode():
        output = model(**processor(images=picture, return_tensors="pt"))
    (expected,) = processor.post_process_semantic_segmentation(output, target_sizes=[(96, 128)])
    names, numbers = _load("mask2former", Weights(str(mask2former), device="cpu", dtype="float32")).parse(picture)
    assert names == {0: "wall", 1: "building", 2: "sky", 3: "floor"}
    assert np.array_equal(numbers, expected.numpy())


def test_oneformer_is_told_to_do_semantics(oneformer: Path) -> None:
    from transformers import CLIPTokenizer

    task = _load("oneformer", Weights(str(oneformer), device="cpu", dtype="float32")).task
    assert task.shape == (1, 30)
    words = CLIPTokenizer.from_pretrained(oneformer).decode(task[0], skip_special_tokens=True)
    assert words.replace(" ", "").rstrip("!") == "thetaskissemantic"
