"""What LangChain and LangGraph do with a chat model besides calling it: graphs, caches, limits, structured output."""

import asyncio
import os
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, trim_messages
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from PIL import Image
from pydantic import BaseModel
from typing_extensions import TypedDict

from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.images import ImageStore

SIGN = "What does the sign say?"
WHITE, BLACK = Image.new("RGB", (32, 32), "white"), Image.new("RGB", (32, 32), "black")


@tool
def read_text(image: str = "latest") -> str:
    """Reads the text in a picture."""
    return image


@tool
def tag_image(tags: list[str], size: int) -> str:
    """Tags a picture."""
    return f"{tags}{size}"


TOOLS = [read_text, tag_image]


def asked(store: ImageStore, picture: Image.Image = WHITE) -> list[BaseMessage]:
    return [user_message(SIGN, images=[picture], store=store)]


METADATA = ("model_name", "model_provider", "finish_reason", "invalid_plan")


def same(message: BaseMessage) -> dict[str, Any]:
    """What is left of a message without its ids, the shape that streaming gives it and what had been read before."""
    assert isinstance(message, AIMessage)
    assert message.usage_metadata is not None
    return {
        "text": message.text,
        "calls": [(call["name"], call["args"]) for call in message.tool_calls],
        "thoughts": [block["reasoning"] for block in message.content_blocks if block["type"] == "reasoning"],
        "metadata": {key: message.response_metadata.get(key) for key in METADATA},
        "tokens": message.usage_metadata["total_tokens"],
    }


def added(chunks: list[Any]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk)
    return whole


# --- inside a graph -----------------------------------------------------------------------------------------------


def asking(lmm: Any) -> Any:
    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [lmm.invoke(state["messages"])]}

    return StateGraph(MessagesState).add_node(ask).add_edge(START, "ask").add_edge("ask", END).compile()


