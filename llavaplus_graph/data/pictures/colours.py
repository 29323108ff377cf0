"""Colours and pairs of colours that can be read on each other; knows no picture."""

from __future__ import annotations

import colorsys
import random

from llavaplus_graph.data.pictures.fields import Colour

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)

_SIGN_PAIRS: tuple[tuple[Colour, Colour], ...] = (
    ((255, 255, 255), (20, 20, 20)),
    ((255, 255, 255), (190, 20, 30)),
    ((200, 16, 30), (255, 255, 255)),
    ((0, 70, 150), (255, 255, 255)),
    ((0, 110, 60), (255, 255, 255)),
    ((255, 205, 0), (15, 15, 15)),
    ((250, 130, 0), (20, 20, 20)),
    ((20, 20, 22), (250, 250, 250)),
    ((20, 20, 22), (255, 215, 60)),
    ((90, 55, 30), (250, 235, 205)),
    ((240, 230, 205), (60, 35, 20)),
    ((25, 60, 45), (240, 240, 230)),
    ((255, 255, 255), (0, 80, 160)),
    ((255, 255, 255), (0, 120, 60)),
    ((255, 240, 0), (200, 0, 20)),
    ((120, 20, 40), (245, 215, 130)),
    ((60, 60, 65), (235, 235, 235)),
    ((190, 195, 200), (25, 25, 30)),
    ((255, 182, 193), (90, 0, 60)),
    ((0, 150, 160), (255, 255, 255)),
)


def any_colour(
    rng: random.Random, saturation: tuple[float, float] = (0, 1), value: tuple[float, float] = (0, 1)
) -> Colour:
    """Draw a colour of any hue, with saturation and brightness within the given ranges of 0 to 1."""
    return from_hsv(rng.random(), rng.uniform(*saturation), rng.uniform(*value))


def from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """Turn hue, saturation and value, each 0 to 1, into a colour."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def paper(rng: random.Random) -> Colour:
    """Draw the colour of paper: mostly white, else slightly grey, cream or tinted."""
    pick = rng.random()
    if pick < 0.4:
        return WHITE
    if pick < 0.6:
        level = rng.randint(215, 252)
        return level, level, level
    if pick < 0.9:
        level = rng.randint(235, 255)
        return level, level - rng.randint(3, 10), level - rng.randint(12, 40)
    return any_colour(rng, (0.03, 0.15), (0.9, 1))


def ink(rng: random.Random) -> Colour:
    """Draw the colour of ink: mostly black, else dark grey, blue or brown."""
    pick = rng.random()
    if pick < 0.6:
        return (rng.randint(0, 30),) * 3
    if pick < 0.85:
        level = rng.randint(30, 80)
        return level, level, level + rng.randint(0, 15)
    return any_colour(rng, (0.4, 1), (0.15, 0.5))


def shifted(colour: Colour, amount: int) -> Colour:
    """Make a colour lighter (positive) or darker (negative) by grey levels."""
    red, green, blue = (min(255, max(0, channel + amount)) for channel in colour)
    return red, green, blue


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; `share` 0 gives the first, 1 the second."""
    red, green, blue = (round(one * (1 - share) + two * share) for one, two in zip(first, second, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Tell how bright a colour looks, 0 to 255."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def readable_pair(rng: random.Random) -> tuple[Colour, Colour]:
    """Draw a ground and a letter colour that can be told apart at a distance."""
    if rng.random() < 0.6:
        return rng.choice(_SIGN_PAIRS)
    while True:
        ground, letters = any_colour(rng), any_colour(rng)
        if abs(luminance(ground) - luminance(letters)) > 110:
            return ground, letters


def contrasting(rng: random.Random, ground: Colour) -> Colour:
    """Draw a letter colour that can be read on a ground."""
    dark = luminance(ground) > 128
    for _ in range(8):
        letters = any_colour(rng, (0, 1), (0, 0.5) if dark else (0.8, 1))
        if abs(luminance(ground) - luminance(letters)) > 110:
            return letters
    return BLACK if dark else WHITE
