"""Pictures without writing: drawn scenes with named things, photographs and what resembles them, blank canvases."""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from llavaplus_graph.errors import MissingExtraError

Colour = tuple[int, int, int]
Named = tuple[str, tuple[float, float, float, float]]

_PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
    "moon.png", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg", "hubble_deep_field.jpg",
    "clock_motion.png",
)  # fmt: skip


def colour(rng: random.Random, low: int = 0, high: int = 255) -> Colour:
    """Draw a colour whose channels lie between two values."""
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def canvas_size(rng: random.Random, longest: int = 480) -> tuple[int, int]:
    """Draw a size between 1:2 and 2:1 with a long side of 240 to `longest` pixels."""
    long = rng.randint(240, longest)
    short = max(120, int(long * rng.uniform(0.5, 1.0)))
    return (long, short) if rng.random() < 0.55 else (short, long)


def scene(rng: random.Random) -> tuple[Image.Image, list[Named]]:
    """Draw an illustration: a background and two to seven named things."""
    width, height = canvas_size(rng)
    picture = Image.new("RGB", (width, height), colour(rng, 120, 255))
    draw = ImageDraw.Draw(picture)
    horizon = int(height * rng.uniform(0.4, 0.8))
    if rng.random() < 0.75:
        draw.rectangle(
            (0, 0, width, horizon),
            fill=rng.choice([(135, 206, 235), (200, 225, 255), (250, 200, 150), (30, 30, 70), colour(rng, 100, 255)]),
        )
        draw.rectangle(
            (0, horizon, width, height),
            fill=rng.choice([(90, 170, 80), (200, 180, 120), (60, 110, 170), (120, 120, 120), colour(rng, 40, 220)]),
        )
    named = []
    for _ in range(rng.randint(2, 7)):
        name, paint = rng.choice(_THINGS)
        side = int(min(width, height) * rng.uniform(0.15, 0.45))
        x, y = rng.randint(0, width - side), rng.randint(0, height - side)
        paint(draw, x, y, side, rng)
        named.append((name, (x / width, y / height, (x + side) / width, (y + side) / height)))
    return picture, named


