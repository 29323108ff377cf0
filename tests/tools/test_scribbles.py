import pytest

from llavaplus_tools.scribbles import along


def test_points_lie_at_equal_distances_along_a_line() -> None:
    points = along([(0.0, 0.0), (0.4, 0.0), (0.4, 0.4)], most=5)
    assert points == [pytest.approx(point) for point in [(0, 0), (0.2, 0), (0.4, 0), (0.4, 0.2), (0.4, 0.4)]]


def test_a_dot_is_one_point() -> None:
    assert along([(0.3, 0.7)]) == [(0.3, 0.7)]
    assert along([(0.3, 0.7), (0.3, 0.7)]) == [(0.3, 0.7)]


def test_nothing_drawn_is_no_point() -> None:
    assert along([]) == []
