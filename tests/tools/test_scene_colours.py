import numpy as np
import pytest

from llavaplus_tools.scene_colours import COLOURS, colour_of, painted


def test_the_classes_are_those_of_ade20k_each_with_a_colour() -> None:
    assert len(COLOURS) == 150
    # Road and skyscraper share one in the usual drawings.
    assert len(set(COLOURS.values())) == 149


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("wall", (120, 120, 120)),
        ("sky", (6, 230, 230)),
        ("Sky ", (6, 230, 230)),
        ("window", (230, 230, 230)),
        ("pool_table", (255, 71, 0)),
        ("flag", (92, 0, 255)),
        ("unicorn", (0, 0, 0)),
    ],
)
def test_a_class_has_its_colour_under_any_of_its_names(name: str, colour: tuple[int, int, int]) -> None:
    assert colour_of(name) == colour


def test_areas_are_painted_where_they_are_and_nothing_is_black() -> None:
    left = np.array([[True, False, False], [True, False, False]])
    top = np.array([[False, True, False], [False, False, False]])
    pixels = np.asarray(painted([("sky", left), ("wall", top)], (3, 2)))
    assert pixels.tolist() == [
        [[6, 230, 230], [120, 120, 120], [0, 0, 0]],
        [[6, 230, 230], [0, 0, 0], [0, 0, 0]],
    ]
