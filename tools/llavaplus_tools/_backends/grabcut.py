"""GrabCut: finds the region that a box or points mean, from colours and edges alone (Rother et al., 2004).

Knows pixels and shares of a picture, no results and no skills. It works on a window around the prompt, scaled to a
bounded size, so that a small box in a large picture is cut as finely as a large one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llavaplus_tools._backends.merging import levels_around
from llavaplus_tools._backends.opencv import opencv
from llavaplus_tools._backends.region_growing import grown_around

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORKING_SIDE = 512
"""Long side of the window in pixels; a cut takes about a quarter of a second at this size."""

_ROUNDS = 5
_SMALL = 128
_MOST_ENLARGED = 4.0
_LEAST_SHARE = 0.02


class Hint(NamedTuple):
    """A point (shares of the picture) that is inside the region, or outside it."""

    x: float
    y: float
    inside: bool


class _Window(NamedTuple):
    """A part of the picture (left, top, right, bottom in its pixels) and what it looks like at working size."""

    place: tuple[int, int, int, int]
    pixels: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width at working size."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def column_and_row(self, x: float, y: float, size: tuple[int, int]) -> tuple[int, int]:
        """A point of the picture, given in its pixels, as a pixel of the window, moved inside where it lies outside."""
        left, top, right, bottom = self.place
        height, width = self.shape
        column, row = (x * size[0] - left) / (right - left), (y * size[1] - top) / (bottom - top)
        return min(width - 1, max(0, int(column * width))), min(height - 1, max(0, int(row * height)))

    def put_back(self, region: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
        """A region of the window as a region of the whole picture, its edge smoothed."""
        left, top, right, bottom = self.place
        cv2 = opencv()
        soft = cv2.resize(region.astype(np.float32), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        whole = np.zeros(shape, bool)
        whole[top:bottom, left:right] = soft >= 0.5
        return whole


def cut_box(
    picture: NDArray[np.uint8], box: tuple[float, float, float, float], hints: Sequence[Hint] = ()
) -> NDArray[np.bool_] | None:
    """What fills a box.

    Args:
        picture: height x width x 3, RGB.
        box: x1, y1, x2, y2 as shares of the picture; nothing outside it belongs to the region.
        hints: points that are known to be inside or outside the region.

    Returns:
        Height x width, or None where colours do not tell a region from what is around the box.
    """
    cv2 = opencv()
    size = (picture.shape[1], picture.shape[0])
    left, top, right, bottom = _pixels_of(box, size)
    window = _window_around(picture, (left, top, right, bottom))
    first = window.column_and_row(left / size[0], top / size[1], size)
    last = window.column_and_row((right - 0.5) / size[0], (bottom - 0.5) / size[1], size)
    inside = np.zeros(window.shape, bool)
    inside[first[1] : last[1] + 1, first[0] : last[0] + 1] = True
    seeds = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    if inside.all():  # GrabCut cannot start without any background
        seeds[:2] = seeds[-2:] = seeds[:, :2] = seeds[:, -2:] = cv2.GC_PR_BGD
    _plant(seeds, window, size, hints)
    region = _without_specks(_cut(window.pixels, seeds) & inside)
    if region.sum() < _LEAST_SHARE * inside.sum():
        return None
    whole = window.put_back(region, picture.shape[:2])
    kept = np.zeros_like(whole)
    kept[top:bottom, left:right] = whole[top:bottom, left:right]
    return kept if kept.any() else None


def cut_points(picture: NDArray[np.uint8], hints: Sequence[Hint]) -> NDArray[np.bool_]:
    """The region around the inner points: alike in colour and bounded by edges, then cut out finely.

    Args:
        picture: height x width x 3, RGB.
        hints: at least one point inside the region.

    Returns:
        Height x width; holds at least the pixels around the inner points.
    """
    size = (picture.shape[1], picture.shape[0])
    window = _window_around(picture, (0, 0, *size))
    cv2 = opencv()
    inner, outer = (
        [window.column_and_row(hint.x, hint.y, size) for hint in hints if hint.inside is wanted]
        for wanted in (True, False)
    )
    grown = grown_around(window.pixels, inner, outer)
    # The region may reach a little further than it has grown, but not across the picture.
    reach = max(3, int(0.35 * np.sqrt(grown.sum())))
    seeds = np.where(_spread(grown, reach), cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    seeds[grown] = cv2.GC_PR_FGD
    seeds[cv2.erode(grown.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = cv2.GC_FGD
    _plant(seeds, window, size, hints)
    region = _touching(_cut(window.pixels, seeds), inner)
    if (region & grown).sum() < 0.5 * grown.sum():  # the colours of the surroundings are the region's own
        region = grown
    whole = window.put_back(region, picture.shape[:2])
    for hint in hints:  # scaling back may lose a region of a few pixels
        if hint.inside:
            whole[min(size[1] - 1, int(hint.y * size[1])), min(size[0] - 1, int(hint.x * size[0]))] = True
    return whole


def cut_mask(
    picture: NDArray[np.uint8], mask: NDArray[np.bool_], hints: Sequence[Hint] = ()
) -> NDArray[np.bool_] | None:
    """What a rough mask means: its edge moves to where the colours change.

    Args:
        picture: height x width x 3, RGB.
        mask: height x width, not empty.
        hints: points that are known to be inside or outside the region.

    Returns:
        Height x width, or None where colours do not tell the region from what is around it.
    """
    cv2 = opencv()
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = _window_around(picture, (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    left, top, right, bottom = window.place
    part = mask[top:bottom, left:right].astype(np.uint8)
    rough = cv2.resize(part, window.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    reach = max(3, int(0.35 * np.sqrt(rough.sum())))
    core = cv2.distanceTransform(np.pad(rough, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    seeds = np.where(_spread(rough, reach), cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    seeds[rough] = cv2.GC_PR_FGD
    seeds[core > 0.7 * core.max()] = cv2.GC_FGD
    _plant(seeds, window, (width, height), hints)
    region = _without_specks(_cut(window.pixels, seeds))
    if (region & rough).sum() < 0.3 * rough.sum():
        return None
    return window.put_back(region, (height, width))


def levels_at(picture: NDArray[np.uint8], hints: Sequence[Hint]) -> list[NDArray[np.bool_]]:
    """Regions around the inner points, each inside the next, from the smallest that stands out to the largest.

    Args:
        picture: height x width x 3, RGB.
        hints: at least one point inside the region.

    Returns:
        At least one, height x width each.
    """
    size = (picture.shape[1], picture.shape[0])
    window = _window_around(picture, (0, 0, *size))
    inner, outer = (
        [window.column_and_row(hint.x, hint.y, size) for hint in hints if hint.inside is wanted]
        for wanted in (True, False)
    )
    return [window.put_back(region, picture.shape[:2]) for region in levels_around(window.pixels, inner, outer)]


def _pixels_of(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box in whole pixels, at least one wide and high."""
    width, height = size
    left, top = min(width - 1, int(box[0] * width)), min(height - 1, int(box[1] * height))
    return (
        left,
        top,
        max(left + 1, min(width, round(box[2] * width))),
        max(top + 1, min(height, round(box[3] * height))),
    )


