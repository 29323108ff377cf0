"""Grows a region around points until it stops at edges: where a few points are all that is known of a region.

Knows pixels, no results and no skills.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from llavaplus_tools._backends.opencv import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOLERANCES = np.arange(3, 70, 1.5)
"""Steps of colour difference (CIE Lab, lightness counting 0.6) up to which neighbours are taken in."""

_PLATEAU = 4
_MOST = 0.5
_NEGLIGIBLE = 0.002


def grown_around(
    pixels: NDArray[np.uint8], inner: Sequence[tuple[int, int]], outer: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """The union of the regions around each inner point.

    Args:
        pixels: height x width x 3, RGB, a few hundred pixels a side.
        inner: (column, row) of points in the region.
        outer: points that the region must not reach.

    Returns:
        Height x width.
    """
    cv2 = opencv()
    calm = cv2.medianBlur(cv2.bilateralFilter(pixels, 9, 40, 7), 5)
    lab = cv2.cvtColor(calm.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) * np.array([0.6, 1, 1], np.float32)
    steepness = _steepness(lab)
    region = np.zeros(pixels.shape[:2], bool)
    for column, row in inner:
        region |= _stable_region(np.maximum(_difference(lab, column, row), 2 * steepness), (column, row), outer)
    closing = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    closed: NDArray[np.bool_] = cv2.morphologyEx(region.astype(np.uint8), cv2.MORPH_CLOSE, closing) > 0
    return closed


def _steepness(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    cv2 = opencv()
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3) / 8, cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3) / 8
    steepness: NDArray[np.float32] = np.sqrt((across**2 + down**2).sum(axis=-1))
    return steepness


def _difference(lab: NDArray[np.float32], column: int, row: int) -> NDArray[np.float32]:
    """How far every pixel's colour is from the usual colour around a point."""
    near = lab[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].reshape(-1, 3)
    difference: NDArray[np.float32] = np.sqrt(((lab - np.median(near, axis=0)) ** 2).sum(axis=-1))
    return difference


def _stable_region(
    cost: NDArray[np.float32], start: tuple[int, int], outer: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Of the regions around the start at every tolerance, the largest that hardly grows with the tolerance.

    That is the idea of maximally stable extremal regions (Matas et al., 2002), from one point.
    """
    cv2 = opencv()
    column, row = start
    seed = np.zeros(cost.shape, bool)
    seed[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = True
    regions: list[NDArray[np.bool_]] = []
    for tolerance in _TOLERANCES:
        _, parts = cv2.connectedComponents(((cost < tolerance) | seed).astype(np.uint8), connectivity=4)
        region = parts == parts[row, column]
        if any(region[y, x] for x, y in outer) or (regions and region.mean() > _MOST):
            break
        regions.append(region)
    areas = np.array([region.sum() for region in regions], float)
    if not regions:
        return seed
    if len(regions) <= _PLATEAU:
        return regions[-1]
    growth = (areas[_PLATEAU:] - areas[:-_PLATEAU]) / (areas[:-_PLATEAU] + _NEGLIGIBLE * cost.size)
    calmest = int(np.flatnonzero(growth <= growth.min() + 0.08)[-1])
    return regions[calmest + _PLATEAU // 2]
