"""Merges a picture's smallest regions into ever larger ones, and says which of them around a point last the longest.

The regions are the watersheds of the gradient; the two neighbours that differ least merge first, as in ultrametric
contour maps (Arbelaez, 2006). Knows pixels, no results and no skills.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llavaplus_tools._backends.opencv import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLAT = 1.5
"""Gradient (CIE Lab a pixel) below which a pixel lies within a region."""

_LEAST_MARKER = 12
_NEARLY_ALL = 0.9
_MOST_OF_A_THING = 0.6
_LEAST = 0.0004
_NEXT_LEVEL = 1.5


class _Step(NamedTuple):
    """A region on its way: its cells, its share of the picture, at which difference it arose and went up in another."""

    cells: frozenset[int]
    area: float
    born: float
    gone: float


def levels_around(
    pixels: NDArray[np.uint8], inner: Sequence[tuple[int, int]], outer: Sequence[tuple[int, int]], *, most: int = 4
) -> list[NDArray[np.bool_]]:
    """The most lasting regions that hold the inner points, each inside the next.

    Args:
        pixels: height x width x 3, RGB, a few hundred pixels a side.
        inner: (column, row) of points in the region, at least one.
        outer: points that no region may hold.
        most: how many regions at most.

    Returns:
        At least one, height x width each.
    """
    calm = _calmed(pixels)
    steepness = _steepness(calm)
    cells = _cells(steepness)
    wanted = {int(cells[row, column]) for column, row in inner}
    unwanted = {int(cells[row, column]) for column, row in outer}
    steps = _history(calm, steepness, cells, wanted, unwanted)
    lasting = sorted(steps, key=lambda step: step.gone / (step.born + 1.0), reverse=True)
    things = [step for step in lasting if step.area <= _MOST_OF_A_THING]
    chosen: list[_Step] = []
    for step in things or lasting:
        apart = all(not 1 / _NEXT_LEVEL < step.area / other.area < _NEXT_LEVEL for other in chosen)
        if len(chosen) < most and apart:
            chosen.append(step)
    return [np.isin(cells, list(step.cells)) for step in sorted(chosen, key=lambda step: step.area)]


def _calmed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The picture in CIE Lab without its grain, lightness counting less because of shadows."""
    cv2 = opencv()
    lab: NDArray[np.float32] = cv2.cvtColor(
        cv2.bilateralFilter(pixels, 7, 30, 5).astype(np.float32) / 255, cv2.COLOR_RGB2LAB
    )
    return lab * np.array([0.6, 1, 1], np.float32)


def _steepness(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    cv2 = opencv()
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3) / 8, cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3) / 8
    steepness: NDArray[np.float32] = np.sqrt((across**2 + down**2).sum(axis=-1))
    return steepness


