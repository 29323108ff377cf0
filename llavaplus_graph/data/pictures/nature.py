"""Pictures that look photographed without being so: land, sky, water, leaves, lights, still lifes; procedural.

The few real photographs at hand would be learned by heart; these vary without end and share their statistics.
"""

from __future__ import annotations

import random
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from llavaplus_graph.data.pictures.colours import any_colour, from_hsv, mixed, shifted
from llavaplus_graph.data.pictures.fields import Colour, Pixels, Size, field, ramp, slope

_SKIES: tuple[tuple[Colour, ...], ...] = (
    ((70, 130, 200), (150, 190, 225), (225, 232, 235)),
    ((40, 50, 90), (150, 90, 110), (250, 170, 90)),
    ((130, 140, 150), (180, 185, 190), (215, 215, 215)),
    ((10, 14, 36), (24, 34, 70), (60, 66, 100)),
    ((90, 160, 220), (120, 180, 230), (180, 215, 240)),
    ((190, 120, 100), (240, 180, 130), (255, 225, 180)),
)
_GROUNDS: tuple[tuple[Colour, ...], ...] = (
    ((22, 38, 14), (66, 92, 36), (130, 150, 70)),
    ((60, 44, 28), (120, 92, 60), (190, 160, 118)),
    ((150, 120, 80), (210, 180, 130), (240, 218, 180)),
    ((40, 42, 44), (92, 94, 96), (150, 150, 150)),
    ((200, 205, 215), (228, 232, 240), (250, 252, 255)),
    ((50, 30, 14), (140, 80, 24), (210, 150, 60)),
)


def _exposed(light: NDArray[np.float32]) -> Pixels:
    return np.asarray(np.clip(light, 0, 255).astype(np.uint8))


def natural_palette(rng: random.Random, colours: int = 4) -> list[Colour]:
    """Draw colours from dark to light of neighbouring hues and modest saturation, as nature has them."""
    hue, spread = rng.random(), rng.uniform(0.02, 0.25)
    low, high = rng.uniform(0.0, 0.25), rng.uniform(0.6, 1)
    most = rng.choice([0.4, 0.6, 0.95])
    return [
        from_hsv(hue + spread * (k / colours - 0.5), rng.uniform(0.08, most), low + (high - low) * k / (colours - 1))
        for k in range(colours)
    ]


def landscape(size: Size, rng: random.Random) -> Pixels:
    """Draw ridges in haze under a sky, sometimes with water that mirrors them."""
    width, height = size
    sky = rng.choice(_SKIES)
    picture = _sky(size, rng, sky)
    horizon = height * rng.uniform(0.25, 0.65)
    ground = rng.choice(_GROUNDS)
    ridges = rng.randint(1, 5)
    rows = np.arange(height, dtype=np.float32)[:, None]
    for k in range(ridges):
        nearness = (k + 1) / ridges
        outline = (
            horizon
            + (height - horizon) * nearness * 0.7
            - field((width, 4), rng, rng.choice([2, 2.5, 3]))[0] * height * rng.uniform(0.08, 0.4)
        )
        haze = 0.75 * (1 - nearness)
        colours = [mixed(colour, sky[-1], haze) for colour in ground]
        rough = np.clip(
            field(size, rng, rng.choice([1, 1.5, 2]), stretch=rng.uniform(1, 4)) * 0.8 + 0.2 * (rows / height), 0, 1
        )
        picture = np.where((rows > outline[None, :])[:, :, None], ramp(rough.astype(np.float32), colours), picture)
    if rng.random() < 0.3:
        _mirror(picture, rng, round(height * rng.uniform(0.55, 0.85)))
    return picture


