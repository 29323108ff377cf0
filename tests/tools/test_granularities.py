from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from llavaplus_graph.types import Masks, SkillFailure, SkillResult
from llavaplus_tools import segment_at_granularities
from llavaplus_tools.granularities import distinct_levels
from llavaplus_tools.segmenters import grabcut_segmenter

Ask = Callable[..., SkillResult]
offline = partial(segment_at_granularities, segmenter=grabcut_segmenter(isolated=False))


def target() -> Image.Image:
    picture = Image.new("RGB", (400, 300), (205, 205, 200))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((120, 70, 280, 230), fill=(200, 50, 40))
    pen.ellipse((180, 130, 220, 170), fill=(240, 210, 60))
    return picture


def test_what_is_at_a_point_is_outlined_from_the_part_to_the_whole_offline(ask: Ask) -> None:
    result = ask(offline, image=target(), point=[0.5, 0.5])
    assert isinstance(result, Masks)
    dot, disc = result.boxes
    assert dot == pytest.approx((0.45, 0.43, 0.55, 0.57), abs=0.02)
    assert disc == pytest.approx((0.3, 0.23, 0.7, 0.77), abs=0.02)
    assert result.content() == {"boxes": [[round(side, 2) for side in box] for box in (dot, disc)]}
    assert result.draw().size == (400, 300)


@pytest.mark.parametrize("point", [[[0.5, 0.5]], [0.5, 0.5]], ids=["nested", "flat"])
def test_the_point_may_be_nested_as_the_originals(ask: Ask, point: Any) -> None:
    assert ask(offline, image=target(), point=point) == ask(offline, image=target(), boxes=[[0.4, 0.4, 0.6, 0.6]])


@pytest.mark.parametrize("weights", ["sam", "sam2"])
def test_sam_gives_up_to_three_levels(ask: Ask, request: pytest.FixtureRequest, weights: str) -> None:
    model = str(request.getfixturevalue(weights))
    result = ask(partial(segment_at_granularities, model=model), image=target(), point=[0.5, 0.5])
    assert isinstance(result, Masks)
    assert 1 <= len(result.masks) <= 3
    areas = [mask.area for mask in result.masks]
    assert areas == sorted(areas)
    assert result.draw().size == (400, 300)


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (64, 64)], ids=str)
def test_every_picture_has_a_level_at_every_point(ask: Ask, size: tuple[int, int]) -> None:
    result = ask(offline, image=Image.new("RGB", size, "green"), point=[1, 1])
    assert isinstance(result, Masks)
    assert result.masks[0].array()[-1, -1]


def test_empty_and_repeated_levels_are_left_out() -> None:
    levels = [np.tri(20, 20, k, dtype=bool) for k in (5, 5, -8, -99, 4)]
    assert [int(level.sum()) for level in distinct_levels(levels)] == [int(levels[2].sum()), int(levels[4].sum())]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "point: Field required"),
        ({"point": [0.5]}, "point"),
        ({"point": [1.5, 0.5]}, "two numbers from 0 to 1"),
        ({"point": [0.5, float("nan")]}, "two numbers from 0 to 1"),
        ({"point": "middle"}, "point"),
        ({"boxes": [[0.6, 0.1, 0.2]]}, "point: Field required"),
    ],
    ids=str,
)
def test_a_point_that_is_none_is_told(ask: Ask, arguments: dict[str, Any], complaint: str) -> None:
    result = ask(offline, image=target(), **arguments)
    assert isinstance(result, SkillFailure)
    assert complaint in result.error


def test_missing_weights_are_told_where_they_were_asked_for(ask: Ask, tmp_path: Path) -> None:
    result = ask(partial(segment_at_granularities, model="no/sam"), image=target(), point=[0.5, 0.5])
    assert isinstance(result, SkillFailure)
    assert result.error.startswith("segment_at_granularities needs the weights no/sam, which are not on this machine")
