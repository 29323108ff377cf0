"""What a scribble says in boxes and points, which are all that the protocol has words for. Knows shapes, no messages.

The original demo made a box of every sketch. A line across a thing says more by points on it; a loop around it or a
painted blob says a box. There are few points because each is words that the model reads and copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeGuard

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from llavaplus_graph.errors import PictureError
from llavaplus_graph.geometry import Mask

Line = Sequence[Sequence[float]]
Scribble = Line | Sequence[Line] | Mask | Image.Image | npt.NDArray[Any]
"""One line of points x, y in [0, 1]; several such lines; or a picture of it, a mask, an array (height x width)."""

Marks = tuple[list[tuple[float, float, float, float]], list[tuple[float, float]]]

POINTS: Final = 3
"""A scribble becomes at most so many points, or one for each line where there are more lines."""

_SIDE = 160  # pixels; a drawn scribble is looked at no finer
_BLOB = 0.3  # of a scribble's extent: what is thicker is a painted region and no stroke
_DOT = 0.04  # of the picture: anything smaller is a click, not a region
_CLOSED = 0.2  # of a loop's extent: the ends of a line that was meant to close come this near


def marks_of(scribble: Scribble) -> Marks:
    """Boxes and points that stand for a scribble.

    Args:
        scribble: lines, each a sequence of points x, y in [0, 1]; or a picture, mask or array of any size whose marked
            pixels are those that are not transparent or, without transparency, not black.

    Returns:
        A box for every loop or painted region, points along every other line.

    Raises:
        PictureError: there is nothing in it, or a point is not in the picture.
    """
    if isinstance(scribble, Mask):
        return _drawn(scribble.array())
    if isinstance(scribble, Image.Image):
        return _drawn(_marked(scribble))
    if isinstance(scribble, np.ndarray):
        if scribble.ndim != 2:
            raise PictureError(f"A scribble must be an array of height x width, not of shape {scribble.shape}.")
        return _drawn(scribble != 0)
    lines = [scribble] if _is_line(scribble) else list(scribble)
    if not lines:
        raise PictureError("The scribble is empty; give a line of points x, y, or a picture of it.")
    boxes, points = [], []
    for line in lines:
        corners = _corners(line)
        if _is_loop(corners):
            (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
            boxes.append((float(left), float(top), float(right), float(bottom)))
        else:
            points += _along(corners, max(1, POINTS // len(lines)))
    return boxes, points


def _is_line(scribble: object) -> TypeGuard[Line]:
    try:
        return np.array(scribble, float).ndim == 2
    except (ValueError, TypeError):  # several lines of different lengths
        return False


def _corners(line: Any) -> npt.NDArray[np.float64]:
    try:
        corners = np.array(line, float)
    except (ValueError, TypeError):
        corners = np.empty((0, 0))
    if corners.ndim != 2 or corners.shape[1] != 2 or not len(corners):
        raise PictureError("A scribble must be a line of points [x, y], or several such lines, or a picture of it.")
    wrong = ~((corners >= 0) & (corners <= 1)).all(axis=1)
    if wrong.any():
        point = corners[wrong][0].tolist()
        raise PictureError(
            f"The point {point} of the scribble must be x, y between 0 and 1, shares of width and height."
        )
    return corners


def _is_loop(corners: npt.NDArray[np.float64]) -> bool:
    """Whether a line goes around something: its ends meet and it encloses a good part of its extent."""
    extent = np.ptp(corners, axis=0)
    if len(corners) < 4 or extent.min() <= _DOT:
        return False
    x, y = corners.T
    enclosed = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    apart = float(np.linalg.norm(corners[0] - corners[-1]))
    return apart <= _CLOSED * float(extent.max()) and enclosed >= 0.4 * float(extent.prod())


def _along(corners: npt.NDArray[np.float64], count: int) -> list[tuple[float, float]]:
    """Points in the middles of equal parts of a line; its ends often lie a little beside what is meant."""
    steps = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    if travelled[-1] <= _DOT:
        count = 1
    places = travelled[-1] * (np.arange(count) + 0.5) / count
    across, down = (np.interp(places, travelled, column) for column in corners.T)
    return [(float(x), float(y)) for x, y in zip(across, down, strict=True)]


def _marked(picture: Image.Image) -> npt.NDArray[np.bool_]:
    if picture.has_transparency_data:
        return np.asarray(picture.convert("RGBA").getchannel("A")) > 127
    brightest: npt.NDArray[np.uint8] = np.asarray(picture.convert("RGB")).max(axis=2)
    return brightest > 127


def _drawn(marked: npt.NDArray[np.bool_]) -> Marks:
    """Marks of a drawn scribble, height x width."""
    if not marked.any():
        raise PictureError("The scribble is empty; nothing in it is marked.")
    height, width = marked.shape
    size = (min(_SIDE, width), min(_SIDE, height))
    # A pixel of the small picture is marked where any part of it is; the edge keeps free of marks.
    grey = Image.fromarray(marked.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
    small = ImageOps.expand(grey.point([0] + [255] * 255), 1)
    left, top, right, bottom = small.getbbox() or (0, 0, 0, 0)
    extent = max(right - left, bottom - top)
    if extent <= _DOT * max(size):
        return [], _spread(small, 1)
    if _thickness(small) > _BLOB * extent or _encloses(small):
        rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
        box = columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height
        return [(float(box[0]), float(box[1]), float(box[2]), float(box[3]))], []
    return [], _spread(small, POINTS)


def _thickness(drawn: Image.Image) -> int:
    """Of the thickest place, in pixels."""
    thickness = 0
    while drawn.getbbox():
        drawn = drawn.filter(ImageFilter.MinFilter(3))
        thickness += 2
    return thickness - 1


def _encloses(drawn: Image.Image) -> bool:
    """Whether more pixels lie inside a loop than on it."""
    flooded = drawn.copy()
    ImageDraw.floodfill(flooded, (0, 0), 128)
    inside, on = (np.asarray(flooded) == level for level in (0, 255))
    return bool(inside.sum() > on.sum())


def _spread(drawn: Image.Image, count: int) -> list[tuple[float, float]]:
    """The middles of equal parts of what is drawn, each on a marked pixel; from left to right."""
    marked = np.asarray(drawn)[1:-1, 1:-1] > 0
    rows, columns = np.nonzero(marked)
    places = np.stack([(columns + 0.5) / marked.shape[1], (rows + 0.5) / marked.shape[0]], axis=1)
    centres = places[np.linspace(0, len(places) - 1, count).round().astype(int)]
    for _ in range(10):  # k-means
        nearest = ((places[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
        means = [places[nearest == index].mean(axis=0) for index in np.unique(nearest)]
        centres = np.stack([places[int(((places - mean) ** 2).sum(axis=1).argmin())] for mean in means])
    return [(float(x), float(y)) for x, y in centres[np.argsort(centres[:, 0], kind="stable")]]
