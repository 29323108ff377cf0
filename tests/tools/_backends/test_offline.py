from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.offline import GrabCutSegmenter
from llavaplus_tools.protocols import Prompt

DISC = (60, 80, 260, 280)


def scene() -> Image.Image:
    picture = Image.new("RGB", (640, 480), (225, 225, 220))
    ImageDraw.Draw(picture).ellipse(DISC, fill=(200, 60, 40))
    return picture


def disc() -> np.ndarray[Any, Any]:
    plane = Image.new("1", (640, 480))
    ImageDraw.Draw(plane).ellipse(DISC, fill=1)
    return np.asarray(plane)


def overlap(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("shift", [(0, 0), (25, -20)], ids=["in place", "beside it"])
def test_a_rough_mask_is_drawn_to_the_edges(shift: tuple[int, int]) -> None:
    rough = np.zeros((480, 640), bool)
    rough[110 + shift[1] : 250 + shift[1], 90 + shift[0] : 230 + shift[0]] = True
    (mask,) = GrabCutSegmenter(isolated=False).from_prompts(scene(), [Prompt(mask=rough)])
    assert overlap(mask, disc()) > 0.97 > overlap(rough, disc())


def test_a_rough_mask_on_nothing_stays_as_it_is() -> None:
    rough = np.zeros((480, 640), bool)
    rough[300:400, 400:500] = True
    (mask,) = GrabCutSegmenter(isolated=False).from_prompts(Image.new("RGB", (640, 480), "white"), [Prompt(mask=rough)])
    assert np.array_equal(mask, rough)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64)], ids=str)
def test_a_mask_of_a_whole_picture_can_be_refined(size: tuple[int, int]) -> None:
    (mask,) = GrabCutSegmenter(isolated=False).from_prompts(
        Image.new("RGB", size), [Prompt(mask=np.ones(size[::-1], bool))]
    )
    assert mask.all()


def test_prompts_of_several_kinds_are_answered_in_their_order() -> None:
    rough = np.zeros((480, 640), bool)
    rough[110:250, 90:230] = True
    prompts = [Prompt(box=(0.6, 0.1, 0.9, 0.4)), Prompt(points=((0.25, 0.4),), labels=(1,)), Prompt(mask=rough)]
    box, point, mask = GrabCutSegmenter(isolated=False).from_prompts(scene(), prompts)
    assert overlap(box, disc()) == 0
    assert min(overlap(point, disc()), overlap(mask, disc())) > 0.95


def test_levels_at_a_point_are_masks_of_the_pictures_size() -> None:
    (level,) = GrabCutSegmenter(isolated=False).from_points(scene(), [(0.25, 0.4)], [1])
    assert overlap(level, disc()) > 0.95


def test_in_a_process_of_its_own_it_gives_the_same() -> None:
    prompts = [Prompt(box=(0.05, 0.1, 0.45, 0.65)), Prompt(mask=disc(), points=((0.25, 0.4),), labels=(1,))]
    here, apart = GrabCutSegmenter(isolated=False), GrabCutSegmenter()
    for one, other in zip(here.from_prompts(scene(), prompts), apart.from_prompts(scene(), prompts), strict=True):
        assert np.array_equal(one, other)
    levels = apart.from_points(scene(), [(0.25, 0.4)], [1])
    assert np.array_equal(levels, here.from_points(scene(), [(0.25, 0.4)], [1]))


def test_what_takes_too_long_is_stopped_and_told_by_the_skills_name() -> None:
    with pytest.raises(SkillError, match=r"segment_at_granularities took longer than 0\.001 s and was stopped"):
        GrabCutSegmenter("segment_at_granularities", seconds=0.001).from_points(scene(), [(0.25, 0.4)], [1])
