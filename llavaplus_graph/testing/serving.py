"""An OpenAI-compatible chat server for tests: real HTTP on this machine, any engine behind it. Not for production.

It renders the conversation with the dialect's chat template, takes pictures as data URIs and grammars under the names
of vLLM and SGLang, streams, and refuses with the statuses and bodies of vLLM. Knows the wire format, not what is said.

Example:
    >>> engine = ScriptedEngine(lambda prompt, grammar: "Hello.")
    >>> with listening(ChatServer(engine, Dialect(template="v1"))) as address:  # doctest: +SKIP
    ...     ChatLlavaPlus(model="llavaplus", base_url=f"{address}/v1").invoke("Hi.").text
    'Hello.'
"""

import asyncio
import json
import re
import socket
import threading
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from jinja2.sandbox import ImmutableSandboxedEnvironment
from llguidance.gbnf_to_lark import any_to_lark
from PIL import Image

from llavaplus_graph.chat_model.chat_template import chat_template
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.generation import Piece, Sampling
from llavaplus_graph.errors import LlavaPlusError, MissingExtraError, PictureError
from llavaplus_graph.images import read_picture

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_JSON, _EVENTS = b"application/json", b"text/event-stream; charset=utf-8"


class Engine(Protocol):
    """What generates text: the engine of a local checkpoint, or a script."""

    def generate(
        self, prompt: str, pictures: Sequence[Image.Image], sampling: Sampling, grammar: str | None = None
    ) -> Iterator[Piece]:
        """Generate a continuation; the last piece says why it ended."""
        ...


class ScriptedEngine:
    """An engine that says what a script says, a few characters at a time.

    Args:
        script: Gets the prompt and the grammar (None without one) and gives the text.

    Attributes:
        pictures: How many pictures came with every request, oldest first.
    """

    def __init__(self, script: Callable[[str, str | None], str]) -> None:
        self._script = script
        self.pictures: list[int] = []

    def generate(
        self, prompt: str, pictures: Sequence[Image.Image], sampling: Sampling, grammar: str | None = None
    ) -> Iterator[Piece]:
        """Say the scripted text up to the first stop text or as many pieces as tokens are allowed."""
        self.pictures.append(len(pictures))
        text = self._script(prompt, grammar)
        end = min([len(text), *(at for at in map(text.find, sampling.stop) if at >= 0)])
        tokens = re.findall(r".{1,4}", text[:end], re.DOTALL)
        yield from map(Piece, tokens[: sampling.max_tokens])
        cut = len(tokens) > sampling.max_tokens
        yield Piece("", "length" if cut else "stop", len(prompt.split()), min(len(tokens), sampling.max_tokens))


