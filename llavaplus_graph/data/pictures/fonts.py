"""The typefaces that matplotlib and Pillow bring; the only place that looks for font files."""

from __future__ import annotations

import random
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from PIL import ImageFont

from llavaplus_graph.errors import MissingExtraError

Font = ImageFont.FreeTypeFont
Style = Literal["sans", "serif", "mono", "bold", "script", "any"]

DEFAULT_FACE = "Pillow's default"
_FACES: dict[Style, tuple[str, ...]] = {
    "sans": ("DejaVuSans", DEFAULT_FACE, "DejaVuSans-Oblique", "DejaVuSans-Bold", "cmss10", DEFAULT_FACE),
    "serif": (
        "DejaVuSerif",
        "STIXGeneral",
        "STIXGeneral",
        "cmr10",
        "STIXGeneralItalic",
        "DejaVuSerif-Italic",
        "STIXGeneralBol",
    ),
    "mono": ("DejaVuSansMono", "DejaVuSansMono", "DejaVuSansMono-Bold", "cmtt10", "DejaVuSansMono-Oblique"),
    "bold": (
        "DejaVuSans-Bold",
        "DejaVuSans-Bold",
        "DejaVuSerif-Bold",
        "STIXGeneralBol",
        "DejaVuSans-BoldOblique",
        "cmb10",
        "DejaVuSansMono-Bold",
    ),
    "script": ("STIXGeneralItalic", "cmti10", "DejaVuSerif-Italic", "DejaVuSans-Oblique", "STIXGeneralBolIta"),
}
_FACES["any"] = tuple(dict.fromkeys(face for faces in _FACES.values() for face in faces))


def pick_face(rng: random.Random, style: Style, text: str = "") -> str:
    """Choose a typeface of a style that has every character of a text.

    Args:
        rng: source of the choice.
        style: which group of typefaces to choose from.
        text: what will be printed with it.

    Returns:
        A name for `load`.
    """
    faces = _FACES[style]
    # Computer Modern and Pillow's face hold ASCII only, and Computer Modern prints other signs for $, < and their like.
    if not text.isascii() or set(text) & set("$<>|{}_\\^~\"'"):
        faces = tuple(face for face in faces if face.startswith(("DejaVu", "STIX")))
    return rng.choice(faces)


@lru_cache(maxsize=600)
def load(face: str, size: int) -> Font:
    """Open a typeface at a size in pixels."""
    if face == DEFAULT_FACE:
        return _default(size)
    return ImageFont.truetype(str(_folder() / f"{face}.ttf"), size)


def pick_font(rng: random.Random, style: Style, size: int, text: str = "") -> Font:
    """Choose a typeface of a style and open it at a size in pixels."""
    return load(pick_face(rng, style, text), size)


def line_height(font: Font) -> int:
    """Tell how many pixels a line of a font takes from its top to the bottom of its descenders."""
    ascent, descent = font.getmetrics()
    return ascent + descent


def _default(size: int) -> Font:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # a Pillow that was built without FreeType
        return ImageFont.truetype(str(_folder() / "DejaVuSans.ttf"), size)
    return font


@cache
def _folder() -> Path:
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("drawing training pictures (matplotlib's fonts)", extra="train") from error
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"