def _sky(size: Size, rng: random.Random, colours: tuple[Colour, ...]) -> Pixels:
    width, height = size
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None] * np.ones((1, width), dtype=np.float32)
    clear = ramp(np.clip(down * rng.uniform(0.9, 1.8), 0, 1), colours)
    clouds = np.clip(
        (field(size, rng, rng.choice([2, 2.5, 3]), stretch=rng.uniform(1, 3)) - rng.uniform(0.3, 0.75))
        * rng.uniform(1.5, 4),
        0,
        1,
    )
    white = np.array(mixed((255, 255, 255), colours[-1], rng.uniform(0, 0.6)), dtype=np.float32)
    return np.asarray(clear + (white - clear) * clouds[:, :, None] * 0.9).astype(np.uint8)


def _mirror(picture: Pixels, rng: random.Random, shore: int) -> None:
    height, width = picture.shape[:2]
    below = height - shore
    source = picture[max(0, shore - below) : shore][::-1]
    ripple = field((width, len(source)), rng, 1.5, stretch=6)
    picture[shore : shore + len(source)] = (source * (0.55 + 0.35 * ripple[:, :, None])).astype(np.uint8)


def clouds(size: Size, rng: random.Random) -> Pixels:
    """Draw nothing but sky, smoke or fog."""
    return _sky(size, rng, rng.choice(_SKIES))


def water(size: Size, rng: random.Random) -> Pixels:
    """Draw waves with glints."""
    base = from_hsv(rng.uniform(0.45, 0.62), rng.uniform(0.2, 0.7), rng.uniform(0.3, 0.75))
    waves = field(size, rng, 1.5, window=0.8, stretch=7) * 0.5 + field(size, rng, 2.0, stretch=3) * 0.5
    glints = np.clip((waves - rng.uniform(0.62, 0.8)) * 8, 0, 1)[:, :, None]
    body = ramp(waves.astype(np.float32), [shifted(base, -60), base, shifted(base, 50)])
    return np.asarray(body + (250 - body) * glints).astype(np.uint8)


def texture(size: Size, rng: random.Random) -> Pixels:
    """Draw fur, bark, grass, moss, rust or rock: one rough surface from near."""
    rough = rng.choice([0.5, 1, 1, 1.5, 1.5, 2, 2.5])
    first = field(size, rng, rough, stretch=rng.choice([1, 1, 0.2, 0.4, 3, 6]))
    mixture = first * rng.uniform(0.5, 1) + field(size, rng, rng.choice([2, 2.5, 3])) * rng.uniform(0, 0.6)
    mixture = (mixture - mixture.min()) / max(1e-6, float(np.ptp(mixture)))
    return ramp(mixture.astype(np.float32), natural_palette(rng, rng.randint(3, 5)))


def haze(size: Size, rng: random.Random) -> Pixels:
    """Draw three independent smooth channels, as strongly blurred or abstract photographs have."""
    rough = rng.choice([1.5, 2, 2.5, 3])
    shared = field(size, rng, rough)
    own = rng.uniform(0.2, 0.8)
    channels = [
        np.clip(shared * (1 - own) + field(size, rng, rough) * own, 0, 1) * rng.uniform(0.6, 1) for _ in range(3)
    ]
    return (np.stack(channels, axis=2) * 255).astype(np.uint8)


def leaves(size: Size, rng: random.Random) -> Pixels:
    """Draw overlapping shaded shapes of all sizes: the dead-leaves model of natural pictures."""
    width, height = size
    index = Image.new("L", size, 0)
    draw = ImageDraw.Draw(index)
    largest = min(size) * rng.uniform(0.15, 0.5)
    sides = rng.choice([0, 0, 3, 4, 5, 7])
    for k in range(1, rng.randint(60, 255)):
        radius = max(3.0, largest * (rng.random() ** 1.8))
        _blob(draw, (rng.uniform(0, width), rng.uniform(0, height)), radius, rng, sides, k)
    shapes = np.asarray(index)
    # Colours of one picture belong together, so they are taken from one natural palette.
    palette = ramp(np.array([[rng.random() for _ in range(256)]], dtype=np.float32), natural_palette(rng, 5))[0].astype(
        np.float32
    )
    light = 0.55 + 0.45 * field(size, rng, rng.choice([1.5, 2, 2.5])) + 0.15 * field(size, rng, 1)
    drawn = _exposed(palette[shapes] * light[:, :, None])
    return np.asarray(Image.fromarray(drawn).filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2.5))))


