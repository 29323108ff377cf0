"""Synthetic pictures of nine kinds, with what is on them: what the mini's eye learns from."""

import random
from dataclasses import dataclass
from typing import Literal, get_args

from PIL import Image

from llavaplus_graph.data.coded import barcode, qr_code
from llavaplus_graph.data.painted import Named, blank, photograph, scene
from llavaplus_graph.data.written import page, receipt, screen, sign

PictureKind = Literal["page", "sign", "receipt", "screen", "qr_code", "barcode", "scene", "photograph", "blank"]
PICTURE_KINDS: tuple[PictureKind, ...] = get_args(PictureKind)


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A rendered picture and its truth.

    Attributes:
        picture: RGB, long side about 130 to 900 pixels.
        kind: What kind of picture it is.
        texts: The lines on it in reading order; for codes what they encode.
        objects: Named things and their normalised boxes, for scenes.
    """

    picture: Image.Image
    kind: PictureKind
    texts: tuple[str, ...] = ()
    objects: tuple[Named, ...] = ()


def draw_picture(kind: PictureKind, rng: random.Random) -> DrawnPicture:
    """Render a picture of a kind; the same generator state gives the same pixels."""
    if kind == "scene":
        picture, named = scene(rng)
        return DrawnPicture(picture, kind, objects=tuple(named))
    if kind in ("photograph", "blank"):
        return DrawnPicture((photograph if kind == "photograph" else blank)(rng), kind)
    drawers = {"page": page, "sign": sign, "receipt": receipt, "screen": screen, "qr_code": qr_code, "barcode": barcode}
    picture, texts = drawers[kind](rng)
    return DrawnPicture(picture, kind, tuple(texts))
