"""The class of signs, labels and posters: a few large words on a coloured shape, near or in a street."""

from __future__ import annotations

import random
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFilter

from llavaplus_graph.data.pictures.camera import laid_on, snapped
from llavaplus_graph.data.pictures.colours import (
    BLACK,
    WHITE,
    contrasting,
    ink,
    luminance,
    paper,
    readable_pair,
    shifted,
)
from llavaplus_graph.data.pictures.drawn import DrawnPicture
from llavaplus_graph.data.pictures.fields import Colour, Size
from llavaplus_graph.data.pictures.lettering import Area, lettered
from llavaplus_graph.data.pictures.materials import brick, plain, stone, wall, wood
from llavaplus_graph.data.pictures.photographs import photographed_ground
from llavaplus_graph.data.pictures.sheet import canvas_size
from llavaplus_graph.data.pictures.sign_shapes import ICONS, SHAPES, Shape
from llavaplus_graph.data.pictures.sign_texts import POSTER_WORDS, SHOP_ENDINGS, SIGN_TEXTS
from llavaplus_graph.data.pictures.words import Words


def sign(rng: random.Random) -> DrawnPicture:
    """Draw a sign, a label or a poster."""
    lines = sign_lines(rng)
    form = rng.random()
    if form < 0.14:
        picture, texts = _big_words(lines, rng)
    elif form < 0.22:
        picture, texts = _painted_on(lines, rng)
    elif form < 0.3:
        picture, texts = _glowing(lines, rng)
    elif form < 0.5:
        picture, texts = _panel(canvas_size(rng), lines, rng, "rectangle")
    else:
        picture, texts = _hung(lines, rng)
    return DrawnPicture(snapped(picture, rng, rng.choice([0, 0.6, 1])), "sign", tuple(texts))


def sign_lines(rng: random.Random) -> list[str]:
    """Draw what a sign says, one to four lines."""
    words, pick = Words(rng), rng.random()
    if pick < 0.5:
        text = rng.choice(SIGN_TEXTS)
        if text.isupper() and rng.random() < 0.35:
            text = text.capitalize() if rng.random() < 0.5 else text.title().replace("'S", "'s").replace("'R", "'r")
        return _broken(text, rng)
    if pick < 0.6:
        return _broken(f"{words.surname()}{rng.choice([chr(39) + 's', ''])} {rng.choice(SHOP_ENDINGS)}", rng) + (
            [f"EST. {rng.randint(1800, 2020)}"] if rng.random() < 0.2 else []
        )
    if pick < 0.68:
        return [_cased(words.street_name(), rng)]
    if pick < 0.74:
        return [f"{rng.choice(['', '', 'A', 'B', 'M', 'ROUTE ', 'No. ', 'Gate ', 'EXIT '])}{rng.randint(1, 140)}"]
    if pick < 0.8:
        return [f"{words.city()} {rng.randint(1, 240)}" for _ in range(rng.randint(1, 4))]
    if pick < 0.87:
        return [
            rng.choice([words.title(1).upper(), rng.choice(POSTER_WORDS)]),
            rng.choice(POSTER_WORDS),
            words.date(),
            rng.choice([words.city(), words.url(), words.time()]),
        ][: rng.randint(2, 4)]
    if pick < 0.91:
        return [words.title(1), f"${words.price(40)}"]
    if pick < 0.94:
        return [f"{''.join(rng.choices('ABCDEFGHJKLMNPRSTVWXYZ', k=3))} {rng.randint(100, 9999)}"]
    if pick < 0.97:
        return (
            ["HELLO", "my name is", words.name().split()[0]]
            if rng.random() < 0.5
            else [words.name(), words.title(2), words.company()]
        )
    return _broken(_cased(words.title(rng.randint(1, 7)), rng), rng)


def _cased(text: str, rng: random.Random) -> str:
    return text.upper() if rng.random() < 0.5 else text