def photograph(rng: random.Random) -> Image.Image:
    """Take a piece of a real photograph, or make a texture with the statistics of one."""
    size = canvas_size(rng)
    kind = rng.random()
    if kind < 0.62:
        picture = _piece(rng, size)
    elif kind < 0.85:
        picture = texture(rng, size)
    else:
        picture = Image.blend(_piece(rng, size), texture(rng, size), rng.uniform(0.2, 0.6))
    if rng.random() < 0.25:
        width, height = size
        patch = (texture if rng.random() < 0.5 else _piece)(rng, (width // 2, height // 2))
        picture.paste(patch, (rng.randint(0, width // 2), rng.randint(0, height // 2)))
    for enhance in (ImageEnhance.Color, ImageEnhance.Brightness, ImageEnhance.Contrast):
        picture = enhance(picture).enhance(rng.uniform(0.6, 1.4))
    if rng.random() < 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3)))
    if rng.random() < 0.12:
        picture = ImageOps.grayscale(picture).convert("RGB")
    return _noisy(picture, rng, rng.choice([0, 0, 4, 10]))


def blank(rng: random.Random) -> Image.Image:
    """Draw an empty canvas: one colour, a soft gradient, or paper with a little noise."""
    size = canvas_size(rng)
    first = rng.choice([(255, 255, 255), (255, 255, 255), (0, 0, 0), (245, 240, 225), (128, 128, 128), colour(rng)])
    picture = Image.new("RGB", size, first)
    if rng.random() < 0.3:
        second = tuple(max(0, min(255, channel + rng.randint(-50, 50))) for channel in first)
        mask = Image.linear_gradient("L").rotate(rng.choice([0, 90, 180, 270])).resize(size)
        picture = Image.composite(picture, Image.new("RGB", size, second), mask)
    return _noisy(picture, rng, rng.choice([0, 0, 0, 2, 5]))


def texture(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    """Make coloured 1/f noise, the statistics of natural pictures: clouds, terrain, water, bokeh."""
    noise = np.random.default_rng(rng.getrandbits(32))
    side = 128
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    radius[0, 0] = 1 / side
    spectrum = radius ** -rng.uniform(0.9, 2.0)
    field = np.stack(
        [np.fft.ifft2(np.fft.fft2(noise.standard_normal((side, side))) * spectrum).real for _ in range(3)], -1
    )
    field = (field - field.mean((0, 1))) / field.std((0, 1))
    mixed = field @ (np.eye(3) * rng.uniform(0.1, 0.8) + rng.uniform(0.3, 1.0))
    base = np.array(colour(rng, 50, 200))
    pixels = np.clip(base + mixed * rng.uniform(15, 50), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


@cache
def _photographs() -> tuple[Image.Image, ...]:
    try:
        import matplotlib
        import skimage
    except ImportError as error:
        raise MissingExtraError("rendering photographs", extra="train") from error
    folder = Path(skimage.__file__).parent / "data"
    files = [folder / name for name in _PHOTOGRAPHS] + [
        Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    ]
    return tuple(Image.open(file).convert("RGB") for file in files if file.exists())


def _piece(rng: random.Random, size: tuple[int, int]) -> Image.Image:
    source = rng.choice(_photographs())
    share = rng.uniform(0.35, 1.0)
    width, height = int(source.width * share), int(source.height * share)
    left, top = rng.randint(0, source.width - width), rng.randint(0, source.height - height)
    piece = source.resize(size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
    return ImageOps.mirror(piece) if rng.random() < 0.5 else piece


def _noisy(picture: Image.Image, rng: random.Random, strength: int) -> Image.Image:
    if not strength:
        return picture
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, strength, (picture.height, picture.width, 1))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


Painter = Callable[[ImageDraw.ImageDraw, int, int, int, random.Random], None]


def _house(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    draw.rectangle((x, y + s // 2, x + s, y + s), fill=colour(rng, 100))
    draw.polygon([(x, y + s // 2), (x + s // 2, y), (x + s, y + s // 2)], fill=colour(rng, 60, 200))
    draw.rectangle((x + s * 2 // 5, y + s * 7 // 10, x + s * 3 // 5, y + s), fill=colour(rng, 0, 120))


def _tree(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    draw.rectangle((x + s * 2 // 5, y + s // 2, x + s * 3 // 5, y + s), fill=(110, 70, 30))
    draw.ellipse(
        (x + s // 8, y, x + s * 7 // 8, y + s * 2 // 3),
        fill=(rng.randint(20, 90), rng.randint(110, 180), rng.randint(20, 90)),
    )


def _car(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    body = colour(rng, 30, 230)
    draw.rounded_rectangle((x, y + s // 2, x + s, y + s * 17 // 20), radius=max(2, s // 12), fill=body)
    draw.polygon(
        [
            (x + s // 5, y + s // 2),
            (x + s * 3 // 10, y + s // 4),
            (x + s * 7 // 10, y + s // 4),
            (x + s * 4 // 5, y + s // 2),
        ],
        fill=body,
    )
    for left in (x + s // 8, x + s * 5 // 8):
        draw.ellipse((left, y + s * 7 // 10, left + s // 4, y + s * 19 // 20), fill=(20, 20, 20))


def _ball(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    draw.ellipse((x, y, x + s, y + s), fill=colour(rng, 30, 255), outline=(40, 40, 40))


def _sun(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    for dx, dy in ((0, 1), (1, 0), (1, 1), (1, -1)):
        draw.line(
            (x + s // 2 - dx * s // 2, y + s // 2 - dy * s // 2, x + s // 2 + dx * s // 2, y + s // 2 + dy * s // 2),
            fill=(255, 190, 0),
            width=2,
        )
    draw.ellipse((x + s // 5, y + s // 5, x + s * 4 // 5, y + s * 4 // 5), fill=(255, rng.randint(190, 230), 0))


def _flower(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    draw.line((x + s // 2, y + s // 3, x + s // 2, y + s), fill=(40, 130, 40), width=max(2, s // 20))
    petals = colour(rng, 120)
    for dx, dy in ((0, -1), (0, 1), (-1, 0), (1, 0)):
        cx, cy = x + s // 2 + dx * s // 6, y + s // 3 + dy * s // 6
        draw.ellipse((cx - s // 7, cy - s // 7, cx + s // 7, cy + s // 7), fill=petals)


def _boat(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    draw.polygon(
        [(x, y + s * 7 // 10), (x + s, y + s * 7 // 10), (x + s * 4 // 5, y + s), (x + s // 5, y + s)],
        fill=colour(rng, 40, 200),
    )
    draw.polygon(
        [(x + s // 2, y), (x + s // 2, y + s * 3 // 5), (x + s * 9 // 10, y + s * 3 // 5)], fill=(245, 245, 245)
    )


def _cat(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    fur = colour(rng, 40, 200)
    draw.ellipse((x + s // 6, y + s * 2 // 5, x + s * 5 // 6, y + s), fill=fur)
    draw.ellipse((x + s // 4, y + s // 8, x + s * 3 // 4, y + s * 3 // 5), fill=fur)
    for left in (x + s // 4, x + s // 2):
        draw.polygon([(left, y + s // 4), (left + s // 8, y), (left + s // 4, y + s // 4)], fill=fur)
    for left in (x + s * 2 // 5, x + s * 11 // 20):
        draw.ellipse((left, y + s * 3 // 10, left + s // 12, y + s * 2 // 5), fill=(250, 250, 120))


def _table(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    wood = (rng.randint(110, 180), rng.randint(70, 110), rng.randint(30, 60))
    draw.rectangle((x, y + s // 3, x + s, y + s * 9 // 20), fill=wood)
    for left in (x + s // 12, x + s * 5 // 6):
        draw.rectangle((left, y + s * 9 // 20, left + s // 12, y + s), fill=wood)


def _cup(draw: ImageDraw.ImageDraw, x: int, y: int, s: int, rng: random.Random) -> None:
    china = colour(rng, 80)
    draw.rectangle((x + s // 6, y + s // 4, x + s * 7 // 10, y + s), fill=china)
    draw.arc(
        (x + s * 11 // 20, y + s * 2 // 5, x + s * 19 // 20, y + s * 4 // 5), -90, 90, fill=china, width=max(2, s // 14)
    )


_THINGS: tuple[tuple[str, Painter], ...] = (
    ("house", _house), ("tree", _tree), ("car", _car), ("ball", _ball), ("sun", _sun), ("flower", _flower),
    ("boat", _boat), ("cat", _cat), ("table", _table), ("cup", _cup),
)  # fmt: skip
