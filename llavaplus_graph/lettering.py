"""Writes words onto pictures: fonts, what they can write, and how words break into lines. Knows no boxes or masks."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont

SYSTEM_FONTS: Final[tuple[str, ...]] = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc",
    "Arial.ttf",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "msyh.ttc",
)
"""Fonts of the machine that are looked for when Pillow's own, which has little but ASCII, lacks letters."""

_NOBODYS = "\uffff"  # no font has it, so that it shows what a missing letter looks like


class Pen:
    """Writes on one picture, at one size.

    Args:
        picture: is written on.
        size: height of the letters in pixels.
    """

    def __init__(self, picture: Image.Image, size: int) -> None:
        self.size = size
        self.line = int(size * 1.3)
        self._draw = ImageDraw.Draw(picture)

    def write(self, place: tuple[float, float], text: str, ink: tuple[int, int, int], anchor: str = "la") -> None:
        """Writes one line; letters that no font has are folded to ASCII or become ``?``."""
        shown, font = _lettered(text, self.size)
        self._draw.text(place, shown, fill=ink, font=font, anchor=anchor)

    def width(self, text: str) -> int:
        """Of one line, in pixels."""
        shown, font = _lettered(text, self.size)
        return int(font.getlength(shown)) + 1

    def shortened(self, text: str, width: float) -> str:
        """As much of a line as fits, with dots where something is missing."""
        if self.width(text) <= width:
            return text
        return f"{text[: self._fitting(text, width, '...')]}..."

    def wrapped(self, text: str, width: float) -> list[str]:
        """The lines of a text; a word that is too long for one goes on in the next."""
        lines: list[str] = []
        for part in text.splitlines():
            begun = ""
            for word in part.split():
                joined = f"{begun} {word}" if begun else word
                if begun and self.width(joined) > width:
                    lines.append(begun)
                    joined = word
                while self.width(joined) > width and len(joined) > 1:
                    fits = self._fitting(joined, width, "")
                    lines.append(joined[:fits])
                    joined = joined[fits:]
                begun = joined
            if begun:
                lines.append(begun)
        return lines

    def _fitting(self, text: str, width: float, end: str) -> int:
        """How many letters of a line fit, at least one, when something is added to them."""
        fits, over = 1, len(text)
        while over - fits > 1:
            middle = (fits + over) // 2
            fits, over = (middle, over) if self.width(text[:middle] + end) <= width else (fits, middle)
        return fits


def _lettered(text: str, size: int) -> tuple[str, Font]:
    """A line as it can be written, and the font that has the most of it."""
    plain = " ".join(text.split())
    if plain.isascii() and plain.isprintable():
        return plain, _font(None, size)
    foreign = {letter for letter in plain if not " " <= letter <= "~"}
    name = max((None, *_found()), key=lambda one: sum(_has(one, letter) for letter in foreign))
    lacking = {letter for letter in foreign if not _has(name, letter)}
    return "".join(_folded(letter) if letter in lacking else letter for letter in plain), _font(name, size)


def _folded(letter: str) -> str:
    kept = "".join(part for part in unicodedata.normalize("NFKD", letter) if " " <= part <= "~")
    return kept or "?"


@cache
def _found() -> tuple[str, ...]:
    return tuple(name for name in SYSTEM_FONTS if _exists(name))


def _exists(name: str) -> bool:
    try:
        ImageFont.truetype(name, 16)
    except OSError:
        return False
    return True


@lru_cache(maxsize=64)
def _font(name: str | None, size: int) -> Font:
    font = ImageFont.truetype(name, size) if name is not None else ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError(
            "Pillow was built without FreeType, so nothing can be written on pictures; install its wheel"
        )
    return font


@lru_cache(maxsize=8192)
def _has(name: str | None, letter: str) -> bool:
    if not letter.isprintable():
        return False
    font = _font(name, 16)
    return bytes(font.getmask(letter)) != bytes(font.getmask(_NOBODYS))
