import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import TypeAdapter, ValidationError

from llavaplus_graph.geometry import Box, Mask, Point

BOX: TypeAdapter[Any] = TypeAdapter(Box)
POINT: TypeAdapter[Any] = TypeAdapter(Point)


@settings(deadline=None)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_a_mask_unpacks_to_what_was_packed(array: np.ndarray[Any, Any]) -> None:
    mask = Mask.from_array(array)
    assert (mask.array() == array).all()
    assert mask.area == pytest.approx(array.mean())


@settings(deadline=None)
@given(st.tuples(st.integers(1, 30), st.integers(1, 30)), st.text(max_size=12))
def test_any_text_is_a_mask_or_a_validation_error(size: tuple[int, int], counts: str) -> None:
    try:
        mask = Mask(size=size, counts=counts)
    except ValidationError:
        return
    assert mask.array().shape == size


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        pytest.param(["0000", "0110", "0110", "0000"], "52203", id="columns first"),
        pytest.param(["11", "11"], "04", id="a full mask begins with no pixels outside"),
        pytest.param(["00", "00"], "4", id="an empty mask is one run"),
    ],
)
def test_the_runs_are_those_of_coco(rows: list[str], counts: str) -> None:
    mask = Mask.from_array(np.array([[int(pixel) for pixel in row] for row in rows]))
    assert mask.counts == counts


def test_long_runs_take_several_characters_as_in_coco() -> None:
    array = np.zeros((50, 70), bool)
    array[10:20, 5:60] = True
    # The value is pycocotools': differences to the run before last, five bits a character.
    assert Mask.from_array(array).counts.startswith("T8:X1000")


def test_the_box_of_a_mask_is_tight() -> None:
    array = np.zeros((10, 20), bool)
    array[2:5, 4:10] = True
    assert Mask.from_array(array).box == (0.2, 0.2, 0.5, 0.5)


def test_an_empty_mask_has_no_box() -> None:
    assert Mask.from_array(np.zeros((3, 4), bool)).box is None


@pytest.mark.parametrize(
    ("size", "counts", "complaint"),
    [
        pytest.param((2, 2), "5", "fill 5 pixels", id="too long"),
        pytest.param((2, 2), "3", "fill 3 pixels", id="too short"),
        pytest.param((2, 2), "ä", "does not use", id="foreign letter"),
        pytest.param((2, 2), "T", "middle of a number", id="cut off"),
        pytest.param((2, 2), "O", "negative", id="negative"),
        pytest.param((10**6, 10**6), "4", "larger than", id="huge"),
        pytest.param((0, 4), "0", "greater than or equal to 1", id="no height"),
    ],
)
def test_a_mask_that_cannot_be_is_refused(size: tuple[int, int], counts: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Mask(size=size, counts=counts)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), (0, 4)])
def test_only_a_plane_can_be_a_mask(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="height x width"):
        Mask.from_array(np.zeros(shape))


coordinates = st.floats(0, 1)


@settings(deadline=None)
@given(coordinates, coordinates, coordinates, coordinates)
def test_a_box_is_accepted_exactly_when_its_corners_are_in_order(x1: float, y1: float, x2: float, y2: float) -> None:
    if x1 < x2 and y1 < y2:
        assert BOX.validate_python([x1, y1, x2, y2]) == (x1, y1, x2, y2)
    else:
        with pytest.raises(ValidationError, match="x1 < x2 and y1 < y2"):
            BOX.validate_python([x1, y1, x2, y2])


@pytest.mark.parametrize("box", [[-0.1, 0, 1, 1], [0, 0, 1.01, 1], [0, 0, math.nan, 1], [0, 0, math.inf, 1]])
def test_a_box_outside_the_picture_is_refused(box: list[float]) -> None:
    with pytest.raises(ValidationError, match="four numbers from 0 to 1"):
        BOX.validate_python(box)


@pytest.mark.parametrize("point", [[1.2, 0.5], [0.5, -1], [math.nan, 0.5]])
def test_a_point_outside_the_picture_is_refused(point: list[float]) -> None:
    with pytest.raises(ValidationError, match="two numbers from 0 to 1"):
        POINT.validate_python(point)
