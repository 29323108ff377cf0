"""The class of photographs: real ones that scikit-image and matplotlib bring, changed and mixed, and procedural ones.

The only place that looks for photographs of other packages; nothing is downloaded.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from llavaplus_graph.data.pictures.camera import jpeg, shaded
from llavaplus_graph.data.pictures.drawn import DrawnPicture
from llavaplus_graph.data.pictures.fields import Size, field, grainy, slope
from llavaplus_graph.data.pictures.nature import NATURE, natural_palette
from llavaplus_graph.data.pictures.sheet import canvas_size
from llavaplus_graph.errors import MissingExtraError

_BUNDLED = (
    "astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg",
    "camera.png", "clock_motion.png", "coins.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "retina.jpg",
    "brick.png", "grass.png", "gravel.png",
)  # fmt: skip
_LONGEST = 900


def photograph(rng: random.Random) -> DrawnPicture:
    """Draw a photograph: real, procedural or mixed of both, with the marks of cameras."""
    size = canvas_size(rng, 0.56, 1.8)
    form = rng.random()
    if form < 0.38:
        picture = _real(size, rng)
    elif form < 0.75:
        picture = natural(size, rng)
    elif form < 0.9:
        picture = _blended(size, rng)
    else:
        picture = _collaged(size, rng)
    return DrawnPicture(_developed(picture, rng), "photograph")


def natural(size: Size, rng: random.Random) -> Image.Image:
    """Draw a procedural picture that looks photographed."""
    return Image.fromarray(rng.choice(NATURE)(size, rng))


def photographed_ground(size: Size, rng: random.Random) -> Image.Image:
    """Draw a photograph, real or procedural, to stand behind something."""
    picture = _real(size, rng) if rng.random() < 0.45 else natural(size, rng)
    return picture.filter(ImageFilter.BoxBlur(rng.uniform(0, 5))) if rng.random() < 0.5 else picture


def _real(size: Size, rng: random.Random) -> Image.Image:
    photographs = _photographs()
    # Those in colour and of common things stand first and are taken more often.
    source = photographs[int(len(photographs) * rng.random() ** 1.3)]
    share = rng.uniform(0.3, 1)
    unit = share * min(source.width / size[0], source.height / size[1])
    width, height = size[0] * unit, size[1] * unit
    left, top = rng.uniform(0, source.width - width), rng.uniform(0, source.height - height)
    cut = source.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height), reducing_gap=2)
    if rng.random() < 0.5:
        cut = ImageOps.mirror(cut)
    if rng.random() < 0.12:
        cut = cut.rotate(rng.choice([90, 180, 270]), expand=True).resize(size)
    if rng.random() < 0.7 and _is_grey(cut):
        dark, light = natural_palette(rng, 2)
        return Image.blend(cut, ImageOps.colorize(cut.convert("L"), dark, light), rng.uniform(0.4, 1))
    return cut


def _is_grey(picture: Image.Image) -> bool:
    saturation = picture.resize((8, 8)).convert("HSV").getchannel("S")
    return float(np.asarray(saturation).mean()) < 4


def _blended(size: Size, rng: random.Random) -> Image.Image:
    first = _real(size, rng)
    second = natural(size, rng) if rng.random() < 0.6 else _real(size, rng)
    mask = np.clip(
        (0.6 * field(size, rng, 3) + 0.4 * slope(size, rng) - rng.uniform(0.35, 0.65)) * rng.uniform(2, 25) + 0.5, 0, 1
    )
    return Image.composite(first, second, Image.fromarray((mask * 255).astype(np.uint8)))


def _collaged(size: Size, rng: random.Random) -> Image.Image:
    """Put cut-out blobs of one photograph into another, with soft edges."""
    ground = natural(size, rng) if rng.random() < 0.5 else _real(size, rng)
    for _ in range(rng.randint(1, 3)):
        piece = _real(size, rng)
        mask = np.clip((field(size, rng, 3.5) - rng.uniform(0.55, 0.75)) * 40, 0, 1)
        ground.paste(piece, (0, 0), Image.fromarray((mask * 255).astype(np.uint8)))
    return ground


def _developed(picture: Image.Image, rng: random.Random) -> Image.Image:
    pick = rng.random()
    if pick < 0.08:
        picture = ImageOps.grayscale(picture).convert("RGB")
    elif pick < 0.16:
        picture = ImageOps.colorize(ImageOps.grayscale(picture), (40, 20, 10), (250, 235, 205))
    elif pick < 0.4:
        picture = _hue_shifted(picture, rng)
    picture = ImageEnhance.Color(picture).enhance(rng.uniform(0.5, 1.5))
    picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.7, 1.4))
    picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.75, 1.35))
    if rng.random() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2.5)))
    if rng.random() < 0.25:
        picture = shaded(picture, rng, rng.uniform(0.1, 0.6))
    if rng.random() < 0.5:
        picture = grainy(picture, rng, rng.uniform(1, 16), coloured=rng.random() < 0.5)
    return jpeg(picture, rng.randint(35, 92)) if rng.random() < 0.4 else picture


def _hue_shifted(picture: Image.Image, rng: random.Random) -> Image.Image:
    hue, saturation, value = picture.convert("HSV").split()
    turn = rng.randint(-18, 18) if rng.random() < 0.6 else rng.randint(0, 255)
    return Image.merge("HSV", (hue.point(lambda level: (level + turn) % 256), saturation, value)).convert("RGB")


@cache
def _photographs() -> tuple[Image.Image, ...]:
    try:
        import skimage
    except ImportError as error:
        raise MissingExtraError("drawing training pictures (scikit-image's photographs)", extra="train") from error
    folder = Path(skimage.__file__).parent / "data"
    paths = [_grace_hopper(), *(folder / name for name in _BUNDLED)]
    # A release that no longer brings one of them leaves fewer photographs, not none.
    return tuple(_opened(path) for path in paths if path.is_file())


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as stored:
        picture = stored.convert("RGB")
    picture.thumbnail((_LONGEST, _LONGEST))
    return picture


def _grace_hopper() -> Path:
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("drawing training pictures (matplotlib's photograph)", extra="train") from error
    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
