"""What a camera does to a flat thing: perspective, shadow, uneven light, blur, noise and JPEG; knows no content."""

from __future__ import annotations

import io
import random
from math import cos, radians, sin

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from llavaplus_graph.data.pictures.fields import Size, field, grainy, slope

Corners = tuple[tuple[float, float], ...]


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """Store a picture as JPEG of a quality (1 to 95) and read it back."""
    stored = io.BytesIO()
    picture.save(stored, "JPEG", quality=quality)
    return Image.open(stored).convert("RGB")


def shaded(picture: Image.Image, rng: random.Random, depth: float) -> Image.Image:
    """Light a picture unevenly: a gradient, a cloud or an edge of shade takes up to `depth` (0 to 1) of it."""
    small = (max(8, picture.width // 4), max(8, picture.height // 4))
    form = rng.random()
    if form < 0.45:
        shade = slope(small, rng)
    elif form < 0.8:
        shade = field(small, rng, 3.5)
    else:
        shade = np.clip((slope(small, rng) - rng.uniform(0.25, 0.7)) * rng.uniform(4, 30) + 0.5, 0, 1).astype(
            np.float32
        )
    light = Image.fromarray((255 * (1 - depth * shade)).astype(np.uint8)).resize(
        picture.size, Image.Resampling.BILINEAR
    )
    tint = np.array([1, 1 - rng.uniform(0, 0.06), 1 - rng.uniform(0, 0.12)][:: rng.choice([1, -1])], dtype=np.float32)
    lit = np.asarray(picture, dtype=np.float32) * (np.asarray(light, dtype=np.float32)[:, :, None] / 255) * tint
    return Image.fromarray(lit.astype(np.uint8))


def snapped(picture: Image.Image, rng: random.Random, roughness: float = 1.0) -> Image.Image:
    """Give a finished picture the marks of a camera; `roughness` 0 leaves it as it is, 1 is a mediocre telephone."""
    if rng.random() < 0.45 * roughness:
        picture = shaded(picture, rng, rng.uniform(0.05, 0.45))
    if rng.random() < 0.35 * roughness:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.55)))
    if rng.random() < 0.2 * roughness:
        picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.75, 1.2))
    if rng.random() < 0.5 * roughness:
        picture = grainy(picture, rng, rng.uniform(1, 9), coloured=rng.random() < 0.3)
    if rng.random() < 0.4 * roughness:
        picture = jpeg(picture, rng.randint(45, 90))
    return picture


def laid_on(
    ground: Image.Image,
    thing: Image.Image,
    rng: random.Random,
    *,
    turn: float = 0,
    lean: float = 0,
    cover: tuple[float, float] = (0.7, 0.95),
    shadow: bool = True,
) -> Image.Image:
    """Lay a flat thing wholly inside a picture.

    Args:
        ground: what is behind it.
        thing: the flat thing, RGB or RGBA; its transparent parts show the ground.
        rng: where it lies.
        turn: most degrees it is turned to either side.
        lean: how far its corners move for perspective, 0 to about 0.15 of its size.
        cover: range of the share of the ground's width or height that it reaches over.
        shadow: whether it casts a shadow.

    Returns:
        RGB, of the size of the ground.
    """
    corners = _corners(ground.size, thing.size, rng, turn, lean, rng.uniform(*cover))
    weights = _perspective(corners, thing.size)
    cut = thing.getchannel("A") if thing.mode == "RGBA" else Image.new("L", thing.size, 255)
    shrink = _length(corners) / thing.width
    colours = thing.convert("RGB")
    if shrink < 0.6:  # bicubic sampling skips pixels when a thing shrinks much, and letters fall apart
        colours = colours.filter(ImageFilter.GaussianBlur(0.35 / shrink))
    placed = colours.transform(ground.size, Image.Transform.PERSPECTIVE, weights, Image.Resampling.BICUBIC)
    mask = cut.transform(ground.size, Image.Transform.PERSPECTIVE, weights, Image.Resampling.BILINEAR)
    result = ground.copy()
    if shadow:
        reach = rng.randint(1, 7)
        dark = mask.filter(ImageFilter.BoxBlur(reach)).point(lambda level: level * 0.5)
        result.paste((0, 0, 0), (rng.randint(-reach, reach), rng.randint(0, reach)), dark)
    result.paste(placed, (0, 0), mask)
    return result


def _corners(ground: Size, thing: Size, rng: random.Random, turn: float, lean: float, cover: float) -> Corners:
    angle = radians(rng.uniform(-turn, turn))
    half = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
    leaned = [(x * (1 + rng.uniform(-lean, lean)), y * (1 + rng.uniform(-lean, lean))) for x, y in half]
    turned = [
        (x * thing[0] * cos(angle) - y * thing[1] * sin(angle), x * thing[0] * sin(angle) + y * thing[1] * cos(angle))
        for x, y in leaned
    ]
    left, right = min(x for x, _ in turned), max(x for x, _ in turned)
    top, bottom = min(y for _, y in turned), max(y for _, y in turned)
    scale = cover * min(ground[0] / (right - left), ground[1] / (bottom - top))
    across, down = (
        rng.random() * (ground[0] - scale * (right - left)),
        rng.random() * (ground[1] - scale * (bottom - top)),
    )
    return tuple(((x - left) * scale + across, (y - top) * scale + down) for x, y in turned)


def _length(corners: Corners) -> float:
    (x1, y1), (x2, y2) = corners[0], corners[1]
    return max(1e-3, float(np.hypot(x2 - x1, y2 - y1)))


def _perspective(corners: Corners, size: Size) -> tuple[float, ...]:
    """Solve for the eight numbers that take the corners in the result back to the corners of the thing."""
    width, height = size
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(
        float(number)
        for number in np.linalg.solve(np.array(rows, dtype=np.float64), np.array(values, dtype=np.float64))
    )
