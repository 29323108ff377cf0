"""Chooses among boxes and masks: what is usable, and what covers the same thing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_graph.types import Box, Mask
from llavaplus_tools.protocols import Found, Region

_LEAST_SIDE = 0.001

SAME_THING: Final = 0.8
"""Two boxes that overlap more than this (intersection over union) are one thing; the original's value."""


def usable(box: Sequence[float]) -> Box | None:
    """A box cut to the picture; None where no more than a line of it lies in the picture or a number is missing.

    Args:
        box: x1, y1, x2, y2 as shares of the picture, possibly beyond it.
    """
    if len(box) != 4 or not all(isfinite(value) for value in box):
        return None
    x1, y1, x2, y2 = (min(1.0, max(0.0, float(value))) for value in box)
    return (x1, y1, x2, y2) if min(x2 - x1, y2 - y1) >= _LEAST_SIDE else None


def box_around(mask: Region) -> Box | None:
    """The smallest box around a mask; None where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    height, width = mask.shape
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def filled(box: Box, size: tuple[int, int]) -> Region:
    """The mask of a whole box, at least one pixel wide and high.

    Args:
        box: shares of the picture.
        size: width and height of the picture in pixels.
    """
    width, height = size
    left, top = min(width - 1, int(box[0] * width)), min(height - 1, int(box[1] * height))
    right, bottom = max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


def region_in(picture: Image.Image, mask: Mask) -> Region:
    """A mask as an array.

    Args:
        picture: the picture that it is to be used in.
        mask: of the same size, not empty.

    Raises:
        SkillError: it is empty, or of another picture.
    """
    height, width = mask.size
    if (width, height) != picture.size:
        raise SkillError(
            f"the mask is for a picture of {width} x {height} pixels and this one has {picture.width} x "
            f"{picture.height}; segment the region in this picture first"
        )
    region = mask.array()
    if not region.any():
        raise SkillError("the mask is empty, so it marks nothing; segment a region first")
    return region


def distinct(boxes: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], overlap: float = SAME_THING) -> list[int]:
    """Indices of the boxes that stay when of two that overlap too much the less certain goes, best first.

    That is greedy non-maximum suppression over all labels together, as in the original.

    Args:
        boxes: n x 4, x1, y1, x2, y2.
        scores: n.
        overlap: intersection over union above which two boxes are one thing.
    """
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while waiting.size:
        first, rest = int(waiting[0]), waiting[1:]
        kept.append(first)
        corner = np.maximum(boxes[first, :2], boxes[rest, :2])
        sides = (np.minimum(boxes[first, 2:], boxes[rest, 2:]) - corner).clip(0)
        shared = sides[:, 0] * sides[:, 1]
        waiting = rest[shared <= overlap * (areas[first] + areas[rest] - shared)]
    return kept


def chosen(found: Found) -> Found:
    """What of a detector's findings can be told: finite, in the picture, each thing once, best first.

    Args:
        found: equally many boxes, scores and labels, in any order; a box or score may be anything.
    """
    rows = [
        (box, min(1.0, float(score)), label)
        for given, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
        if (box := usable(given)) is not None and isfinite(score) and score >= 0 and label.strip()
    ]
    if not rows:
        return Found()
    boxes, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    kept = [rows[index] for index in distinct(boxes, scores)]
    return Found(
        boxes=tuple(box for box, _, _ in kept),
        scores=tuple(score for _, score, _ in kept),
        labels=tuple(label for _, _, label in kept),
    )
