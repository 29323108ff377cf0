"""The graph as a tool of another agent, here LangGraph's own building blocks."""

from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command
from PIL import Image

from llavaplus_graph.graph import as_tool, create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, scripted_skill
from llavaplus_graph.types import Pictures

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}


def looking(store: ImageStore, lmm: ScriptedLmm, **options: Any) -> tuple[BaseTool, str]:
    """The tool, and the handle of the picture that its only skill makes."""
    blue = store.put(Image.new("RGB", (4, 4), "blue"))
    skill = scripted_skill("transform_image", Pictures(handles=(blue,), message="Done."))
    return as_tool(create_llavaplus_graph(lmm, [skill], store=store, **options).compile(), store=store), blue


def agent(tool: BaseTool, **call_arguments: Any) -> StateGraph[MessagesState]:
    """Another agent whose model has just called the tool."""
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda _: {"messages": [call("look_at_pictures", **call_arguments)]})
    graph.add_node("tools", ToolNode([tool]))
    graph.add_edge(START, "model")
    graph.add_edge("model", "tools")
    return graph


def asks_about(store: ImageStore) -> Any:
    handle = store.put(Image.new("RGB", (4, 4), "red"))
    return {
        "messages": [HumanMessage([{"type": "image", "file_id": handle}, {"type": "text", "text": "Make it blue."}])]
    }


def test_its_pictures_are_those_of_the_other_agents_conversation(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm([call("transform_image"), "It is blue now."])
    tool, blue = looking(store, lmm)
    asked = asks_about(store)
    out = agent(tool, question="Make it blue.", images=["image_1"]).compile().invoke(asked)
    told = out["messages"][-1]
    assert isinstance(told, ToolMessage)
    assert told.text == f'It is blue now.\n{{"pictures": ["{blue}"]}}'
    assert told.artifact["pictures"] == [blue]
    assert told.artifact["results"][0]["kind"] == "pictures"
    assert lmm.requests[0].messages[0].content == asked["messages"][0].content


def test_without_a_name_it_looks_at_the_latest_picture(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm(["Red."])
    tool, _ = looking(store, lmm)
    agent(tool, question="Which colour?").compile().invoke(asks_about(store))
    assert len(lmm.requests[0].messages[0].content) == 2


def test_alone_it_takes_handles_and_nothing_else(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm(["Blue."])
    tool, blue = looking(store, lmm)
    assert tool.invoke({"question": "Which colour?", "images": [blue]}) == "Blue."
    assert "no picture in this conversation" in tool.invoke({"question": "And?", "images": ["/etc/passwd"]})
    assert set(tool.args) == {"question", "images"}


def test_a_person_is_asked_through_the_other_agent(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm([call("transform_image"), "It is blue now."])
    tool, _ = looking(store, lmm, approve=["transform_image"])
    app = agent(tool, question="Make it blue.").compile(checkpointer=InMemorySaver())
    (waiting,) = app.invoke(asks_about(store), THREAD)["__interrupt__"]
    assert waiting.value["action_requests"][0]["name"] == "transform_image"
    out = app.invoke(Command(resume={waiting.id: {"type": "approve"}}), THREAD)
    assert out["messages"][-1].text.startswith("It is blue now.")
    assert len(lmm.requests) == 2
