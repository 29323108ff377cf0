"""What models are shown: captured from the requests that real clients send, and by what models say of themselves."""

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from PIL import Image
from pydantic import SecretStr

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.graph.sight import Sight, vision_of
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, scripted_skill
from llavaplus_graph.testing.serving import Receive, Scope, Send, listening, respond
from llavaplus_graph.types import Pictures

OPENAI_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "transform_image", "arguments": '{"image": "latest"}'},
}
OPENAI = [
    {"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]},
    {"role": "assistant", "content": "It is blue now."},
]
ANTHROPIC = [
    [{"type": "tool_use", "id": "c1", "name": "transform_image", "input": {"image": "latest"}}],
    [{"type": "text", "text": "It is blue now."}],
]
USAGE = {"input_tokens": 1, "output_tokens": 1, "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


@contextmanager
def provider(replies: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers in order; its address and what it was asked."""
    asked: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        asked.append(json.loads(body))
        await respond(send, 200, replies[len(asked) - 1])

    with listening(app) as address:
        yield address, asked


def colour(encoded: str) -> tuple[int, ...]:
    pixel = Image.open(io.BytesIO(base64.b64decode(encoded))).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel


def conversation(model: BaseChatModel, folder: Path, **options: Any) -> dict[str, Any]:
    """Asks about a red picture, of which a skill makes a blue one."""
    store = ImageStore(folder)
    red, blue = (store.put(Image.new("RGB", (8, 6), name)) for name in ("red", "blue"))
    skill = scripted_skill("transform_image", Pictures(handles=(blue,), message="Done."))
    graph = create_llavaplus_graph(model, [skill], store=store, **options).compile()
    asked = HumanMessage([{"type": "image", "file_id": red}, {"type": "text", "text": "Make it blue."}])
    return graph.invoke({"messages": [asked]})


def test_chat_completions_get_what_a_skill_made_in_a_user_turn_behind_the_results(tmp_path: Path) -> None:
    replies = [{"id": "r", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]} for said in OPENAI]
    with provider([reply | {"model": "gpt-4o", "usage": USAGE} for reply in replies]) as (address, asked):
        model = ChatOpenAI(model="gpt-4o", base_url=f"{address}/v1", api_key=SecretStr("x"), max_retries=0)
        out = conversation(model, tmp_path)
    assert out["messages"][-1].text == "It is blue now."
    turns = asked[1]["messages"]
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "tool", "user"]
    assert turns[1]["content"][0] == {"type": "text", "text": "image_1:"}
    assert colour(turns[1]["content"][1]["image_url"]["url"].split(",")[1]) == (255, 0, 0)
    assert "image_url" not in json.dumps(turns[3])
    assert [part.get("text") for part in turns[4]["content"]] == ["The skills made:", "image_2:", None]
    assert colour(turns[4]["content"][2]["image_url"]["url"].split(",")[1]) == (0, 0, 255)
    assert "base64" not in repr(out)


def test_anthropic_messages_get_what_a_skill_made_in_the_turn_of_the_tool(tmp_path: Path) -> None:
    reply = {"id": "r", "type": "message", "role": "assistant", "model": "claude", "usage": USAGE}
    with provider([reply | {"content": said, "stop_reason": "end_turn"} for said in ANTHROPIC]) as (address, asked):
        model = ChatAnthropic(
            model="claude",
            base_url=address,
            api_key=SecretStr("x"),
            max_retries=0,
            timeout=None,
            stop=None,
        )
        out = conversation(model, tmp_path)
    assert out["messages"][-1].text == "It is blue now."
    turns = asked[1]["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    (result,) = turns[2]["content"]
    assert result["type"] == "tool_result"
    assert [part["type"] for part in result["content"]] == ["text", "text", "image"]
    assert result["content"][1]["text"] == "image_2:"
    assert colour(result["content"][2]["source"]["data"]) == (0, 0, 255)
    assert "Pictures are called image_1" in json.dumps(asked[1]["system"])


def test_anthropic_is_told_to_call_nothing_where_an_answer_is_due(tmp_path: Path) -> None:
    reply = {"id": "r", "type": "message", "role": "assistant", "model": "claude", "usage": USAGE}
    with provider([reply | {"content": said, "stop_reason": "end_turn"} for said in ANTHROPIC]) as (address, asked):
        model = ChatAnthropic(
            model="claude", base_url=address, api_key=SecretStr("x"), max_retries=0, timeout=None, stop=None
        )
        conversation(model, tmp_path, max_rounds=1)
    assert "tool_choice" not in asked[0]
    assert asked[1]["tool_choice"] == {"type": "none"}


def test_a_model_that_opens_the_store_keeps_its_handles_and_gets_those_that_skills_made(tmp_path: Path) -> None:
    lmm = ScriptedLmm([call("transform_image"), "It is blue now."])
    out = conversation(lmm, tmp_path)
    shown = lmm.requests[1].messages
    assert [type(message) for message in shown] == [HumanMessage, AIMessage, ToolMessage]
    assert isinstance(shown[2].content, list)
    assert shown[2].content[1] == {"type": "image", "file_id": out["images"][1]}
    assert isinstance(out["messages"][2].content, str)


class _Reader(ScriptedLmm):
    sees_results: bool = False


def test_a_model_that_was_tuned_on_texts_of_results_alone_can_say_so(tmp_path: Path) -> None:
    lmm = _Reader(responses=[call("transform_image"), "Done."])
    conversation(lmm, tmp_path)
    assert isinstance(lmm.requests[1].messages[2].content, str)


class _Profiled(ScriptedLmm):
    kind: str = "other"

    @property
    def _llm_type(self) -> str:
        return self.kind


def model_with(kind: str = "other", **profile: Any) -> BaseChatModel:
    return _Profiled(responses=[], reads_handles=False, kind=kind, profile=profile or None)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param(ScriptedLmm([]), "handles", id="reads-handles"),
        pytest.param(model_with(), "user_turn", id="unknown"),
        pytest.param(model_with(image_inputs=True), "user_turn", id="sees"),
        pytest.param(model_with(image_inputs=True, image_tool_message=True), "tool_turn", id="sees-in-tool-turns"),
        pytest.param(model_with(image_inputs=False), "nothing", id="blind"),
        pytest.param(model_with("openai-chat", image_tool_message=True), "user_turn", id="openai"),
        pytest.param(model_with("openai-chat", image_inputs=False), "nothing", id="openai-blind"),
        pytest.param(model_with("anthropic-chat"), "tool_turn", id="anthropic"),
    ],
)
def test_how_a_model_sees_follows_from_its_class_and_profile(model: BaseChatModel, expected: str) -> None:
    assert vision_of(model) == expected


def test_the_responses_interface_of_openai_takes_pictures_in_tool_turns() -> None:
    model = ChatOpenAI(model="gpt-4o", api_key=SecretStr("x"), use_responses_api=True)
    assert vision_of(model) == "tool_turn"


def shows(store: ImageStore, name: str = "red") -> HumanMessage:
    handle = store.put(Image.new("RGB", (8, 6), name))
    return HumanMessage([{"type": "image", "file_id": handle}, {"type": "text", "text": "What is it?"}])


def test_a_model_that_sees_nothing_is_never_asked_about_a_picture(tmp_path: Path) -> None:
    sight = Sight(model_with(image_inputs=False), ImageStore(tmp_path))
    asked: list[BaseMessage] = [HumanMessage("Hello")]
    assert sight.visible(asked) == asked
    with pytest.raises(ConfigError, match=r"_Profiled takes no pictures.*vision='captions'"):
        sight.visible([shows(ImageStore(tmp_path))])


def test_captions_stand_in_place_of_pixels(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    asked = shows(store)
    handle = store.put(Image.new("RGB", (8, 6), "red"))
    sight = Sight(model_with(image_inputs=False), store, vision="captions", captioner=lambda of: f"red, {of[:4]}")
    (told,) = sight.visible([asked], [handle])
    assert told.text == "image_1 (described in words): red, img_What is it?"
    assert "file_id" not in repr(told.content)
    with pytest.raises(ConfigError, match="needs the skill caption_image"):
        Sight(model_with(), store, vision="captions")


def test_only_what_stands_first_is_said_by_the_system() -> None:
    sight = Sight(model_with(), ImageStore("memory://system"), prompt="You plan.")
    said = sight.visible([SystemMessage("Be brief."), HumanMessage("Hi"), SystemMessage("Try again.")])
    assert [type(message) for message in said] == [SystemMessage, SystemMessage, HumanMessage, HumanMessage]


def test_pictures_of_several_results_come_behind_the_last_of_them(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    handles = [store.put(Image.new("RGB", (8, 6), name)) for name in ("red", "blue")]
    results = [
        ToolMessage("{}", tool_call_id=handle, artifact=Pictures(handles=(handle,), message="Done.").model_dump())
        for handle in handles
    ]
    shown = Sight(model_with(), store).visible([*results, AIMessage("Two.")], handles)
    assert [message.type for message in shown] == ["tool", "tool", "human", "ai"]
    assert shown[2].text == "The skills made:image_1:image_2:"