def _blob(
    draw: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    radius: float,
    rng: random.Random,
    sides: int,
    fill: int | Colour,
) -> None:
    x, y = centre
    tall = radius * rng.uniform(0.4, 1.6)
    if sides == 0:
        draw.ellipse([x - radius, y - tall, x + radius, y + tall], fill=fill)
        return
    start = rng.uniform(0, 2 * pi)
    draw.polygon(
        [
            (x + radius * cos(start + 2 * pi * k / sides), y + tall * sin(start + 2 * pi * k / sides))
            for k in range(sides)
        ],
        fill=fill,
    )


def bokeh(size: Size, rng: random.Random) -> Pixels:
    """Draw soft discs of light before a blurred ground."""
    width, height = size
    ground = Image.fromarray(
        ramp(
            field(size, rng, 3),
            [from_hsv(rng.random(), rng.uniform(0.2, 0.8), value) for value in (0.05, 0.2, rng.uniform(0.3, 0.6))],
        )
    )
    layer = Image.new("RGB", size)
    draw = ImageDraw.Draw(layer)
    hue = rng.random()
    for _ in range(rng.randint(8, 60)):
        radius = min(size) * rng.uniform(0.01, 0.1)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        draw.ellipse(
            [x - radius, y - radius, x + radius, y + radius],
            fill=from_hsv(hue + rng.uniform(-0.12, 0.12), rng.uniform(0.1, 0.9), rng.uniform(0.2, 0.9)),
        )
    discs = np.asarray(layer.filter(ImageFilter.BoxBlur(rng.uniform(1, 5))), dtype=np.float32)
    return _exposed(np.asarray(ground, dtype=np.float32) + discs)


def still_life(size: Size, rng: random.Random) -> Pixels:
    """Draw round shaded things that cast shadows on a table before a wall out of focus."""
    width, height = size
    picture = room_ground(size, rng)
    for _ in range(rng.randint(1, 6)):
        radius = min(size) * rng.uniform(0.08, 0.32)
        x, y = rng.uniform(0, width), rng.uniform(height * 0.4, height * 0.9)
        _ball(picture, rng, (x, y), (radius, radius * rng.uniform(0.6, 1.6)))
    return picture


def room_ground(size: Size, rng: random.Random) -> Pixels:
    """Draw a table or floor that meets a wall out of focus."""
    height = size[1]
    edge = rng.uniform(0.3, 0.7)
    wall = ramp((0.5 * slope(size, rng) + 0.5 * field(size, rng, 3)).astype(np.float32), natural_palette(rng))
    floor = ramp(field(size, rng, rng.choice([1, 1.5, 2, 2.5]), stretch=rng.uniform(1, 8)), natural_palette(rng))
    share = np.clip((np.linspace(0, 1, height, dtype=np.float32)[:, None] - edge) * rng.uniform(10, 80) + 0.5, 0, 1)[
        :, :, None
    ]
    return np.asarray(wall * (1 - share) + floor * share).astype(np.uint8)


