"""Large letters that fill an area: sizes, widths, outlines and shadows; knows no sign."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

from llavaplus_graph.data.pictures.fields import Colour
from llavaplus_graph.data.pictures.fonts import Style, line_height, load, pick_face

Area = tuple[float, float, float, float]
_REFERENCE = 40
_SMALLEST = 9


def lettered(
    picture: Image.Image, lines: list[str], area: Area, rng: random.Random, ink: Colour, plain: bool = False
) -> list[str]:
    """Print lines as large as an area allows, each whole.

    Args:
        picture: is printed on in place.
        lines: what to print, from top to bottom.
        area: left, top, right, bottom in pixels.
        rng: chooses typeface, widths and effects.
        ink: colour of the letters.
        plain: whether letters keep their width and have no effects.

    Returns:
        The lines, as they were printed.
    """
    left, top, right, bottom = area
    style: Style = rng.choice(["bold", "bold", "bold", "sans", "serif", "any"])
    face = pick_face(rng, style, "".join(lines))
    squeeze = 1.0 if plain or rng.random() < 0.5 else rng.uniform(0.7, 1.3)
    same = rng.random() < 0.6
    room = (bottom - top) / len(lines)
    fill = rng.choice([0.8, 0.9, 1.0]) if not plain else rng.uniform(0.55, 1.0)
    sizes = [_size(face, line, (right - left) / squeeze, room) for line in lines]
    if same:
        sizes = [min(sizes)] * len(sizes)
    heights = [line_height(load(face, max(_SMALLEST, round(size * fill)))) for size in sizes]
    gap = max(0.0, (bottom - top - sum(heights)) / (len(lines) + 1)) * rng.choice([0.3, 1])
    y = top + (bottom - top - sum(heights) - gap * (len(lines) - 1)) / 2
    effect = "plain" if plain else rng.choice(["plain", "plain", "plain", "plain", "shadow", "outline"])
    for line, size, height in zip(lines, sizes, heights, strict=True):
        _print(
            picture,
            line,
            (left, y, right, y + height),
            (face, max(_SMALLEST, round(size * fill)), squeeze),
            ink,
            effect,
        )
        y += height + gap
    return list(lines)


def _size(face: str, line: str, width: float, height: float) -> float:
    font = load(face, _REFERENCE)
    return float(min(_REFERENCE * width / max(1, font.getlength(line)), _REFERENCE * height / line_height(font))) * 0.98


def _print(picture: Image.Image, line: str, area: Area, look: tuple[str, int, float], ink: Colour, effect: str) -> None:
    face, size, squeeze = look
    font = load(face, size)
    length = font.getlength(line)
    mask = Image.new("L", (max(1, round(length) + 2), max(1, line_height(font))))
    ImageDraw.Draw(mask).text((1, 0), line, font=font, fill=255)
    if abs(squeeze - 1) > 0.03:
        mask = mask.resize((max(1, round(mask.width * squeeze)), mask.height), Image.Resampling.BILINEAR)
    left, top, right, _ = area
    at = (max(0, round((left + right - mask.width) / 2)), max(0, round(top)))
    reach = max(1, size // 16)
    opposite: Colour = (0, 0, 0) if sum(ink) > 380 else (255, 255, 255)
    if effect == "shadow" and sum(ink) > 380:
        picture.paste((0, 0, 0), (at[0] + reach, at[1] + reach), mask.point(lambda level: level * 0.6))
    if effect == "outline":
        for x, y in ((-reach, 0), (reach, 0), (0, -reach), (0, reach)):
            picture.paste(opposite, (max(0, at[0] + x), max(0, at[1] + y)), mask)
    picture.paste(ink, at, mask)