def test_a_graph_that_streams_keeps_the_message_that_invoke_gives(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    bound = lmm.bind_tools(TOOLS)
    state = {"messages": asked(store)}
    expected = same(bound.invoke(state["messages"]))
    graph = asking(bound)
    parts = list(graph.stream(state, stream_mode=["messages", "values"]))
    assert same(added([part[0] for mode, part in parts if mode == "messages"])) == expected
    assert same(parts[-1][1]["messages"][-1]) == expected
    assert same(graph.invoke(state)["messages"][-1]) == expected
    assert same(asyncio.run(graph.ainvoke(state))["messages"][-1]) == expected


def test_a_graph_that_streams_events_keeps_it_too(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    bound = lmm.bind_tools(TOOLS)
    state = {"messages": asked(store)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # events of version v3 are a beta
        run = asking(bound).stream_events(state, version="v3")
        message = run.output["messages"][-1]
    assert isinstance(message.content, list)
    assert same(message) == same(bound.invoke(state["messages"]))


def test_a_plan_in_blocks_is_read_back_like_one_in_words(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    def answer(version: str) -> dict[str, Any]:
        bound = lmm.model_copy(update={"output_version": version}).bind_tools(TOOLS)
        plan = bound.invoke(asked(store))
        result = {"role": "tool", "content": '{"texts": ["STOP"]}', "tool_call_id": plan.tool_calls[0]["id"]}
        return same(bound.invoke([*asked(store), plan, result]))

    assert answer("v0") == answer("v1")


def test_blocks_of_thoughts_calls_and_text_are_not_merged_into_each_other(
    lmm: ChatLlavaPlus, store: ImageStore
) -> None:
    bound = lmm.model_copy(update={"output_version": "v1"}).bind_tools(TOOLS)
    chunks = list(bound.stream("Both."))
    assert [block["type"] for block in added(chunks).content_blocks] == ["reasoning", "tool_call", "tool_call", "text"]
    for chunk in chunks:
        assert isinstance(chunk, AIMessageChunk)
        assert not (chunk.text and chunk.tool_call_chunks)
        assert all(part["index"] is not None and part["index"] > 0 for part in chunk.tool_call_chunks)


@pytest.mark.parametrize("when", [True, "tool_calling"])
def test_streaming_can_be_switched_off(lmm: ChatLlavaPlus, store: ImageStore, when: Any) -> None:
    bound = lmm.model_copy(update={"disable_streaming": when}).bind_tools(TOOLS)
    (whole,) = bound.stream(asked(store))
    assert same(whole) == same(bound.invoke(asked(store)))


# --- cut off ------------------------------------------------------------------------------------------------------


def test_wherever_a_turn_is_cut_off_there_are_all_its_calls_or_none(lmm: ChatLlavaPlus) -> None:
    bound = lmm.bind_tools(TOOLS)
    whole = same(bound.invoke("Both."))
    assert len(whole["calls"]) == 2
    for tokens in range(1, 60, 3):
        message = same(bound.invoke("Both.", max_tokens=tokens))
        assert message == same(added(list(bound.stream("Both.", max_tokens=tokens))))
        cut_in_plan = message["metadata"]["invalid_plan"] is not None
        assert message["calls"] == ([] if cut_in_plan else whole["calls"])


def test_a_schema_that_was_cut_off_gives_nothing_instead_of_a_part(lmm: ChatLlavaPlus) -> None:
    class Answer(BaseModel):
        """An answer."""

        sure: bool

    given = lmm.model_copy(update={"max_tokens": 12}).with_structured_output(Answer, include_raw=True).invoke("Hello.")
    assert isinstance(given, dict)
    assert given["parsed"] is None
    assert given["raw"].tool_calls == []
    assert "cut off" in given["raw"].response_metadata["invalid_plan"]


# --- structured output --------------------------------------------------------------------------------------------


class Sure(BaseModel):
    """An answer."""

    sure: bool


class SureDict(TypedDict):
    """An answer."""

    sure: Annotated[bool, ..., "whether"]


SCHEMAS = {"pydantic": Sure, "typeddict": SureDict, "json schema": Sure.model_json_schema()}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_every_kind_of_schema_is_kept(lmm: ChatLlavaPlus, schema: Any) -> None:
    kind = Sure if schema is Sure else dict
    structured = lmm.with_structured_output(schema)
    for given in (structured.invoke("Hello."), asyncio.run(structured.ainvoke("Hello."))):
        assert isinstance(given, kind)
        assert isinstance(Sure.model_validate(given).sure, bool)
    assert isinstance(list(structured.stream("Hello."))[-1], kind)


def test_the_message_behind_a_structured_answer_can_be_had(lmm: ChatLlavaPlus) -> None:
    given = lmm.with_structured_output(Sure, include_raw=True).invoke("Hello.")
    assert isinstance(given, dict)
    assert isinstance(given["parsed"], Sure)
    assert given["parsing_error"] is None
    assert given["raw"].tool_calls[0]["args"] == given["parsed"].model_dump()


# --- which calls --------------------------------------------------------------------------------------------------


def test_one_call_at_a_time_can_be_asked_for(lmm: ChatLlavaPlus) -> None:
    def calls(parallel: bool) -> int:
        return len(lmm.bind_tools(TOOLS, parallel_tool_calls=parallel).invoke("Both.").tool_calls)

    assert (calls(parallel=True), calls(parallel=False)) == (2, 1)


def test_nothing_is_forced_where_decoding_is_free(lmm: ChatLlavaPlus) -> None:
    free = lmm.model_copy(update={"constrained": False})
    with pytest.raises(ConfigError, match="constrained=True"):
        free.bind_tools(TOOLS, tool_choice="any").invoke("Hello.")


def test_where_decoding_is_free_unwanted_calls_are_told_and_not_made(lmm: ChatLlavaPlus) -> None:
    free = lmm.model_copy(update={"constrained": False})
    for wish in ({"tool_choice": "none"}, {"parallel_tool_calls": False}):
        message = free.bind_tools(TOOLS, **wish).invoke("Both.")
        assert message.tool_calls == []
        assert "planned" in message.response_metadata["invalid_plan"]


def test_a_tool_of_the_users_own_keeps_its_name_whatever_the_original_called_so(taught: Path) -> None:
    @tool
    def sam(image: str = "latest") -> str:
        """Asks Sam."""
        return image

    lmm = ChatLlavaPlus(model=str(taught), speaks=Dialect(template="v1", system="", names="wire"))
    message = lmm.bind_tools([sam], tool_choice="any", parallel_tool_calls=False).invoke("Hello.", max_tokens=300)
    assert [call["name"] for call in message.tool_calls] == ["sam"]


def test_two_tools_that_the_lmm_could_not_tell_apart_are_refused(taught: Path) -> None:
    @tool
    def sam(image: str) -> str:
        """Asks Sam."""
        return image

    @tool
    def segment_region(image: str) -> str:
        """Cuts out."""
        return image

    lmm = ChatLlavaPlus(model=str(taught), speaks=Dialect(template="v1", system="", names="wire"))
    with pytest.raises(ConfigError, match="sam and segment_region are both called 'sam'"):
        lmm.bind_tools([sam, segment_region]).invoke("Hello.")


def test_a_call_cannot_change_the_checkpoint_silently(lmm: ChatLlavaPlus) -> None:
    with pytest.raises(ConfigError, match="cannot change the checkpoint to 'another'"):
        lmm.invoke("Hello.", model="another")


# --- caches and limits --------------------------------------------------------------------------------------------


@pytest.fixture
def global_cache() -> Iterator[None]:
    set_llm_cache(InMemoryCache())
    yield
    set_llm_cache(None)


def cached(message: AIMessage) -> bool:
    """LangChain marks what comes out of a cache as free of charge."""
    assert message.usage_metadata is not None
    return message.usage_metadata.get("total_cost") == 0


def test_a_cache_answers_the_same_question_of_the_same_model_only(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    cache = InMemoryCache()
    caching = lmm.model_copy(update={"cache": cache})
    first = caching.invoke(asked(store))
    again = caching.invoke(asked(store))
    assert (cached(first), cached(again)) == (False, True)
    assert again.text == first.text
    changes: list[dict[str, Any]] = [{"temperature": 0.5, "seed": 1}, {"max_tokens": 9}, {"constrained": False}]
    for change in changes:
        assert not cached(caching.model_copy(update=change).invoke(asked(store)))
    assert not cached(caching.invoke(asked(store, BLACK)))
    assert not cached(caching.invoke(asked(store), stop=["x"]))
    assert not cached(caching.bind_tools(TOOLS).invoke(asked(store)))
    assert not cached(caching.bind_tools(TOOLS, tool_choice="none").invoke(asked(store)))


def test_a_cache_for_all_models_tells_checkpoints_and_dialects_apart(
    global_cache: None, taught: Path, ignorant: Path, checkpoint: Path
) -> None:
    def ask(directory: Path, **fields: Any) -> bool:
        return cached(ChatLlavaPlus(model=str(directory), max_tokens=5, **fields).invoke("Hello."))

    assert [ask(taught), ask(taught), ask(ignorant), ask(checkpoint), ask(checkpoint)] == [
        False,
        True,
        False,
        False,
        True,
    ]
    os.utime(checkpoint / "model.safetensors", ns=(1, 1))
    assert not ask(checkpoint)
    assert not ask(checkpoint, speaks=Dialect(template="v0"))


def test_inline_pictures_are_told_apart_by_a_cache(lmm: ChatLlavaPlus) -> None:
    caching = lmm.model_copy(update={"cache": InMemoryCache()})

    def ask(picture: Image.Image) -> bool:
        return cached(caching.invoke([user_message(SIGN, images=[picture], inline=True)]))

    assert [ask(WHITE), ask(BLACK), ask(WHITE)] == [False, False, True]


def test_a_rate_limiter_is_waited_for(lmm: ChatLlavaPlus) -> None:
    limiter = InMemoryRateLimiter(requests_per_second=40, check_every_n_seconds=0.001, max_bucket_size=1)
    limited = lmm.model_copy(update={"rate_limiter": limiter, "max_tokens": 1})
    before = time.monotonic()
    limited.invoke("Hello.")
    list(limited.stream("Hello."))
    asyncio.run(limited.ainvoke("Hello."))
    assert time.monotonic() - before >= 2 / 40


def test_eight_threads_get_what_each_asked_for(clueless: ChatLlavaPlus) -> None:
    def ask(seed: int) -> str:
        return clueless.invoke("Hello.", temperature=1.0, seed=seed, max_tokens=12).text

    alone = [ask(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == alone
    assert len(set(alone)) > 1


def test_async_callbacks_hear_every_piece_of_text_once(lmm: ChatLlavaPlus) -> None:
    class Ear(AsyncCallbackHandler):
        heard = ""

        async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            self.heard += token

    async def listen() -> None:
        async for _ in lmm.astream("Hello.", config={"callbacks": [ear]}):
            pass

    ear = Ear()
    asyncio.run(listen())
    assert ear.heard == "Hello, what is in your picture?"


# --- what it says of itself ---------------------------------------------------------------------------------------


def test_it_is_not_written_down_by_langchains_serialiser_which_could_not_read_it_back() -> None:
    assert not ChatLlavaPlus.is_lc_serializable()


def test_its_profile_follows_the_checkpoint_and_what_can_be_kept(lmm: ChatLlavaPlus) -> None:
    assert lmm.profile is not None
    assert lmm.profile["max_input_tokens"] == 2048
    assert (lmm.profile["tool_choice"], lmm.profile["structured_output"]) == (True, True)
    free = ChatLlavaPlus(model=lmm.model, constrained=False).profile
    assert free is not None
    assert (free["tool_choice"], free["structured_output"]) == (False, False)


def test_messages_are_counted_with_their_pictures_and_nothing_is_fetched(
    clueless: ChatLlavaPlus, store: ImageStore
) -> None:
    messages: list[BaseMessage] = [user_message(SIGN, images=[WHITE, BLACK], store=store, inline=True)]
    shown = clueless.invoke(messages, max_tokens=1).usage_metadata
    assert shown is not None
    roles = clueless.get_num_tokens("USER: ") + clueless.get_num_tokens(" ASSISTANT:")
    assert clueless.get_num_tokens_from_messages(messages) == pytest.approx(shown["input_tokens"] - roles, abs=3)


def test_a_conversation_can_be_trimmed_by_its_own_count(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    plan = AIMessage("", tool_calls=[{"name": "read_text", "args": {}, "id": "1"}])
    result = {"role": "tool", "content": '{"texts": ["STOP"]}', "tool_call_id": "1"}
    talk: list[Any] = [*asked(store), plan, result, AIMessage("It says STOP."), HumanMessage("Thanks. And now?")]
    trimmed = trim_messages(talk, max_tokens=20, token_counter=lmm, strategy="last", start_on="human")
    assert [message.text for message in trimmed] == ["Thanks. And now?"]
    assert len(trim_messages(talk, max_tokens=900, token_counter=lmm, strategy="last", start_on="human")) == 5
