"""Smooth and rough random fields, colour ramps and film grain: what surfaces and nature are made of.

Fields are windows of a few tiles that are computed once per process from fixed seeds, because a fresh Fourier
transform for each picture would cost more than the rest of the drawing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]
Size = tuple[int, int]
Field = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_SIDE = 512
_TILES = 4


def field(
    size: Size, rng: random.Random, roughness: float = 2.0, window: float | None = None, stretch: float = 1.0
) -> Field:
    """Cut a random field of the 1/f family.

    Args:
        size: width and height in pixels.
        rng: chooses the tile and the window.
        roughness: exponent of the power spectrum, rounded to halves from 0.5 (sand) to 4 (fog).
        window: how much of the tile is shown, 0.05 (close up) to 1; random when None.
        stretch: how many times longer features are along x than along y.

    Returns:
        float32 (height, width), from 0 to 1.
    """
    tile = _tiles(min(8, max(1, round(roughness * 2))))[rng.randrange(_TILES)]
    share = window if window is not None else rng.uniform(0.25, 0.9)
    width, height = size
    unit = share * _SIDE / max(width / stretch, height)
    columns = max(4, min(_SIDE, round(width / stretch * unit)))
    rows = max(4, min(_SIDE, round(height * unit)))
    left, top = rng.randrange(_SIDE), rng.randrange(_SIDE)
    cut = np.take(
        np.take(tile, range(top, top + rows), axis=0, mode="wrap"), range(left, left + columns), axis=1, mode="wrap"
    )
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    grown = np.asarray(Image.fromarray(np.ascontiguousarray(cut)).resize(size, Image.Resampling.BICUBIC))
    low, high = float(grown.min()), float(grown.max())
    return np.asarray((grown - low) / max(high - low, 1e-6), dtype=np.float32)


def ramp(values: Field, colours: Sequence[Colour]) -> Pixels:
    """Colour a field from 0 to 1 along evenly spaced colours; gives uint8 (height, width, 3)."""
    stops = np.linspace(0, 255, len(colours))
    table = np.stack(
        [np.interp(np.arange(256), stops, channel) for channel in np.asarray(colours, dtype=np.float64).T], axis=1
    )
    index = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.asarray(table.astype(np.uint8)[index])


def slope(size: Size, rng: random.Random) -> Field:
    """Give a straight gradient in a random direction, float32 (height, width) from 0 to 1."""
    width, height = size
    across, down = rng.uniform(-1, 1), rng.uniform(-1, 1)
    plane = (
        across * np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        + down * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    )
    return np.asarray((plane - plane.min()) / max(float(plane.max() - plane.min()), 1e-6), dtype=np.float32)


def grainy(picture: Image.Image, rng: random.Random, strength: float, coloured: bool = False) -> Image.Image:
    """Add sensor noise with a standard deviation of `strength` grey levels."""
    if strength < 0.5:
        return picture
    width, height = picture.size
    noise = _grain()
    top, left = rng.randrange(noise.shape[0] - height + 1), rng.randrange(noise.shape[1] - width + 1)
    cut = noise[top : top + height, left : left + width]
    layer = cut if coloured else cut[:, :, :1]
    scaled = (layer * np.float32(strength / 32)).astype(np.int16)
    return Image.fromarray(np.clip(np.asarray(picture, dtype=np.int16) + scaled, 0, 255).astype(np.uint8))


@cache
def _tiles(halves: int) -> tuple[Field, ...]:
    generator = np.random.default_rng(halves)
    across = np.fft.fftfreq(_SIDE)
    radius = np.sqrt(across[None, :] ** 2 + across[:, None] ** 2)
    radius[0, 0] = 1
    gain = radius ** -(halves / 4)
    gain[0, 0] = 0
    tiles = []
    for _ in range(_TILES):
        white = np.fft.fft2(generator.standard_normal((_SIDE, _SIDE)))
        tile = np.fft.ifft2(white * gain).real
        tiles.append((tile / tile.std()).astype(np.float32))
    return tuple(tiles)


@cache
def _grain() -> NDArray[np.float32]:
    return np.clip(np.random.default_rng(7).normal(0, 32, (720, 720, 3)), -127, 127).astype(np.float32)
