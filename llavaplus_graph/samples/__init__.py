"""A few small pictures of our own making, here after every installation. `docs/make_samples.py` draws them."""

from __future__ import annotations

from pathlib import Path

from llavaplus_graph.errors import PictureError

NAMES = ("sign.png", "qr.png", "objects.png", "photo.jpg")
"""A sign with text, a poster with a QR code, a red ball on grass, a lake in the evening."""


def sample(name: str) -> Path:
    """Where a sample is.

    Args:
        name: one of `NAMES`, with or without its ending.

    Raises:
        PictureError: there is no such sample.

    Example:
        >>> sample("sign").name
        'sign.png'
    """
    for known in NAMES:
        if name in (known, known.split(".")[0]):
            return Path(__file__).with_name(known)
    raise PictureError(f"there is no sample {name!r}; there are {', '.join(NAMES)}")
