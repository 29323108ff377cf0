import asyncio
import base64
import io
import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    BaseMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
)
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from PIL import Image
from pydantic import BaseModel, Field, ValidationError

from llavaplus_graph.chat_model import ChatLlavaPlus, chat, user_message
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.errors import ConfigError, LlavaPlusError, PictureError, ProtocolError
from llavaplus_graph.images import ImageStore

Lmm = Runnable[LanguageModelInput, AIMessage]
SIGN = "What does the sign say?"
WHITE = Image.new("RGB", (32, 32), "white")


@tool
def read_text(image: str = "latest") -> str:
    """Reads the text in a picture."""
    return image


@tool
def tag_image(tags: list[str], size: int) -> str:
    """Tags a picture."""
    return f"{tags}{size}"


TOOLS = [read_text, tag_image]


def asked(store: ImageStore, words: str = SIGN) -> list[BaseMessage]:
    return [user_message(words, images=[WHITE], store=store)]


def plain(message: BaseMessage) -> dict[str, Any]:
    """A message without the ids that no two messages share, and without what had been read before it."""
    whole = message_chunk_to_message(message) if isinstance(message, BaseMessageChunk) else message
    assert isinstance(whole, AIMessage)
    fields = whole.model_dump(exclude={"id"})
    assert "reused_tokens" in fields["response_metadata"].pop("prefix")
    assert "cache_read" in fields["usage_metadata"].pop("input_token_details")
    for call in fields["tool_calls"]:
        assert call.pop("id")
    if isinstance(fields["content"], list):  # content blocks of version v1 stand in the order in which they came
        named = [dict(block) for block in whole.content if isinstance(block, dict)]
        blocks = [{key: part for key, part in block.items() if key not in ("id", "index")} for block in named]
        fields["content"] = sorted(blocks, key=lambda block: str(block["type"]))
    return fields


def added(chunks: Sequence[AIMessageChunk]) -> AIMessageChunk:
    first, *rest = chunks
    return first + rest if rest else first


async def gathered(lmm: Lmm, messages: LanguageModelInput, **kwargs: Any) -> AIMessageChunk:
    return added([chunk async for chunk in lmm.astream(messages, **kwargs)])  # type: ignore[misc]


# --- what it says -------------------------------------------------------------------------------------------------


