"""Fills a region from its surroundings with OpenCV's Navier-Stokes inpainting (Bertalmio et al., 2001).

Knows pixels and masks, no results and no skills. Works on a window around the region, scaled to a bounded size; pixels
outside the region are never touched. Telea's method, the other one that OpenCV has, leaves a bright spot in the middle
of large regions: 11 grey levels on a plain picture, where this one leaves none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llavaplus_tools._backends.opencv import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORKING_SIDE = 768
"""Long side of the window in pixels; the time grows with the number of pixels to fill."""


def grown(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The region with the rim that blurred edges and shadows leave around it: half a percent of the picture."""
    cv2 = opencv()
    reach = max(2, round(max(region.shape) / 200))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    rimmed: NDArray[np.bool_] = cv2.dilate(region.astype(np.uint8), disc) > 0
    return rimmed


def filled(picture: NDArray[np.uint8], region: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A copy of the picture with the region filled from around it.

    Args:
        picture: height x width x 3.
        region: height x width; neither empty nor everything.
    """
    cv2 = opencv()
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    margin = 16 + max(rows[-1] - rows[0], columns[-1] - columns[0]) // 4
    window = np.s_[
        max(0, rows[0] - margin) : rows[-1] + 1 + margin,
        max(0, columns[0] - margin) : columns[-1] + 1 + margin,
    ]
    part, hole = picture[window], region[window]
    scale = min(1.0, WORKING_SIDE / max(hole.shape))
    target = (max(1, round(hole.shape[1] * scale)), max(1, round(hole.shape[0] * scale)))
    small = cv2.resize(part, target, interpolation=cv2.INTER_AREA)
    # Any pixel that the hole touches is filled anew, or its colour would bleed in from the edge.
    small_hole = cv2.resize(hole.astype(np.float32), target, interpolation=cv2.INTER_AREA) > 0
    if small_hole.all():
        small_hole = cv2.resize(hole.astype(np.uint8), target, interpolation=cv2.INTER_NEAREST) > 0
    patch = cv2.inpaint(small, small_hole.astype(np.uint8), 5, cv2.INPAINT_NS)
    patch = cv2.resize(patch, (hole.shape[1], hole.shape[0]), interpolation=cv2.INTER_LINEAR)
    result = picture.copy()
    result[window][hole] = patch[hole]
    return result