def _window_around(picture: NDArray[np.uint8], place: tuple[int, int, int, int]) -> _Window:
    """The place with half its size more on every side, from which the background is learned."""
    cv2 = opencv()
    left, top, right, bottom = place
    height, width = picture.shape[:2]
    across, down = max(8, (right - left) // 2), max(8, (bottom - top) // 2)
    left, top, right, bottom = (
        max(0, left - across),
        max(0, top - down),
        min(width, right + across),
        min(height, bottom + down),
    )
    part = picture[top:bottom, left:right]
    # The colour models need some thousand pixels, hence thumbnails are enlarged.
    scale = min(_MOST_ENLARGED, max(1.0, _SMALL / max(part.shape[:2])), WORKING_SIDE / max(part.shape[:2]))
    target = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return _Window((left, top, right, bottom), cv2.resize(part, target, interpolation=how))


def _plant(seeds: NDArray[np.uint8], window: _Window, size: tuple[int, int], hints: Sequence[Hint]) -> None:
    cv2 = opencv()
    radius = max(1, max(window.shape) // 128)
    for hint in sorted(hints, key=lambda hint: hint.inside):
        mark = cv2.GC_FGD if hint.inside else cv2.GC_BGD
        cv2.circle(seeds, window.column_and_row(hint.x, hint.y, size), radius, int(mark), -1)


def _cut(pixels: NDArray[np.uint8], seeds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    cv2 = opencv()
    model: list[Any] = [np.zeros((1, 65)), np.zeros((1, 65))]
    cv2.setRNGSeed(0)  # the colour models start from a random choice; the same question must get the same answer
    try:
        cv2.grabCut(pixels, seeds, None, *model, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # too few pixels on one side for the colour models
        return np.zeros(seeds.shape, bool)
    return np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _spread(region: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    cv2 = opencv()
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    spread: NDArray[np.bool_] = cv2.dilate(region.astype(np.uint8), disc) > 0
    return spread


def _without_specks(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Only the parts that have at least a twentieth of the largest one's size."""
    _, parts, stats, _ = opencv().connectedComponentsWithStats(region.astype(np.uint8))
    sizes = stats[:, 4].copy()
    sizes[0] = 0
    return np.isin(parts, np.flatnonzero(sizes >= max(1, sizes.max() / 20)))


def _touching(region: NDArray[np.bool_], points: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Only the parts that hold one of the points (column, row)."""
    _, parts = opencv().connectedComponents(region.astype(np.uint8))
    return np.isin(parts, list({int(parts[row, column]) for column, row in points} - {0}))
