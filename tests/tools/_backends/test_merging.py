from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from llavaplus_tools._backends.merging import levels_around


def target(blur: float = 0.0, noise: float = 0.0) -> np.ndarray[Any, Any]:
    """A yellow dot on a red disc on a blue board on grey."""
    picture = Image.new("RGB", (400, 300), (205, 205, 200))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((60, 30, 340, 270), fill=(60, 90, 190))
    pen.ellipse((120, 70, 280, 230), fill=(200, 50, 40))
    pen.ellipse((180, 130, 220, 170), fill=(240, 210, 60))
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(blur))).astype(float)
    grain = np.random.default_rng(0).normal(0, noise, pixels.shape)
    return (pixels + grain).clip(0, 255).astype(np.uint8)


def areas(regions: list[np.ndarray[Any, Any]]) -> list[float]:
    return [float(region.mean()) for region in regions]


DOT, DISC, BOARD = 400 * 3.14 / 120_000, 6_400 * 3.14 / 120_000, 281 * 241 / 120_000


@pytest.mark.parametrize(("blur", "noise"), [(0, 0), (1.5, 4)], ids=["clean", "noisy"])
def test_each_thing_around_a_point_is_a_level(blur: float, noise: float) -> None:
    levels = levels_around(target(blur, noise), [(200, 150)], [])
    assert areas(levels) == pytest.approx([DOT, DISC, BOARD], rel=0.25)  # a blurred dot seems larger


def test_every_level_holds_the_point_and_the_level_before() -> None:
    levels = levels_around(target(1, 6), [(200, 150)], [])
    assert all(level[150, 200] for level in levels)
    assert all((small <= large).all() for small, large in pairwise(levels))


def test_several_points_lie_on_every_level() -> None:
    levels = levels_around(target(), [(200, 150), (140, 150)], [])
    assert areas(levels) == pytest.approx([DISC, BOARD], rel=0.12)
    assert all(level[150, 200] and level[150, 140] for level in levels)


def test_an_outer_point_ends_the_growth() -> None:
    assert areas(levels_around(target(), [(200, 150)], [(80, 50)])) == pytest.approx([DOT, DISC], rel=0.12)


def test_no_more_levels_than_asked_for() -> None:
    assert len(levels_around(target(), [(200, 150)], [], most=1)) == 1


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 400), (300, 200)], ids=str)
def test_where_nothing_stands_out_there_is_one_level(shape: tuple[int, int]) -> None:
    (level,) = levels_around(np.full((*shape, 3), 120, np.uint8), [(0, 0)], [])
    assert level.all()


def test_noise_is_done_in_no_time() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (512, 512, 3), dtype=np.uint8)
    levels = levels_around(noise, [(256, 256)], [])
    assert levels
    assert all(level[256, 256] for level in levels)
