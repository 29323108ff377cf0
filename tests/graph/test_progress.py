"""What a stream of the graph tells of its calls."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from llavaplus_graph.errors import SkillError
from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Tags


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
def test_the_stream_tells_when_calls_begin_and_end(asynchronously: bool) -> None:
    store = ImageStore("memory://progress")
    skills = [
        scripted_skill("generate_image", Tags(tags=(), scores=())),
        scripted_skill("look", SkillError("nothing there")),
    ]
    asked = plan(call("generate_image", id="a", image=None).tool_calls[0], call("look", id="b").tool_calls[0])
    app = create_llavaplus_graph(ScriptedLmm([asked, "Done."]), skills, store=store).compile()
    given: Any = {"messages": [HumanMessage("Go.")]}

    async def astream() -> list[Any]:
        return [event async for event in app.astream(given, stream_mode="custom")]

    events = asyncio.run(astream()) if asynchronously else list(app.stream(given, stream_mode="custom"))
    for name, id_ in (("generate_image", "a"), ("look", "b")):
        began, ended = [event for event in events if event["id"] == id_]
        assert began == {"event": "skill_started", "skill": name, "id": id_}
        assert (ended["event"], ended["status"]) == ("skill_finished", "error")
        assert 0 <= ended["seconds"] < 60
