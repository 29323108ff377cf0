import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from llavaplus_tools._backends.lookalikes import LookalikeEmbedder


def scene(seed: int) -> Image.Image:
    """Shapes of random places and colours on a random ground."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (320, 240), tuple(rng.integers(0, 255, 3).tolist()))
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, width, height = (rng.random(4) * (320, 240, 120, 120)).tolist()
        draw = pen.ellipse if rng.random() < 0.5 else pen.rectangle
        draw((x, y, x + width, y + height), fill=tuple(rng.integers(0, 255, 3).tolist()))
    return picture


def recompressed(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=40)
    return Image.open(buffer)


def similarity(first: Image.Image, second: Image.Image) -> float:
    one, other = LookalikeEmbedder()([first, second])
    return float(one @ other)


@pytest.mark.parametrize(
    "change",
    [
        recompressed,
        lambda picture: picture.resize((111, 83)),
        lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
        lambda picture: picture.crop((6, 5, 314, 235)),
    ],
    ids=["recompressed", "scaled", "brighter", "cropped"],
)
def test_the_same_picture_is_recognised_again(change: object) -> None:
    assert callable(change)
    assert min(similarity(scene(seed), change(scene(seed))) for seed in range(10)) > 0.8


def test_other_pictures_are_not_alike() -> None:
    vectors = LookalikeEmbedder()([scene(seed) for seed in range(40)])
    cosines = vectors @ vectors.T - np.eye(40)
    assert cosines.max() < 0.7


def test_a_picture_of_one_colour_is_like_itself_only() -> None:
    grey = Image.new("RGB", (50, 50), (128, 128, 128))
    assert similarity(grey, grey) == pytest.approx(1)
    assert abs(similarity(grey, scene(1))) < 0.5


@pytest.mark.parametrize("size", [(1, 1), (4_000, 3)], ids=str)
def test_pictures_of_any_shape_have_a_vector_of_length_1(size: tuple[int, int]) -> None:
    (vector,) = LookalikeEmbedder()([scene(0).resize(size)])
    assert np.linalg.norm(vector) == pytest.approx(1)
