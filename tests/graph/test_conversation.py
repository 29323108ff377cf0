"""Messages in checkpoints: short, plain, and the same again when they are read."""

import sqlite3
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from llavaplus_graph.graph import State, create_llavaplus_graph
from llavaplus_graph.graph.conversation import CONVERSATION
from llavaplus_graph.testing import ScriptedLmm, call

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
STRICT = JsonPlusSerializer(allowed_msgpack_modules=None)


def kept(message: BaseMessage) -> tuple[int, BaseMessage]:
    """How many bytes a checkpoint holds of a message, and what is read from them."""
    channel = CONVERSATION.from_checkpoint([])
    channel.update([[message]])  # type: ignore[list-item]  # any class of message
    stored = STRICT.dumps_typed(channel.checkpoint())
    (read,) = CONVERSATION.from_checkpoint(STRICT.loads_typed(stored)).get()
    return len(stored[1]), read


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(HumanMessage("Hi", id="m"), id="text"),
        pytest.param(HumanMessage([{"type": "image", "file_id": "img_0"}], id="m", name="Ada"), id="picture"),
        pytest.param(SystemMessage("Be brief.", id="m"), id="system"),
        pytest.param(call("read_text", id="c", thoughts="Letters.", image="latest"), id="plan-with-thoughts"),
        pytest.param(
            AIMessage(
                "No.",
                id="m",
                response_metadata={"invalid_plan": "why"},
                usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
            ),
            id="metadata",
        ),
        pytest.param(
            AIMessage("", id="m", invalid_tool_calls=[{"name": "x", "args": "{", "id": "c", "error": None}]),
            id="unreadable-call",
        ),
        pytest.param(ToolMessage("{}", id="m", tool_call_id="c", artifact={}, status="error"), id="empty-artifact"),
        pytest.param(ToolMessage("{}", id="m", tool_call_id="c", artifact={"a": None, "b": []}), id="artifact"),
        pytest.param(HumanMessage("Hi", id="m", told_by="somebody"), id="a-field-of-ones-own"),
        pytest.param(ChatMessage(content="Hi", role="critic", id="m"), id="another-class"),
    ],
)
def test_a_message_is_read_as_it_was_written(message: BaseMessage) -> None:
    _, read = kept(message)
    assert type(read) is type(message)
    assert read.model_dump() == {**message.model_dump(), "id": read.id}


def test_what_says_nothing_is_not_written() -> None:
    message = AIMessage("The cup is on the left.", id="m")
    assert kept(message)[0] < len(STRICT.dumps_typed([message])[1]) / 2


class _Before(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def test_a_thread_of_a_plain_channel_goes_on(tmp_path: Path) -> None:
    saver = SqliteSaver(sqlite3.connect(tmp_path / "t.sqlite", check_same_thread=False), serde=STRICT)
    before = StateGraph(_Before).add_node("planner", lambda _: {"messages": [AIMessage("Hello.")]})
    before.add_edge(START, "planner").add_edge("planner", END).compile(checkpointer=saver).invoke(
        {"messages": [HumanMessage("Hi")]}, CONFIG
    )
    app = create_llavaplus_graph(ScriptedLmm(["Fine."]), []).compile(checkpointer=saver)
    out = app.invoke({"messages": [HumanMessage("How are you?")]}, CONFIG)
    assert [message.text for message in out["messages"]] == ["Hi", "Hello.", "How are you?", "Fine."]


def test_messages_can_be_changed_and_taken_out_from_outside() -> None:
    app = create_llavaplus_graph(ScriptedLmm(["One.", "Two."]), []).compile(checkpointer=InMemorySaver(serde=STRICT))
    app.invoke({"messages": [HumanMessage("First", id="a")]}, CONFIG)
    app.update_state(CONFIG, {"messages": [RemoveMessage(id="a")]})
    second: Any = {"messages": [("user", "Second")]}  # what `add_messages` makes messages of
    out = app.invoke(second, CONFIG)
    assert [message.text for message in out["messages"]] == ["One.", "Second", "Two."]


def test_an_earlier_checkpoint_can_be_gone_back_to(tmp_path: Path) -> None:
    saver = SqliteSaver(sqlite3.connect(tmp_path / "t.sqlite", check_same_thread=False), serde=STRICT)
    app = create_llavaplus_graph(ScriptedLmm(["One.", "Two.", "Other."]), []).compile(checkpointer=saver)
    app.invoke({"messages": [HumanMessage("First")]}, CONFIG)
    first = app.get_state(CONFIG).config
    app.invoke({"messages": [HumanMessage("Second")]}, CONFIG)
    out = app.invoke({"messages": [HumanMessage("Instead")]}, first)
    assert [message.text for message in out["messages"]] == ["First", "One.", "Instead", "Other."]


def test_a_graph_of_ones_own_can_hold_the_same_state() -> None:
    class Mine(State):
        topic: str

    def answer(state: Mine) -> dict[str, Any]:
        return {"messages": [AIMessage(f"About {state['topic']}.")]}

    graph = StateGraph(Mine).add_node("answer", answer).add_edge(START, "answer").add_edge("answer", END)
    app = graph.compile(checkpointer=InMemorySaver(serde=STRICT))
    given: Any = {"messages": [("user", "Hi")], "topic": "cups"}
    app.invoke(given, CONFIG)
    assert [message.text for message in app.get_state(CONFIG).values["messages"]] == ["Hi", "About cups."]
    assert "messages" in app.get_input_jsonschema()["properties"]
