from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from llavaplus_graph.images import ImageStore
from llavaplus_graph.types import Pictures, SkillFailure, SkillResult
from llavaplus_tools import transform_image
from llavaplus_tools.transforms import _CHANGES, Operation

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (100, 100, 100)


def quarters() -> Image.Image:
    """20 x 10: red, green above blue, grey."""
    picture = Image.new("RGB", (20, 10))
    for place, colour in {(0, 0): RED, (10, 0): GREEN, (0, 5): BLUE, (10, 5): GREY}.items():
        picture.paste(colour, (*place, place[0] + 10, place[1] + 5))
    return picture


def corners(picture: Image.Image) -> list[Any]:
    """Top left, top right, bottom left, bottom right."""
    right, bottom = picture.width - 1, picture.height - 1
    return [picture.getpixel(place) for place in ((0, 0), (right, 0), (0, bottom), (right, bottom))]


@pytest.fixture
def changed(ask: Callable[..., SkillResult], store: ImageStore) -> Callable[..., Image.Image]:
    def change(operation: str, **parameters: Any) -> Image.Image:
        result = ask(transform_image, image=quarters(), operation=operation, parameters=parameters)
        assert isinstance(result, Pictures), result
        assert result.content() == {"message": "The transform_image has processed the image."}
        return store.get(result.handles[0])

    return change


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (90, [BLUE, RED, GREY, GREEN]),
        (-270, [BLUE, RED, GREY, GREEN]),
        (180, [GREY, BLUE, GREEN, RED]),
        (-90, [GREEN, GREY, RED, BLUE]),
        (0, [RED, GREEN, BLUE, GREY]),
        (720, [RED, GREEN, BLUE, GREY]),
    ],
)
def test_positive_degrees_turn_clockwise(
    changed: Callable[..., Image.Image], degrees: int, expected: list[tuple[int, int, int]]
) -> None:
    picture = changed("rotate", degrees=degrees)
    assert corners(picture) == expected
    assert picture.size == ((10, 20) if degrees % 180 else (20, 10))


def test_a_slanted_picture_grows_and_its_corners_are_white(changed: Callable[..., Image.Image]) -> None:
    picture = changed("rotate", degrees=45)
    assert picture.width > 20 > 10 < picture.height
    assert corners(picture) == [(255, 255, 255)] * 4


def test_crop_keeps_the_box(changed: Callable[..., Image.Image]) -> None:
    picture = changed("crop", box=[0.5, 0.0, 1.0, 0.5])
    assert (picture.size, set(corners(picture))) == ((10, 5), {GREEN})


def test_the_smallest_box_keeps_one_pixel(changed: Callable[..., Image.Image]) -> None:
    assert changed("crop", box=[0.999, 0.999, 1.0, 1.0]).size == (1, 1)


@pytest.mark.parametrize(
    ("direction", "expected"), [("horizontal", [GREEN, RED, GREY, BLUE]), ("vertical", [BLUE, GREY, RED, GREEN])]
)
def test_flip(changed: Callable[..., Image.Image], direction: str, expected: list[tuple[int, int, int]]) -> None:
    assert corners(changed("flip", direction=direction)) == expected


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"width": 40}, (40, 20)),
        ({"height": 5}, (10, 5)),
        ({"width": 7, "height": 9}, (7, 9)),
        ({"scale": 0.5}, (10, 5)),
        ({"scale": 0.001}, (1, 1)),
    ],
    ids=str,
)
def test_resize(changed: Callable[..., Image.Image], parameters: dict[str, Any], size: tuple[int, int]) -> None:
    assert changed("resize", **parameters).size == size


def test_factor_one_changes_nothing(changed: Callable[..., Image.Image]) -> None:
    for operation in ("brightness", "contrast", "sharpness"):
        assert changed(operation, factor=1.0).tobytes() == quarters().tobytes()


def test_brightness_scales_every_level(changed: Callable[..., Image.Image]) -> None:
    assert corners(changed("brightness", factor=2))[3] == (200, 200, 200)
    assert corners(changed("brightness", factor=0.5))[0] == (127, 0, 0)


def test_contrast_and_sharpness_and_blur_do_what_they_say(changed: Callable[..., Image.Image]) -> None:
    spread = [np.asarray(picture).std() for picture in (quarters(), changed("contrast", factor=0.2))]
    assert spread[1] < spread[0]
    edges = [
        np.abs(np.diff(np.asarray(picture).astype(int), axis=1)).max()
        for picture in (changed("blur", radius=3), quarters(), changed("sharpness", factor=3))
    ]
    assert edges[0] < edges[1] <= edges[2]


def test_greyscale_leaves_no_colour(changed: Callable[..., Image.Image]) -> None:
    pixels = np.asarray(changed("greyscale"))
    assert (pixels == pixels[:, :, :1]).all()


@pytest.mark.parametrize(
    ("operation", "parameters", "complaint"),
    [
        ("explode", {}, "operation: Input should be 'crop'"),
        ("rotate", {}, "rotate needs degrees (clockwise)"),
        ("crop", {}, "crop needs box"),
        ("rotate", {"degrees": 90, "factor": 2}, "rotate takes degrees (clockwise), not factor"),
        ("greyscale", {"factor": 2}, "greyscale takes no parameters, not factor"),
        ("rotate", {"angle": 90}, "parameters.angle"),
        ("rotate", {"degrees": "left"}, "parameters.degrees"),
        ("rotate", {"degrees": float("nan")}, "parameters.degrees"),
        ("rotate", {"degrees": float("inf")}, "parameters.degrees"),
        ("flip", {"direction": "sideways"}, "'horizontal' or 'vertical'"),
        ("crop", {"box": [0.5, 0.1, 0.2, 0.9]}, "x1 < x2 and y1 < y2"),
        ("resize", {"width": 0}, "greater than or equal to 1"),
        ("resize", {"width": 10, "scale": 2}, "not both"),
        ("resize", {"width": 15000, "height": 15000}, "at most 50,000,000"),
        ("resize", {"width": 16000, "height": 1}, None),
        ("resize", {"width": 99999}, "parameters.width"),
        ("brightness", {"factor": -1}, "parameters.factor"),
        ("blur", {"radius": 1e9}, "parameters.radius"),
        ("crop", None, "parameters"),
    ],
    ids=str,
)
def test_what_an_operation_cannot_do_is_told(
    ask: Callable[..., SkillResult], operation: str, parameters: dict[str, Any], complaint: str | None
) -> None:
    result = ask(transform_image, image=quarters(), operation=operation, parameters=parameters)
    if complaint is None:
        assert isinstance(result, Pictures)
    else:
        assert isinstance(result, SkillFailure)
        assert complaint in result.error


def test_every_operation_is_known() -> None:
    assert set(_CHANGES) == set(get_args(Operation))