def _cells(steepness: NDArray[np.float32]) -> NDArray[np.int32]:
    """The smallest regions, numbered from 0: watersheds that start from flat places."""
    cv2 = opencv()
    _, flat, stats, _ = cv2.connectedComponentsWithStats((steepness < _FLAT).astype(np.uint8), connectivity=4)
    markers = np.flatnonzero(stats[:, 4] >= _LEAST_MARKER)
    markers = markers[markers > 0]
    if not markers.size:
        return np.zeros(flat.shape, np.int32)
    numbers = np.zeros(len(stats), np.int32)
    numbers[markers] = np.arange(1, markers.size + 1)
    relief = cv2.cvtColor((steepness * 8).clip(0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    # The watershed takes the rim of the picture for a border, so it gets a wider one.
    around = (1, 1, 1, 1, cv2.BORDER_REPLICATE)
    started = cv2.copyMakeBorder(numbers[flat], *around)
    cells: NDArray[np.int32] = cv2.watershed(cv2.copyMakeBorder(relief, *around), started)[1:-1, 1:-1]
    while (borders := cells < 1).any():  # lines of one pixel between the regions
        spread = cv2.dilate(cells.clip(0).astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
        cells = np.where(borders, spread, cells)
    return cells - 1


def _history(
    lab: NDArray[np.float32],
    steepness: NDArray[np.float32],
    cells: NDArray[np.int32],
    wanted: set[int],
    unwanted: set[int],
) -> list[_Step]:
    """What becomes of the region that holds the wanted cells while the most alike neighbours merge."""
    forest = _Forest(lab, steepness, cells)
    steps: list[_Step] = []
    born, before = 0.0, forest.holding(wanted)
    while (difference := forest.merge()) is not None:
        now = forest.holding(wanted)
        if now == before:
            continue
        if before:
            steps.append(_Step(before, forest.area(before), born, difference))
        born, before = max(born, difference), now
        if now & unwanted or forest.area(now) > _NEARLY_ALL:
            break
    usable = [step for step in steps if step.area >= _LEAST and not step.cells & unwanted]
    return usable or [_Step(frozenset(wanted), forest.area(frozenset(wanted)), 0.0, 1.0)]


class _Forest:
    """Regions that merge: their cells, sizes, mean colours and what lies between neighbours."""

    def __init__(self, lab: NDArray[np.float32], steepness: NDArray[np.float32], cells: NDArray[np.int32]) -> None:
        count = int(cells.max()) + 1
        flat = cells.ravel()
        self._sizes = np.bincount(flat, minlength=count).astype(float)
        self._all = self._sizes.sum()
        self._shares = self._sizes / self._all
        self._sums = np.stack([np.bincount(flat, lab[..., i].ravel(), count) for i in range(3)], axis=1)
        self._members = {cell: frozenset([cell]) for cell in range(count)}
        self._into = list(range(count))
        self._borders: dict[int, dict[int, tuple[float, float]]] = {cell: {} for cell in range(count)}
        rim = np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]])
        for axis in (0, 1):
            self._add_borders(cells, steepness, axis)
        lengths = [sum(length for _, length in others.values()) for others in self._borders.values()]
        self._rims = np.bincount(rim, minlength=count) + np.array(lengths, float)
        self._queue = [
            (self._difference(one, other), one, other, self._sizes[one], self._sizes[other])
            for one, others in self._borders.items()
            for other in others
            if one < other
        ]
        heapq.heapify(self._queue)

    def _add_borders(self, cells: NDArray[np.int32], steepness: NDArray[np.float32], axis: int) -> None:
        ahead, behind = (slice(1, None), slice(None, -1))
        here, there = (cells[behind], cells[ahead]) if axis == 0 else (cells[:, behind], cells[:, ahead])
        slope = np.maximum(
            *((steepness[behind], steepness[ahead]) if axis == 0 else (steepness[:, behind], steepness[:, ahead]))
        )
        apart = here != there
        pairs, places = np.unique(np.stack([here[apart], there[apart]], axis=1), axis=0, return_inverse=True)
        totals, lengths = np.bincount(places.ravel(), slope[apart]), np.bincount(places.ravel())
        for (one, other), total, length in zip(pairs.tolist(), totals.tolist(), lengths.tolist(), strict=True):
            old_total, old_length = self._borders[one].get(other, (0.0, 0.0))
            self._borders[one][other] = self._borders[other][one] = (old_total + total, old_length + length)

    def _difference(self, one: int, other: int) -> float:
        """How unlike two neighbours are.

        Small regions count as less unlike, so that specks merge first, and so does what the other one encloses.
        """
        total, length = self._borders[one][other]
        colours = self._sums[[one, other]] / self._sizes[[one, other], None]
        unlike = float(np.linalg.norm(colours[0] - colours[1])) + 4 * total / length
        smaller = one if self._sizes[one] < self._sizes[other] else other
        enclosed = length / self._rims[smaller]
        return float(unlike * (self._sizes[smaller] / self._all) ** 0.25 * (1.5 - enclosed))

    def merge(self) -> float | None:
        """Merges the two most alike neighbours and says how unlike they were; None when there is one region left."""
        while self._queue:
            difference, one, other, size, other_size = heapq.heappop(self._queue)
            current = one in self._members and other in self._members
            if not current or (self._sizes[one], self._sizes[other]) != (size, other_size):
                continue
            self._join(one, other)
            return difference
        return None

    def _join(self, one: int, other: int) -> None:
        self._members[one] |= self._members.pop(other)
        self._into[other] = one
        self._sizes[one] += self._sizes[other]
        self._sums[one] += self._sums[other]
        self._rims[one] += self._rims[other] - 2 * self._borders[one][other][1]
        for neighbour, (total, length) in self._borders.pop(other).items():
            del self._borders[neighbour][other]
            if neighbour == one:
                continue
            old_total, old_length = self._borders[one].get(neighbour, (0.0, 0.0))
            self._borders[one][neighbour] = self._borders[neighbour][one] = (old_total + total, old_length + length)
        for neighbour in self._borders[one]:
            entry = (self._difference(one, neighbour), one, neighbour, self._sizes[one], self._sizes[neighbour])
            heapq.heappush(self._queue, entry)

    def holding(self, cells: set[int]) -> frozenset[int]:
        """The cells of the region that holds all of the given ones; empty while they lie in several."""
        regions = {self._region_of(cell) for cell in cells}
        return self._members[regions.pop()] if len(regions) == 1 else frozenset()

    def _region_of(self, cell: int) -> int:
        while self._into[cell] != cell:
            self._into[cell] = cell = self._into[self._into[cell]]
        return cell

    def area(self, cells: frozenset[int]) -> float:
        """Share of the picture that cells take."""
        return float(self._shares[list(cells)].sum())
