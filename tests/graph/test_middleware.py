"""The skills inside `create_agent`, with scripted models."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_graph.graph import results_of
from llavaplus_graph.graph.middleware import LlavaPlusMiddleware
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Pictures, SkillResult, Tags


def red(store: ImageStore) -> HumanMessage:
    handle = store.put(Image.new("RGB", (4, 4), "red"))
    return HumanMessage([{"type": "image", "file_id": handle}, {"type": "text", "text": "Make it blue."}])


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
def test_an_agent_sees_runs_and_remembers_as_the_graph_does(tmp_path: Path, asynchronously: bool) -> None:
    store, seen = ImageStore(tmp_path), list[str]()
    blue = store.put(Image.new("RGB", (4, 4), "blue"))

    def look(image: str) -> SkillResult:
        seen.append(image)
        return Tags(tags=("blue",), scores=(1.0,))

    skills = [
        scripted_skill("transform_image", Pictures(handles=(blue,), message="Done.")),
        scripted_skill("tag_image", look),
    ]
    lmm = ScriptedLmm([call("transform_image"), call("tag_image"), "It is blue now."], reads_handles=False)
    agent = create_agent(lmm, middleware=[LlavaPlusMiddleware(skills, store=store)])
    asked: Any = {"messages": [red(store)]}
    out = asyncio.run(agent.ainvoke(asked)) if asynchronously else agent.invoke(asked)
    assert out["messages"][-1].text == "It is blue now."
    assert seen == [blue]
    assert out["images"][1:] == [blue]
    assert [result.kind for result in results_of(out, store)] == ["pictures", "tags"]
    assert [message.type for message in lmm.requests[1].messages] == ["system", "human", "ai", "tool", "human"]
    assert lmm.requests[1].messages[-1].text == "The skills made:image_2:"
    assert "base64" not in repr(out)


def test_a_failure_is_told_and_other_tools_are_left_alone(tmp_path: Path) -> None:
    @tool
    def add(first: int, second: int) -> int:
        """Adds."""
        return first + second

    store = ImageStore(tmp_path)
    calls = plan(call("tag_image").tool_calls[0], call("add", first=1, second=2).tool_calls[0])
    skill = scripted_skill("tag_image", SkillError("the weights are missing"))
    middleware = LlavaPlusMiddleware([skill], store=store)
    agent = create_agent(ScriptedLmm([calls, "Three."]), tools=[add], middleware=[middleware])
    out = agent.invoke({"messages": [red(store)]})
    told = [message for message in out["messages"] if isinstance(message, ToolMessage)]
    assert [(message.text, message.status) for message in told] == [
        ('{"error": "the weights are missing"}', "error"),
        ("3", "success"),
    ]
