import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from llavaplus_graph.data.curation.asking import Asking, identity, is_passing
from llavaplus_graph.data.curation.labelling import DroppedError, Spent
from llavaplus_graph.data.curation.replies import Replies
from llavaplus_graph.errors import ConfigError, ServerError
from llavaplus_graph.testing import ScriptedLmm, plan

ASKED = [HumanMessage("Which colour?")]


class Colour(BaseModel):
    """A colour."""

    name: str


def openai(loopback: Any, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(model="writer", base_url=loopback.url, api_key=SecretStr("key"), max_retries=0, **settings)


def test_a_model_that_calls_tools_fills_the_form(tmp_path: Path) -> None:
    lmm = ScriptedLmm([plan(ToolCall(name="Colour", args={"name": "red"}, id="1", type="tool_call"))])
    spent = Spent()
    asking = Asking(lmm, Replies(tmp_path))
    assert [asking.fill(Colour, ASKED, spent).name for _ in range(3)] == ["red"] * 3
    assert len(lmm.requests) == 1
    assert (spent.requests, spent.cached) == (1, 2)


def test_a_model_without_tools_is_asked_for_plain_json(tmp_path: Path) -> None:
    replies: Iterator[AIMessage] = iter([AIMessage('Sure!\n```json\n{"name": "red"}\n```')])
    asking = Asking(GenericFakeChatModel(messages=replies), Replies(tmp_path))
    assert asking.fill(Colour, ASKED, Spent()).name == "red"


def test_a_reply_that_cannot_be_read_is_asked_for_again_and_both_are_remembered(tmp_path: Path, loopback: Any) -> None:
    loopback.script = lambda body: ["nonsense", '{"name": "red"}'][len(loopback.bodies) - 1]
    asking = Asking(openai(loopback), Replies(tmp_path), method="json_schema")
    spent = Spent()
    assert asking.fill(Colour, ASKED, spent).name == "red"
    assert asking.fill(Colour, ASKED, spent).name == "red"
    assert (spent.requests, spent.cached, spent.input_tokens) == (2, 2, 200)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("nonsense", "cannot be read"),
        ("[1, 2]", "cannot be read"),
        ('{"colour": "red"}', "cannot be read"),
        ({"refusal": "No."}, "refused"),
        ("Sorry, I cannot do that.", "refused"),
        (422, "refused"),
    ],
)
def test_what_is_no_reply_drops_the_sample_after_so_many_attempts(
    tmp_path: Path, loopback: Any, said: Any, reason: str
) -> None:
    loopback.script = lambda body: said
    with pytest.raises(DroppedError, match=reason):
        Asking(openai(loopback), Replies(tmp_path), attempts=3, method="json_schema").fill(Colour, ASKED, Spent())
    assert len(loopback.bodies) == 3


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_passes_is_tried_again(tmp_path: Path, loopback: Any, status: int) -> None:
    loopback.script = lambda body: status if len(loopback.bodies) < 3 else '{"name": "red"}'
    asking = Asking(openai(loopback), Replies(tmp_path), wait=0.0)
    assert asking.fill(Colour, ASKED, Spent()).name == "red"


def test_what_does_not_pass_ends_the_work(tmp_path: Path, loopback: Any) -> None:
    asking = Asking(openai(loopback), Replies(tmp_path), retries=1, wait=0.0, where="The labeller x")
    for status, error, said in [
        (401, ConfigError, r"^The labeller x refused the key \(401\)"),
        (404, ConfigError, r"^The labeller x is not known to its server \(404\)"),
        (503, ServerError, r"^The labeller x failed 2 times \(503"),
    ]:
        loopback.script = lambda body, status=status: status
        with pytest.raises(error, match=said):
            asking.fill(Colour, ASKED, Spent())
    assert not list(tmp_path.rglob("*.json"))


def test_a_server_that_is_not_there_is_an_error_of_the_server(tmp_path: Path) -> None:
    model = ChatOpenAI(model="writer", base_url="http://127.0.0.1:9/v1", api_key=SecretStr("key"), max_retries=0)
    with pytest.raises(ServerError, match=r"failed once .*what is done is kept"):
        Asking(model, Replies(tmp_path), retries=0).fill(Colour, ASKED, Spent())


def test_the_server_says_how_long_to_wait(tmp_path: Path) -> None:
    from tenacity import Future, RetryCallState, Retrying

    told = httpx.Response(429, headers={"retry-after": "7"})
    state = RetryCallState(Retrying(), None, (), {})
    state.outcome = Future(1)
    state.outcome.set_exception(httpx.HTTPStatusError("full", request=httpx.Request("GET", "http://x"), response=told))
    asking = Asking(ScriptedLmm([]), Replies(tmp_path), wait=1.0)
    assert asking._pause(state) == 7.0
    state.outcome = Future(1)
    state.outcome.set_exception(ConnectionError())
    state.attempt_number = 3
    assert asking._pause(state) == 4.0


def test_a_used_up_quota_does_not_pass() -> None:
    response = httpx.Response(429)
    error = httpx.HTTPStatusError("insufficient_quota", request=httpx.Request("GET", "http://x"), response=response)
    assert not is_passing(error)
    assert is_passing(ConnectionResetError())
    assert not is_passing(ValueError())


def test_the_settings_of_a_model_are_part_of_its_identity_and_its_key_is_not(loopback: Any) -> None:
    cool, warm = openai(loopback, temperature=0.1), openai(loopback, temperature=0.9)
    assert identity(cool) != identity(warm)
    assert identity(cool) == identity(openai(loopback, temperature=0.1))
    assert "writer" in identity(cool)
    assert "key" not in identity(cool).replace("api_key", "")


def test_a_damaged_reply_is_asked_for_again(tmp_path: Path, loopback: Any) -> None:
    loopback.script = lambda body: '{"name": "red"}'
    asking = Asking(openai(loopback), Replies(tmp_path))
    asking.fill(Colour, ASKED, Spent())
    (kept,) = tmp_path.rglob("*.json")
    assert json.loads(kept.read_text("utf-8"))["reply"] == {"name": "red"}
    kept.write_text("{", "utf-8")
    asking.fill(Colour, ASKED, Spent())
    assert len(loopback.bodies) == 2
