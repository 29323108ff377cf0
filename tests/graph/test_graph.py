"""The whole flow, with scripted LMMs and skills."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from PIL import Image

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph import InputState, create_llavaplus_graph, results_of
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Pictures, Tags, Texts

STOP = Texts(texts=("STOP",), boxes=((0.1, 0.1, 0.9, 0.9),), scores=(1.0,))


def picture_message(store: ImageStore, colour: str = "red", text: str = "What does it say?") -> HumanMessage:
    handle = store.put(Image.new("RGB", (8, 6), colour))
    return HumanMessage([{"type": "image", "file_id": handle}, {"type": "text", "text": text}])


def test_a_plan_without_calls_ends_at_once() -> None:
    lmm = ScriptedLmm(["Hello!"])
    out = (
        create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)])
        .compile()
        .invoke({"messages": [HumanMessage("Hi")]})
    )
    assert out["messages"][-1].text == "Hello!"
    assert out["rounds"] == 0
    assert len(lmm.requests) == 1


def test_a_plan_is_run_and_its_result_read_before_the_answer(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm([call("read_text"), "It says STOP."])
    graph = create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], store=store).compile()
    out = graph.invoke({"messages": [picture_message(store)]})
    assert [type(message).__name__ for message in out["messages"]] == [
        "HumanMessage",
        "AIMessage",
        "ToolMessage",
        "AIMessage",
    ]
    read = lmm.requests[1].messages[-1]
    assert isinstance(read, ToolMessage)
    assert (read.text, read.status) == ('{"texts": ["STOP"]}', "success")
    assert results_of(out, store) == [STOP]


def test_results_come_in_the_order_of_the_plan_whatever_finishes_first() -> None:
    def slow(**_: object) -> Tags:
        time.sleep(0.05)
        return Tags(tags=("slow",), scores=(1.0,))

    calls = plan(call("slow").tool_calls[0], call("fast").tool_calls[0])
    skills = [
        scripted_skill("slow", slow),
        scripted_skill("fast", Tags(tags=("fast",), scores=(1.0,))),
    ]
    store = ImageStore("memory://order")
    out = (
        create_llavaplus_graph(ScriptedLmm([calls, "Done."]), skills, store=store)
        .compile()
        .invoke({"messages": [picture_message(store)]})
    )
    assert [message.name for message in out["messages"] if isinstance(message, ToolMessage)] == ["slow", "fast"]
    assert [result.content() for result in results_of(out, store)] == [{"tags": "slow"}, {"tags": "fast"}]


def test_an_answer_may_ask_for_another_round_and_new_pictures_are_latest(tmp_path: Path) -> None:
    store, seen = ImageStore(tmp_path), []
    made = store.put(Image.new("RGB", (6, 8), "blue"))

    def read(image: str) -> Texts:
        seen.append(image)
        return STOP

    lmm = ScriptedLmm([call("transform_image"), call("read_text"), "Rotated, it says STOP."])
    skills = [
        scripted_skill("transform_image", Pictures(handles=(made,), message="Done.")),
        scripted_skill("read_text", read),
    ]
    out = create_llavaplus_graph(lmm, skills, store=store).compile().invoke({"messages": [picture_message(store)]})
    assert seen == [made]
    assert out["images"][1:] == [made]
    assert out["rounds"] == 2
    assert [result.kind for result in results_of(out, store)] == ["pictures", "texts"]


def test_after_the_last_round_the_lmm_must_answer() -> None:
    lmm = ScriptedLmm([call("generate_image"), call("generate_image"), "Enough."])
    skill = scripted_skill("generate_image", Tags(tags=("x",), scores=(1.0,)))
    store = ImageStore("memory://rounds")
    graph = create_llavaplus_graph(lmm, [skill], max_rounds=2, store=store).compile()
    out = graph.invoke({"messages": [picture_message(store)]})
    assert out["messages"][-1].text == "Enough."
    assert [request.tool_choice for request in lmm.requests] == [None, None, "none"]


def test_rounds_are_counted_anew_in_every_turn(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm([call("read_text"), "One.", call("read_text"), "Two."])
    graph = create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], max_rounds=1, store=store)
    app = graph.compile(checkpointer=InMemorySaver())
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    app.invoke({"messages": [picture_message(store)]}, config)
    out = app.invoke({"messages": [HumanMessage("And again?")]}, config)
    assert out["messages"][-1].text == "Two."
    assert len(results_of(out, store)) == 1


def test_it_runs_asynchronously(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm([call("read_text"), "It says STOP."])
    graph = create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], store=store).compile()
    out = asyncio.run(graph.ainvoke({"messages": [picture_message(store)]}))
    assert out["messages"][-1].text == "It says STOP."
    assert results_of(out, store) == [STOP]


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
def test_no_more_skills_run_at_once_than_allowed(asynchronously: bool) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def busy(**_: object) -> Tags:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return Tags(tags=(), scores=())

    calls = plan(*(call("busy", id=f"c{number}").tool_calls[0] for number in range(4)))
    store = ImageStore("memory://busy")
    graph = create_llavaplus_graph(ScriptedLmm([calls, "Done."]), [scripted_skill("busy", busy)], store=store).compile()
    state: InputState = {"messages": [picture_message(store)]}
    config: RunnableConfig = {"max_concurrency": 2}
    out = asyncio.run(graph.ainvoke(state, config)) if asynchronously else graph.invoke(state, config)
    assert len(results_of(out, store)) == 4
    assert most == 2


def test_it_is_a_node_of_a_larger_graph(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm([call("read_text"), "It says STOP."])
    outer = StateGraph(MessagesState)
    outer.add_node("look", create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], store=store).compile())
    outer.add_edge(START, "look")
    outer.add_edge("look", END)
    out = outer.compile().invoke({"messages": [picture_message(store)]})
    assert len(out["messages"]) == 4


def test_tokens_stream_and_the_schema_can_be_drawn(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm([call("read_text"), "It says STOP."])
    graph = create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], store=store).compile()
    assert "messages" in graph.get_input_jsonschema()["properties"]
    parts: Any = graph.stream({"messages": [picture_message(store)]}, stream_mode="messages")
    words = [chunk.text for chunk, where in parts if where["langgraph_node"] == "respond" and chunk.text]
    assert words == ["It ", "says ", "STOP."]


def test_a_model_that_breaks_is_not_hidden() -> None:
    def broken(_: object) -> AIMessage:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        create_llavaplus_graph(ScriptedLmm([broken]), []).compile().invoke({"messages": [HumanMessage("Hi")]})


def test_mistakes_are_told_when_the_graph_is_built() -> None:
    @tool
    def search(query: str) -> str:
        """Searches."""
        return query

    skill = scripted_skill("read_text", STOP)
    with pytest.raises(ConfigError, match="max_rounds must be at least 1, not 0"):
        create_llavaplus_graph(ScriptedLmm([]), [], max_rounds=0)
    with pytest.raises(ConfigError, match="two skills are called 'read_text'"):
        create_llavaplus_graph(ScriptedLmm([]), [skill, skill])
    with pytest.raises(ConfigError, match="'search' returns no skill result; make it a skill with make_skill"):
        create_llavaplus_graph(ScriptedLmm([]), [search])
