from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llavaplus_graph.types import SceneMap, SkillFailure, SkillResult
from llavaplus_tools import segment_scene
from llavaplus_tools.protocols import Region

Ask = Callable[..., SkillResult]


def noise(size: tuple[int, int] = (300, 200)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8))


@pytest.mark.parametrize("weights", ["upernet", "mask2former", "oneformer", "eomt"])
@pytest.mark.parametrize("size", [(300, 200), (1, 1), (2_000, 3)], ids=str)
def test_a_scene_parser_runs_from_its_directory_to_the_drawing(
    ask: Ask, request: pytest.FixtureRequest, weights: str, size: tuple[int, int]
) -> None:
    model = str(request.getfixturevalue(weights))
    result = ask(partial(segment_scene, model=model), image=noise(size))
    assert isinstance(result, SceneMap)
    assert set(result.classes) <= {"wall", "building", "sky", "floor"}
    assert all(mask.size == size[::-1] for mask in result.masks)
    assert 0.99 <= sum(mask.area for mask in result.masks) <= 1.0001
    assert max(result.draw().size) >= 256


@pytest.mark.parametrize("weights", ["upernet", "mask2former", "oneformer"])
def test_a_scene_parser_runs_in_half_precision(ask: Ask, request: pytest.FixtureRequest, weights: str) -> None:
    model = str(request.getfixturevalue(weights))
    assert isinstance(ask(partial(segment_scene, model=model, dtype="bfloat16"), image=noise()), SceneMap)


def test_the_largest_area_comes_first_and_specks_are_left_out(ask: Ask) -> None:
    def parser(picture: Image.Image) -> list[tuple[str, Region]]:
        numbers = np.zeros((100, 100), int)
        numbers[40:] = 1
        numbers[0, :9] = 2
        return [(name, numbers == number) for number, name in enumerate(["sky", "road", "bird"])]

    result = ask(partial(segment_scene, backend=parser), image=noise((100, 100)))
    assert result.content() == {"classes": ["road", "sky"], "areas": [0.6, 0.4]}


def test_weights_of_another_kind_are_told_by_their_kind(ask: Ask, sam: Path) -> None:
    result = ask(partial(segment_scene, model=str(sam)), image=noise())
    assert isinstance(result, SkillFailure)
    assert "belong to a sam, which names no scenes; choose a OneFormer, Mask2Former" in result.error


def test_missing_weights_are_told_with_the_command_that_fetches_them(ask: Ask) -> None:
    result = ask(partial(segment_scene, model="nobody/has-these"), image=noise())
    assert isinstance(result, SkillFailure)
    assert result.error.startswith("segment_scene needs the weights nobody/has-these, which are not on this machine;")
