import numpy as np
import pytest
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_graph.types import Mask
from llavaplus_tools.boxes import box_around, chosen, distinct, filled, region_in, usable
from llavaplus_tools.protocols import Found

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        pytest.param((0.1, 0.2, 0.5, 0.6), (0.1, 0.2, 0.5, 0.6), id="as it is"),
        pytest.param((-0.3, 0.2, 1.7, 0.6), (0.0, 0.2, 1.0, 0.6), id="cut to the picture"),
        pytest.param((1.2, 0.2, 1.7, 0.6), None, id="beside the picture"),
        pytest.param((0.5, 0.2, 0.1, 0.6), None, id="turned round"),
        pytest.param((0.1, 0.2, 0.1, 0.6), None, id="a line"),
        pytest.param((0.1, 0.2, 0.1001, 0.6), None, id="nearly a line"),
        pytest.param((NAN, 0.2, 0.5, 0.6), None, id="not a number"),
        pytest.param((0.1, 0.2, INF, 0.6), None, id="infinite"),
        pytest.param((0.1, 0.2, 0.5), None, id="three numbers"),
    ],
)
def test_a_box_is_cut_to_the_picture_or_dropped(box: tuple[float, ...], kept: tuple[float, ...] | None) -> None:
    assert usable(box) == kept


def test_of_two_boxes_on_one_thing_the_surer_one_stays() -> None:
    # The second overlaps the first by 0.9 / 1.0, the third by 0.7 / 1.0.
    boxes = np.array([[0.0, 0.0, 1.0, 0.9], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.7], [0.0, 0.8, 0.1, 0.9]])
    assert distinct(boxes, np.array([0.5, 0.9, 0.7, 0.1])) == [1, 2, 3]
    assert distinct(boxes, np.array([0.5, 0.9, 0.7, 0.1]), overlap=0.95) == [1, 2, 0, 3]


def test_only_what_can_be_told_is_chosen_best_first() -> None:
    found = Found(
        boxes=(
            (0.1, 0.1, 0.2, 0.2),
            (NAN, 0, 1, 1),
            (0.5, 0.5, 0.9, 0.9),
            (0.3, 0.3, 0.3, 0.4),
            (0, 0, 1, 1),
            (0, 0, 1, 0.5),
        ),
        scores=(0.4, 0.9, 1.5, 0.9, NAN, 0.3),
        labels=("cat", "cat", "dog", "cat", "cat", " "),
    )
    assert chosen(found) == Found(((0.5, 0.5, 0.9, 0.9), (0.1, 0.1, 0.2, 0.2)), (1.0, 0.4), ("dog", "cat"))


def test_nothing_found_is_nothing_chosen() -> None:
    assert chosen(Found()) == Found()


def test_a_filled_box_and_the_box_around_it_are_the_same() -> None:
    region = filled((0.25, 0.5, 0.75, 1.0), (40, 20))
    assert (region.shape, int(region.sum())) == ((20, 40), 200)
    assert box_around(region) == (0.25, 0.5, 0.75, 1.0)
    assert box_around(np.zeros((4, 4), bool)) is None


@pytest.mark.parametrize("box", [(0.99, 0.99, 1.0, 1.0), (0.0, 0.0, 0.001, 0.001)])
def test_the_smallest_box_fills_a_pixel(box: tuple[float, float, float, float]) -> None:
    assert filled(box, (10, 5)).sum() == 1


def test_a_mask_of_another_picture_is_told_by_both_sizes() -> None:
    picture = Image.new("RGB", (64, 48))
    assert region_in(picture, Mask.from_array(np.ones((48, 64)))).all()
    with pytest.raises(SkillError, match="48 x 64 pixels and this one has 64 x 48"):
        region_in(picture, Mask.from_array(np.ones((64, 48))))
    with pytest.raises(SkillError, match="the mask is empty"):
        region_in(picture, Mask.from_array(np.zeros((48, 64))))