def _ball(picture: Pixels, rng: random.Random, centre: tuple[float, float], radii: tuple[float, float]) -> None:
    """Shade one rounded thing into a picture, in place, with a shadow beneath."""
    height, width = picture.shape[:2]
    left, right = max(0, int(centre[0] - radii[0] * 1.6)), min(width, int(centre[0] + radii[0] * 1.6))
    top, bottom = max(0, int(centre[1] - radii[1] * 1.4)), min(height, int(centre[1] + radii[1] * 1.4))
    if right - left < 4 or bottom - top < 4:
        return
    across = ((np.arange(left, right, dtype=np.float32) - centre[0]) / radii[0])[None, :]
    down = ((np.arange(top, bottom, dtype=np.float32) - centre[1]) / radii[1])[:, None]
    power = rng.choice([2, 2, 2, 3, 5])
    inside = 1 - (np.abs(across) ** power + np.abs(down) ** power)
    view = picture[top:bottom, left:right]
    shadow = np.clip(1.2 - (across - 0.25) ** 2 / 1.2 - ((down - 0.85) / 0.35) ** 2, 0, 1)[:, :, None] * 0.5
    shade = np.clip(
        0.35 + 0.75 * np.sqrt(np.clip(inside, 0, 1)) - 0.35 * across * rng.choice([-1, 1]) - 0.3 * down, 0.08, 1.4
    )
    skin = field((right - left, bottom - top), rng, rng.choice([1, 2, 3]))
    body = ramp(skin, natural_palette(rng)) * shade[:, :, None]
    glint = (
        np.clip(1 - ((across + 0.35) ** 2 + (down + 0.4) ** 2) * rng.uniform(12, 60), 0, 1)[:, :, None]
        * 200
        * (rng.random() < 0.6)
    )
    edge = np.clip(inside * min(radii) * 0.5, 0, 1)[:, :, None]
    view[:] = np.clip(view * (1 - shadow) * (1 - edge) + (body + glint) * edge, 0, 255).astype(np.uint8)


def portrait(size: Size, rng: random.Random) -> Pixels:
    """Draw a head and shoulders, shaded and soft, before a blurred ground."""
    width, height = size
    picture = rng.choice([haze, bokeh, room_ground, leaves])(size, rng)
    ground = Image.fromarray(picture).filter(ImageFilter.BoxBlur(rng.uniform(2, 8)))
    x, y, head = width * rng.uniform(0.35, 0.65), height * rng.uniform(0.35, 0.5), min(size) * rng.uniform(0.14, 0.26)
    figure = Image.new("RGBA", size)
    draw = ImageDraw.Draw(figure)
    coat, skin = (
        any_colour(rng, (0.1, 0.8), (0.1, 0.9)),
        from_hsv(rng.uniform(0.03, 0.09), rng.uniform(0.25, 0.65), rng.uniform(0.3, 0.95)),
    )
    hair = from_hsv(rng.uniform(0.04, 0.12), rng.uniform(0.1, 0.7), rng.uniform(0.05, 0.7))
    draw.ellipse([x - head * 2.1, y + head * 1.2, x + head * 2.1, y + head * 6], fill=coat)
    draw.rectangle([x - head * 0.4, y + head * 0.6, x + head * 0.4, y + head * 1.6], fill=shifted(skin, -25))
    draw.ellipse([x - head * 1.02, y - head * 1.4, x + head * 1.02, y + head * rng.uniform(0.5, 1.8)], fill=hair)
    draw.ellipse([x - head * 0.78, y - head * 0.95, x + head * 0.78, y + head * 1.1], fill=skin)
    for side in (-1, 1):
        draw.ellipse(
            [x + side * head * 0.3 - head * 0.11, y - head * 0.1, x + side * head * 0.3 + head * 0.11, y + head * 0.06],
            fill=(30, 25, 25),
        )
    draw.ellipse([x - head * 0.25, y + head * 0.55, x + head * 0.25, y + head * 0.68], fill=shifted(skin, -60))
    soft = figure.filter(ImageFilter.GaussianBlur(head * 0.05 + 0.5))
    ground.paste(soft, (0, 0), soft)
    light = 0.65 + 0.35 * slope(size, rng) + 0.25 * (field(size, rng, 2) - 0.5)
    return _exposed(np.asarray(ground) * light[:, :, None])


