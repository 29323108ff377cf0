import numpy as np
import pytest

from llavaplus_tools._backends.matching import Cells, Grid, finds

CUP, TABLE, PLANT = np.eye(3, dtype=np.float32)


def grid(rows: int, columns: int, **places: tuple[int, int, int, int]) -> Grid:
    """A table with things on it, each a block of cells (top, left, bottom, right), a little different everywhere."""
    cells: Grid = np.tile(TABLE, (rows, columns, 1))
    for name, (top, left, bottom, right) in places.items():
        cells[top:bottom, left:right] = {"c": CUP, "p": PLANT}[name[0]]
    noisy = cells + np.random.default_rng(0).normal(0, 0.05, cells.shape)
    unit: Grid = (noisy / np.linalg.norm(noisy, axis=-1, keepdims=True)).astype(np.float32)
    return unit


def block(rows: int, columns: int, place: tuple[int, int, int, int]) -> Cells:
    cells = np.zeros((rows, columns), bool)
    cells[place[0] : place[2], place[1] : place[3]] = True
    return cells


REFERENCE, EXAMPLE = grid(6, 8, c=(1, 1, 4, 4)), block(6, 8, (1, 1, 4, 4))


def test_each_thing_like_the_example_is_found_where_it_is() -> None:
    found = finds(REFERENCE, EXAMPLE, grid(10, 12, c1=(0, 0, 2, 3), c2=(5, 8, 9, 12), p=(7, 1, 9, 3)))
    assert len(found) == 2
    by_size = sorted((find.cells for find in found), key=np.sum)
    assert np.array_equal(by_size[0], block(10, 12, (0, 0, 2, 3)))
    assert np.array_equal(by_size[1], block(10, 12, (5, 8, 9, 12)))
    assert all(find.cells[find.peak] and find.score > 0.95 for find in found)
    assert found[0].score >= found[1].score


def test_what_is_like_neither_the_example_nor_its_surroundings_is_not_found() -> None:
    assert finds(REFERENCE, EXAMPLE, grid(6, 6, p=(1, 1, 4, 4))) == []


def test_an_example_that_fills_its_picture_is_found_too() -> None:
    found = finds(grid(3, 3, c=(0, 0, 3, 3)), np.ones((3, 3), bool), grid(6, 6, c=(2, 2, 4, 4)))
    assert [np.argwhere(find.cells).min() for find in found] == [2]


def test_an_example_of_one_cell_is_enough() -> None:
    found = finds(grid(4, 4, c=(1, 1, 2, 2)), block(4, 4, (1, 1, 2, 2)), grid(6, 6, c=(4, 0, 6, 2)))
    assert np.array_equal(found[0].cells, block(6, 6, (4, 0, 6, 2)))


def test_diagonal_neighbours_are_one_find() -> None:
    assert len(finds(REFERENCE, EXAMPLE, grid(6, 6, c1=(0, 0, 2, 2), c2=(2, 2, 4, 4)))) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)], ids=str)
def test_a_picture_of_any_shape_is_searched(size: tuple[int, int]) -> None:
    (find,) = finds(REFERENCE, EXAMPLE, grid(*size, c=(0, 0, 1, 1)))
    assert (find.peak, int(find.cells.sum())) == ((0, 0), 1)
