"""A canvas that prints a line only where it fits and remembers what it printed; knows no kind of picture."""

from __future__ import annotations

import random
from typing import Literal

from PIL import Image, ImageDraw

from llavaplus_graph.data.pictures.fields import Colour, Size
from llavaplus_graph.data.pictures.fonts import Font, line_height

Align = Literal["left", "centre", "right"]


def canvas_size(rng: random.Random, low: float = 0.5, high: float = 2.0, shortest: int = 240) -> Size:
    """Draw a width and height whose ratio is between `low` and `high` and whose long side is at most 640 pixels."""
    ratio = min(2.0, max(0.5, low * (high / low) ** rng.random()))
    side = rng.randint(shortest, 640)
    return (side, round(side / ratio)) if ratio >= 1 else (round(side * ratio), side)


class Sheet:
    """A picture to write on.

    Attributes:
        picture: the RGB picture.
        draw: for lines and shapes.
        texts: the lines printed so far, in the order of printing.
        ink: colour of letters where none is given.
        ground: colour of the upper left pixel when the sheet was taken.
    """

    def __init__(self, picture: Image.Image, ink: Colour = (0, 0, 0), margin: int = 4) -> None:
        self.picture = picture
        self.draw = ImageDraw.Draw(picture)
        self.texts: list[str] = []
        self.ink = ink
        self.ground: Colour = tuple(picture.crop((0, 0, 1, 1)).tobytes())  # type: ignore[assignment]
        self._margin = margin

    @classmethod
    def of(cls, size: Size, ground: Colour, ink: Colour = (0, 0, 0), margin: int = 4) -> Sheet:
        """Take a fresh canvas of one colour."""
        return cls(Image.new("RGB", size, ground), ink, margin)

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.picture.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.picture.height

    def print(
        self,
        at: tuple[float, float],
        text: str,
        font: Font,
        ink: Colour | None = None,
        right: float | None = None,
        align: Align = "left",
        remember: bool = True,
    ) -> int:
        """Print one line, dropping words from its end until it fits.

        Args:
            at: left and top in pixels.
            text: what to print.
            font: what to print it with.
            ink: colour of the letters; the sheet's when None.
            right: where the line must end, in pixels; the sheet's margin when None.
            align: where the line stands between its left and right end.
            remember: whether the line belongs to the texts of the picture.

        Returns:
            The pixels to go down for the next line; 0 when not even the first word fits.
        """
        left, top = at
        end = min(self.width - self._margin, right if right is not None else self.width)
        height = line_height(font)
        if top < 0 or top + height > self.height - self._margin // 2 or left < 0:
            return 0
        text, length = _fitting(text.strip(), font, end - left)
        if not text:
            return 0
        start = left + {"left": 0.0, "centre": (end - left - length) / 2, "right": end - left - length}[align]
        self.draw.text((round(start), round(top)), text, font=font, fill=ink or self.ink)
        if remember:
            self.texts.append(text)
        return height

    def print_apart(
        self,
        at: tuple[float, float],
        left_text: str,
        right_text: str,
        font: Font,
        ink: Colour | None = None,
        right: float | None = None,
    ) -> int:
        """Print two texts at the ends of one line and remember them as one; gives the height as `print` does."""
        end = min(self.width - self._margin, right if right is not None else self.width)
        room = end - font.getlength(right_text) - font.getlength("  ")
        before = len(self.texts)
        height = self.print(at, left_text, font, ink, right=room)
        if height and self.print((at[0], at[1]), right_text, font, ink, right=end, align="right"):
            self.texts[before:] = [" ".join(self.texts[before:])]
        return height


def _fitting(text: str, font: Font, room: float) -> tuple[str, float]:
    length = font.getlength(text)
    while length > room:
        # Long overflows are cut by their share first, so that a paragraph does not lose its words one by one.
        words = (
            text.split()[: max(1, int(len(text.split()) * room / length))] if length > 2 * room else text.split()[:-1]
        )
        shorter = " ".join(words)
        if room <= 0 or not shorter or shorter == text:
            return "", 0.0
        text, length = shorter, font.getlength(shorter)
    return text, length
