from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import SkillFactory
from llavaplus_graph.types import SkillResult, parse_result
from tests.tools.checkpoints import (  # noqa: F401  fixtures
    blip,
    blip2,
    clip,
    control_net,
    florence,
    flux2_klein,
    inpainting,
    pix2pix,
    siglip,
    siglip2_of_any_shape,
    stable_diffusion,
)
from tests.tools.outlining_checkpoints import (  # noqa: F401  fixtures
    dinov2,
    dinov2_with_registers,
    dinov3,
    eomt,
    grounding_dino,
    mask2former,
    mm_grounding_dino,
    oneformer,
    owlv2,
    sam,
    sam2,
    sam2_of_the_hub,
    upernet,
)

Ask = Callable[..., SkillResult]


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "pictures")


@pytest.fixture
def ask(store: ImageStore) -> Ask:
    """Calls a skill as an agent does and gives the typed result, bound to the store."""

    def call(skill: SkillFactory, **arguments: Any) -> SkillResult:
        tool = skill(store=store)
        message = tool.invoke({"type": "tool_call", "id": "1", "name": tool.name, "args": arguments})
        return parse_result(message.artifact).bound_to(store.get)

    return call
