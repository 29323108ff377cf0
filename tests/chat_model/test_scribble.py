from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from llavaplus_graph.chat_model.scribble import marks_of
from llavaplus_graph.errors import PictureError
from llavaplus_graph.geometry import Mask

CIRCLE = [(0.5 + 0.3 * np.cos(angle), 0.5 + 0.2 * np.sin(angle)) for angle in np.linspace(0, 6, 30)]


def drawn(size: tuple[int, int] = (400, 300), mode: str = "L", **shapes: Any) -> Image.Image:
    """A picture of a scribble; the shapes are methods of ImageDraw with their coordinates in pixels."""
    picture = Image.new(mode, size, 0)
    pen = ImageDraw.Draw(picture)
    ink = {"L": 255, "RGBA": (200, 0, 0, 255), "RGB": (200, 0, 0)}[mode]
    for shape, coordinates in shapes.items():
        options = {"width": 8} if shape in ("line", "arc") else {}
        more = {"start": 0, "end": 360} if shape == "arc" else {}
        getattr(pen, shape)(coordinates, fill=ink, **more, **options)
    return picture


def test_a_line_becomes_points_along_it_but_not_at_its_ends() -> None:
    boxes, points = marks_of([(0.1, 0.5), (0.4, 0.5), (0.7, 0.5)])
    assert boxes == []
    assert np.allclose(points, [(0.2, 0.5), (0.4, 0.5), (0.6, 0.5)])


def test_points_are_at_equal_distances_however_the_pen_slowed_down() -> None:
    slow = [(0.1 + 0.001 * step, 0.2) for step in range(100)]
    _, points = marks_of([*slow, (0.7, 0.2)])
    assert np.allclose(points, [(0.2, 0.2), (0.4, 0.2), (0.6, 0.2)], atol=0.001)


@pytest.mark.parametrize("scribble", [[(0.3, 0.4)], [(0.3, 0.4), (0.301, 0.4)], [(0.3, 0.4)] * 9])
def test_a_click_becomes_one_point(scribble: list[tuple[float, float]]) -> None:
    boxes, ((x, y),) = marks_of(scribble)
    assert boxes == []
    assert (x, y) == pytest.approx((0.3, 0.4), abs=0.002)


def test_a_loop_becomes_the_box_around_it() -> None:
    (box,), points = marks_of(CIRCLE)
    assert points == []
    assert box == pytest.approx((0.2, 0.3, 0.8, 0.7), abs=0.01)


def test_a_wave_is_no_loop() -> None:
    boxes, points = marks_of([(0.1 + 0.02 * step, 0.5 + 0.1 * (-1) ** step) for step in range(30)])
    assert boxes == []
    assert len(points) == 3


def test_several_lines_share_the_points_and_loops_stay_boxes() -> None:
    boxes, points = marks_of([[(0.1, 0.1), (0.3, 0.1)], CIRCLE, [(0.1, 0.9), (0.3, 0.9)]])
    assert len(boxes) == 1
    assert np.allclose(points, [(0.2, 0.1), (0.2, 0.9)])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_drawn_stroke_becomes_points_on_it(mode: str) -> None:
    boxes, points = marks_of(drawn(mode=mode, line=[(40, 60), (360, 240)]))
    assert boxes == []
    assert np.allclose(points, [(0.233, 0.3), (0.5, 0.5), (0.767, 0.7)], atol=0.03)


def test_a_drawn_loop_and_a_painted_region_become_boxes() -> None:
    for picture in (drawn(arc=(100, 60, 300, 240)), drawn(ellipse=(100, 60, 300, 240))):
        (box,), points = marks_of(picture)
        assert points == []
        assert box == pytest.approx((0.25, 0.2, 0.75, 0.8), abs=0.01)


def test_a_drawn_dot_becomes_one_point() -> None:
    boxes, points = marks_of(drawn(ellipse=(198, 148, 206, 156)))
    assert boxes == []
    assert points == [pytest.approx((0.505, 0.507), abs=0.01)]


def test_a_curve_keeps_its_points_on_itself() -> None:
    picture = drawn(line=[(40, 40), (40, 260), (360, 260)])
    _, points = marks_of(picture)
    assert all(picture.getpixel((int(x * 400), int(y * 300))) == 255 for x, y in points)


def test_masks_and_arrays_say_the_same_as_their_picture() -> None:
    picture = drawn(line=[(40, 60), (360, 240)])
    array = np.asarray(picture) > 0
    assert marks_of(Mask.from_array(array)) == marks_of(array) == marks_of(picture)


def test_a_thin_stroke_on_a_large_picture_is_not_lost() -> None:
    array = np.zeros((3000, 4000), bool)
    array[1500, 1000:3000] = True
    _, points = marks_of(array)
    assert len(points) == 3
    assert all(abs(y - 0.5) < 0.01 for _, y in points)


@pytest.mark.parametrize(
    ("scribble", "told"),
    [
        ([], "scribble is empty"),
        ([[]], "line of points"),
        (Image.new("L", (9, 9)), "nothing in it is marked"),
        (Image.new("RGBA", (9, 9), (255, 0, 0, 0)), "nothing in it is marked"),
        (np.zeros((4, 4, 3)), r"not of shape \(4, 4, 3\)"),
        ([(0.1, 0.2), (0.1, 1.2)], r"point \[0.1, 1.2\] of the scribble must be"),
        ([(0.1, float("nan"))], r"\[0.1, nan\]"),
        ([(0.1, 0.2, 0.3)], "line of points"),
        ("a line", "line of points"),
    ],
)
def test_what_is_no_scribble_is_said_to_be_none(scribble: Any, told: str) -> None:
    with pytest.raises(PictureError, match=told):
        marks_of(scribble)