def street(size: Size, rng: random.Random) -> Pixels:
    """Draw blocks of houses with windows in haze, by day or night, above a road."""
    width, height = size
    picture = Image.fromarray(_sky(size, rng, rng.choice(_SKIES)))
    draw = ImageDraw.Draw(picture)
    ground, night = height * rng.uniform(0.6, 0.9), rng.random() < 0.4
    for layer in range(rng.randint(1, 3)):
        x = rng.uniform(-60, 0)
        while x < width:
            wide, top = rng.uniform(0.08, 0.3) * width, ground - height * rng.uniform(0.15, 0.6) / (1 if layer else 1.4)
            base = any_colour(rng, (0.03, 0.4), (0.05, 0.2) if night else (0.25, 0.8))
            draw.rectangle([x, top, x + wide, height], fill=base)
            pitch = rng.uniform(6, 18)
            lit = (250, 220, 140) if night else shifted(base, -50)
            for row in range(int((ground - top) / pitch)):
                for column in range(int(wide / pitch)):
                    if rng.random() < (0.4 if night else 0.9):
                        left, up = x + (column + 0.3) * pitch, top + (row + 0.3) * pitch
                        draw.rectangle([left, up, left + pitch * 0.4, up + pitch * 0.5], fill=lit)
            x += wide * rng.uniform(0.8, 1.3)
    draw.rectangle([0, ground, width, height], fill=(rng.randint(40, 110),) * 3)
    rough = 0.6 + 0.5 * field(size, rng, rng.choice([1.5, 2, 2.5])) + 0.2 * (slope(size, rng) - 0.5)
    return _exposed(np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 2)))) * rough[:, :, None])


def trees(size: Size, rng: random.Random) -> Pixels:
    """Draw trunks before foliage: layers of thresholded leaves that grow lighter or darker with distance."""
    width, height = size
    palette = rng.choice(_GROUNDS[:2] + _GROUNDS[5:])
    picture = ramp(field(size, rng, 2.5), [mixed(colour, (210, 220, 220), rng.uniform(0.3, 0.7)) for colour in palette])
    for k in range(rng.randint(2, 4)):  # from far to near
        image = Image.fromarray(picture)
        draw = ImageDraw.Draw(image)
        for _ in range(rng.randint(0, 7)):
            x, thick = rng.uniform(0, width), width * rng.uniform(0.005, 0.03) * (k + 1)
            lean = rng.uniform(-0.1, 0.1) * width
            draw.polygon(
                [(x, height), (x + thick, height), (x + lean + thick * 0.6, 0), (x + lean + thick * 0.2, 0)],
                fill=shifted(palette[0], rng.randint(-10, 40)),
            )
        crown = field(size, rng, rng.choice([1, 1.5, 2])) > rng.uniform(0.5, 0.7)
        tuft = ramp(field(size, rng, 1), [shifted(colour, 12 * k - 20) for colour in palette])
        picture = np.where(crown[:, :, None], tuft, np.asarray(image))
    return picture


def product(size: Size, rng: random.Random) -> Pixels:
    """Draw one to three things on a bright seamless ground, as shops photograph them."""
    width, height = size
    level = rng.randint(205, 255)
    tone = (level, level, level - rng.randint(0, 12))
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None] * np.ones((1, width), dtype=np.float32)
    picture = ramp(down, [tone, shifted(tone, 10), shifted(tone, -rng.randint(5, 50))])
    for k in range(rng.randint(1, 3)):
        radius = min(size) * rng.uniform(0.15, 0.4) / (1 + 0.4 * k)
        _ball(
            picture,
            rng,
            (width * rng.uniform(0.25, 0.75), height * rng.uniform(0.45, 0.6)),
            (radius, radius * rng.uniform(0.5, 1.6)),
        )
    return picture


