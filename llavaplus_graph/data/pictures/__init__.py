"""Synthetic training pictures of nine kinds, with the truth about what is on them.

`draw_picture` is all that others need. Below it, each kind has a module (pages, signs, receipts, screens, codes,
scenes, photographs, blanks), and they share what they are made of (fields, colours, fonts, words, materials, nature,
sheet, camera). Nothing here knows records, conversations or skills.

The same state of the generator gives the same pixels with the same versions of the packages of the ``train`` extra.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from llavaplus_graph.data.pictures.blanks import blank
from llavaplus_graph.data.pictures.codes import barcode, qr_code
from llavaplus_graph.data.pictures.drawn import PICTURE_KINDS, DrawnPicture, PictureKind
from llavaplus_graph.data.pictures.pages import page
from llavaplus_graph.data.pictures.photographs import photograph
from llavaplus_graph.data.pictures.receipts import receipt
from llavaplus_graph.data.pictures.scenes import scene
from llavaplus_graph.data.pictures.screens import screen
from llavaplus_graph.data.pictures.signs import sign

__all__ = ["PICTURE_KINDS", "DrawnPicture", "PictureKind", "draw_picture"]

_DRAWERS: dict[PictureKind, Callable[[random.Random], DrawnPicture]] = {
    "page": page,
    "sign": sign,
    "receipt": receipt,
    "screen": screen,
    "qr_code": qr_code,
    "barcode": barcode,
    "scene": scene,
    "photograph": photograph,
    "blank": blank,
}


def draw_picture(kind: PictureKind, rng: random.Random) -> DrawnPicture:
    """Render a picture of a kind.

    Args:
        kind: one of `PICTURE_KINDS`.
        rng: source of every choice; the same state gives the same pixels.

    Returns:
        An RGB picture and what is on it.

    Raises:
        ValueError: an unknown kind.
        MissingExtraError: a package of the ``train`` extra is not installed.
    """
    if kind not in _DRAWERS:
        raise ValueError(f"{kind!r} is no kind of picture; the kinds are {', '.join(PICTURE_KINDS)}")
    return _DRAWERS[kind](rng)
