from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import SkillFactory
from llavaplus_graph.types import SkillResult, parse_result

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
