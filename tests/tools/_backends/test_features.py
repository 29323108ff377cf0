from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.features import DinoFeatures, patches
from llavaplus_tools._backends.weights import Weights


@pytest.mark.parametrize("weights", ["dinov2", "dinov2_with_registers", "dinov3"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_patch_has_a_vector_of_length_one(request: pytest.FixtureRequest, weights: str, dtype: str) -> None:
    features = DinoFeatures(Weights(str(request.getfixturevalue(weights)), dtype=dtype))
    grid = features(Image.radial_gradient("L").resize((90, 60)).convert("RGB"))
    assert (grid.shape, str(grid.dtype)) == ((27, 40, 64), "float32")
    assert np.linalg.norm(grid, axis=-1) == pytest.approx(np.ones((27, 40)), abs=1e-3)


def test_a_vector_belongs_to_its_place_in_the_picture(dinov2: Path) -> None:
    features = DinoFeatures(Weights(str(dinov2)))
    picture = Image.new("RGB", (400, 200), "white")
    picture.paste("black", (0, 0, 100, 100))
    apart = np.linalg.norm(features(picture) - features(Image.new("RGB", (400, 200), "white")), axis=-1)
    # Attention lets a little of it through to every other place.
    assert apart[:10, :10].min() > 2 * apart[11:].max()
    assert apart[:10, :10].min() > 2 * apart[:, 11:].max()


@pytest.mark.parametrize(
    ("size", "grid"), [((640, 480), (40, 30)), ((100, 1_000), (4, 40)), ((16_000, 3), (40, 1)), ((1, 1), (40, 40))]
)
def test_the_long_side_has_the_same_number_of_patches_in_every_picture(
    size: tuple[int, int], grid: tuple[int, int]
) -> None:
    assert patches(size) == grid


def test_weights_of_another_kind_are_told_by_their_kind(sam: Path) -> None:
    with pytest.raises(SkillError, match="belong to a sam, which gives no dense features; choose a DINOv2"):
        DinoFeatures(Weights(str(sam)))(Image.new("RGB", (64, 64)))
