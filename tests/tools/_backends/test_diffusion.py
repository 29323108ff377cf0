import threading
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.diffusion import DiffusionPainter, Painting, RegionPainter, _fitting, _run
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights

QUICK = Painting(steps=2, side=32)


@pytest.mark.parametrize(
    ("size", "side", "fitted"),
    [
        ((640, 480), 512, (512, 384)),
        ((480, 640), 512, (384, 512)),
        ((100, 33), 512, (512, 168)),
        ((1, 1), 64, (64, 64)),
        ((4_000, 3), 512, (512, 64)),
    ],
)
def test_sizes_keep_their_proportions_in_multiples_of_8(
    size: tuple[int, int], side: int, fitted: tuple[int, int]
) -> None:
    assert _fitting(size, side) == fitted


def test_threads_share_the_weights_and_not_the_scheduler(stable_diffusion: Path) -> None:
    painter = DiffusionPainter(Weights(str(stable_diffusion)), ModelPool(), QUICK)
    alone = {prompt: painter(prompt).tobytes() for prompt in ("a cat", "a dog")}
    together: dict[str, bytes] = {}

    def paint(prompt: str) -> None:
        together[prompt] = painter(prompt).tobytes()

    threads = [threading.Thread(target=paint, args=(prompt,)) for prompt in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_picture_is_painted_in_half_precision(stable_diffusion: Path) -> None:
    painter = DiffusionPainter(Weights(str(stable_diffusion), dtype="bfloat16"), ModelPool(), QUICK)
    assert painter("a cat").size == (32, 32)


def test_memory_that_runs_out_is_told_and_the_pool_stays_healthy(
    stable_diffusion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import UNet2DConditionModel

    pool = ModelPool()
    painter = DiffusionPainter(Weights(str(stable_diffusion)), pool, QUICK)

    def exhausted(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as broken:
        broken.setattr(UNet2DConditionModel, "forward", exhausted)
        with pytest.raises(SkillError, match="memory"):
            painter("a cat")
    assert painter("a cat").size == (32, 32)
    assert [one.idle for one in pool.loaded()] == [True]


def test_a_picture_that_the_filter_withholds_is_told() -> None:
    class Output:
        images = (Image.new("RGB", (8, 8)),)
        nsfw_content_detected = (True,)

    class Pipeline:
        config: ClassVar[dict[str, Any]] = {}

        def __call__(self, prompt: str, output_type: str) -> Output:
            return Output()

    with pytest.raises(SkillError, match="withheld by the weights' own filter"):
        _run(Pipeline(), Painting(), prompt="a cat")


def test_the_side_is_that_of_the_weights_unless_given(stable_diffusion: Path) -> None:
    painter = DiffusionPainter(Weights(str(stable_diffusion)), ModelPool(), Painting(steps=1))
    assert painter("a cat").size == (32, 32)
    assert np.asarray(painter("a cat")).std() > 0


def test_one_loaded_model_of_the_flux_family_paints_edits_and_fills(
    flux2_klein: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    weights, pool = Weights(str(flux2_klein)), ModelPool()
    picture, hole = Image.radial_gradient("L").resize((200, 100)).convert("RGB"), Image.new("L", (200, 100))
    hole.paste(255, (50, 20, 150, 80))
    painter = DiffusionPainter(weights, pool, Painting(side=128))
    assert painter("a cat").size == (128, 128)
    assert painter("add a cat", image=picture).size == (200, 100)
    filled = RegionPainter(weights, pool, Painting(side=128))("a cat", image=picture, mask=hole)
    changed = (np.asarray(filled) != np.asarray(picture)).any(axis=2)
    assert changed.any()
    assert not (changed & (np.asarray(hole) == 0)).any()
    assert len(pool.loaded()) == 1
    assert "Guidance" not in "".join(capfd.readouterr())
