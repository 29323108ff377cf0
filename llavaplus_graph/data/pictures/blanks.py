"""The class of pictures with nothing on them; knows no text and no thing."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageDraw

from llavaplus_graph.data.pictures.camera import shaded
from llavaplus_graph.data.pictures.colours import BLACK, WHITE, any_colour, paper, shifted
from llavaplus_graph.data.pictures.drawn import DrawnPicture
from llavaplus_graph.data.pictures.fields import Size, field, grainy, ramp, slope
from llavaplus_graph.data.pictures.sheet import canvas_size


def blank(rng: random.Random) -> DrawnPicture:
    """Draw an empty picture: plain, a soft gradient, faint noise or empty paper."""
    size = canvas_size(rng)
    drawer = rng.choice([_plain, _plain, _plain, _gradient, _gradient, _noisy, _dirty_paper, _dirty_paper])
    return DrawnPicture(drawer(size, rng), "blank")


def _plain(size: Size, rng: random.Random) -> Image.Image:
    level = rng.randint(0, 255)
    return Image.new(
        "RGB",
        size,
        rng.choice([WHITE, WHITE, BLACK, (level, level, level), any_colour(rng), any_colour(rng), paper(rng)]),
    )


def _gradient(size: Size, rng: random.Random) -> Image.Image:
    first = any_colour(rng)
    second = shifted(first, rng.randint(-70, 70)) if rng.random() < 0.6 else any_colour(rng)
    if rng.random() < 0.3:
        width, height = size
        across, down = (
            np.linspace(-1, 1, width, dtype=np.float32)[None, :],
            np.linspace(-1, 1, height, dtype=np.float32)[:, None],
        )
        return Image.fromarray(
            ramp(np.clip(np.sqrt(across**2 + down**2) / 1.4, 0, 1).astype(np.float32), [first, second])
        )
    return Image.fromarray(ramp(slope(size, rng), [first, second]))


def _noisy(size: Size, rng: random.Random) -> Image.Image:
    ground = _plain(size, rng) if rng.random() < 0.6 else _gradient(size, rng)
    return grainy(ground, rng, rng.uniform(1, 12), coloured=rng.random() < 0.4)


def _dirty_paper(size: Size, rng: random.Random) -> Image.Image:
    colour = paper(rng)
    spread = rng.randint(2, 14)
    picture = Image.fromarray(ramp(field(size, rng, rng.choice([1, 2, 3])), [shifted(colour, -spread), colour]))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.choice([0, 0, 0, 2, 8])):
        x, y, radius = rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.uniform(0.5, 2)
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=shifted(colour, -rng.randint(20, 90)))
    if rng.random() < 0.3:  # a fold
        x = rng.uniform(0.3, 0.7) * size[0]
        draw.line([(x, 0), (x + rng.uniform(-6, 6), size[1])], fill=shifted(colour, -18), width=rng.randint(1, 2))
    return shaded(picture, rng, rng.uniform(0, 0.3)) if rng.random() < 0.6 else picture