def plate(size: Size, rng: random.Random) -> Pixels:
    """Draw food on a plate from above: a bright disc with heaped, textured, glossy bits."""
    width, height = size
    picture = ramp(field(size, rng, rng.choice([1, 2, 3]), stretch=rng.uniform(1, 8)), natural_palette(rng))
    x, y, radius = width * rng.uniform(0.4, 0.6), height * rng.uniform(0.4, 0.6), min(size) * rng.uniform(0.35, 0.6)
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    china = any_colour(rng, (0, 0.2), (0.75, 1))
    draw.ellipse(
        [x - radius * 1.05, y - radius, x + radius * 1.1, y + radius * 1.1],
        fill=shifted(from_hsv(0.1, 0.2, 0.25), rng.randint(-20, 20)),
    )
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=china)
    draw.ellipse([x - radius * 0.7, y - radius * 0.7, x + radius * 0.7, y + radius * 0.7], fill=shifted(china, -14))
    picture = np.array(image.filter(ImageFilter.GaussianBlur(1.2)))
    for _ in range(rng.randint(4, 18)):
        size_of = radius * rng.uniform(0.1, 0.32)
        angle, away = rng.uniform(0, 2 * pi), radius * 0.55 * rng.random() ** 0.5
        _ball(picture, rng, (x + away * cos(angle), y + away * sin(angle)), (size_of, size_of * rng.uniform(0.6, 1.4)))
    light = 0.75 + 0.4 * slope(size, rng)
    return _exposed(picture * light[:, :, None])


def interior(size: Size, rng: random.Random) -> Pixels:
    """Draw a room in perspective: walls, floor, ceiling, a lit window, boxes of furniture, soft light."""
    width, height = size
    x1, x2 = width * rng.uniform(0.1, 0.4), width * rng.uniform(0.6, 0.9)
    y1, y2 = height * rng.uniform(0.1, 0.35), height * rng.uniform(0.6, 0.85)
    wall, floor = (
        any_colour(rng, (0.02, 0.4), (0.4, 0.95)),
        from_hsv(rng.uniform(0.03, 0.12), rng.uniform(0.1, 0.6), rng.uniform(0.25, 0.7)),
    )
    image = Image.new("RGB", size, wall)
    draw = ImageDraw.Draw(image)
    draw.polygon([(0, 0), (width, 0), (x2, y1), (x1, y1)], fill=shifted(wall, 25))
    draw.polygon([(0, 0), (x1, y1), (x1, y2), (0, height)], fill=shifted(wall, -30))
    draw.polygon([(width, 0), (x2, y1), (x2, y2), (width, height)], fill=shifted(wall, -15))
    draw.polygon([(0, height), (x1, y2), (x2, y2), (width, height)], fill=floor)
    pane = x1 + (x2 - x1) * rng.uniform(0.05, 0.5)
    draw.rectangle(
        [pane, y1 + (y2 - y1) * 0.15, pane + (x2 - x1) * 0.4, y1 + (y2 - y1) * 0.6],
        fill=(240, 245, 250),
        outline=shifted(wall, -60),
        width=3,
    )
    for _ in range(rng.randint(1, 5)):
        left, foot, wide, tall = (
            rng.uniform(0, width * 0.85),
            rng.uniform(y2, height),
            width * rng.uniform(0.1, 0.35),
            height * rng.uniform(0.1, 0.4),
        )
        colour, deep = any_colour(rng, (0.05, 0.8), (0.15, 0.9)), wide * rng.uniform(0.1, 0.4)
        draw.polygon(
            [
                (left, foot - tall),
                (left + deep, foot - tall - deep * 0.5),
                (left + wide + deep, foot - tall - deep * 0.5),
                (left + wide, foot - tall),
            ],
            fill=shifted(colour, 30),
        )
        draw.polygon(
            [
                (left + wide, foot - tall),
                (left + wide + deep, foot - tall - deep * 0.5),
                (left + wide + deep, foot - deep * 0.5),
                (left + wide, foot),
            ],
            fill=shifted(colour, -40),
        )
        draw.rectangle([left, foot - tall, left + wide, foot], fill=colour)
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.6, 2))), dtype=np.float32)
    light = 0.5 + 0.35 * field(size, rng, 3) + 0.3 * slope(size, rng) + 0.12 * (field(size, rng, 1) - 0.5)
    return _exposed(soft * light[:, :, None])


NATURE = (
    landscape,
    landscape,
    clouds,
    water,
    texture,
    texture,
    haze,
    leaves,
    leaves,
    bokeh,
    still_life,
    still_life,
    portrait,
    portrait,
    street,
    street,
    trees,
    product,
    plate,
    interior,
    interior,
)
