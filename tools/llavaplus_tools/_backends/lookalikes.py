"""Turns pictures into vectors without any weights, from colours and edges. Knows pixels, no index and no skill.

It recognises the same picture again: scaled, compressed, a little brighter, slightly cropped. It understands nothing:
two photographs of one thing are to it two pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

_Vector = npt.NDArray[np.float64]
_SIDE: Final = 64
_COARSE: Final = 8
_WAVES: Final = 12
_CELLS: Final = 4
_DIRECTIONS: Final = 8
_SHARES: Final = (0.45, 0.35, 0.2)
"""What waves of brightness, directions of edges and colours count for."""


class LookalikeEmbedder:
    """An `Embedder` that needs no weights and finds near-duplicates only."""

    name = "lookalikes"

    def __call__(self, pictures: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Give an array of shape (pictures, dimensions) with rows of length 1."""
        return np.array([_vector(picture) for picture in pictures], np.float32)


def _vector(picture: Image.Image) -> _Vector:
    small = picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, np.float64) / 255
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    parts = (_waves(grey), _directions(grey), _colours(pixels))
    joined = np.concatenate([np.sqrt(share) * _scaled(part) for share, part in zip(_SHARES, parts, strict=True)])
    # A picture of one colour has neither waves nor edges.
    return _scaled(joined)


def _waves(grey: _Vector) -> _Vector:
    """The slowest waves of brightness, without the brightness itself: a discrete cosine transform (type II)."""
    places = (np.arange(_SIDE) + 0.5) * np.pi / _SIDE
    basis = np.cos(np.arange(_WAVES)[:, None] * places)
    found = basis @ grey @ basis.T
    found[0, 0] = 0
    # Slow waves are the strongest in every picture and would drown the others.
    speed = np.hypot(*np.meshgrid(np.arange(_WAVES), np.arange(_WAVES)))
    return np.asarray(found * np.maximum(speed, 1)).ravel()


def _directions(grey: _Vector) -> _Vector:
    """How strong edges of each direction are in each part of the picture, less the average."""
    down, right = np.gradient(grey)
    strength = np.hypot(down, right)
    direction = (np.arctan2(down, right) % np.pi) * _DIRECTIONS / np.pi
    bins = np.minimum(direction.astype(int), _DIRECTIONS - 1)
    part = np.arange(_SIDE) * _CELLS // _SIDE
    cells = part[:, None] * _CELLS + part[None, :]
    sums = np.bincount((cells * _DIRECTIONS + bins).ravel(), strength.ravel(), minlength=_CELLS * _CELLS * _DIRECTIONS)
    return np.asarray(sums - sums.mean())


def _colours(pixels: _Vector) -> _Vector:
    """Which colour each part of the picture has beside its brightness."""
    size = _SIDE // _COARSE
    coarse = pixels.reshape(_COARSE, size, _COARSE, size, 3).mean(axis=(1, 3))
    return np.asarray(coarse - coarse.mean(axis=2, keepdims=True)).ravel()


def _scaled(vector: _Vector) -> _Vector:
    length = float(np.linalg.norm(vector))
    if length > 1e-6:
        return vector / length
    # Nothing to see still is a direction, so that it is like itself and unlike all else.
    flat = np.zeros_like(vector)
    flat[0] = 1
    return flat
