"""Whole conversations with the bundled LMM: the same messages whichever way it is asked, and a turn of an agent."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool, tool

from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.images import ImageStore
from llavaplus_graph.samples import sample
from llavaplus_graph.skills import load_skills

Way = Callable[[Any, list[BaseMessage]], AIMessage]


def streamed(lmm: Any, messages: list[BaseMessage]) -> AIMessage:
    whole: Any = None
    for chunk in lmm.stream(messages):
        whole = chunk if whole is None else whole + chunk
    return as_message(whole)


def streamed_later(lmm: Any, messages: list[BaseMessage]) -> AIMessage:
    async def gathered() -> Any:
        whole: Any = None
        async for chunk in lmm.astream(messages):
            whole = chunk if whole is None else whole + chunk
        return whole

    return as_message(asyncio.run(gathered()))


def as_message(chunk: AIMessageChunk) -> AIMessage:
    fields = chunk.model_dump(exclude={"type", "chunk_position", "tool_call_chunks"})
    return AIMessage(**fields)


def batched(lmm: Any, messages: list[BaseMessage]) -> AIMessage:
    one, other = lmm.batch([messages, messages])
    assert plain(one) == plain(other)
    assert isinstance(one, AIMessage)
    return one


WAYS: dict[str, Way] = {
    "stream": streamed,
    "ainvoke": lambda lmm, messages: asyncio.run(lmm.ainvoke(messages)),
    "astream": streamed_later,
    "batch": batched,
}

TURNS: list[tuple[str, str | None]] = [
    ("What does the sign say?", "sign.png"),
    ("Thank you!", None),
    ("Is there anything else written on it?", None),
    ("Rotate it by 90 degrees.", None),
    ("What can you do?", None),
    ("What does the QR code say?", "qr.png"),
    ("Make it brighter.", None),
    ("Hello.", None),
    ("Read the text in the picture.", None),
    ("Thanks, that is all.", None),
]
RESULTS = {"read_text": {"texts": ["OPEN", "9-5"]}, "read_codes": {"texts": ["a1b2"], "formats": ["QR_CODE"]}}


def plain(message: BaseMessage) -> dict[str, Any]:
    """A message without its ids and without what had been read before it."""
    assert isinstance(message, AIMessage)
    fields = message.model_dump(exclude={"id"})
    fields["response_metadata"].pop("prefix", None)
    (fields["usage_metadata"] or {}).pop("input_token_details", None)
    fields["tool_calls"] = [(call["name"], call["args"]) for call in message.tool_calls]
    return fields


def conversation(lmm: Any, way: Way, store: ImageStore) -> list[dict[str, Any]]:
    """What the LMM says in ten turns, plans and answers."""
    messages: list[BaseMessage] = []
    said: list[AIMessage] = []
    for words, picture in TURNS:
        messages.append(user_message(words, images=[sample(picture)] if picture else [], store=store))
        message = way(lmm, messages)
        said.append(message)
        messages.append(message)
        if message.tool_calls:
            for call in message.tool_calls:
                result = RESULTS.get(call["name"], {"message": f"The {call['name']} has processed the image."})
                messages.append(ToolMessage(json.dumps(result), tool_call_id=str(call["id"])))
            said.append(way(lmm, messages))
            messages.append(said[-1])
    return [plain(message) for message in said]


@pytest.fixture(scope="module")
def store() -> ImageStore:
    return ImageStore("memory://contract-mini")


@pytest.fixture(scope="module")
def mini(store: ImageStore) -> Any:
    return ChatLlavaPlus(store=store).bind_tools(load_skills(store=store))


@pytest.fixture(scope="module")
def invoked(mini: Any, store: ImageStore) -> list[dict[str, Any]]:
    return conversation(mini, lambda lmm, messages: lmm.invoke(messages), store)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_ten_turns_with_two_pictures_are_the_same_whichever_way_it_is_asked(
    mini: Any, invoked: list[dict[str, Any]], store: ImageStore, way: Way
) -> None:
    assert conversation(mini, way, store) == invoked


def test_the_ten_turns_have_plans_and_answers(invoked: list[dict[str, Any]]) -> None:
    called = [name for message in invoked for name, _ in message["tool_calls"]]
    assert {"read_text", "read_codes", "transform_image"} <= set(called)
    assert len(invoked) >= len(TURNS) + 3
    assert all(message["content"] and "invalid_plan" not in message["response_metadata"] for message in invoked)


# --- an agent of LangChain ----------------------------------------------------------------------------------------


def reader(store: ImageStore, handle: str) -> BaseTool:
    """The real skill, bound to the picture of the conversation as a graph of LLaVA-Plus would do it."""
    (skill,) = load_skills(only=["read_codes"], store=store)

    @tool(skill.name, description=skill.description)
    def read_codes(image: str = "latest") -> str:
        assert image in ("latest", "image_1", handle)
        return str(skill.invoke({"image": handle}))

    return read_codes


def asked(store: ImageStore) -> tuple[Any, dict[str, Any]]:
    message = user_message("What does the QR code say?", images=[sample("qr.png")], store=store)
    handle = message.content[0]["file_id"]  # type: ignore[index]
    return create_agent(model=ChatLlavaPlus(store=store), tools=[reader(store, handle)]), {"messages": [message]}


def test_an_agent_plans_calls_the_skill_and_answers_with_what_it_read(store: ImageStore) -> None:
    agent, state = asked(store)
    _, plan, result, answer = agent.invoke(state)["messages"]
    assert [call["name"] for call in plan.tool_calls] == ["read_codes"]
    (read,) = json.loads(result.content)["texts"]
    assert read in answer.text
    assert answer.tool_calls == []


def test_an_agent_that_streams_or_waits_ends_with_the_same_messages(store: ImageStore) -> None:
    agent, state = asked(store)
    expected = [message.text for message in agent.invoke(state)["messages"]]
    *_, streamed_state = agent.stream(state, stream_mode="values")
    assert [message.text for message in streamed_state["messages"]] == expected
    tokens = [part.text for part, _ in agent.stream(state, stream_mode="messages") if isinstance(part, AIMessageChunk)]
    assert "".join(tokens) == expected[1] + expected[3]
    assert [message.text for message in asyncio.run(agent.ainvoke(state))["messages"]] == expected
