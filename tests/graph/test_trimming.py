from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from PIL import Image

from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.graph.pictures import handles_in
from llavaplus_graph.graph.trimming import trimmed
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm
from llavaplus_graph.types import Pictures

FIRST, SECOND, MADE = (f"img_00000000000000a{number}" for number in range(3))


def shows(handle: str, text: str = "And this?") -> HumanMessage:
    return HumanMessage([{"type": "image", "file_id": handle}, {"type": "text", "text": text}])


HISTORY: list[BaseMessage] = [SystemMessage("Be brief."), shows(FIRST), AIMessage("A cat."), shows(SECOND)]
HISTORY += [AIMessage("A dog."), HumanMessage("Which is larger?")]


def test_the_newest_turns_stay_with_the_first_and_the_newest_picture() -> None:
    kept = trimmed(HISTORY, [FIRST, SECOND], 30)
    assert [message.text for message in kept] == ["Be brief.", "Which is larger?"]
    assert handles_in(kept[1]) == [FIRST, SECOND]


def test_pictures_that_are_still_seen_are_not_repeated() -> None:
    assert trimmed(HISTORY, [FIRST, SECOND], 10_000) == HISTORY
    kept = trimmed(HISTORY, [FIRST, SECOND], 700)
    assert [handles_in(message) for message in kept] == [[], [FIRST, SECOND], [], []]


def test_a_picture_that_a_skill_made_comes_back_too() -> None:
    made = ToolMessage("{}", tool_call_id="c", artifact=Pictures(handles=(MADE,), message="Done.").model_dump())
    history = [shows(FIRST), made, HumanMessage("Is it blue?")]
    (asked,) = trimmed(history, [FIRST, MADE], lambda messages: messages[-1:])
    assert handles_in(asked) == [FIRST, MADE]
    assert trimmed(history, [FIRST, MADE], lambda messages: messages) == history


def test_the_turn_to_be_answered_stays_however_long_it_is() -> None:
    kept = trimmed([*HISTORY, AIMessage("The dog."), shows(SECOND, "word " * 500)], [FIRST, SECOND], 30)
    assert [message.type for message in kept] == ["system", "human"]


def test_where_nothing_of_the_user_is_left_the_pictures_get_a_turn_of_their_own() -> None:
    kept = trimmed(HISTORY, [FIRST], lambda messages: [message for message in messages if message.type == "ai"])
    assert [handles_in(message) for message in kept] == [[FIRST], [], []]


def test_the_graph_shows_less_and_remembers_all(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm(["The dog."])
    first, second = (store.put(Image.new("RGB", (4, 4), colour)) for colour in ("red", "blue"))
    history: list[Any] = [
        shows(first),
        AIMessage("A cat."),
        shows(second),
        AIMessage("A dog."),
        HumanMessage("Which is larger?"),
    ]
    graph = create_llavaplus_graph(lmm, [], store=store, trim=lambda messages: messages[-1:]).compile()
    out = graph.invoke({"messages": history})
    assert [handles_in(message) for message in lmm.requests[0].messages] == [[first, second]]
    assert len(out["messages"]) == 6
    assert handles_in(out["messages"][4]) == []


def test_pictures_of_messages_that_were_taken_out_of_the_state_come_back(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm(["A cat.", "Black."])
    app = create_llavaplus_graph(lmm, [], store=store).compile(checkpointer=InMemorySaver())
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    handle = store.put(Image.new("RGB", (4, 4), "black"))
    said = app.invoke({"messages": [shows(handle)]}, config)["messages"]
    app.update_state(config, {"messages": [RemoveMessage(id=str(message.id)) for message in said]})
    app.invoke({"messages": [HumanMessage("Which colour was it?")]}, config)
    assert [handles_in(message) for message in lmm.requests[1].messages] == [[handle]]
