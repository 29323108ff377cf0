"""GrabCut: finds the region that a box or points mean, from colours and edges alone (Rother et al., 2004).

Knows pixels and shares of a picture, no results and no skills. Everything happens on a window around the prompt, scaled
to a bounded size, so that a small box in a large picture is cut as finely as a large one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from llavaplus_tools._backends.opencv import opencv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORKING_SIDE = 512
"""Long side of the window in pixels; a cut takes a quarter of a second at this size."""

_ROUNDS = 5
_LEAST_SHARE = 0.02
"""A cut that leaves less than this share of its box has failed."""


class Hint(NamedTuple):
    """A point (shares of the picture) that belongs to the region, or does not."""

    x: float
    y: float
    inside: bool


def cut_box(
    picture: NDArray[np.uint8], box: tuple[float, float, float, float], hints: Sequence[Hint] = ()
) -> NDArray[np.bool_] | None:
    """What fills a box.

    Args:
        picture: height x width x 3.
        box: x1, y1, x2, y2 as shares of the picture; nothing outside belongs to the region.
        hints: points that are known to be inside or outside the region.

    Returns:
        height x width, or None where colours do not tell the region from what is around the box.
    """
    import numpy as np

    window = _window(picture, box)
    left, top, right, bottom = window.inner(box)
    seeds = np.full(window.pixels.shape[:2], opencv().GC_BGD, np.uint8)
    seeds[top:bottom, left:right] = opencv().GC_PR_FGD
    if (seeds == opencv().GC_PR_FGD).all():  # GrabCut cannot start without any background
        _frame(seeds)[...] = opencv().GC_PR_BGD
    _plant(seeds, window, hints)
    region = _cut(window.pixels, seeds)
    region[:top] = region[bottom:] = False
    region[:, :left] = region[:, right:] = False
    region = _tidy(region)
    share = region.sum() / max(1, (bottom - top) * (right - left))
    return window.put_back(region, picture.shape[:2]) if share >= _LEAST_SHARE else None
