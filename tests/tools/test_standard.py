"""LangChain's own suites for tools, for each skill that works offline."""

import numpy as np
import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests
from PIL import Image

from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import SkillFactory
from llavaplus_graph.types import Mask
from llavaplus_tools import inpaint_region, read_codes, read_text, segment_region, transform_image

STORE = ImageStore("memory://standard-suites")
HANDLE = STORE.put(Image.linear_gradient("L"))
LOWER_HALF = Mask.from_array(np.arange(256 * 256).reshape(256, 256) > 128 * 256)

ARGUMENTS: dict[SkillFactory, dict[str, object]] = {
    read_text: {},
    read_codes: {},
    segment_region: {"boxes": [[0.1, 0.1, 0.5, 0.5]]},
    inpaint_region: {"mask": LOWER_HALF.model_dump()},
    transform_image: {"operation": "rotate", "parameters": {"degrees": 90}},
}


class OneSkill:
    """The properties that both suites ask for, for the skill that the test is parametrised with."""

    skill: SkillFactory

    @pytest.fixture(autouse=True, params=list(ARGUMENTS), ids=lambda skill: skill.__name__)
    def choose(self, request: pytest.FixtureRequest) -> None:
        type(self).skill = staticmethod(request.param)

    @property
    def tool_constructor(self) -> BaseTool:
        return self.skill(store=STORE)

    @property
    def tool_invoke_params_example(self) -> dict[str, object]:
        return {"image": HANDLE, **ARGUMENTS[self.skill]}


class TestUnits(OneSkill, ToolsUnitTests):
    pass


class TestIntegration(OneSkill, ToolsIntegrationTests):
    pass
