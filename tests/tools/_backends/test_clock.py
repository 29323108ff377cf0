import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.clock import limited, running, watch
from llavaplus_tools._backends.grounding import ZeroShotDetector
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.backed import spoken_for

PICTURE = Image.linear_gradient("L").convert("RGB")


class Layer(torch.nn.Module):
    """Takes 5 ms and counts how often it has run."""

    runs = 0

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        time.sleep(0.005)
        self.runs += 1
        return value + 1


def layers(count: int) -> tuple[torch.nn.Sequential, Sequence[Layer]]:
    parts = [Layer() for _ in range(count)]
    model = torch.nn.Sequential(*parts)
    watch(model)
    return model, parts


def runs(parts: Sequence[Layer]) -> int:
    return sum(part.runs for part in parts)


def test_a_model_is_stopped_in_the_middle_and_works_again_afterwards() -> None:
    model, parts = layers(400)
    with limited("detect_objects", 0.05):
        with pytest.raises(SkillError, match=r"^detect_objects took longer than 0.05 s and was stopped\.$"), running():
            model(torch.zeros(1))
        assert 0 < runs(parts) < 100
        with pytest.raises(SkillError), running():  # nothing is left for a second model either
            model(torch.zeros(1))
    assert runs(parts) < 100
    with running():
        assert model(torch.zeros(1)).item() == 400


def test_time_in_which_no_model_runs_does_not_count() -> None:
    model, parts = layers(2)
    with limited("detect_objects", 0.05):
        time.sleep(0.1)
        with running(), running():  # one that calls another
            model(torch.zeros(1))
    assert runs(parts) == 2


def test_an_inner_limit_takes_the_place_of_an_outer_one() -> None:
    model, parts = layers(2)
    with limited("generate_image", 0), limited("the painting", 60), running():
        model(torch.zeros(1))
    assert runs(parts) == 2


def test_a_real_model_is_stopped_at_the_deadline_of_the_skill_that_runs_it(
    grounding_dino: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ModelPool()
    detector = ZeroShotDetector(Weights(str(grounding_dino)), pool)
    clock = iter(range(0, 10**9, 40))  # every look at it finds 40 s gone
    with monkeypatch.context() as patched, spoken_for("detect_objects", detector):
        patched.setattr("llavaplus_tools._backends.clock.time.monotonic", lambda: next(clock))
        with pytest.raises(SkillError, match="detect_objects took longer than 60 s and was stopped"):
            detector(PICTURE, ["cat"], box_threshold=0, text_threshold=0)
    assert [loaded.idle for loaded in pool.loaded()] == [True]
    assert detector(PICTURE, ["cat"], box_threshold=0, text_threshold=0).boxes
