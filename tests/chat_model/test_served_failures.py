"""What goes wrong with a served LMM: every failure is one clear sentence, and a part of an answer never is one."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.errors import ConfigError, LlavaPlusError, ProtocolError, ServerError
from llavaplus_graph.testing import listening
from llavaplus_graph.testing.serving import App, Receive, Scope, Send, respond

PLAIN = Dialect(template="v1", system="", names="skills")
CALLS = (
    '"thoughts🤔" Hm.\n"actions🚀" [{"API_name": "read_text", "API_params": {}}, '
    '{"API_name": "read_text", "API_params": {}}]\n"value👉" Wait.\n'
)


@tool
def read_text(image: str = "latest") -> str:
    """Reads the text in a picture."""
    return image


@contextmanager
def answered(app: App, **fields: Any) -> Iterator[ChatLlavaPlus]:
    """A model whose server is an ASGI app of the test's own."""
    with listening(app) as address:
        yield ChatLlavaPlus(model="llavaplus", base_url=f"{address}/v1", **{"max_retries": 0, **fields})


def refusing(status: int, body: Any) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, status, body)

    return app


def saying(*events: str, end: bool = True, kind: bytes = b"text/event-stream") -> App:
    """A server that sends these events and then ends the response or just the connection."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        for event in events:
            await send({"type": "http.response.body", "body": f"data: {event}\n\n".encode(), "more_body": True})
        if end:
            await send({"type": "http.response.body", "body": b""})

    return app


def delta(text: str, reason: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]})


REFUSALS: dict[str, tuple[App, type[LlavaPlusError], str]] = {
    "no key": (refusing(401, {"error": "Unauthorized"}), ConfigError, "refuses the key .401: Unauthorized"),
    "no such model": (
        refusing(404, {"error": {"message": "The model `llavaplus` does not exist.", "code": 404}}),
        ConfigError,
        "has no model 'llavaplus'; http.*/v1/models lists",
    ),
    "no such path": (refusing(404, {"detail": "Not Found"}), ConfigError, "no chat endpoint .*ends in /v1"),
    "too long (vLLM)": (
        refusing(400, {"error": {"message": "This model's maximum context length is 4096 tokens.", "code": 400}}),
        ProtocolError,
        "longer than the context .*start a new one",
    ),
    "too long (SGLang)": (
        refusing(
            400, {"object": "error", "message": "The input (9 tokens) is longer than the model's context length (8)."}
        ),
        ProtocolError,
        "longer than the context",
    ),
    "refused": (refusing(422, {"detail": "ebnf?\nmore"}), ConfigError, r"does not accept the request \(422: ebnf\?\)"),
    "moved": (refusing(307, {}), ConfigError, "307"),
    "broken": (refusing(500, {"message": "CUDA out of memory"}), ServerError, "failed .500: CUDA out of memory"),
    "a page": (refusing(200, "<html>"), ServerError, "not the OpenAI protocol"),
    "no JSON": (saying("{nonsense"), ServerError, "answers with '{nonsense'"),
    "JSON of another kind": (saying("[1]"), ServerError, "not the OpenAI protocol"),
    "an error on the way (vLLM)": (
        saying(delta("Yes"), '{"error": {"message": "worker died", "code": 500}}', "[DONE]"),
        ServerError,
        "failed .500: worker died",
    ),
    "an error on the way (SGLang)": (
        saying(delta("Yes"), '{"object": "error", "message": "worker died", "code": 500}'),
        ServerError,
        "worker died",
    ),
    "given up": (saying(delta("Yes"), delta("", "abort")), ServerError, "the reason 'abort'"),
    "ended early": (saying(delta("Yes, it i")), ServerError, "broke off in the middle"),
    "ended early but done": (saying(delta("Yes, it i"), "[DONE]"), ServerError, "broke off in the middle"),
    "connection lost": (saying(delta("Yes, it i"), end=False), ServerError, "broke off in the middle"),
    "nothing at all": (saying(), ServerError, "broke off in the middle"),
}


@pytest.mark.parametrize(("app", "error", "complaint"), REFUSALS.values(), ids=REFUSALS)
def test_what_goes_wrong_is_said_and_never_taken_for_an_answer(
    app: App, error: type[LlavaPlusError], complaint: str
) -> None:
    async def streamed(lmm: ChatLlavaPlus) -> None:
        async for _ in lmm.astream("Hello."):
            pass

    with answered(app) as lmm:
        asks: list[Callable[[], Any]] = [
            lambda: lmm.invoke("Hello."),
            lambda: list(lmm.stream("Hello.")),
            lambda: asyncio.run(lmm.ainvoke("Hello.")),
            lambda: asyncio.run(streamed(lmm)),
        ]
        for ask in asks:
            with pytest.raises(error, match=complaint):
                ask()


def test_a_call_that_was_cut_off_by_the_server_is_no_call() -> None:
    cut = CALLS[: CALLS.index(", {")]
    with answered(saying(delta(cut)), speaks=PLAIN) as lmm, pytest.raises(ServerError, match="broke off"):
        lmm.bind_tools([read_text]).invoke("Hello.")
    with answered(saying(delta(cut, "length")), speaks=PLAIN) as lmm:
        message = lmm.bind_tools([read_text]).invoke("Hello.")
    assert (message.tool_calls, message.response_metadata["finish_reason"]) == ([], "length")
    assert "cut off" in message.response_metadata["invalid_plan"]


def test_nobody_at_the_address_is_said() -> None:
    lmm = ChatLlavaPlus(model="llavaplus", base_url="http://127.0.0.1:9/v1", max_retries=1)
    with pytest.raises(ServerError, match=r"cannot be reached .*start it or correct base_url"):
        lmm.invoke("Hello.")


def test_a_server_that_says_nothing_is_not_waited_for_longer_than_the_timeout() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1)

    with answered(app, timeout=0.1) as lmm:
        with pytest.raises(ServerError, match=r"was silent for 0\.1 seconds"):
            lmm.invoke("Hello.")
        with pytest.raises(ServerError, match=r"was silent for 0\.1 seconds"):
            asyncio.run(lmm.ainvoke("Hello."))


def failing(times: int, then: App, status: int = 503) -> tuple[App, list[int]]:
    """A server that fails at first; and how often it was asked."""
    asked: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(len(asked))
        if len(asked) > times:
            await then(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"retry-after", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"message": "busy"}'})

    return app, asked


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(status: int) -> None:
    app, asked = failing(2, saying(delta("Yes.", "stop"), "[DONE]"), status)
    with answered(app, max_retries=2) as lmm:
        assert lmm.invoke("Is it?").text == "Yes."
        assert len(asked) == 3
        asked.clear()
        assert asyncio.run(lmm.ainvoke("Is it?")).text == "Yes."
        asked.clear()
        with pytest.raises(ServerError, match="busy"):
            lmm.model_copy(update={"max_retries": 1}).invoke("Is it?")
        assert len(asked) == 2


def test_a_request_that_was_refused_is_not_repeated() -> None:
    app, asked = failing(9, refusing(200, {}), 400)
    with answered(app, max_retries=5) as lmm, pytest.raises(ConfigError, match="400: busy"):
        lmm.invoke("Is it?")
    assert len(asked) == 1


BEGUN = '"thoughts🤔" Hm.\n"actions🚀" []\n"value👉" Yes, it i'


def test_a_stream_that_is_left_ends_the_connection() -> None:
    left: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await saying('{"choices": []}', delta(BEGUN), end=False)(scope, receive, send)
        left.append((await asyncio.wait_for(receive(), 60))["type"])

    def patiently() -> None:
        until = time.monotonic() + 60
        while not left and time.monotonic() < until:
            time.sleep(0.01)

    def left_after(ask: Callable[[], None]) -> list[str]:
        left.clear()
        ask()
        patiently()
        return left

    with answered(app) as lmm:

        def one_piece() -> None:
            stream = cast("Generator[ChatGenerationChunk, None, None]", lmm._stream([HumanMessage("Is it?")]))
            next(stream)
            stream.close()

        async def one_piece_later() -> None:
            stream = cast("AsyncGenerator[ChatGenerationChunk, None]", lmm._astream([HumanMessage("Is it?")]))
            await anext(stream)
            await stream.aclose()

        assert left_after(one_piece) == ["http.disconnect"]
        assert left_after(lambda: asyncio.run(one_piece_later())) == ["http.disconnect"]


def test_whether_the_server_is_there_and_has_the_model_can_be_asked_early() -> None:
    listed = {"data": [{"id": "other"}, {"id": "third"}]}
    with answered(refusing(200, listed)) as lmm, pytest.raises(ConfigError, match="it has other, third"):
        lmm.load()
    with answered(refusing(200, {"data": [{"id": "llavaplus"}]})) as lmm:
        assert lmm.load() is lmm
    with answered(refusing(401, {"error": "Unauthorized"})) as lmm, pytest.raises(ConfigError, match="refuses the key"):
        lmm.load()
    with answered(refusing(200, ["no", "models"])) as lmm, pytest.raises(ServerError, match="not the OpenAI protocol"):
        lmm.load()
    with pytest.raises(ServerError, match="cannot be reached"):
        lmm.load()
