"""Makes a picture of any shape fit for models that need some width and height. Knows pixels, no model and no skill."""

from __future__ import annotations

from PIL import Image

_MOST_ELONGATED = 8
"""Longer strips lose their short side when they are scaled down, and fill the memory when they are scaled up."""

_LEAST = 8
"""Pictures of a few pixels are taken for something else: three pixels for three colours."""


def framed(picture: Image.Image) -> Image.Image:
    """The picture, with grey below or to the right of it where it is a thin strip or tiny.

    Shares of the framed picture become shares of the picture when they are multiplied by `stretch`.
    """
    size = _framed_size(picture)
    if size == picture.size:
        return picture
    canvas = Image.new("RGB", size, (128, 128, 128))
    canvas.paste(picture)
    return canvas


def stretch(picture: Image.Image) -> tuple[float, float]:
    """How much wider and higher `framed` makes a picture, 1 for most."""
    width, height = _framed_size(picture)
    return width / picture.width, height / picture.height


def _framed_size(picture: Image.Image) -> tuple[int, int]:
    least = max(_LEAST, -(-max(picture.size) // _MOST_ELONGATED))
    return max(picture.width, least), max(picture.height, least)
