"""The skills inside `create_agent`, with scripted models."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_graph.graph import results_of
from llavaplus_graph.graph.aggregator import LONGEST_OBSERVATION
from llavaplus_graph.graph.middleware import LlavaPlusMiddleware
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Detections, Pictures, SkillResult, Tags


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


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("place", [0, 1], ids=["before", "behind"])
def test_a_person_is_asked_by_a_middleware_wherever_it_stands(tmp_path: Path, place: int, asynchronously: bool) -> None:
    store, ran = ImageStore(tmp_path), list[str]()

    def edit(image: str, instruction: str) -> SkillResult:
        ran.append(instruction)
        return Tags(tags=(), scores=())

    asks: list[Any] = [LlavaPlusMiddleware([scripted_skill("edit_image", edit)], store=store)]
    asks.insert(place, HumanInTheLoopMiddleware(interrupt_on={"edit_image": True}))
    lmm = ScriptedLmm([call("edit_image", instruction="blue"), "Done."])
    agent = create_agent(lmm, middleware=asks, checkpointer=InMemorySaver())
    thread: RunnableConfig = {"configurable": {"thread_id": "t"}}
    asked: Any = {"messages": [red(store)]}
    edited = {"type": "edit", "edited_action": {"name": "edit_image", "args": {"instruction": "green"}}}
    answer: Any = Command(resume={"decisions": [edited]})

    async def both() -> Any:
        await agent.ainvoke(asked, thread)
        return await agent.ainvoke(answer, thread)

    if asynchronously:
        out = asyncio.run(both())
    else:
        agent.invoke(asked, thread)
        assert ran == []
        out = agent.invoke(answer, thread)
    assert (ran, out["messages"][-1].text) == (["green"], "Done.")


def test_a_long_result_is_told_as_short_as_in_the_graph(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    cups = Detections(boxes=((0.1, 0.1, 0.5, 0.5),) * 400, scores=(0.9,) * 400, labels=("cup",) * 400)
    middleware = LlavaPlusMiddleware([scripted_skill("detect_objects", cups)], store=store)
    out = create_agent(ScriptedLmm([call("detect_objects"), "Many."]), middleware=[middleware]).invoke(
        {"messages": [red(store)]}
    )
    told = json.loads(out["messages"][-2].text)
    assert len(out["messages"][-2].text) <= LONGEST_OBSERVATION
    assert len(told["boxes"]) + told["left_out"] == 400
    assert results_of(out, store) == [cups]