def _broken(text: str, rng: random.Random) -> list[str]:
    """Break a text into lines: at its slashes, and long parts once or twice more."""
    lines: list[str] = []
    for part in text.split("/"):
        words = part.split()
        pieces = min(len(words), rng.choice([1, 1, 2, 2, 3]) if len(part) > 9 else 1)
        bounds = [round(k * len(words) / pieces) for k in range(pieces + 1)]
        lines += [" ".join(words[one:two]) for one, two in pairwise(bounds)]
    return lines if len(lines) <= 4 else [*lines[:3], " ".join(lines[3:])]


def _panel(size: Size, lines: list[str], rng: random.Random, shape_name: Shape) -> tuple[Image.Image, list[str]]:
    """Draw a sign that fills a picture, transparent outside its shape."""
    ground, letters = readable_pair(rng)
    shape = SHAPES[shape_name]
    width, height = size
    mask = Image.new("L", (width * 2, height * 2))
    shape.draw(ImageDraw.Draw(mask), (0, 0, width * 2 - 1, height * 2 - 1), 255)
    panel = Image.new("RGB", size, ground)
    if rng.random() < 0.55:
        _border(panel, shape_name, rng, ground, letters)
    left, top, right, bottom = (
        share * side for share, side in zip(shape.inside, (width, height, width, height), strict=True)
    )
    if rng.random() < 0.3 and right - left > 90 and bottom - top > 60:
        left, top, right, bottom = _icon(panel, rng, letters, (left, top, right, bottom))
    if rng.random() < 0.15 and len(lines) > 1 and shape_name == "rectangle":
        band = top + (bottom - top) / len(lines)
        ImageDraw.Draw(panel).rectangle([0, 0, width, band + 2], fill=letters)
        texts = lettered(panel, lines[:1], (left, top, right, band), rng, ground) + lettered(
            panel, lines[1:], (left, band + 4, right, bottom), rng, letters
        )
    else:
        texts = lettered(panel, lines, (left, top, right, bottom), rng, letters)
    panel.putalpha(mask.reduce(2))
    if shape_name == "rectangle":
        panel = panel.convert("RGB")
    return panel, texts


def _border(panel: Image.Image, shape_name: Shape, rng: random.Random, ground: Colour, letters: Colour) -> None:
    width, height = panel.size
    thick = max(2, round(min(width, height) * rng.uniform(0.015, 0.06)))
    gap = rng.choice([0, thick, thick]) if shape_name in ("rectangle", "rounded") else 0
    colour = letters if rng.random() < 0.7 else shifted(ground, -70)
    big = Image.new("RGB", (width * 2, height * 2), ground)
    draw = ImageDraw.Draw(big)
    SHAPES[shape_name].draw(draw, (gap * 2, gap * 2, width * 2 - 1 - gap * 2, height * 2 - 1 - gap * 2), colour)
    inner = (gap + thick) * (2 if shape_name != "triangle" else 3)
    SHAPES[shape_name].draw(draw, (inner, inner, width * 2 - 1 - inner, height * 2 - 1 - inner), ground)
    panel.paste(big.reduce(2))


def _icon(panel: Image.Image, rng: random.Random, letters: Colour, area: Area) -> Area:
    """Put a pictogram beside or above the words; gives the room that is left."""
    left, top, right, bottom = area
    beside = right - left > (bottom - top) * 1.2
    side = min(bottom - top, (right - left) * 0.35) if beside else min(right - left, (bottom - top) * 0.45)
    x, y = (left, (top + bottom - side) / 2) if beside else ((left + right - side) / 2, top)
    big = panel.crop((round(x), round(y), round(x + side), round(y + side))).resize((round(side) * 2, round(side) * 2))
    rng.choice(ICONS)(
        ImageDraw.Draw(big), side * 2 - 1, letters, (200, 20, 30) if luminance(letters) < 128 else (255, 220, 60)
    )
    panel.paste(big.reduce(2), (round(x), round(y)))
    return (left + side * 1.1, top, right, bottom) if beside else (left, top + side * 1.08, right, bottom)


