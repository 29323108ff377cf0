import numpy as np
import pytest
from PIL import Image, ImageChops

from llavaplus_graph import marking
from llavaplus_graph.marking import Chip, canvas_of, colour_of, middle_of, place_chips, shape_of

WHITE = Image.new("RGB", (600, 400), "white")


def region(top: int, bottom: int, left: int, right: int, size: tuple[int, int] = (400, 600)) -> Image.Image:
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return shape_of(mask, Image.new("RGB", size[::-1]))


def test_the_first_twenty_four_colours_differ() -> None:
    colours = [colour_of(number) for number in range(24)]
    assert len(set(colours)) == 24
    assert colours[:8] == list(marking.PALETTE)
    least = min(
        sum(abs(a - b) for a, b in zip(one, other, strict=True))
        for index, one in enumerate(colours)
        for other in colours[:index]
    )
    assert least > 30


def test_a_small_picture_is_enlarged_by_a_whole_factor_and_a_large_one_copied() -> None:
    assert canvas_of(Image.new("L", (60, 40))).size == (300, 200)
    copied = canvas_of(WHITE)
    assert copied is not WHITE
    assert copied.size == WHITE.size


def test_the_middle_of_a_region_lies_where_it_is_thickest() -> None:
    mask = np.zeros((400, 600), bool)
    mask[190:210] = True  # a thin bar across
    mask[100:300, 400:560] = True  # a thick part of it
    left, top, right, bottom = middle_of(shape_of(mask, WHITE))
    assert 400 <= left < right <= 560
    assert 100 <= top < bottom <= 300
    assert bottom - top > 100


def test_the_middle_of_a_long_region_is_in_the_middle_of_its_length() -> None:
    left, _, right, _ = middle_of(region(0, 100, 0, 600))
    assert (left + right) / 2 == pytest.approx(300, abs=20)


def test_the_middle_of_nothing_has_no_room() -> None:
    left, top, right, bottom = middle_of(Image.new("L", (600, 400)))
    assert right <= left + 1
    assert bottom <= top + 1


def chips(count: int, place: tuple[int, int, int, int]) -> list[Chip]:
    return [Chip(f"label {number}", colour_of(0), place) for number in range(count)]


def test_labels_that_fit_are_all_written_and_none_over_another() -> None:
    canvas = WHITE.copy()
    assert place_chips(canvas, chips(3, (200, 150, 400, 250)))
    drawn = np.asarray(canvas)
    assert (drawn == colour_of(0)).all(axis=2).sum() > 3 * 600


def test_labels_that_would_cover_others_are_left_out() -> None:
    few, many = WHITE.copy(), WHITE.copy()
    assert not place_chips(few, chips(20, (200, 150, 400, 250)))
    assert not place_chips(many, chips(24, (200, 150, 400, 250)))
    assert ImageChops.difference(few, many).getbbox() is None


def test_labels_leave_most_of_the_picture_free() -> None:
    canvas = WHITE.copy()
    rng = np.random.default_rng(0)
    spots = [(int(x), int(y), int(x) + 9, int(y) + 9) for x, y in rng.integers(0, 390, (400, 2))]
    assert not place_chips(canvas, [Chip("label", colour_of(0), spot) for spot in spots])
    assert (np.asarray(canvas) == colour_of(0)).all(axis=2).mean() < 0.35


def test_a_label_that_stands_inside_is_written_only_where_it_fits() -> None:
    canvas = WHITE.copy()
    assert not place_chips(canvas, [Chip("a long name", colour_of(0), (100, 100, 120, 120), inside=True)])
    assert ImageChops.difference(canvas, WHITE).getbbox() is None
    assert place_chips(canvas, [Chip("name", colour_of(0), (100, 100, 300, 300), inside=True)])
    left, top, right, bottom = ImageChops.difference(canvas, WHITE).getbbox() or (0, 0, 0, 0)
    assert (left + right) / 2 == pytest.approx(200, abs=3)
    assert (top + bottom) / 2 == pytest.approx(200, abs=3)
