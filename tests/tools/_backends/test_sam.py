from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.sam import SamSegmenter, _Encoded, _in_picture, _load
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.protocols import Prompt

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8))
BOX = (0.1, 0.2, 0.6, 0.9)
EVERY_KIND = [
    Prompt(box=BOX),
    Prompt(points=((0.5, 0.5),), labels=(1,)),
    Prompt(points=((0.5, 0.5), (0.1, 0.1)), labels=(1, 0)),
    Prompt(box=BOX, points=((0.5, 0.5),), labels=(1,)),
    Prompt(mask=np.tri(60, 90, dtype=bool)),
    Prompt(mask=np.tri(60, 90, dtype=bool), points=((0.5, 0.5),), labels=(1,)),
]


def loaded(path: Path) -> Any:
    return _load(path.name, Weights(str(path), device="cpu", dtype="float32"))


@pytest.mark.parametrize("weights", ["sam", "sam2", "sam2_of_the_hub"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_kind_of_prompt_gives_a_mask_of_the_pictures_size(
    request: pytest.FixtureRequest, weights: str, dtype: str
) -> None:
    segmenter = SamSegmenter(Weights(str(request.getfixturevalue(weights)), dtype=dtype))
    masks = segmenter.from_prompts(PICTURE, EVERY_KIND)
    assert [(mask.shape, mask.dtype) for mask in masks] == [((60, 90), np.dtype(bool))] * 6


@pytest.mark.parametrize("weights", ["sam", "sam2"])
@pytest.mark.parametrize("size", [(1, 1), (3_000, 3), (2, 500)], ids=str)
def test_strips_and_specks_get_masks_too(request: pytest.FixtureRequest, weights: str, size: tuple[int, int]) -> None:
    segmenter = SamSegmenter(Weights(str(request.getfixturevalue(weights))))
    assert segmenter.from_boxes(PICTURE.resize(size), [BOX])[0].shape == size[::-1]


def test_a_box_is_answered_as_by_transformers_own_processing(sam: Path) -> None:
    from transformers import SamImageProcessorPil, SamModel, SamProcessor

    processor = SamProcessor(SamImageProcessorPil.from_pretrained(sam))
    pixels = [[0.1 * 90, 0.2 * 60, 0.6 * 90, 0.9 * 60], [0.0, 0.0, 90.0, 60.0]]
    inputs = processor(PICTURE, input_boxes=[pixels], return_tensors="pt")
    with torch.inference_mode():
        output = SamModel.from_pretrained(sam).eval()(
            pixel_values=inputs["pixel_values"], input_boxes=inputs["input_boxes"].float(), multimask_output=False
        )
    (expected,) = processor.image_processor.post_process_masks(
        output.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"]
    )
    masks = SamSegmenter(Weights(str(sam))).from_boxes(PICTURE, [BOX, (0.0, 0.0, 1.0, 1.0)])
    assert np.array_equal(np.stack(masks), expected[:, 0].numpy())


def test_a_point_alone_is_answered_with_the_most_certain_of_three_masks(sam2: Path) -> None:
    prompt = Prompt(points=((0.5, 0.5),), labels=(1,))
    model = loaded(sam2)
    logits, scores = model._decoded(model._encoded(PICTURE), [prompt], several=True)
    assert logits.shape[:2] == scores.shape == (1, 3)
    (best,) = model.best(PICTURE, [prompt])
    assert np.array_equal(best, model.levels(PICTURE, prompt)[int(scores[0].argmax())])


def test_levels_come_from_the_smallest_to_the_largest(sam: Path) -> None:
    levels = SamSegmenter(Weights(str(sam))).from_points(PICTURE, [(0.4, 0.6)], [1])
    areas = [int(level.sum()) for level in levels]
    assert len(areas) == 3
    assert areas == sorted(areas)


def test_many_boxes_are_answered_as_each_alone(sam2: Path) -> None:
    segmenter = SamSegmenter(Weights(str(sam2)))
    boxes = [(x / 40, 0.1, x / 40 + 0.3, 0.8) for x in range(20)]
    together = segmenter.from_boxes(PICTURE, boxes)
    alone = [segmenter.from_boxes(PICTURE, [box])[0] for box in boxes]
    differing = np.mean([(one != other).mean() for one, other in zip(together, alone, strict=True)])
    assert differing < 0.01  # rounding may move a pixel


def test_a_picture_is_encoded_once_for_all_prompts_on_it(sam2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import Sam2Model

    encoded = []
    original = Sam2Model.get_image_embeddings

    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        encoded.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Sam2Model, "get_image_embeddings", counting)
    segmenter = SamSegmenter(Weights(str(sam2)), ModelPool())
    pictures = [PICTURE, PICTURE.rotate(90), PICTURE.rotate(180)]
    for picture in (PICTURE, PICTURE.copy(), pictures[1], PICTURE, pictures[2], PICTURE):
        segmenter.from_boxes(picture, [BOX])
    assert len(encoded) == 3
    segmenter.from_boxes(pictures[1], [BOX])  # the least recently used of three is forgotten
    assert len(encoded) == 4


def test_a_mask_comes_back_to_its_place_in_the_picture() -> None:
    # A square of 16 with a picture of 8 x 16 in its upper half; the upper left quarter of the picture is the region.
    logits = torch.full((16, 16), -8.0)
    logits[:4, :8] = 8
    upper_half = _Encoded(None, (8, 16), (80, 160), (1.0, 1.0))
    region = _in_picture(logits, upper_half, 16)
    assert region.shape == (80, 160)
    assert region[:35, :75].all()
    assert not region[45:].any()
    assert not region[:, 85:].any()


def test_on_a_framed_strip_the_frame_is_cut_off() -> None:
    logits = torch.full((4, 4), 8.0)
    strip = _Encoded(None, (2, 16), (10, 800), (1.0, 10.0))
    assert _in_picture(logits, strip, 16).shape == (10, 800)


@pytest.mark.parametrize("weights", ["sam", "sam2"])
def test_a_rough_mask_lies_where_the_model_sees_the_picture(request: pytest.FixtureRequest, weights: str) -> None:
    model = loaded(request.getfixturevalue(weights))
    mask = np.zeros((60, 90), bool)
    mask[:30, :45] = True
    rough = model._rough(mask, model._encoded(PICTURE))
    assert rough.shape == (1, 1, 32, 32)
    width, height = (32, 32) if weights == "sam2" else (32, 21)
    inside = rough[0, 0, : height // 2 - 1, : width // 2 - 1]
    assert inside.min() == pytest.approx(10)
    assert rough[0, 0, height // 2 + 1 :].max() == rough[0, 0, :, width // 2 + 1 :].max() == pytest.approx(-10)


def test_the_hubs_sam2_is_loaded_without_the_parts_for_films(sam2_of_the_hub: Path) -> None:
    from transformers import Sam2VideoModel

    model = loaded(sam2_of_the_hub).model
    assert type(model).__name__ == "Sam2Model"
    whole = Sam2VideoModel.from_pretrained(sam2_of_the_hub).state_dict()
    assert all(torch.equal(whole[name], tensor) for name, tensor in model.state_dict().items())


def test_weights_of_another_kind_are_told_by_their_kind(dinov2: Path) -> None:
    with pytest.raises(SkillError, match="belong to a dinov2, which outlines nothing; choose a SAM or a SAM 2"):
        SamSegmenter(Weights(str(dinov2))).from_boxes(PICTURE, [BOX])
