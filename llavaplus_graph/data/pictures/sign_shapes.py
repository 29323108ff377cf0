"""Outlines of signs and the pictograms on them; knows no words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Literal

from PIL.ImageDraw import ImageDraw

from llavaplus_graph.data.pictures.fields import Colour

Shape = Literal["rectangle", "rounded", "ellipse", "octagon", "diamond", "triangle", "arrow", "shield", "tag"]
Ink = Colour | int
_Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Outline:
    """An outline of a sign.

    Attributes:
        draw: fills the outline within bounds in pixels with an ink.
        inside: the box for words, as shares of the bounds.
    """

    draw: Callable[[ImageDraw, _Bounds, Ink], None]
    inside: _Bounds


def _polygon(*points: tuple[float, float]) -> Callable[[ImageDraw, _Bounds, Ink], None]:
    def draw(canvas: ImageDraw, bounds: _Bounds, fill: Ink) -> None:
        left, top, right, bottom = bounds
        canvas.polygon([(left + x * (right - left), top + y * (bottom - top)) for x, y in points], fill=fill)

    return draw


def _rounded(canvas: ImageDraw, bounds: _Bounds, fill: Ink) -> None:
    canvas.rounded_rectangle(bounds, radius=min(bounds[2] - bounds[0], bounds[3] - bounds[1]) * 0.14, fill=fill)


def _ellipse(canvas: ImageDraw, bounds: _Bounds, fill: Ink) -> None:
    canvas.ellipse(bounds, fill=fill)


_EIGHT = tuple((0.5 + 0.54 * cos(pi / 8 + k * pi / 4), 0.5 + 0.54 * sin(pi / 8 + k * pi / 4)) for k in range(8))

SHAPES: dict[Shape, Outline] = {
    "rectangle": Outline(_polygon((0, 0), (1, 0), (1, 1), (0, 1)), (0.08, 0.1, 0.92, 0.9)),
    "rounded": Outline(_rounded, (0.09, 0.11, 0.91, 0.89)),
    "ellipse": Outline(_ellipse, (0.17, 0.22, 0.83, 0.78)),
    "octagon": Outline(_polygon(*_EIGHT), (0.13, 0.22, 0.87, 0.78)),
    "diamond": Outline(_polygon((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)), (0.25, 0.3, 0.75, 0.7)),
    "triangle": Outline(_polygon((0.5, 0), (1, 1), (0, 1)), (0.27, 0.52, 0.73, 0.88)),
    "arrow": Outline(_polygon((0, 0), (0.78, 0), (1, 0.5), (0.78, 1), (0, 1)), (0.06, 0.14, 0.76, 0.86)),
    "shield": Outline(
        _polygon((0, 0), (1, 0), (1, 0.6), (0.75, 0.9), (0.5, 1), (0.25, 0.9), (0, 0.6)), (0.1, 0.12, 0.9, 0.62)
    ),
    "tag": Outline(_polygon((0.12, 0), (1, 0), (1, 1), (0.12, 1), (0, 0.5)), (0.17, 0.14, 0.93, 0.86)),
}


def _arrow(draw: ImageDraw, side: float, ink: Colour, _: Colour) -> None:
    draw.polygon(
        [
            (x * side, y * side)
            for x, y in (
                (0.05, 0.38),
                (0.55, 0.38),
                (0.55, 0.15),
                (0.95, 0.5),
                (0.55, 0.85),
                (0.55, 0.62),
                (0.05, 0.62),
            )
        ],
        fill=ink,
    )


def _arrow_up(draw: ImageDraw, side: float, ink: Colour, _: Colour) -> None:
    draw.polygon(
        [
            (x * side, y * side)
            for x, y in (
                (0.38, 0.95),
                (0.38, 0.45),
                (0.15, 0.45),
                (0.5, 0.05),
                (0.85, 0.45),
                (0.62, 0.45),
                (0.62, 0.95),
            )
        ],
        fill=ink,
    )


def _warning(draw: ImageDraw, side: float, _ink: Colour, _accent: Colour) -> None:
    draw.polygon(
        [(side * 0.5, side * 0.06), (side * 0.97, side * 0.92), (side * 0.03, side * 0.92)],
        fill=(250, 200, 20),
        outline=(20, 20, 20),
        width=max(2, int(side * 0.06)),
    )
    draw.rectangle([side * 0.46, side * 0.35, side * 0.54, side * 0.65], fill=(20, 20, 20))
    draw.ellipse([side * 0.45, side * 0.72, side * 0.55, side * 0.82], fill=(20, 20, 20))


def _forbidden(draw: ImageDraw, side: float, _ink: Colour, _accent: Colour) -> None:
    draw.ellipse(
        [side * 0.05, side * 0.05, side * 0.95, side * 0.95],
        fill=(255, 255, 255),
        outline=(200, 20, 30),
        width=max(2, int(side * 0.11)),
    )
    draw.rectangle([side * 0.25, side * 0.44, side * 0.75, side * 0.56], fill=(20, 20, 20))
    draw.line([(side * 0.2, side * 0.2), (side * 0.8, side * 0.8)], fill=(200, 20, 30), width=max(2, int(side * 0.1)))


def _person(draw: ImageDraw, side: float, ink: Colour, _: Colour) -> None:
    draw.ellipse([side * 0.4, side * 0.03, side * 0.6, side * 0.23], fill=ink)
    draw.rounded_rectangle([side * 0.33, side * 0.27, side * 0.67, side * 0.62], radius=side * 0.08, fill=ink)
    for x in (0.35, 0.53):
        draw.rectangle([side * x, side * 0.6, side * (x + 0.12), side * 0.97], fill=ink)


def _cup(draw: ImageDraw, side: float, ink: Colour, _: Colour) -> None:
    draw.ellipse([side * 0.58, side * 0.38, side * 0.92, side * 0.7], outline=ink, width=max(2, int(side * 0.07)))
    draw.rounded_rectangle([side * 0.15, side * 0.3, side * 0.7, side * 0.82], radius=side * 0.1, fill=ink)
    draw.rectangle([side * 0.08, side * 0.88, side * 0.78, side * 0.94], fill=ink)


def _bolt(draw: ImageDraw, side: float, _ink: Colour, accent: Colour) -> None:
    draw.polygon(
        [
            (x * side, y * side)
            for x, y in ((0.6, 0.02), (0.2, 0.55), (0.45, 0.55), (0.35, 0.98), (0.8, 0.4), (0.52, 0.4))
        ],
        fill=accent,
    )


def _star(draw: ImageDraw, side: float, _ink: Colour, accent: Colour) -> None:
    points = [
        (0.5 + (0.48 if k % 2 == 0 else 0.2) * sin(k * pi / 5), 0.5 - (0.48 if k % 2 == 0 else 0.2) * cos(k * pi / 5))
        for k in range(10)
    ]
    draw.polygon([(x * side, y * side) for x, y in points], fill=accent)


ICONS: tuple[Callable[[ImageDraw, float, Colour, Colour], None], ...] = (
    _arrow,
    _arrow_up,
    _warning,
    _warning,
    _forbidden,
    _forbidden,
    _person,
    _cup,
    _bolt,
    _star,
)
