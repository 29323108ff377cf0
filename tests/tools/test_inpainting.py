from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from llavaplus_graph.images import ImageStore
from llavaplus_graph.types import Mask, Pictures, SkillFailure, SkillResult
from llavaplus_tools import inpaint_region
from llavaplus_tools._backends.diffusion import Painting
from llavaplus_tools._backends.pool import ModelPool

PAPER = (235, 230, 220)


def spotted(size: tuple[int, int] = (320, 240)) -> tuple[Image.Image, np.ndarray[Any, Any]]:
    """Paper with a dark spot, and where the spot is."""
    picture, spot = Image.new("RGB", size, PAPER), Image.new("1", size)
    place = (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2)
    ImageDraw.Draw(picture).ellipse(place, fill=(30, 20, 90))
    ImageDraw.Draw(spot).ellipse(place, fill=1)
    return picture, np.asarray(spot)


@pytest.mark.parametrize("size", [(64, 48), (320, 240), (3000, 2000)], ids=str)
def test_a_spot_on_paper_is_erased_without_a_trace(
    ask: Callable[..., SkillResult], store: ImageStore, size: tuple[int, int]
) -> None:
    picture, spot = spotted(size)
    result = ask(inpaint_region, image=picture, mask=Mask.from_array(spot))
    assert isinstance(result, Pictures)
    assert result.content() == {"message": "The inpaint_region has processed the image."}
    assert result.image == store.put(picture)
    erased = np.asarray(store.get(result.handles[0])).astype(int)
    assert np.abs(erased - PAPER).max() <= 3


def test_what_is_outside_the_region_stays_exactly(ask: Callable[..., SkillResult], store: ImageStore) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    mask = np.zeros((120, 160), bool)
    mask[40:60, 50:80] = True
    result = ask(inpaint_region, image=Image.fromarray(noise), mask=Mask.from_array(mask))
    changed = (np.asarray(store.get(result.pictures[0])) != noise).any(axis=2)
    rows, columns = np.nonzero(changed)
    # The region itself and a rim of two pixels.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (38, 61, 48, 81)


def test_a_soft_rim_goes_with_the_region(ask: Callable[..., SkillResult], store: ImageStore) -> None:
    picture, spot = spotted()
    shrunk = spot & np.roll(spot, 1, 0) & np.roll(spot, -1, 0) & np.roll(spot, 1, 1) & np.roll(spot, -1, 1)
    result = ask(inpaint_region, image=picture, mask=Mask.from_array(shrunk))
    assert np.abs(np.asarray(store.get(result.pictures[0])).astype(int) - PAPER).max() <= 3


def test_a_region_that_leaves_only_a_corner_can_be_filled(ask: Callable[..., SkillResult]) -> None:
    mask = np.ones((48, 64), bool)
    mask[0, 0] = False
    assert isinstance(ask(inpaint_region, image=spotted((64, 48))[0], mask=Mask.from_array(mask)), Pictures)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param({"prompt": "a red balloon"}, "offline, inpaint_region can only erase", id="a prompt, no weights"),
        pytest.param({"mask": "latest"}, "segment one first", id="no mask in the conversation"),
        pytest.param({}, "segment one first", id="no mask at all"),
        pytest.param({"mask": Mask.from_array(np.zeros((48, 64)))}, "the mask is empty", id="nothing"),
        pytest.param({"mask": Mask.from_array(np.ones((48, 64)))}, "covers the whole picture", id="everything"),
        pytest.param(
            {"mask": Mask.from_array(np.ones((64, 48)))}, "48 x 64 pixels and this one has 64 x 48", id="size"
        ),
        pytest.param({"mask": {"size": [48, 64], "counts": "1"}}, "fill 1 pixels", id="broken runs"),
        pytest.param({"mask": "img_0000000000000000"}, "the word latest", id="a handle"),
    ],
)
def test_what_cannot_be_erased_is_told(
    ask: Callable[..., SkillResult], arguments: dict[str, Any], complaint: str
) -> None:
    if arguments.get("prompt"):
        arguments = {**arguments, "mask": Mask.from_array(spotted((64, 48))[1])}
    result = ask(inpaint_region, image=spotted((64, 48))[0], **arguments)
    assert isinstance(result, SkillFailure)
    assert complaint in result.error


def test_a_prompt_of_spaces_is_no_prompt(ask: Callable[..., SkillResult]) -> None:
    picture, spot = spotted()
    assert isinstance(ask(inpaint_region, image=picture, prompt="  ", mask=Mask.from_array(spot)), Pictures)


@pytest.mark.parametrize("weights", ["stable_diffusion", "inpainting"])
def test_a_prompt_is_painted_into_the_region_and_nowhere_else(
    ask: Callable[..., SkillResult], store: ImageStore, request: pytest.FixtureRequest, weights: str
) -> None:
    picture, spot = spotted((64, 48))
    pool, model = ModelPool(), str(request.getfixturevalue(weights))
    skill = partial(inpaint_region, model=model, pool=pool, painting=Painting(steps=2, side=32))
    result = ask(skill, image=picture, prompt={"caption": "a balloon"}, mask=Mask.from_array(spot))
    assert isinstance(result, Pictures)
    painted, before = np.asarray(store.get(result.handles[0])), np.asarray(picture)
    assert painted.shape == before.shape
    assert (painted[~spot] == before[~spot]).all()
    assert (painted[spot] != before[spot]).mean() > 0.5
    assert [(one.kind, one.idle) for one in pool.loaded()] == [("diffusion pipeline", True)]


def test_a_painter_of_ones_own_gets_the_region_in_white(ask: Callable[..., SkillResult]) -> None:
    picture, spot = spotted((64, 48))

    def painter(prompt: str, **pictures: Image.Image) -> Image.Image:
        assert prompt == "a balloon"
        assert (np.asarray(pictures["mask"]) == 255 * spot).all()
        return pictures["image"].rotate(180)

    result = ask(
        partial(inpaint_region, backend=painter), image=picture, prompt="a  balloon", mask=Mask.from_array(spot)
    )
    assert result.draw().tobytes() == picture.rotate(180).tobytes()


def test_weights_that_cannot_paint_into_a_region_are_told(ask: Callable[..., SkillResult], pix2pix: Path) -> None:
    picture, spot = spotted((64, 48))
    skill = partial(inpaint_region, model=str(pix2pix))
    result = ask(skill, image=picture, prompt="a balloon", mask=Mask.from_array(spot))
    assert isinstance(result, SkillFailure)
    assert "cannot paint into a region; choose the weights of a StableDiffusionPipeline" in result.error
