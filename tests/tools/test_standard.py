"""LangChain's own suites for tools, for each skill; those that need weights get tiny ones."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests
from PIL import Image

from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import SkillFactory
from llavaplus_graph.types import Mask
from llavaplus_tools import (
    caption_and_detect,
    caption_image,
    detect_objects,
    edit_image,
    generate_from_layout,
    generate_image,
    inpaint_region,
    read_codes,
    read_text,
    retrieve_knowledge,
    segment_at_granularities,
    segment_by_example,
    segment_objects,
    segment_region,
    segment_scene,
    tag_and_detect,
    tag_image,
    transform_image,
)
from llavaplus_tools._backends.diffusion import Painting
from llavaplus_tools._backends.lookalikes import LookalikeEmbedder
from llavaplus_tools.captioning import hub_captioner
from llavaplus_tools.collection import Collection, Entry
from llavaplus_tools.detection import zero_shot_detector
from llavaplus_tools.examples import dino_features
from llavaplus_tools.segmenters import grabcut_segmenter, sam_segmenter
from llavaplus_tools.tagging import zero_shot_tagger

STORE = ImageStore("memory://standard-suites")
HANDLE = STORE.put(Image.linear_gradient("L"))
LOWER_HALF = Mask.from_array(np.arange(256 * 256).reshape(256, 256) > 128 * 256)
BOX = [0.1, 0.1, 0.5, 0.5]

QUICK = Painting(steps=1, side=32)
KNOWN = Collection((Entry("gradient.png", "a gradient"),), LookalikeEmbedder()([STORE.get(HANDLE)]), "lookalikes")

Checkpoint = Callable[[str], Path]


class Case(NamedTuple):
    """What the model gives to a skill, and what the developer gives to its factory, from checkpoints by their names."""

    arguments: dict[str, object]
    parameters: Callable[[Checkpoint], dict[str, Any]] = lambda checkpoint: {}


CASES: dict[Callable[..., BaseTool], Case] = {
    detect_objects: Case({"query": "cat"}, lambda checkpoint: {"model": str(checkpoint("grounding_dino"))}),
    segment_objects: Case(
        {"query": "cat"},
        lambda checkpoint: {
            "detector": zero_shot_detector(str(checkpoint("grounding_dino"))),
            "segmenter": sam_segmenter(str(checkpoint("sam2"))),
        },
    ),
    segment_region: Case({"boxes": [BOX]}, lambda checkpoint: {"segmenter": grabcut_segmenter(isolated=False)}),
    segment_at_granularities: Case({"point": [0.5, 0.5]}, lambda checkpoint: {"model": str(checkpoint("sam2"))}),
    segment_by_example: Case(
        {"reference_image": HANDLE, "reference_region": BOX},
        lambda checkpoint: {
            "features": dino_features(str(checkpoint("dinov2"))),
            "segmenter": sam_segmenter(str(checkpoint("sam2"))),
        },
    ),
    segment_scene: Case({}, lambda checkpoint: {"model": str(checkpoint("upernet"))}),
    caption_image: Case({}, lambda checkpoint: {"model": str(checkpoint("florence"))}),
    caption_and_detect: Case(
        {},
        lambda checkpoint: {
            "captioner": hub_captioner(str(checkpoint("florence"))),
            "detector": zero_shot_detector(str(checkpoint("grounding_dino"))),
        },
    ),
    tag_image: Case({}, lambda checkpoint: {"model": str(checkpoint("siglip"))}),
    tag_and_detect: Case(
        {},
        lambda checkpoint: {
            "tagger": zero_shot_tagger(str(checkpoint("siglip")), vocabulary=["cat"]),
            "detector": zero_shot_detector(str(checkpoint("grounding_dino"))),
        },
    ),
    read_text: Case({}),
    read_codes: Case({}),
    retrieve_knowledge: Case({}, lambda checkpoint: {"collection": KNOWN}),
    generate_image: Case(
        {"prompt": "a cat"}, lambda checkpoint: {"model": str(checkpoint("stable_diffusion")), "painting": QUICK}
    ),
    generate_from_layout: Case(
        {"prompt": "a cat"},
        lambda checkpoint: {
            "model": str(checkpoint("stable_diffusion")),
            "control": str(checkpoint("control_net")),
            "hint": "edges",
            "painting": QUICK,
        },
    ),
    edit_image: Case(
        {"instruction": "add a cat"}, lambda checkpoint: {"model": str(checkpoint("pix2pix")), "painting": QUICK}
    ),
    inpaint_region: Case({"mask": LOWER_HALF.model_dump()}),
    transform_image: Case({"operation": "rotate", "parameters": {"degrees": 90}}),
}


class OneSkill:
    """The properties that both suites ask for, for the skill that the test is parametrised with."""

    skill: SkillFactory
    arguments: dict[str, object]

    @pytest.fixture(autouse=True, params=list(CASES), ids=lambda skill: skill.__name__)
    def choose(self, request: pytest.FixtureRequest) -> None:
        case = CASES[request.param]
        type(self).skill = staticmethod(partial(request.param, **case.parameters(request.getfixturevalue)))
        type(self).arguments = case.arguments

    @property
    def tool_constructor(self) -> BaseTool:
        return self.skill(store=STORE)

    @property
    def tool_invoke_params_example(self) -> dict[str, object]:
        pictured = {"image": HANDLE} if "image" in self.tool_constructor.args else {}
        return {**pictured, **self.arguments}


class TestUnits(OneSkill, ToolsUnitTests):
    pass


class TestIntegration(OneSkill, ToolsIntegrationTests):
    pass