def _hung(lines: list[str], rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Hang one sign before a wall, a street or nature."""
    size = canvas_size(rng)
    name: Shape = rng.choice(
        [
            "rectangle",
            "rectangle",
            "rectangle",
            "rounded",
            "rounded",
            "ellipse",
            "octagon",
            "diamond",
            "triangle",
            "arrow",
            "shield",
            "tag",
        ]
    )
    ratio = {"octagon": 1.0, "diamond": 1.0, "triangle": 1.15, "shield": 0.9}.get(
        name, rng.choice([0.75, 1, 1.4, 1.8, 2.5, 3.2])
    )
    side = max(260, min(size[0], size[1]))
    panel, texts = _panel((round(side * max(1.0, ratio)), round(side * max(1.0, ratio) / ratio)), lines, rng, name)
    ground = photographed_ground(size, rng) if rng.random() < 0.6 else wall(size, rng)
    turn, lean = rng.choice([0, 2, 8]), rng.choice([0, 0, 0.05, 0.1])
    if rng.random() < 0.25:  # a post
        draw, x = ImageDraw.Draw(ground), size[0] * rng.uniform(0.4, 0.6)
        draw.rectangle([x, size[1] * 0.4, x + size[0] * 0.03, size[1]], fill=(rng.randint(60, 170),) * 3)
    return laid_on(ground, panel, rng, turn=turn, lean=lean, cover=(0.6, 0.97)), texts


def _big_words(lines: list[str], rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Print a few large words on plain paper or one plain colour."""
    ground = WHITE if rng.random() < 0.6 else paper(rng)
    picture = Image.new("RGB", canvas_size(rng, 0.6, 2), ground)
    letters = BLACK if rng.random() < 0.5 else (ink(rng) if rng.random() < 0.5 else contrasting(rng, ground))
    width, height = picture.size
    side, rise = width * rng.uniform(0.03, 0.18), height * rng.uniform(0.06, 0.3)
    return picture, lettered(picture, lines, (side, rise, width - side, height - rise), rng, letters, plain=True)


def _painted_on(lines: list[str], rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Paint words right onto wood, brick, stone, a plain wall or a photograph."""
    size = canvas_size(rng, 0.7, 2)
    picture = rng.choice([wood, brick, stone, plain, photographed_ground])(size, rng)
    width, height = size
    middle: Colour = tuple(picture.resize((1, 1)).tobytes())  # type: ignore[assignment]
    letters = WHITE if luminance(middle) < 140 else BLACK
    area = (width * 0.07, height * rng.uniform(0.06, 0.3), width * 0.93, height * rng.uniform(0.75, 0.94))
    shade = Image.new("L", size)
    ImageDraw.Draw(shade).rectangle([area[0] - 8, area[1] - 8, area[2] + 8, area[3] + 8], fill=90)
    picture.paste(BLACK if letters == WHITE else WHITE, (0, 0), shade.filter(ImageFilter.BoxBlur(12)))
    return picture, lettered(picture, lines, area, rng, letters)


def _glowing(lines: list[str], rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Draw neon letters, a chalk board or a lit display."""
    size = canvas_size(rng, 0.7, 2)
    form = rng.randrange(3)
    ground: Colour = ((14, 12, 22), (38, 58, 50), (8, 8, 8))[form]
    picture = (
        brick(size, rng).point(lambda level: level * 0.25)
        if form == 0 and rng.random() < 0.5
        else Image.new("RGB", size, ground)
    )
    letters: Colour = (
        rng.choice([(255, 80, 160), (80, 220, 255), (255, 240, 120), (120, 255, 140)]),
        (235, 235, 228),
        (255, 150, 20),
    )[form]
    width, height = size
    texts = lettered(picture, lines, (width * 0.08, height * 0.12, width * 0.92, height * 0.88), rng, letters)
    if form == 0:
        glow = picture.filter(ImageFilter.BoxBlur(6)).point(lambda level: min(255, level * 1.5))
        picture = Image.blend(picture, glow, 0.45)
    if form == 1:
        ImageDraw.Draw(picture).rectangle(
            [0, 0, width - 1, height - 1], outline=(120, 80, 45), width=max(3, min(size) // 30)
        )
    return picture, texts
