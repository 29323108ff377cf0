"""Flat materials that things lie on: wood, stone, cloth, brick, plaster, paper; procedural, no photograph."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageDraw

from llavaplus_graph.data.pictures.colours import any_colour, mixed, shifted
from llavaplus_graph.data.pictures.fields import Colour, Size, field, grainy, ramp, slope

_WOODS: tuple[tuple[Colour, Colour], ...] = (
    ((92, 58, 32), (160, 110, 66)),
    ((58, 36, 22), (104, 70, 44)),
    ((176, 136, 92), (222, 190, 150)),
    ((120, 82, 50), (196, 150, 100)),
    ((70, 66, 62), (130, 124, 116)),
)


def wood(size: Size, rng: random.Random) -> Image.Image:
    """Draw boards or a veneer with grain along x."""
    dark, light = rng.choice(_WOODS)
    grain = field(size, rng, 1.5, window=0.5, stretch=rng.uniform(8, 20))
    rings = np.sin(field(size, rng, 3, stretch=5) * rng.uniform(20, 70)) * 0.25 + 0.5
    picture = Image.fromarray(ramp((0.6 * grain + 0.4 * rings).astype(np.float32), [dark, light]))
    if rng.random() < 0.5:
        draw = ImageDraw.Draw(picture)
        board = rng.randint(max(20, size[1] // 8), max(24, size[1] // 3))
        for y in range(rng.randint(0, board), size[1], board):
            draw.line([(0, y), (size[0], y)], fill=shifted(dark, -35), width=rng.randint(1, 3))
    return picture


def stone(size: Size, rng: random.Random) -> Image.Image:
    """Draw concrete, asphalt, marble or sand."""
    base = any_colour(rng, (0, 0.25), (0.2, 0.9))
    rough = field(size, rng, rng.choice([0.5, 1, 1.5, 2]))
    soft = field(size, rng, 3)
    spread = rng.randint(10, 60)
    return Image.fromarray(
        ramp((0.5 * rough + 0.5 * soft).astype(np.float32), [shifted(base, -spread), base, shifted(base, spread)])
    )


def cloth(size: Size, rng: random.Random) -> Image.Image:
    """Draw woven cloth, plain, striped or checked, with soft folds."""
    width, height = size
    base, second = any_colour(rng, (0.1, 0.9), (0.2, 0.95)), any_colour(rng, (0.1, 0.9), (0.2, 0.95))
    pitch = rng.randint(10, 60)
    across = ((np.arange(width) // pitch) % 2).astype(np.float32)[None, :]
    down = ((np.arange(height) // pitch) % 2).astype(np.float32)[:, None]
    pattern = {0: 0 * across * down, 1: across + 0 * down, 2: (across + down) / 2}[rng.randrange(3)]
    picture = ramp(pattern.astype(np.float32), [base, mixed(base, second, 0.5), second])
    folds = 0.7 + 0.3 * field(size, rng, 3)
    weave = 0.92 + 0.08 * ((np.arange(width)[None, :] + np.arange(height)[:, None]) % 2)
    return Image.fromarray((picture * (folds * weave)[:, :, None]).astype(np.uint8))


def brick(size: Size, rng: random.Random) -> Image.Image:
    """Draw a wall of bricks, tiles or planks."""
    width, height = size
    base = (
        any_colour(rng, (0.1, 0.7), (0.3, 0.9))
        if rng.random() < 0.5
        else (rng.randint(130, 190), rng.randint(60, 95), rng.randint(45, 75))
    )
    mortar = shifted((rng.randint(120, 200),) * 3, -20)
    picture = Image.new("RGB", size, mortar)
    draw = ImageDraw.Draw(picture)
    tall = rng.randint(10, 40)
    long = round(tall * rng.choice([1, 2, 2.5, 3]))
    joint = rng.randint(1, 4)
    for row, y in enumerate(range(-tall // 2, height, tall)):
        offset = (long // 2) * (row % 2) if long != tall else 0
        for x in range(-long - offset, width, long):
            draw.rectangle([x, y, x + long - joint - 1, y + tall - joint - 1], fill=shifted(base, rng.randint(-22, 22)))
    rough = 0.75 + 0.4 * field(size, rng, 1.5)
    return Image.fromarray(np.clip(np.asarray(picture) * rough[:, :, None], 0, 255).astype(np.uint8))


def plaster(size: Size, rng: random.Random) -> Image.Image:
    """Draw a painted wall or a table top: one colour with a soft change of light."""
    base = any_colour(rng, (0, 0.6), (0.25, 1))
    spread = rng.randint(8, 50)
    light = 0.7 * slope(size, rng) + 0.3 * field(size, rng, 2.5)
    return grainy(
        Image.fromarray(ramp(light.astype(np.float32), [shifted(base, -spread), shifted(base, spread)])),
        rng,
        rng.uniform(0, 5),
    )


def plain(size: Size, rng: random.Random) -> Image.Image:
    """Fill with one colour or a clean gradient of two."""
    first = any_colour(rng)
    if rng.random() < 0.5:
        return Image.new("RGB", size, first)
    return Image.fromarray(ramp(slope(size, rng), [first, any_colour(rng)]))


def table_top(size: Size, rng: random.Random) -> Image.Image:
    """Draw something that a sheet of paper is photographed on."""
    return rng.choice([wood, wood, wood, stone, stone, cloth, plaster, plaster, plain])(size, rng)


def wall(size: Size, rng: random.Random) -> Image.Image:
    """Draw something that a sign hangs on."""
    return rng.choice([brick, brick, stone, plaster, plaster, wood, plain])(size, rng)
