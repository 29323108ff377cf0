from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from llavaplus_graph.types import Mask, Masks, SkillFailure, SkillResult
from llavaplus_tools import segment_by_example
from llavaplus_tools.examples import dino_features
from llavaplus_tools.segmenters import grabcut_segmenter, sam_segmenter

Ask = Callable[..., SkillResult]
TABLE, CUP, PLANT = (200, 195, 180), (190, 40, 40), (40, 130, 60)


def table(**things: tuple[int, int, int, int]) -> Image.Image:
    """A table of 640 x 480 with red cups and green plants in boxes."""
    picture = Image.new("RGB", (640, 480), TABLE)
    for name, place in things.items():
        ImageDraw.Draw(picture).ellipse(place, fill={"c": CUP, "p": PLANT}[name[0]])
    return picture


REFERENCE, REGION = table(c=(80, 80, 240, 240)), [0.125, 0.16, 0.38, 0.51]
TARGET = table(c1=(40, 300, 200, 460), c2=(400, 60, 600, 260), p=(300, 320, 440, 460))


@pytest.fixture
def found_by_colour(dinov2: Path) -> Any:
    """Random weights see nothing but colours, which is enough to tell red cups from green plants."""
    return partial(segment_by_example, features=dino_features(str(dinov2)), segmenter=grabcut_segmenter(isolated=False))


def test_what_is_like_the_example_is_outlined(ask: Ask, found_by_colour: Any) -> None:
    result = ask(found_by_colour, image=TARGET, reference_image=REFERENCE, reference_region=REGION)
    assert isinstance(result, Masks)
    first, second = sorted(zip(result.boxes, result.masks, strict=True), key=lambda found: found[0][0])
    for (box, mask), place in ((first, (40, 300, 200, 460)), (second, (400, 60, 600, 260))):
        assert box == pytest.approx(tuple(np.array(place) / (640, 480, 640, 480)), abs=0.05)
        assert mask.area == pytest.approx(
            np.pi / 4 * (place[2] - place[0]) * (place[3] - place[1]) / 640 / 480, rel=0.1
        )
    assert result.content() == {"boxes": [[round(side, 2) for side in box] for box in result.boxes]}
    assert len(result.scores) == 2
    assert result.draw().size == (640, 480)


def test_an_example_is_found_in_its_own_picture(ask: Ask, found_by_colour: Any) -> None:
    result = ask(found_by_colour, image=REFERENCE, reference_image=REFERENCE, reference_region=REGION)
    assert isinstance(result, Masks)
    assert result.boxes[0] == pytest.approx(REGION, abs=0.05)


def test_from_python_the_example_may_be_a_mask(ask: Ask, found_by_colour: Any) -> None:
    plane = Image.new("1", (640, 480))
    ImageDraw.Draw(plane).ellipse((80, 80, 240, 240), fill=1)
    marked = Mask.from_array(np.asarray(plane))
    result = ask(found_by_colour, image=TARGET, reference_image=REFERENCE, reference_region=marked)
    assert isinstance(result, Masks)
    assert len(result.masks) == 2


def test_where_nothing_is_like_the_example_nothing_is_found(ask: Ask, found_by_colour: Any) -> None:
    picture = table(p=(300, 320, 440, 460))
    result = ask(found_by_colour, image=picture, reference_image=REFERENCE, reference_region=REGION)
    assert result.content() == {"boxes": []}


@pytest.mark.parametrize("features", ["dinov2", "dinov2_with_registers", "dinov3"])
def test_features_and_sam_run_together_from_their_directories(
    ask: Ask, request: pytest.FixtureRequest, features: str, sam2: Path
) -> None:
    skill = partial(
        segment_by_example,
        features=dino_features(str(request.getfixturevalue(features))),
        segmenter=sam_segmenter(str(sam2)),
    )
    result = ask(skill, image=TARGET, reference_image=REFERENCE, reference_region=REGION)
    assert isinstance(result, Masks)
    assert all(mask.size == (480, 640) for mask in result.masks)
    assert result.draw().size == (640, 480)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"reference_region": [0.4, 0.1, 0.2, 0.5]}, "x1 < x2 and y1 < y2"),
        ({"reference_region": [0.1, 0.1, 0.2]}, "reference_region"),
        ({"reference_region": "the cup"}, "reference_region"),
        ({"reference_region": Mask.from_array(np.ones((4, 4)))}, "4 x 4 pixels and this one has 640 x 480"),
        ({"reference_image": "image_1"}, "'image_1' names no picture"),
        ({"reference_image": None}, "reference_image"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_example_that_is_none_is_told(
    ask: Ask, found_by_colour: Any, arguments: dict[str, Any], complaint: str
) -> None:
    whole = {"image": TARGET, "reference_image": REFERENCE, "reference_region": REGION, **arguments}
    result = ask(found_by_colour, **whole)
    assert isinstance(result, SkillFailure)
    assert complaint in result.error


def test_missing_weights_are_told_together(ask: Ask) -> None:
    skill = partial(segment_by_example, features=dino_features("no/dino"), segmenter=sam_segmenter("no/sam"))
    result = ask(skill, image=TARGET, reference_image=REFERENCE, reference_region=REGION)
    assert isinstance(result, SkillFailure)
    assert result.error.startswith("segment_by_example needs the weights no/dino and no/sam, which are not on this")
