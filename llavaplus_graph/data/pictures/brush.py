"""A brush that paints flat shapes in the unit square of a thing and measures what it covered; knows no thing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import ImageDraw

from llavaplus_graph.data.pictures.colours import any_colour, from_hsv, shifted
from llavaplus_graph.data.pictures.fields import Colour

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a whole scene is drawn.

    Attributes:
        outline: colour of outlines; None for none.
        width: of outlines, in pixels of the canvas.
        filled: whether shapes have colour; a line drawing has none.
        palette: ``"natural"`` colours, ``"pastel"``, ``"loud"`` or ``"grey"``.
    """

    outline: Colour | None
    width: int
    filled: bool
    palette: Literal["natural", "pastel", "loud", "grey"]


class Brush:
    """Paints one thing into a rectangle of the canvas.

    Coordinates are shares of that rectangle, and shapes may reach beyond it: `covered` tells what they reached.
    """

    def __init__(self, draw: ImageDraw.ImageDraw, at: Bounds, manner: Manner, rng: random.Random) -> None:
        self._draw, self._at, self._manner, self._mirrored = draw, at, manner, rng.random() < 0.5
        self.rng = rng
        self.covered: Bounds = (float("inf"), float("inf"), float("-inf"), float("-inf"))

    def tint(self, hue: float, saturation: float = 0.6, value: float = 0.8) -> Colour:
        """Give a colour near the one asked for, in the palette of the scene."""
        rng, palette = self.rng, self._manner.palette
        if palette == "grey":
            return (round(255 * value * rng.uniform(0.5, 1)),) * 3
        if palette == "pastel":
            saturation, value = saturation * 0.45, 0.75 + value * 0.25
        if palette == "loud":
            hue, saturation, value = hue + rng.uniform(-0.1, 0.1), min(1, saturation * 1.4), min(1, value * 1.15)
        return from_hsv(
            hue + rng.uniform(-0.04, 0.04),
            min(1, saturation * rng.uniform(0.8, 1.2)),
            min(1, value * rng.uniform(0.85, 1.12)),
        )

    def any(self) -> Colour:
        """Give any colour of the palette."""
        colour = any_colour(self.rng, (0.4, 0.95), (0.5, 1))
        return self.tint(self.rng.random(), 0.7, 0.85) if self._manner.palette != "natural" else colour

    def oval(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """Paint an ellipse."""
        bounds = self._bounds(left, top, right, bottom)
        self._draw.ellipse(bounds, fill=self._fill(fill), outline=self._edge(fill), width=self._manner.width)

    def block(self, left: float, top: float, right: float, bottom: float, fill: Colour, round_by: float = 0) -> None:
        """Paint a rectangle, its corners rounded by a share of its smaller side."""
        bounds = self._bounds(left, top, right, bottom)
        radius = round_by * min(bounds[2] - bounds[0], bounds[3] - bounds[1])
        self._draw.rounded_rectangle(
            bounds, radius=radius, fill=self._fill(fill), outline=self._edge(fill), width=self._manner.width
        )

    def shape(self, points: Sequence[tuple[float, float]], fill: Colour) -> None:
        """Paint a polygon."""
        placed = [self._point(x, y) for x, y in points]
        self._cover(placed)
        self._draw.polygon(placed, fill=self._fill(fill))
        edge = self._edge(fill)
        if edge:
            self._draw.line([*placed, placed[0]], fill=edge, width=self._manner.width)

    def stroke(self, points: Sequence[tuple[float, float]], colour: Colour, width: float) -> None:
        """Paint a line; its width is a share of the rectangle's width."""
        placed = [self._point(x, y) for x, y in points]
        self._cover(placed)
        thick = max(1, round(width * (self._at[2] - self._at[0])))
        self._draw.line(
            placed,
            fill=colour if self._manner.filled or not self._manner.outline else self._manner.outline,
            width=thick if self._manner.filled else self._manner.width,
            joint="curve",
        )

    def _point(self, x: float, y: float) -> tuple[float, float]:
        left, top, right, bottom = self._at
        x = 1 - x if self._mirrored else x
        return left + x * (right - left), top + y * (bottom - top)

    def _bounds(self, left: float, top: float, right: float, bottom: float) -> Bounds:
        (x1, y1), (x2, y2) = self._point(left, top), self._point(right, bottom)
        bounds = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        self._cover([bounds[:2], bounds[2:]])
        return bounds

    def _cover(self, points: Sequence[tuple[float, float]]) -> None:
        left, top, right, bottom = self.covered
        self.covered = (
            min(left, *(x for x, _ in points)),
            min(top, *(y for _, y in points)),
            max(right, *(x for x, _ in points)),
            max(bottom, *(y for _, y in points)),
        )

    def _fill(self, fill: Colour) -> Colour | None:
        return fill if self._manner.filled else (255, 255, 255)

    def _edge(self, fill: Colour) -> Colour | None:
        if self._manner.outline is None or self._manner.width == 0:
            return None
        return self._manner.outline if sum(self._manner.outline) < 700 else shifted(fill, -60)
