from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llavaplus_graph.images import ImageStore
from llavaplus_graph.types import Mask, Pictures, SceneMap, SkillFailure, SkillResult
from llavaplus_tools import generate_from_layout, generate_image
from llavaplus_tools._backends.diffusion import Painting
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools.protocols import Region

Ask = Callable[..., SkillResult]
QUICK = Painting(steps=2, side=32)


def scene(width: int = 48, height: int = 32) -> SceneMap:
    """Sky over a road."""
    top = np.arange(height)[:, None] < np.full(width, height // 2)
    return SceneMap(classes=("sky", "road"), masks=(Mask.from_array(top), Mask.from_array(~top)))


def test_a_picture_is_painted_from_its_directory_to_the_drawing(ask: Ask, stable_diffusion: Path) -> None:
    pool = ModelPool()
    skill = partial(generate_image, model=str(stable_diffusion), pool=pool, painting=QUICK)
    result = ask(skill, prompt="a red cat")
    assert isinstance(result, Pictures)
    assert result.content() == {"message": "The generate_image has processed the image."}
    assert result.draw().size == (32, 32)
    assert ask(skill, prompt="a red cat") == result
    assert ask(skill, prompt="a dog") != result
    other = partial(generate_image, model=str(stable_diffusion), pool=pool, painting=Painting(2, side=32, seed=1))
    assert ask(other, prompt="a red cat") != result
    assert [(one.kind, one.idle) for one in pool.loaded()] == [("diffusion pipeline", True)]


def test_a_layout_shapes_the_picture_and_shares_the_pipeline(
    ask: Ask, stable_diffusion: Path, control_net: Path
) -> None:
    pool = ModelPool()
    ask(partial(generate_image, model=str(stable_diffusion), pool=pool, painting=QUICK), prompt="a street")
    skill = partial(
        generate_from_layout, model=str(stable_diffusion), control=str(control_net), pool=pool, painting=QUICK
    )
    result = ask(skill, prompt="a street", layout=scene())
    assert isinstance(result, Pictures)
    assert result.draw().size == (32, 24)
    assert ask(skill, prompt={"caption": "a street"}, layout=scene().model_dump(mode="json")) == result
    turned = SceneMap(classes=("road", "sky"), masks=scene().masks)
    assert ask(skill, prompt="a street", layout=turned) != result
    assert sorted(one.kind for one in pool.loaded()) == ["diffusion pipeline", "layout control"]


def test_the_painter_gets_the_map_in_the_colours_of_its_classes(ask: Ask) -> None:
    layouts: list[Image.Image] = []

    def painter(prompt: str, **pictures: Image.Image) -> Image.Image:
        layouts.append(pictures["layout"])
        return Image.new("RGB", (8, 8))

    ask(partial(generate_from_layout, backend=painter), prompt="a street", layout=scene(4, 2))
    assert np.asarray(layouts[0]).tolist() == [[[6, 230, 230]] * 4, [[140, 140, 140]] * 4]


def test_without_a_map_the_picture_itself_is_parsed(ask: Ask, store: ImageStore) -> None:
    picture = Image.new("RGB", (6, 4))

    def parser(picture: Image.Image) -> list[tuple[str, Region]]:
        return [("sky", np.ones((4, 6), bool))]

    def painter(prompt: str, **pictures: Image.Image) -> Image.Image:
        return pictures["layout"]

    result = ask(partial(generate_from_layout, parser=parser, backend=painter), prompt="a street", image=picture)
    assert isinstance(result, Pictures)
    assert result.image == store.put(picture)
    assert np.asarray(result.draw()).tolist() == [[[6, 230, 230]] * 6] * 4


def test_edges_are_a_layout_too(ask: Ask) -> None:
    picture = Image.new("RGB", (64, 64))
    picture.paste((255, 255, 255), (16, 16, 48, 48))
    skill = partial(generate_from_layout, hint="edges", backend=lambda prompt, **pictures: pictures["layout"])
    result = ask(skill, prompt="a box", image=picture)
    drawn = np.asarray(result.draw())
    assert drawn[32, 12:20].max() == 255
    assert drawn[32, 28:36].max() == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param({}, "prompt: Field required", id="no prompt"),
        pytest.param({"prompt": ""}, "prompt: String should have at least 1 character", id="empty"),
        pytest.param({"prompt": " \n"}, "the prompt is empty; give the wished-for picture in words", id="spaces"),
        pytest.param({"prompt": "x" * 2_001}, "prompt: String should have at most 2000", id="too long"),
    ],
)
def test_what_cannot_be_painted_is_told_and_the_pool_stays_healthy(
    ask: Ask, stable_diffusion: Path, arguments: dict[str, Any], complaint: str
) -> None:
    pool = ModelPool()
    skill = partial(generate_image, model=str(stable_diffusion), pool=pool, painting=QUICK)
    result = ask(skill, **arguments)
    assert isinstance(result, SkillFailure)
    assert complaint in result.error
    assert isinstance(ask(skill, prompt="a cat"), Pictures)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param({"layout": "image_1"}, "a layout is named by the word latest", id="a name"),
        pytest.param({"layout": SceneMap(classes=(), masks=())}, "the scene map is empty", id="nothing"),
        pytest.param({}, "'latest' names no picture", id="neither map nor picture"),
        pytest.param(
            {"layout": SceneMap(classes=("sky", "sea"), masks=(scene().masks[0], scene(8, 8).masks[0]))},
            "of different sizes",
            id="sizes",
        ),
    ],
)
def test_what_is_no_layout_is_told(ask: Ask, arguments: dict[str, Any], complaint: str) -> None:
    skill = partial(generate_from_layout, backend=lambda *_, **__: Image.new("RGB", (8, 8)))
    result = ask(skill, prompt="a street", **arguments)
    assert isinstance(result, SkillFailure)
    assert complaint in result.error


def test_a_painting_that_takes_too_long_is_stopped(ask: Ask, stable_diffusion: Path) -> None:
    pool = ModelPool()
    slow = partial(generate_image, model=str(stable_diffusion), pool=pool, painting=Painting(50, side=32, seconds=0.0))
    result = ask(slow, prompt="a cat")
    assert isinstance(result, SkillFailure)
    assert result.error == "the painting took longer than 0 s and was stopped."
    assert [one.idle for one in pool.loaded()] == [True]


def test_missing_weights_are_told_with_the_command_that_fetches_them(ask: Ask, stable_diffusion: Path) -> None:
    result = ask(generate_image, prompt="a cat")
    assert isinstance(result, SkillFailure)
    assert result.error == (
        "generate_image needs the weights stable-diffusion-v1-5/stable-diffusion-v1-5, which are not on this machine; "
        "to fetch them run: llavaplus skills fetch generate_image"
    )
    result = ask(partial(generate_from_layout, model=str(stable_diffusion)), prompt="a street", layout=scene())
    assert isinstance(result, SkillFailure)
    assert "needs the weights lllyasviel/sd-controlnet-seg, which are not" in result.error


def test_without_diffusers_the_extra_is_named(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    result = ask(generate_image, prompt="a cat")
    assert isinstance(result, SkillFailure)
    assert result.error == "generate_image needs an optional dependency: pip install 'llavaplus-graph[generation]'"


def test_weights_that_paint_nothing_are_told_by_their_id(ask: Ask, sam: Path) -> None:
    pool = ModelPool()
    result = ask(partial(generate_image, model=str(sam), pool=pool), prompt="a cat")
    assert isinstance(result, SkillFailure)
    assert "could not be loaded as diffusion pipeline" in result.error
    assert pool.loaded() == []
