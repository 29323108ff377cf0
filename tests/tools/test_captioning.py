from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llavaplus_graph.types import Caption, Detections, SkillFailure, SkillResult
from llavaplus_tools import caption_and_detect, caption_image
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools.captioning import hub_captioner
from llavaplus_tools.detection import zero_shot_detector
from llavaplus_tools.protocols import Found

Ask = Callable[..., SkillResult]


def noise(size: tuple[int, int] = (90, 60)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8))


@pytest.mark.parametrize("weights", ["florence", "blip", "blip2"])
@pytest.mark.parametrize("size", [(90, 60), (1, 1), (2_000, 3)], ids=str)
def test_a_captioner_runs_from_its_directory_to_the_drawing(
    ask: Ask, request: pytest.FixtureRequest, weights: str, size: tuple[int, int]
) -> None:
    pool = ModelPool()
    model = str(request.getfixturevalue(weights))
    result = ask(partial(caption_image, model=model, pool=pool), image=noise(size))
    assert isinstance(result, Caption)
    assert result.caption == " ".join(result.caption.split())
    assert "<" not in result.caption
    assert max(result.draw().size) >= 256
    assert [(one.kind, one.idle) for one in pool.loaded()] == [("captioner", True)]


@pytest.mark.parametrize("weights", ["florence", "blip"])
def test_a_captioner_runs_in_half_precision(ask: Ask, request: pytest.FixtureRequest, weights: str) -> None:
    model = str(request.getfixturevalue(weights))
    assert isinstance(ask(partial(caption_image, model=model, dtype="bfloat16"), image=noise()), Caption)


def test_a_caption_is_told_without_space_around_it(ask: Ask) -> None:
    result = ask(partial(caption_image, backend=lambda picture: f" {picture.width} pixels \n"), image=noise())
    assert result.content() == {"caption": "90 pixels"}


def test_a_captioner_without_words_is_told(ask: Ask) -> None:
    result = ask(partial(caption_image, backend=lambda _: " "), image=noise())
    assert isinstance(result, SkillFailure)
    assert "found no words for this picture" in result.error


def test_what_a_caption_names_is_boxed(ask: Ask) -> None:
    asked: list[list[str]] = []

    def detector(picture: Image.Image, phrases: Any, **thresholds: float) -> Found:
        asked.append(list(phrases))
        return Found(((0.1, 0.2, 0.3, 0.4),), (0.9,), ("cat",))

    skill = partial(caption_and_detect, captioner=lambda _: "a cat sitting on a red sofa", detector=detector)
    result = ask(skill, image=noise())
    assert asked == [["cat", "red sofa"]]
    assert result.content() == {
        "boxes": [[0.1, 0.2, 0.3, 0.4]],
        "logits": [0.9],
        "phrases": ["cat"],
        "caption": "a cat sitting on a red sofa",
    }


def test_a_caption_that_names_nothing_needs_no_detector(ask: Ask) -> None:
    def detector(*_: object, **__: object) -> Found:
        pytest.fail("was asked")

    result = ask(partial(caption_and_detect, captioner=lambda _: "it is not there", detector=detector), image=noise())
    assert result.content() == {"boxes": [], "logits": [], "phrases": [], "caption": "it is not there"}


def test_captioner_and_detector_run_one_after_the_other(ask: Ask, florence: Path, grounding_dino: Path) -> None:
    pool = ModelPool()
    captioner = hub_captioner(str(florence), pool=pool)
    detector = zero_shot_detector(str(grounding_dino), pool=pool)
    result = ask(partial(caption_and_detect, captioner=captioner, detector=detector), image=noise())
    assert isinstance(result, Detections)
    assert result.caption
    assert max(result.draw().size) >= 256


@pytest.mark.parametrize(
    ("skill", "sentence"),
    [
        (
            partial(caption_image, model="nobody/has-these"),
            "caption_image needs the weights nobody/has-these, which are not on this machine; "
            "to fetch them run: llavaplus skills fetch nobody/has-these",
        ),
        (
            caption_and_detect,
            "caption_and_detect needs the weights florence-community/Florence-2-base and "
            "IDEA-Research/grounding-dino-tiny, which are not on this machine; "
            "to fetch them run: llavaplus skills fetch caption_and_detect",
        ),
    ],
    ids=["caption", "both"],
)
def test_missing_weights_are_told_with_the_command_that_fetches_them(ask: Ask, skill: Any, sentence: str) -> None:
    result = ask(skill, image=noise())
    assert isinstance(result, SkillFailure)
    assert result.error == sentence


def test_weights_of_another_kind_are_told_by_their_kind(ask: Ask, sam: Path) -> None:
    pool = ModelPool()
    result = ask(partial(caption_image, model=str(sam), pool=pool), image=noise())
    assert isinstance(result, SkillFailure)
    assert "belong to a sam, which describes no pictures; choose a Florence-2" in result.error
    assert pool.loaded() == []
