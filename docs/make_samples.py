"""Draws the pictures in llavaplus_graph/samples. Run it only to change them: python docs/make_samples.py.

Needs segno (the extra `train` brings it). The same code gives the same pictures.
"""

from __future__ import annotations

import io
import math
import random
from pathlib import Path

import segno
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

SAMPLES = Path(__file__).parent.parent / "llavaplus_graph" / "samples"
MENU = "https://example.org/menu"
Colour = tuple[int, int, int]


def main() -> None:
    """Writes all samples."""
    sign().save(SAMPLES / "sign.png", optimize=True)
    poster().save(SAMPLES / "qr.png", optimize=True)
    meadow().save(SAMPLES / "objects.png", optimize=True)
    sunset().save(SAMPLES / "photo.jpg", quality=85)


def sign() -> Image.Image:
    """A library's sign on a wall, 640 x 420."""
    picture = _grain(Image.new("RGB", (640, 420), (176, 160, 140)), strength=10, seed=1)
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((78, 58, 570, 370), 18, fill=(120, 108, 94))
    draw.rounded_rectangle((70, 50, 562, 362), 18, fill=(22, 82, 58), outline=(240, 236, 220), width=6)
    for text, y, size in (("CITY LIBRARY", 116, 60), ("Open 9:00 - 18:00", 212, 42), ("Closed on Sunday", 290, 42)):
        draw.text((316, y), text, font=ImageFont.load_default(size), fill=(250, 248, 238), anchor="mm")
    return picture.filter(ImageFilter.GaussianBlur(0.4))


def poster() -> Image.Image:
    """A small poster with a QR code, 440 x 560."""
    picture = Image.new("RGB", (440, 560), (247, 236, 214))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 440, 110), fill=(180, 62, 44))
    draw.text((220, 56), "CAFE LUNA", font=ImageFont.load_default(54), fill=(255, 250, 240), anchor="mm")
    code = io.BytesIO()
    segno.make_qr(MENU, error="m").save(code, kind="png", scale=9, border=4)
    square = Image.open(code).convert("RGB")
    picture.paste(square, ((440 - square.width) // 2, 140))
    draw.text((220, 510), "Scan for the menu", font=ImageFont.load_default(34), fill=(70, 52, 44), anchor="mm")
    return picture


def meadow() -> Image.Image:
    """A red ball on grass, 560 x 420; the ball fills the box 0.54, 0.51, 0.77, 0.82."""
    picture = _gradient((560, 420), (140, 196, 236), (222, 238, 246))
    grass = _grain(_gradient((560, 240), (104, 160, 72), (66, 120, 44)), strength=26, seed=2)
    picture.paste(grass, (0, 180))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((410, 34, 474, 98), fill=(255, 238, 160))
    draw.rectangle((96, 140, 118, 236), fill=(104, 74, 48))
    for x, y, r in ((106, 92, 58), (66, 124, 40), (148, 124, 42)):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(44, 108, 56))
    shadow = Image.new("L", picture.size, 0)
    ImageDraw.Draw(shadow).ellipse((306, 322, 448, 356), fill=120)
    picture.paste((30, 60, 24), mask=shadow.filter(ImageFilter.GaussianBlur(6)))
    ball, disc = _ball(64, (206, 34, 38))
    picture.paste(ball, (303, 216), disc)
    return picture.filter(ImageFilter.GaussianBlur(0.5))


def sunset() -> Image.Image:
    """Mountains at a lake in the evening, 640 x 440."""
    picture = _gradient((640, 440), (38, 48, 96), (250, 168, 96))
    glow = Image.new("RGB", picture.size)
    ImageDraw.Draw(glow).ellipse((400, 150, 520, 270), fill=(255, 214, 150))
    picture = ImageChops.screen(picture, glow.filter(ImageFilter.GaussianBlur(34)))
    ImageDraw.Draw(picture).ellipse((434, 184, 486, 236), fill=(255, 240, 206))
    for seed, base, height, colour in (
        (3, 250, 90, (96, 74, 110)),
        (4, 276, 60, (62, 50, 82)),
        (5, 296, 34, (36, 32, 52)),
    ):
        ImageDraw.Draw(picture).polygon(_ridge(640, base, height, seed), fill=colour)
    lake = picture.crop((0, 170, 640, 300)).transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((640, 140))
    picture.paste(Image.blend(lake, Image.new("RGB", lake.size, (30, 36, 66)), 0.35), (0, 300))
    return _grain(picture.filter(ImageFilter.GaussianBlur(0.8)), strength=7, seed=6)


def _gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    ramp = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), ramp)


def _grain(picture: Image.Image, *, strength: int, seed: int) -> Image.Image:
    """The picture with noise of up to `strength` grey levels up and down."""
    width, height = picture.size
    noise = Image.frombytes("L", picture.size, random.Random(seed).randbytes(width * height))
    noise = noise.filter(ImageFilter.GaussianBlur(0.7)).point(lambda level: level * 2 * strength // 255)
    grey = Image.merge("RGB", [noise] * 3)
    return ImageChops.subtract(ImageChops.add(picture, grey), Image.new("RGB", picture.size, (strength,) * 3))


def _ball(radius: int, colour: Colour) -> tuple[Image.Image, Image.Image]:
    """A shaded ball and the mask of its disc."""
    size = (2 * radius, 2 * radius)
    glow = ImageChops.invert(Image.radial_gradient("L")).resize((3 * radius, 3 * radius))
    light = glow.crop((radius // 2, radius // 2, radius // 2 + size[0], radius // 2 + size[1]))
    shade = Image.composite(
        Image.new("RGB", size, colour), Image.new("RGB", size, tuple(c // 3 for c in colour)), light
    )
    ImageDraw.Draw(shade).ellipse((radius * 0.55, radius * 0.35, radius * 0.95, radius * 0.65), fill=(244, 150, 146))
    disc = Image.new("L", size, 0)
    ImageDraw.Draw(disc).ellipse((0, 0, size[0] - 1, size[1] - 1), fill=255)
    return shade.filter(ImageFilter.GaussianBlur(3)), disc


def _ridge(width: int, base: int, height: int, seed: int) -> list[tuple[float, float]]:
    """The outline of mountains, down to below the picture."""
    rng = random.Random(seed)
    waves = [
        (rng.uniform(0.6, 1) / n, n * rng.uniform(0.8, 1.2), rng.uniform(0, 2 * math.pi)) for n in (1, 2, 4, 8, 16)
    ]
    outline = [
        (x, base - height * sum(a * math.sin(2 * math.pi * f * x / width + p) for a, f, p in waves) / 2)
        for x in range(0, width + 4, 4)
    ]
    return [(0, 440), *outline, (width, 440)]


if __name__ == "__main__":
    main()
