from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.grounding import ZeroShotDetector, _load, corners, found
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.protocols import Found

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8))


def loaded(path: Path) -> Any:
    return _load(path.name, Weights(str(path), device="cpu", dtype="float32"))


def test_corners_of_boxes_given_by_their_centres() -> None:
    boxes = corners(np.array([[0.5, 0.5, 0.2, 0.4], [0.1, 0.9, 0.2, 0.2]]))
    assert boxes == pytest.approx(np.array([[0.4, 0.3, 0.6, 0.7], [0.0, 0.8, 0.2, 1.0]]))


def test_a_box_gets_the_phrase_that_it_answers_best_and_the_surest_comes_first() -> None:
    scores = np.array([[0.2, 0.4], [0.9, 0.1], [0.3, 0.3], [0.1, 0.25]])
    boxes = np.array([[0.0, 0.0, 0.1, 0.1], [0.2, 0.2, 0.3, 0.3], [0.4, 0.4, 0.5, 0.5], [0.6, 0.6, 0.7, 0.7]])
    assert found(scores, boxes, ["cat", "dog"], 0.3) == Found(
        ((0.2, 0.2, 0.3, 0.3), (0.0, 0.0, 0.1, 0.1)), (0.9, 0.4), ("cat", "dog")
    )


def test_a_score_that_is_not_a_number_finds_nothing() -> None:
    scores = np.array([[np.nan, 0.4], [np.nan, np.nan]])
    result = found(scores, np.zeros((2, 4)), ["cat", "dog"], 0.0)
    assert (result.scores, result.labels) == ((0.4,), ("dog",))


def test_scores_are_those_of_the_tokens_of_each_phrase(grounding_dino: Path) -> None:
    """The same as transformers' own processor makes of the same query."""
    from transformers import GroundingDinoForObjectDetection, GroundingDinoImageProcessorPil, GroundingDinoProcessor

    scores, boxes = loaded(grounding_dino).score(PICTURE, ["red cup", "cat"])
    tokenizer = loaded(grounding_dino).tokenizer
    processor = GroundingDinoProcessor(GroundingDinoImageProcessorPil.from_pretrained(grounding_dino), tokenizer)
    inputs = processor(images=PICTURE, text=[["Red cup", "cat"]], return_tensors="pt")
    assert tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])[1:-1] == ["red", "cup", ".", "cat", "."]
    with torch.inference_mode():
        output = GroundingDinoForObjectDetection.from_pretrained(grounding_dino).eval()(**inputs)
    (theirs,) = processor.post_process_grounded_object_detection(output, threshold=0, target_sizes=[(1, 1)])
    assert boxes == pytest.approx(theirs["boxes"].numpy(), abs=1e-5)
    probabilities = output.logits[0].sigmoid().numpy()
    expected = np.stack([probabilities[:, 1:3].max(axis=1), probabilities[:, 4]], axis=1)
    assert scores == pytest.approx(expected, abs=1e-5)


def test_more_phrases_than_fit_into_one_text_are_read_in_turns(grounding_dino: Path) -> None:
    detector = loaded(grounding_dino)
    phrases = [letter * 15 for letter in "abcdefg"]  # 16 tokens each with the full stop, of 62
    scores, boxes = detector.score(PICTURE, phrases)
    assert scores.shape == (3 * 20, 7)
    assert boxes.shape == (3 * 20, 4)
    answered = [sorted(set(np.flatnonzero(scores[turn * 20 : turn * 20 + 20].any(axis=0)))) for turn in range(3)]
    assert answered == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_phrase_without_words_that_the_model_knows_finds_nothing_by_mistake(grounding_dino: Path) -> None:
    scores, _ = loaded(grounding_dino).score(PICTURE, ["...", "cat"])
    assert not scores[:, 0].any()
    assert scores[:, 1].any()


def test_a_phrase_that_does_not_fit_at_all_is_told(grounding_dino: Path) -> None:
    with pytest.raises(SkillError, match=r"'xxxxx.*x' is too long to look for"):
        loaded(grounding_dino).score(PICTURE, ["cat", "x" * 80])


@pytest.mark.parametrize("size", [(90, 60), (60, 90), (50, 50)])
def test_owlv2_places_boxes_as_transformers_own_processing_does(owlv2: Path, size: tuple[int, int]) -> None:
    from transformers import Owlv2ForObjectDetection, Owlv2ImageProcessorPil

    picture = PICTURE.resize(size)
    detector = loaded(owlv2)
    scores, boxes = detector.score(picture, ["cat", "dog"])
    processor = Owlv2ImageProcessorPil.from_pretrained(owlv2)
    pixels = processor(images=picture, return_tensors="pt")
    text = detector.tokenizer(["cat", "dog"], padding="max_length", max_length=16, return_tensors="pt")
    with torch.inference_mode():
        output = Owlv2ForObjectDetection.from_pretrained(owlv2).eval()(**pixels, **text)
    (theirs,) = processor.post_process_object_detection(output, threshold=-1, target_sizes=[size[::-1]])
    assert boxes * np.tile(size, 2) == pytest.approx(theirs["boxes"].numpy(), abs=1e-3)
    assert scores.max(axis=1) == pytest.approx(theirs["scores"].numpy(), abs=1e-5)
    assert (scores.argmax(axis=1) == theirs["labels"].numpy()).all()


def test_a_text_that_is_too_long_for_owlv2_is_cut(owlv2: Path) -> None:
    scores, _ = loaded(owlv2).score(PICTURE, ["a very long phrase about a cat", "cat"])
    assert np.isfinite(scores).all()


def test_on_a_thin_strip_boxes_are_shares_of_the_strip(owlv2: Path) -> None:
    strip = Image.new("RGB", (1_600, 20))
    result = ZeroShotDetector(Weights(str(owlv2)))(strip, ["cat"], box_threshold=0, text_threshold=0)
    # On its square canvas of 1,600 pixels the strip is an eightieth; the first row of boxes is centred at a sixth.
    lowest = min((box[1] + box[3]) / 2 for box in result.boxes)
    assert lowest == pytest.approx(80 / 6, rel=0.01)
