"""RapidOCR: finds and reads text with the models inside its wheel. Knows pixels, no results and no skills."""

from __future__ import annotations

import logging
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_ELONGATED = 4
"""RapidOCR enlarges the short side to hundreds of pixels, so that a thin strip would become gigabytes: pad it first."""

_LOCK = threading.Lock()


class Line(NamedTuple):
    """A text, its four corners (4 x 2, pixels) and how sure the reader is (0 to 1)."""

    text: str
    corners: NDArray[np.float32]
    score: float


def read_lines(picture: NDArray[np.uint8]) -> list[Line]:
    """Reads a picture, in no particular order.

    Args:
        picture: height x width x 3, RGB.
    """
    with _LOCK:  # the models are shared and one reading uses every core
        found = _engine()(_padded(picture)[:, :, ::-1])
    if found.boxes is None or found.txts is None:
        return []
    return [Line(*line) for line in zip(found.txts, found.boxes, found.scores, strict=True)]


def get_ready() -> None:
    """Loads the models and runs them once, so that the first reading takes no longer than the next."""
    import numpy as np

    read_lines(np.full((64, 256, 3), 255, np.uint8))


@cache
def _engine() -> Any:  # Any: RapidOCR's call returns a union of four outputs that its arguments decide between
    from rapidocr import RapidOCR

    # The level in the parameters comes too late for what is said while the models load.
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    return RapidOCR(params={"Global.log_level": "critical"})


def _padded(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    height, width = picture.shape[:2]
    least = -(-max(height, width) // MOST_ELONGATED)
    down, across = max(0, least - height), max(0, least - width)
    return np.pad(picture, ((0, down), (0, across), (0, 0)), mode="edge") if down or across else picture
