"""Where the dense features of one picture are like those of an example in another. Knows grids, no model and no skill.

A cell matches when it is more like the example than like what is around the example, and nearly as much like it as the
example's own cells are like each other. Matching cells that touch are one find.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llavaplus_tools._backends.opencv import opencv

Grid = npt.NDArray[np.float32]
Cells = npt.NDArray[np.bool_]

_NEIGHBOURS = 3
"""A cell is as alike as the mean of the so many most alike cells of the example."""

_WITHOUT_SURROUNDINGS = 0.6


class Find(NamedTuple):
    """Cells (rows x columns) that match, the most alike of them (row, column) and how alike they are, 0 to 1."""

    cells: Cells
    peak: tuple[int, int]
    score: float


def finds(reference: Grid, example: Cells, target: Grid) -> list[Find]:
    """What in a grid of features is like an example, most alike first.

    Args:
        reference: rows x columns x dimensions, vectors of length 1: the picture that holds the example.
        example: rows x columns: the example's cells, at least one.
        target: the picture to search, of any size, with the same dimensions.
    """
    inside, around = reference[example], reference[~example]
    likeness = _likeness(target, inside)
    matches = likeness >= _threshold(inside, around)
    if around.size:
        matches &= likeness > _likeness(target, around)
    count, parts = opencv().connectedComponents(matches.astype(np.uint8), connectivity=8)
    found = []
    for number in range(1, count):
        cells = parts == number
        row, column = np.unravel_index(int(np.where(cells, likeness, -np.inf).argmax()), cells.shape)
        score = float(np.clip(likeness[cells].mean(), 0, 1))
        found.append(Find(cells, (int(row), int(column)), score))
    return sorted(found, key=lambda find: find.score, reverse=True)


def _likeness(grid: Grid, cells: Grid, *, but_itself: bool = False) -> npt.NDArray[np.float32]:
    """How alike every vector of a grid is to a few of the given ones, -1 to 1."""
    alike = grid @ cells.T
    if but_itself:
        alike = np.where(np.eye(len(cells), dtype=bool), -np.inf, alike)
    most = min(_NEIGHBOURS, len(cells) - but_itself)
    likeness: npt.NDArray[np.float32] = np.sort(alike, axis=-1)[..., -most:].mean(axis=-1)
    return likeness


def _threshold(inside: Grid, around: Grid) -> float:
    """Halfway between how alike the example's cells are to each other and what is around them to them."""
    if not around.size or len(inside) < 2:
        return _WITHOUT_SURROUNDINGS
    itself = float(np.median(_likeness(inside, inside, but_itself=True)))
    beside = float(np.median(_likeness(around, inside)))
    return (itself + beside) / 2