def test_a_plan_has_thoughts_a_call_a_text_and_what_it_cost(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    message = lmm.bind_tools(TOOLS).invoke(asked(store))
    assert plain(message) == {
        **AIMessage("").model_dump(exclude={"id"}),
        "content": "I will use read_text to help to answer the question. Please wait for a moment.",
        "additional_kwargs": {"reasoning_content": "I need read_text."},
        "tool_calls": [{"name": "read_text", "args": {"image": "latest"}, "type": "tool_call"}],
        "response_metadata": {"finish_reason": "tool_calls", "model_name": "taught", "model_provider": "llavaplus"},
        "usage_metadata": plain(message)["usage_metadata"],
    }
    usage = message.usage_metadata
    assert usage is not None
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_tokens"] > 0


def test_it_reads_a_result_and_answers(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    bound = lmm.bind_tools(TOOLS)
    plan = bound.invoke(asked(store))
    result = ToolMessage('{"texts": ["STOP"]}', tool_call_id=str(plan.tool_calls[0]["id"]))
    answer = bound.invoke([*asked(store), plan, result])
    assert (answer.text, answer.tool_calls) == ('It says "STOP".', [])
    assert answer.response_metadata["finish_reason"] == "stop"


def test_without_tools_it_calls_none(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    assert lmm.invoke(asked(store)).tool_calls == []
    assert lmm.invoke("Hello.").text == "Hello, what is in your picture?"


def test_without_constraint_it_still_says_what_it_has_learnt(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    free = lmm.model_copy(update={"constrained": False})
    assert plain(free.bind_tools(TOOLS).invoke(asked(store))) == plain(lmm.bind_tools(TOOLS).invoke(asked(store)))


# --- invoke, stream, ainvoke, astream -----------------------------------------------------------------------------

SETTINGS: dict[str, dict[str, Any]] = {
    "plan": {"tools": TOOLS},
    "two calls": {"tools": TOOLS, "words": "Both."},
    "call without thoughts": {"tools": TOOLS, "words": "Silently."},
    "answer": {"words": "Hello."},
    "cut off in the thoughts": {"max_tokens": 4},
    "cut off in the answer": {"max_tokens": 35, "words": "Hello."},
    "stopped in the answer": {"words": "Hello.", "stop": ["your"]},
    "stopped in the plan": {"tools": TOOLS, "stop": ["API_params"]},
    "forced": {"tools": TOOLS, "tool_choice": "any"},
    "free": {"tools": TOOLS, "constrained": False},
    "ignorant, free": {"tools": TOOLS, "constrained": False, "knows": False},
    "ignorant, forced": {"tools": TOOLS, "tool_choice": "any", "knows": False, "max_tokens": 250},
    "sampled": {"tools": TOOLS, "tool_choice": "tag_image", "temperature": 1.0, "seed": 5, "knows": False},
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("output_version", ["v0", "v1"])
def test_streamed_and_invoked_messages_are_equal(
    lmm: ChatLlavaPlus, clueless: ChatLlavaPlus, store: ImageStore, setting: dict[str, Any], output_version: str
) -> None:
    used = {"tools": [], "tool_choice": None, "words": SIGN, "stop": None, "constrained": True, "knows": True} | setting
    known = ("constrained", "max_tokens", "temperature", "seed")
    changes = {name: used[name] for name in known if name in used} | {"output_version": output_version}
    model = (lmm if used["knows"] else clueless).model_copy(update=changes)
    bound = model.bind_tools(used["tools"], tool_choice=used["tool_choice"]) if used["tools"] else model
    messages = asked(store, used["words"]) if used["words"] == SIGN else [HumanMessage(used["words"])]

    invoked = plain(bound.invoke(messages, stop=used["stop"]))
    assert plain(added(list(bound.stream(messages, stop=used["stop"])))) == invoked  # type: ignore[arg-type]
    assert plain(asyncio.run(bound.ainvoke(messages, stop=used["stop"]))) == invoked
    assert plain(asyncio.run(gathered(bound, messages, stop=used["stop"]))) == invoked


def test_a_stream_gives_thoughts_then_whole_calls_then_the_text_as_it_comes(
    lmm: ChatLlavaPlus, store: ImageStore
) -> None:
    thoughts, call, *texts, last = lmm.bind_tools(TOOLS).stream(asked(store))
    assert thoughts.additional_kwargs == {"reasoning_content": "I need read_text."}
    assert isinstance(call, AIMessageChunk)
    assert [(part["name"], json.loads(part["args"] or ""), part["index"]) for part in call.tool_call_chunks] == [
        ("read_text", {"image": "latest"}, 3)
    ]
    assert all(chunk.content and isinstance(chunk, AIMessageChunk) and not chunk.tool_call_chunks for chunk in texts)
    assert isinstance(last, AIMessageChunk)
    assert (last.content, last.chunk_position) == ("", "last")


def test_a_long_answer_comes_in_several_pieces(lmm: ChatLlavaPlus) -> None:
    pieces = [chunk.content for chunk in lmm.stream("Hello.") if chunk.content]
    assert "".join(map(str, pieces)) == "Hello, what is in your picture?"
    assert len(pieces) > 3


def test_callbacks_hear_every_piece_of_text_once(lmm: ChatLlavaPlus) -> None:
    class Ear(BaseCallbackHandler):
        heard = ""

        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            self.heard += token

    ear = Ear()
    list(lmm.stream("Hello.", config={"callbacks": [ear]}))
    assert ear.heard == "Hello, what is in your picture?"


def test_streams_may_be_taken_in_turns(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    first, second = lmm.stream("Hello."), lmm.bind_tools(TOOLS).stream(asked(store))
    both = [(one, other) for one, other in zip(first, second, strict=False)]
    assert len(both) > 3
    assert lmm.invoke("Hello.").text == "Hello, what is in your picture?"


def test_many_async_streams_at_once_finish(lmm: ChatLlavaPlus) -> None:
    async def all_of_them() -> list[AIMessageChunk]:
        return await asyncio.wait_for(asyncio.gather(*(gathered(lmm, "Hello.") for _ in range(20))), timeout=60)

    assert {message.text for message in asyncio.run(all_of_them())} == {"Hello, what is in your picture?"}


def test_threads_that_ask_at_once_get_their_own_answers(taught: Path, store: ImageStore) -> None:
    chat._open_engine.cache_clear()

    def ask(number: int) -> AIMessage:
        lmm = ChatLlavaPlus(model=str(taught), max_tokens=80, store=store).bind_tools(TOOLS)
        return lmm.invoke("Hello." if number % 2 else asked(store))

    with ThreadPoolExecutor(6) as pool:
        messages = list(pool.map(ask, range(12)))
    assert [len(message.tool_calls) for message in messages] == [1, 0] * 6
    assert chat._open_engine.cache_info().misses == 1


# --- which tool ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["any", "required", True])
def test_a_call_can_be_forced(lmm: ChatLlavaPlus, choice: Any) -> None:
    message = lmm.bind_tools([read_text], tool_choice=choice).invoke("Hello.")
    assert {call["name"] for call in message.tool_calls} == {"read_text"}


@pytest.mark.parametrize("choice", ["none", False])
def test_a_call_can_be_forbidden(lmm: ChatLlavaPlus, store: ImageStore, choice: Any) -> None:
    assert lmm.bind_tools(TOOLS, tool_choice=choice).invoke(asked(store)).tool_calls == []


@pytest.mark.parametrize(
    "choice",
    ["tag_image", {"type": "function", "function": {"name": "tag_image"}}, {"type": "tool", "name": "tag_image"}],
    ids=["name", "openai", "anthropic"],
)
def test_one_tool_can_be_named(clueless: ChatLlavaPlus, choice: Any) -> None:
    sampled = clueless.model_copy(update={"temperature": 1.0, "max_tokens": 600})
    bound = sampled.bind_tools(TOOLS, tool_choice=choice, parallel_tool_calls=False)
    message = bound.invoke("Hello.", seed=3)
    assert [call["name"] for call in message.tool_calls] in (["tag_image"], [])
    assert message.tool_calls or message.response_metadata["finish_reason"] == "length"


@pytest.mark.parametrize("choice", ["draw", {"type": "function", "function": {"name": "draw"}}])
def test_a_choice_that_is_not_bound_is_named_before_anything_runs(choice: Any) -> None:
    with pytest.raises(ConfigError, match="'draw', which is not bound; bound are read_text, tag_image"):
        ChatLlavaPlus(model="nowhere").bind_tools(TOOLS, tool_choice=choice)


def test_nothing_can_be_forced_where_nothing_is_bound() -> None:
    with pytest.raises(ConfigError, match="bound are no tools"):
        ChatLlavaPlus(model="nowhere").bind_tools([], tool_choice="read_text")


def test_whatever_an_ignorant_lmm_says_its_calls_fit_the_schema(clueless: ChatLlavaPlus) -> None:
    class Size(BaseModel):
        """Measures."""

        width: int = Field(ge=0)
        unit: str | None = None

    bound = clueless.bind_tools([Size, *TOOLS], tool_choice="any")
    complete = 0
    for seed in range(8):
        message = bound.invoke("Hello.", temperature=0.9, seed=seed, max_tokens=250)
        assert "invalid_plan" not in message.response_metadata or message.response_metadata["finish_reason"] == "length"
        for call in message.tool_calls:
            complete += 1
            if call["name"] == "Size":
                Size.model_validate(call["args"], strict=True, extra="forbid")
            else:
                {"read_text": read_text, "tag_image": tag_image}[call["name"]].invoke(call["args"])
    assert complete > 3


def test_structured_output_is_decoded_along_the_schema(lmm: ChatLlavaPlus) -> None:
    class Answer(BaseModel):
        """An answer."""

        sure: bool

    assert isinstance(lmm.with_structured_output(Answer).invoke("Hello."), Answer)


def test_a_schema_that_cannot_be_followed_says_what_to_do(lmm: ChatLlavaPlus) -> None:
    odd = {
        "name": "odd",
        "description": "Odd.",
        "parameters": {"properties": {"a": {"pattern": "(?=x)", "type": "string"}}},
    }
    with pytest.raises(ConfigError, match="constrained=False"):
        lmm.bind_tools([odd]).invoke("Hello.")


# --- cut off, stopped, sampled ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [1, 4, 8, 12, 16])
def test_a_plan_that_was_cut_off_is_never_a_call(lmm: ChatLlavaPlus, store: ImageStore, tokens: int) -> None:
    message = lmm.bind_tools(TOOLS).invoke(asked(store), max_tokens=tokens)
    assert message.tool_calls == []
    assert message.response_metadata["finish_reason"] == "length"
    assert "cut off" in message.response_metadata["invalid_plan"]
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] == tokens


def test_an_answer_that_was_cut_off_says_so(lmm: ChatLlavaPlus) -> None:
    message = lmm.invoke("Hello.", max_tokens=35)
    assert 0 < len(message.text) < len("Hello, what is in your picture?")
    assert message.response_metadata["finish_reason"] == "length"
    assert "invalid_plan" not in message.response_metadata


@pytest.mark.parametrize("where", ["call", "model"])
def test_a_stop_ends_the_answer_before_it(lmm: ChatLlavaPlus, where: str) -> None:
    model = lmm.model_copy(update={"stop": ["your"]}) if where == "model" else lmm
    message = model.invoke("Hello.", stop=["your"] if where == "call" else None)
    assert (message.text, message.response_metadata["finish_reason"]) == ("Hello, what is in", "stop")


def test_a_seed_makes_a_temperature_repeatable(clueless: ChatLlavaPlus) -> None:
    texts = [clueless.invoke("Hello.", temperature=1.0, seed=seed, max_tokens=20).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    warm = clueless.model_copy(update={"temperature": 1.0, "seed": 1, "max_tokens": 20})
    assert warm.invoke("Hello.").text == texts[0]


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.5}, {"max_tokens": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChatLlavaPlus(**wrong)


# --- pictures -----------------------------------------------------------------------------------------------------


def tokens_of(lmm: ChatLlavaPlus, messages: list[BaseMessage]) -> int:
    usage = lmm.invoke(messages, max_tokens=1).usage_metadata
    assert usage is not None
    return usage["input_tokens"]


def test_every_picture_of_user_and_tools_takes_its_place_in_the_prompt(
    clueless: ChatLlavaPlus, store: ImageStore
) -> None:
    def conversation(*blocks: Any) -> list[BaseMessage]:
        plan = AIMessage("", tool_calls=[{"name": "turn", "args": {}, "id": "1"}])
        return [HumanMessage([*blocks, {"type": "text", "text": "Q"}]), plan, ToolMessage([*blocks], tool_call_id="1")]

    block = {"type": "image", "file_id": store.put(WHITE)}
    without = tokens_of(clueless, conversation())
    seat = clueless.get_num_tokens("<image>\n") + 3  # a picture takes four positions
    assert tokens_of(clueless, conversation(block)) == without + 2 * seat
    assert tokens_of(clueless, conversation(block, block)) == without + 4 * seat


def test_a_picture_may_come_inline(clueless: ChatLlavaPlus, store: ImageStore) -> None:
    buffer = io.BytesIO()
    WHITE.save(buffer, "JPEG")
    block = {"type": "image", "base64": base64.b64encode(buffer.getvalue()).decode(), "mime_type": "image/jpeg"}
    inline: list[BaseMessage] = [HumanMessage([block, {"type": "text", "text": SIGN}])]
    assert tokens_of(clueless, inline) == tokens_of(clueless, asked(store))


@pytest.mark.parametrize(
    ("block", "error", "complaint"),
    [
        ({"type": "image", "url": "http://127.0.0.1:9/a.png"}, PictureError, "given by address"),
        ({"type": "image_url", "image_url": {"url": "file:///etc/hosts"}}, PictureError, "given by address"),
        ({"type": "image", "file_id": "img_0000000000000000"}, PictureError, "holds no picture img_0000000000000000"),
        ({"type": "image", "file_id": "/etc/hosts"}, PictureError, "is not a handle"),
        (
            {"type": "image", "base64": base64.b64encode(b"no picture").decode(), "mime_type": "image/png"},
            PictureError,
            "neither PNG, JPEG nor",
        ),
        ({"type": "audio", "base64": "AAAA"}, ProtocolError, "'audio' cannot be shown"),
        ({"type": "hologram"}, ProtocolError, "'hologram' cannot be shown"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True], ids=["invoke", "stream"])
def test_what_cannot_be_seen_raises(
    lmm: ChatLlavaPlus, block: dict[str, Any], error: type[LlavaPlusError], complaint: str, streaming: bool
) -> None:
    messages = [HumanMessage([block, {"type": "text", "text": "What is it?"}])]
    with pytest.raises(error, match=complaint):
        list(lmm.stream(messages)) if streaming else lmm.invoke(messages)


def test_a_picture_named_in_words_is_only_words(clueless: ChatLlavaPlus) -> None:
    plain_words = tokens_of(clueless, [HumanMessage("What is   here?")])
    assert tokens_of(clueless, [HumanMessage("What is <image> here?")]) == plain_words


# --- how a checkpoint speaks --------------------------------------------------------------------------------------


def test_a_checkpoint_of_the_original_calls_skills_by_its_own_names(taught: Path, tmp_path: Path) -> None:
    @tool
    def segment_region(boxes: list[list[float]]) -> str:
        """Cuts out."""
        return str(boxes)

    directory = shutil.copytree(taught, tmp_path / "original")
    Dialect(template="v1", system="", names="wire").save(directory)
    bound = ChatLlavaPlus(model=str(directory)).bind_tools([segment_region], tool_choice="segment_region")
    cut_off = [bound.invoke("Hello.", max_tokens=count).text for count in (20, 30, 40)]
    assert any('"API_name": "sam"' in text for text in cut_off)
    calls = bound.invoke("Hello.", max_tokens=300).tool_calls
    assert {call["name"] for call in calls} <= {"segment_region"}


def test_what_the_developer_says_stands_with_the_system_text(clueless: ChatLlavaPlus) -> None:
    question = HumanMessage("Hello.")
    more = tokens_of(clueless, [SystemMessage("Be kind."), question]) - tokens_of(clueless, [question])
    assert more == pytest.approx(clueless.get_num_tokens("Be kind. "), abs=1)