class ChatServer:
    """An ASGI app with `/v1/models` and `/v1/chat/completions`.

    Args:
        engine: What generates.
        dialect: How its LMM speaks.
        name: The name of its only model; None lets every name pass.
        api_key: The bearer token it wants; None lets everybody in.

    Attributes:
        bodies: What it was asked, oldest first.
    """

    def __init__(
        self, engine: Engine, dialect: Dialect, *, name: str | None = "llavaplus", api_key: str | None = None
    ) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)  # as transformers compiles it
        self._template = environment.from_string(chat_template(dialect))
        self._engine = engine
        self._name = name
        self._api_key = api_key
        self.bodies: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        key = dict(scope["headers"]).get(b"authorization", b"").decode()
        if self._api_key is not None and key != f"Bearer {self._api_key}":
            await respond(send, 401, {"error": "Unauthorized"})
        elif scope["path"] == "/v1/models":
            await respond(send, 200, {"object": "list", "data": [{"id": self._name or "any", "object": "model"}]})
        elif scope["path"] == "/v1/chat/completions":
            await self._chat(json.loads(await _received(receive)), send)
        else:
            await respond(send, 404, {"detail": "Not Found"})

    async def _chat(self, body: dict[str, Any], send: Send) -> None:
        self.bodies.append(body)
        if self._name not in (None, body["model"]):
            await respond(send, 404, _error(404, f"The model `{body['model']}` does not exist."))
            return
        try:
            pieces = self._pieces(body)
            first = await asyncio.to_thread(next, pieces)
        except LlavaPlusError as error:
            # vLLM names the limit, not the way out, and a client has to understand that.
            said = "This model's maximum context length is exceeded" if "tokens, more than" in str(error) else error
            await respond(send, 400, _error(400, str(said)))
            return
        await (self._stream if body.get("stream") else self._whole)(body, first, pieces, send)

    def _pieces(self, body: Mapping[str, Any]) -> Iterator[Piece]:
        prompt = self._template.render(messages=body["messages"], add_generation_prompt=True)
        sampling = Sampling(
            max_tokens=body.get("max_tokens", 512),
            temperature=body.get("temperature", 1.0),
            top_p=body.get("top_p", 1.0),
            seed=body.get("seed"),
            stop=tuple(body.get("stop") or ()),
        )
        grammar = (body.get("structured_outputs") or {}).get("grammar") or body.get("ebnf")
        return iter(
            self._engine.generate(
                prompt, _pictures(body["messages"]), sampling, any_to_lark(grammar) if grammar else None
            )
        )

    async def _stream(self, body: Mapping[str, Any], first: Piece, rest: Iterator[Piece], send: Send) -> None:
        await _start(send, 200, _EVENTS)
        await _event(send, {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        piece: Piece | None = first
        last = first
        while piece is not None:
            last = piece
            await _event(send, {"choices": [{"index": 0, "delta": {"content": piece.text}, "finish_reason": None}]})
            piece = await asyncio.to_thread(next, rest, None)
        await _event(send, {"choices": [{"index": 0, "delta": {}, "finish_reason": last.finish_reason}]})
        if (body.get("stream_options") or {}).get("include_usage"):
            await _event(send, {"choices": [], "usage": _usage(last)})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _whole(self, body: Mapping[str, Any], first: Piece, rest: Iterator[Piece], send: Send) -> None:
        pieces = [first, *await asyncio.to_thread(list, rest)]
        message = {"role": "assistant", "content": "".join(piece.text for piece in pieces)}
        choice = {"index": 0, "message": message, "finish_reason": pieces[-1].finish_reason}
        await respond(send, 200, {"model": body["model"], "choices": [choice], "usage": _usage(pieces[-1])})


@contextmanager
def listening(app: App) -> Iterator[str]:
    """Serve an ASGI app on a free port of this machine while the block runs; gives its address.

    Raises:
        MissingExtraError: If uvicorn is not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("llavaplus_graph.testing.listening", "dev") from error
    config = uvicorn.Config(app, lifespan="off", ws="none", log_level="critical", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


async def respond(send: Send, status: int, body: Mapping[str, Any]) -> None:
    """Send a whole JSON response."""
    await _start(send, status, _JSON)
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def _start(send: Send, status: int, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})


async def _event(send: Send, event: Mapping[str, Any]) -> None:
    data = f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _received(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _pictures(messages: Sequence[Mapping[str, Any]]) -> list[Image.Image]:
    parts = [part for message in messages if isinstance(message["content"], list) for part in message["content"]]
    uris = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    if foreign := [uri for uri in uris if not uri.startswith("data:image/")]:
        raise PictureError(f"{foreign[0]!r} is not a data URI of a picture.")
    return [read_picture(b64decode(uri.partition(",")[2])) for uri in uris]


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "BadRequestError", "param": None, "code": code}}


def _usage(last: Piece) -> dict[str, Any]:
    counts = {"prompt_tokens": last.input_tokens, "completion_tokens": last.output_tokens}
    details = {} if last.reused_tokens is None else {"prompt_tokens_details": {"cached_tokens": last.reused_tokens}}
    return {**counts, "total_tokens": sum(counts.values()), **details}
