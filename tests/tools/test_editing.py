from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llavaplus_graph.images import ImageStore
from llavaplus_graph.types import Pictures, SkillFailure, SkillResult
from llavaplus_tools import edit_image
from llavaplus_tools._backends.diffusion import Painting
from llavaplus_tools._backends.pool import ModelPool

Ask = Callable[..., SkillResult]
QUICK = Painting(steps=2, side=32)


def noise(size: tuple[int, int] = (50, 30)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8))


def test_a_picture_is_changed_from_its_directory_to_the_drawing(ask: Ask, store: ImageStore, pix2pix: Path) -> None:
    pool = ModelPool()
    skill = partial(edit_image, model=str(pix2pix), pool=pool, painting=QUICK)
    result = ask(skill, image=noise(), instruction="make it snow")
    assert isinstance(result, Pictures)
    assert result.content() == {"message": "The edit_image has processed the image."}
    assert result.image == store.put(noise())
    assert result.draw().size == (50, 30)
    assert ask(skill, image=noise(), prompt="make it snow") == result
    assert [(one.kind, one.idle) for one in pool.loaded()] == [("diffusion pipeline", True)]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param({}, "instruction: Field required", id="none"),
        pytest.param({"instruction": ""}, "instruction: String should have at least 1 character", id="empty"),
        pytest.param({"instruction": "  "}, "the instruction is empty; give the change in words", id="spaces"),
        pytest.param({"instruction": "snow", "image": "latest"}, "'latest' names no picture", id="latest"),
    ],
)
def test_what_cannot_be_changed_is_told(ask: Ask, arguments: dict[str, Any], complaint: str) -> None:
    result = ask(
        partial(edit_image, backend=lambda prompt, **pictures: pictures["image"]), **{"image": noise(), **arguments}
    )
    assert isinstance(result, SkillFailure)
    assert complaint in result.error


def test_weights_that_only_paint_anew_are_told(ask: Ask, stable_diffusion: Path) -> None:
    skill = partial(edit_image, model=str(stable_diffusion), painting=QUICK)
    result = ask(skill, image=noise(), instruction="make it snow")
    assert isinstance(result, SkillFailure)
    assert "paint new pictures only; choose some that edit" in result.error


def test_missing_weights_are_told_with_the_command_that_fetches_them(ask: Ask) -> None:
    result = ask(edit_image, image=noise(), instruction="make it snow")
    assert isinstance(result, SkillFailure)
    assert result.error == (
        "edit_image needs the weights timbrooks/instruct-pix2pix, which are not on this machine; "
        "to fetch them run: llavaplus skills fetch edit_image"
    )
