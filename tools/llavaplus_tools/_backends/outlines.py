"""Draws the outlines in a picture, white on black, with OpenCV's Canny detector. Knows pixels, no skill."""

from __future__ import annotations

import numpy as np
from PIL import Image

from llavaplus_tools._backends.opencv import opencv

_WEAK, _STRONG = 100, 200  # what the usual ControlNets were trained with


def outlined(picture: Image.Image) -> Image.Image:
    """The outlines in an RGB picture, as an RGB picture of the same size."""
    edges = opencv().Canny(np.asarray(picture), _WEAK, _STRONG)
    return Image.fromarray(np.repeat(edges[..., None], 3, axis=2))
