"""What a drawn picture is and which kinds there are; draws nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from PIL import Image

from llavaplus_graph.geometry import Box

PictureKind = Literal["page", "sign", "receipt", "screen", "qr_code", "barcode", "scene", "photograph", "blank"]
PICTURE_KINDS: tuple[PictureKind, ...] = get_args(PictureKind)


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A rendered picture and its truth.

    Attributes:
        picture: RGB, long side 240 to 640 pixels, between 1:2 and 2:1.
        kind: what kind of picture it is.
        texts: the lines printed on it in reading order; for codes what they encode; empty where nothing is printed.
        objects: named things and their normalised boxes, furthest first; only for scenes.
        formats: for codes the format of each text: ``"QR_CODE"``, ``"EAN_13"`` or ``"CODE_128"``.
    """

    picture: Image.Image
    kind: PictureKind
    texts: tuple[str, ...] = ()
    objects: tuple[tuple[str, Box], ...] = ()
    formats: tuple[str, ...] = ()
