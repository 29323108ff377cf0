from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from llavaplus_graph.types import Masks, SkillFailure, SkillResult
from llavaplus_tools import segment_region

DISC, BLOCK = (60, 80, 260, 280), (330, 120, 560, 330)
DISC_BOX, BLOCK_BOX = [0.05, 0.1, 0.45, 0.65], [0.48, 0.2, 0.92, 0.72]


def scene(scale: float = 1, blur: float = 0, noise: float = 0) -> Image.Image:
    """A red disc and a block that is yellow above and blue below, on grey."""
    picture = Image.new("RGB", (640, 480), (225, 225, 220))
    pen = ImageDraw.Draw(picture)
    pen.ellipse(DISC, fill=(200, 60, 40))
    pen.rectangle(BLOCK, fill=(50, 90, 190))
    pen.rectangle((*BLOCK[:3], 180), fill=(240, 200, 60))
    picture = picture.filter(ImageFilter.GaussianBlur(blur)).resize((round(640 * scale), round(480 * scale)))
    grain = np.random.default_rng(0).normal(0, noise, (picture.height, picture.width, 3))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def shape_of(kind: str, scale: float = 1) -> np.ndarray[Any, Any]:
    plane = Image.new("1", (640, 480))
    pen = ImageDraw.Draw(plane)
    pen.ellipse(DISC, fill=1) if kind == "disc" else pen.rectangle(BLOCK, fill=1)
    return np.asarray(plane.resize((round(640 * scale), round(480 * scale))))


def overlap(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Intersection over union."""
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize(
    ("scale", "blur", "noise", "least"),
    [(1, 0, 0, 0.98), (1, 1.5, 8, 0.95), (0.1, 0, 0, 0.9), (2.5, 0, 4, 0.98)],
    ids=["clean", "noisy", "64 px", "1600 px"],
)
def test_what_fills_each_box_is_cut_out(
    ask: Callable[..., SkillResult], scale: float, blur: float, noise: float, least: float
) -> None:
    result = ask(segment_region, image=scene(scale, blur, noise), boxes=[DISC_BOX, BLOCK_BOX])
    assert isinstance(result, Masks)
    disc, block = (mask.array() for mask in result.masks)
    assert overlap(disc, shape_of("disc", scale)) > least
    assert overlap(block, shape_of("block", scale)) > least
    assert result.content() == {"boxes": [DISC_BOX, BLOCK_BOX]}


def test_a_point_means_the_region_alike_in_colour(ask: Callable[..., SkillResult]) -> None:
    result = ask(segment_region, image=scene(noise=4), points=[[0.25, 0.4]])
    assert isinstance(result, Masks)
    assert overlap(result.masks[0].array(), shape_of("disc")) > 0.95
    assert result.boxes[0] == pytest.approx((60 / 640, 80 / 480, 261 / 640, 281 / 480), abs=0.02)


def test_several_points_mean_one_region(ask: Callable[..., SkillResult]) -> None:
    result = ask(segment_region, image=scene(), points=[[0.7, 0.55], [0.7, 0.3]])
    assert isinstance(result, Masks)
    assert overlap(result.masks[0].array(), shape_of("block")) > 0.95


def test_a_point_labelled_0_stays_outside(ask: Callable[..., SkillResult]) -> None:
    result = ask(segment_region, image=scene(), points=[[0.7, 0.55], [0.7, 0.3]], point_labels=[1, 0])
    assert isinstance(result, Masks)
    mask = result.masks[0].array()
    assert mask[264, 448]
    assert not mask[144, 448]


def test_a_point_labelled_0_is_left_out_of_a_box(ask: Callable[..., SkillResult]) -> None:
    result = ask(segment_region, image=scene(), boxes=[BLOCK_BOX], points=[[0.7, 0.3]], point_labels=[0])
    assert isinstance(result, Masks)
    assert not result.masks[0].array()[144, 448]
    assert result.masks[0].array()[264, 448]


def test_the_same_question_gets_the_same_answer(ask: Callable[..., SkillResult]) -> None:
    arguments: dict[str, Any] = {"image": scene(blur=2, noise=20), "boxes": [[0.3, 0.1, 0.8, 0.9]]}
    assert ask(segment_region, **arguments) == ask(segment_region, **arguments)


def test_where_nothing_stands_out_the_mask_is_the_box(ask: Callable[..., SkillResult]) -> None:
    result = ask(segment_region, image=Image.new("RGB", (100, 50), "white"), boxes=[[0.2, 0.2, 0.5, 0.6]])
    assert isinstance(result, Masks)
    assert result.masks[0].box == (0.2, 0.2, 0.5, 0.6)
    assert result.masks[0].area == pytest.approx(0.12)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 300), (300, 1), (5, 4000)], ids=str)
@pytest.mark.parametrize(
    "prompt",
    [{"boxes": [[0, 0, 1, 1]]}, {"boxes": [[0.5, 0.5, 0.50001, 0.50001]]}, {"points": [[0, 0], [1, 1]]}],
    ids=["all", "a speck", "corners"],
)
def test_every_prompt_on_every_picture_gives_some_mask(
    ask: Callable[..., SkillResult], size: tuple[int, int], prompt: dict[str, Any]
) -> None:
    result = ask(segment_region, image=Image.new("RGB", size, "red"), **prompt)
    assert isinstance(result, Masks)
    assert result.masks[0].size == (size[1], size[0])
    assert result.masks[0].area > 0
    assert max(result.draw().size) >= 256


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "needs boxes, or points"),
        ({"boxes": []}, "needs boxes, or points"),
        ({"points": [[0.5, 0.5]], "point_labels": [0]}, "at least one lies on the region"),
        ({"points": [[0.5, 0.5]], "point_labels": [1, 0]}, "2 point_labels for 1 points"),
        ({"points": [[0.5, 0.5]], "point_labels": [2]}, "point_labels.0"),
        ({"boxes": [[0, 0, 0.4, 0.4]], "points": [[0.5, 0.5]]}, "point [0.5, 0.5] lies in none of the boxes"),
        ({"boxes": [[0.6, 0.1, 0.2, 0.5]]}, "x1 < x2 and y1 < y2"),
        ({"boxes": [[0.1, 0.1, 0.2, float("nan")]]}, "four numbers from 0 to 1"),
        ({"boxes": [[10, 20, 110, 220]]}, "four numbers from 0 to 1"),
        ({"boxes": [[0.1, 0.1, 0.2]]}, "boxes.0"),
        ({"boxes": [[0.1, 0.1, 0.2, 0.2]] * 33}, "at most 32"),
        ({"points": [[1.5, 0.5]]}, "two numbers from 0 to 1"),
        ({"points": "here"}, "points"),
    ],
    ids=str,
)
def test_a_prompt_that_means_nothing_is_told(
    ask: Callable[..., SkillResult], arguments: dict[str, Any], complaint: str
) -> None:
    result = ask(segment_region, image=scene(0.1), **arguments)
    assert isinstance(result, SkillFailure)
    assert complaint in result.error
