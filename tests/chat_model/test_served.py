"""The LMM behind a real HTTP server on this machine: the same messages as from the local one, and clear errors."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from PIL import Image
from pydantic import ValidationError

from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.chat_model.checkpoints import bundled, open_checkpoint
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.engine import TransformersEngine
from llavaplus_graph.chat_model.generation import Piece
from llavaplus_graph.errors import ConfigError, ProtocolError, ServerError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills
from llavaplus_graph.testing import ChatServer, ScriptedEngine, listening

SIGN = "What does the sign say?"
WHITE, BLACK = Image.new("RGB", (32, 32), "white"), Image.new("RGB", (20, 10), "black")
PLAIN = Dialect(template="v1", system="", names="skills")


@tool
def read_text(image: str = "latest") -> str:
    """Reads the text in a picture."""
    return image


@tool
def tag_image(tags: list[str], size: int) -> str:
    """Tags a picture."""
    return f"{tags}{size}"


TOOLS = [read_text, tag_image]


def plain(message: BaseMessage) -> dict[str, Any]:
    """A message without the ids that no two messages share, and without what had been read before it."""
    assert isinstance(message, AIMessage)
    fields = message.model_dump(exclude={"id", "type", "chunk_position", "tool_call_chunks"})
    fields["response_metadata"].pop("prefix", None)
    (fields["usage_metadata"] or {}).pop("input_token_details", None)
    fields["tool_calls"] = [(call["name"], call["args"]) for call in message.tool_calls]
    return fields


def added(chunks: list[Any]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk)
    return whole


def every_way(lmm: Any, messages: Any, **kwargs: Any) -> list[dict[str, Any]]:
    """The message by invoke, stream, ainvoke and astream."""

    async def gathered() -> AIMessageChunk:
        return added([chunk async for chunk in lmm.astream(messages, **kwargs)])

    return [
        plain(lmm.invoke(messages, **kwargs)),
        plain(added(list(lmm.stream(messages, **kwargs)))),
        plain(asyncio.run(lmm.ainvoke(messages, **kwargs))),
        plain(asyncio.run(gathered())),
    ]


@pytest.fixture(scope="module")
def taught_server(taught: Path) -> Iterator[tuple[ChatServer, str]]:
    opened = open_checkpoint(str(taught))
    server = ChatServer(TransformersEngine(opened.model, opened.processor), opened.dialect, name="taught")
    with listening(server) as address:
        yield server, f"{address}/v1"


@pytest.fixture(scope="module")
def ignorant_server(ignorant: Path) -> Iterator[str]:
    opened = open_checkpoint(str(ignorant))
    server = ChatServer(TransformersEngine(opened.model, opened.processor), opened.dialect, name="ignorant")
    with listening(server) as address:
        yield f"{address}/v1"


@pytest.fixture
def served(taught_server: tuple[ChatServer, str], taught: Path, store: ImageStore) -> ChatLlavaPlus:
    _, url = taught_server
    return ChatLlavaPlus(model="taught", base_url=url, guided="vllm", speaks=taught, max_tokens=80, store=store)


@contextmanager
def scripted(script: str | Callable[[str, str | None], str], **fields: Any) -> Iterator[ChatLlavaPlus]:
    """A served model that says what a script says."""
    engine = ScriptedEngine((lambda prompt, grammar: script) if isinstance(script, str) else script)
    with listening(ChatServer(engine, PLAIN)) as address:
        yield ChatLlavaPlus(model="llavaplus", base_url=f"{address}/v1", speaks=PLAIN, **fields)


# --- equal to the local one ---------------------------------------------------------------------------------------

SETTINGS: dict[str, dict[str, Any]] = {
    "plan": {"tools": TOOLS},
    "two calls": {"tools": TOOLS, "words": "Both."},
    "answer": {"words": "Hello."},
    "cut off in the plan": {"tools": TOOLS, "max_tokens": 12},
    "cut off in the answer": {"words": "Hello.", "max_tokens": 35},
    "stopped": {"words": "Hello.", "stop": ["your"]},
    "forced": {"tools": TOOLS, "tool_choice": "any", "words": "Hello."},
    "forbidden": {"tools": TOOLS, "tool_choice": "none"},
}


@pytest.mark.parametrize("guided", ["vllm", "sglang"])
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_served_and_local_messages_are_equal(
    lmm: ChatLlavaPlus, served: ChatLlavaPlus, store: ImageStore, setting: dict[str, Any], guided: str
) -> None:
    used = {"tools": [], "tool_choice": None, "words": SIGN, "stop": None, "max_tokens": 80} | setting
    messages = [user_message(used["words"], images=[WHITE] if used["words"] == SIGN else [], store=store)]
    kwargs = {"stop": used["stop"], "max_tokens": used["max_tokens"]}
    models = [lmm, served.model_copy(update={"guided": guided})]
    local, remote = (m.bind_tools(used["tools"], tool_choice=used["tool_choice"]) for m in models)
    expected = plain(local.invoke(messages, **kwargs))
    if used["stop"]:
        expected["usage_metadata"] = None  # the answer was left before the server told what it cost
    assert every_way(remote, messages, **kwargs) == [expected] * 4


def test_a_seed_a_temperature_and_a_share_reach_the_server(
    clueless: ChatLlavaPlus, ignorant: Path, ignorant_server: str
) -> None:
    served = ChatLlavaPlus(model="ignorant", base_url=ignorant_server, speaks=ignorant, guided="vllm")
    warmth: list[dict[str, Any]] = [{"temperature": 1.0, "seed": 1}, {"temperature": 1.0, "seed": 2, "top_p": 0.5}]
    for settings in warmth:
        local = clueless.invoke("Hello.", max_tokens=20, **settings).text
        assert served.invoke("Hello.", max_tokens=20, **settings).text == local
        warm = served.model_copy(update={"max_tokens": 20, **settings})
        assert warm.invoke("Hello.").text == local


def test_the_bundled_lmm_says_the_same_when_it_is_served(store: ImageStore) -> None:
    skills = load_skills(store=store)
    opened = open_checkpoint(None)
    sign = user_message(SIGN, images=[WHITE], store=store)
    plan = AIMessage("", tool_calls=[{"name": "read_text", "args": {}, "id": "1"}])
    result = ToolMessage([{"type": "text", "text": '{"texts": ["STOP"]}'}], tool_call_id="1")
    block = {"type": "image", "file_id": store.put(BLACK)}
    turned = ToolMessage([{"type": "text", "text": '{"message": "Done."}'}, block], tool_call_id="1")
    with listening(ChatServer(TransformersEngine(opened.model, opened.processor), opened.dialect)) as address:
        served = ChatLlavaPlus(
            model="llavaplus", base_url=f"{address}/v1", guided="vllm", speaks=bundled(), store=store
        ).bind_tools(skills)
        local = ChatLlavaPlus(store=store).bind_tools(skills)
        follow_up = [AIMessage("It says STOP."), user_message("And now?", images=[BLACK, WHITE], store=store)]
        read = [sign, plan, result]
        conversations: list[list[BaseMessage]] = [[sign], read, [sign, plan, turned], [*read, *follow_up]]
        for conversation in conversations:
            expected = plain(local.invoke(conversation)) | {"response_metadata": {}}
            assert [each | {"response_metadata": {}} for each in every_way(served, conversation)] == [expected] * 4


def test_pictures_of_user_and_tools_arrive_in_their_places(
    taught_server: tuple[ChatServer, str], served: ChatLlavaPlus, lmm: ChatLlavaPlus, store: ImageStore
) -> None:
    server, _ = taught_server
    white, black = ({"type": "image", "file_id": store.put(picture)} for picture in (WHITE, BLACK))
    conversation = [
        HumanMessage([white, black, {"type": "text", "text": "Q"}]),
        AIMessage("", tool_calls=[{"name": "turn", "args": {}, "id": "1"}]),
        ToolMessage([black], tool_call_id="1"),
    ]
    message = served.invoke(conversation, max_tokens=1)
    said = [message["content"] for message in server.bodies[-1]["messages"]]
    assert [[part["type"] for part in content] for content in said if not isinstance(content, str)] == [
        ["image_url", "image_url", "text"],
        ["image_url", "text"],
    ]
    assert plain(message)["usage_metadata"] == plain(lmm.invoke(conversation, max_tokens=1))["usage_metadata"]


def test_a_message_says_which_model_answered_and_what_it_cost(served: ChatLlavaPlus) -> None:
    served.invoke("Hello.")
    message = served.invoke("Hello.")
    prefix = message.response_metadata.pop("prefix")
    assert prefix["reused_tokens"] > 0
    assert message.response_metadata == {"finish_reason": "stop", "model_name": "taught", "model_provider": "llavaplus"}
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] > 5
    assert message.usage_metadata["input_token_details"]["cache_read"] == prefix["reused_tokens"]


def test_many_threads_and_many_tasks_get_their_own_answers(served: ChatLlavaPlus, store: ImageStore) -> None:
    bound = served.bind_tools(TOOLS)
    sign = [user_message(SIGN, images=[WHITE], store=store)]
    with ThreadPoolExecutor(8) as pool:
        threads = list(pool.map(lambda number: bound.invoke("Hello." if number % 2 else sign), range(8)))

    async def at_once() -> list[AIMessage]:
        return list(await asyncio.gather(*(bound.ainvoke("Hello." if number % 2 else sign) for number in range(8))))

    assert [len(message.tool_calls) for message in [*threads, *asyncio.run(at_once())]] == [1, 0] * 8


# --- what is asked ------------------------------------------------------------------------------------------------


def test_the_name_of_the_model_may_be_given_with_the_call() -> None:
    engine = ScriptedEngine(lambda prompt, grammar: "Yes.")
    with listening(ChatServer(engine, PLAIN, name="other")) as address:
        lmm = ChatLlavaPlus(model="llavaplus", base_url=f"{address}/v1", speaks=PLAIN)
        assert lmm.invoke("Is it?", model="other").response_metadata["model_name"] == "other"


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/v1/", "http://127.0.0.1:9/v1"])
def test_a_slash_at_the_end_of_the_address_does_not_matter(address: str) -> None:
    lmm = ChatLlavaPlus(model="llavaplus", base_url=address, max_retries=0)
    with pytest.raises(ServerError, match=r"at http://127.0.0.1:9/v1 cannot be reached"):
        lmm.invoke("Hello.")


@pytest.mark.parametrize("choice", ["any", "read_text"])
def test_a_call_is_not_forced_where_the_server_decodes_freely(choice: str) -> None:
    with scripted("Whatever.") as lmm, pytest.raises(ConfigError, match="guided='vllm'"):
        lmm.bind_tools(TOOLS, tool_choice=choice).invoke("Hello.")


CALLS = (
    '"thoughts🤔" Hm.\n"actions🚀" [{"API_name": "read_text", "API_params": {}}, '
    '{"API_name": "read_text", "API_params": {}}]\n"value👉" Wait.\n'
)


@pytest.mark.parametrize(
    ("wish", "reason"), [({"tool_choice": "none"}, "forbidden"), ({"parallel_tool_calls": False}, "several")]
)
def test_calls_that_were_not_wanted_are_told_and_not_made(wish: dict[str, Any], reason: str) -> None:
    with scripted(CALLS) as lmm:
        for message in every_way(lmm.bind_tools(TOOLS, **wish), "Hello."):
            assert (message["tool_calls"], message["content"]) == ([], "Wait.")
            assert reason in message["response_metadata"]["invalid_plan"]


@pytest.mark.parametrize("guided", [None, "vllm"])
def test_a_stop_ends_what_is_said_to_the_user_and_never_a_plan(guided: str | None) -> None:
    with scripted(CALLS.replace("Hm.", "Wait a bit.").replace("Wait.", "Please. Wait."), guided=guided) as lmm:
        bound = lmm.model_copy(update={"stop": ["Wait"]}).bind_tools(TOOLS)
        for message in [*every_way(bound, "Hello."), *every_way(lmm.bind_tools(TOOLS), "Hello.", stop=["Wait"])]:
            assert (message["content"], message["response_metadata"]["finish_reason"]) == ("Please.", "tool_calls")
            assert message["additional_kwargs"] == {"reasoning_content": "Wait a bit."}
            assert message["tool_calls"] == [("read_text", {})] * 2


def test_an_lmm_that_goes_on_with_the_users_part_is_stopped_before_it() -> None:
    class Deaf(ScriptedEngine):
        """A server that does not keep to the texts it was told to stop at."""

        def generate(self, prompt: str, pictures: Any, sampling: Any, grammar: Any = None) -> Iterator[Piece]:
            return super().generate(prompt, pictures, replace(sampling, stop=()), grammar)

    with listening(ChatServer(Deaf(lambda prompt, grammar: "It is.</s>USER: Is it?"), PLAIN)) as address:
        lmm = ChatLlavaPlus(model="llavaplus", base_url=f"{address}/v1", speaks=PLAIN)
        assert {message["content"] for message in every_way(lmm, "Is it?")} == {"It is."}


def test_without_guidance_no_grammar_is_sent() -> None:
    grammars: list[str | None] = []

    def script(prompt: str, grammar: str | None) -> str:
        grammars.append(grammar)
        return CALLS

    with scripted(script) as lmm:
        assert len(lmm.bind_tools(TOOLS).invoke("Hello.").tool_calls) == 2
        lmm.model_copy(update={"guided": "vllm"}).invoke("Hello.")
    assert grammars[0] is None
    assert "actions" in str(grammars[1])


def test_what_the_server_streams_may_hold_any_separator() -> None:
    text = "one\u2028two\u2029three\x85four\x0bfive\r\nsix 日本"
    with scripted(text) as lmm:
        assert {message["content"] for message in every_way(lmm, "Hello.")} == {text}


def test_a_key_is_shown_to_the_server_and_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(ChatServer(ScriptedEngine(lambda prompt, grammar: "Yes."), PLAIN, api_key="s3cret")) as address:
        fields: dict[str, Any] = {"model": "llavaplus", "base_url": f"{address}/v1", "speaks": PLAIN}
        lmm = ChatLlavaPlus(**fields, api_key="s3cret")
        assert lmm.invoke("Is it?").text == "Yes."
        assert "s3cret" not in f"{lmm!r} {lmm._identifying_params} {lmm._server({})!r}"
        with pytest.raises(ConfigError, match=r"refuses the key .*401"):
            ChatLlavaPlus(**fields, api_key="wrong").invoke("Is it?")
        monkeypatch.setenv("LLAVAPLUS_API_KEY", "s3cret")
        assert ChatLlavaPlus(**fields).invoke("Is it?").text == "Yes."


# --- what cannot work -----------------------------------------------------------------------------------------------


def test_a_conversation_too_long_for_the_served_lmm_says_so(served: ChatLlavaPlus) -> None:
    with pytest.raises(ProtocolError, match="longer than the context"):
        served.invoke("why " * 3_000)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"base_url": "localhost:8000", "model": "a"}, "base_url is 'localhost:8000'"),
        ({"base_url": "http://localhost:8000/v1"}, "has a name; pass it as model"),
        ({"guided": "outlines"}, "vllm"),
        ({"timeout": 0}, "greater than 0"),
        ({"max_retries": -1}, "greater than or equal to 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ChatLlavaPlus(**fields)
