"""The wire format of OpenAI-compatible chat servers: the body of a request, the events of a stream, refusals.

Pure: knows JSON and server-sent events, opens no connection. Written down by OpenAI (`/v1/chat/completions` with
`stream`), extended by vLLM (`structured_outputs`, `add_special_tokens`) and SGLang (`ebnf`).
"""

import base64
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final, Literal

from PIL import Image

from llavaplus_graph.chat_model.generation import Piece, Request, Sampling
from llavaplus_graph.chat_model.writing import Stops
from llavaplus_graph.errors import ConfigError, LlavaPlusError, ProtocolError, ServerError
from llavaplus_graph.protocol import IMAGE

Guided = Literal["vllm", "sglang"]

PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed."""

_ROLES = {"human": "user", "gpt": "assistant"}
# With it, either server hands the grammar to llguidance as it is instead of reading it as another notation.
_LARK = "%llguidance {}\n"
_TOO_LONG = ("context length", "context window", "context_length", "maximum model length")
_LONGEST_MESSAGE = 300


def chat_body(request: Request, model: str, guided: Guided | None) -> dict[str, Any]:
    """Write a request; the turns go in the protocol's own words, the server's chat template joins them.

    Args:
        request: The conversation, with as many pictures as places for them.
        model: The name under which the server knows the LMM.
        guided: How this server takes a grammar; None sends none.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": _messages(request),
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stream": True,
        "stream_options": {"include_usage": True} | ({"continuous_usage_stats": True} if guided else {}),
    }
    if sampling.stop:
        body["stop"] = list(dict.fromkeys(sampling.stop))
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if guided == "vllm":
        # Left out by default; locally the tokenizer puts its first token before every prompt, as in training.
        body["add_special_tokens"] = True
    if request.grammar is not None and guided == "vllm":
        body["structured_outputs"] = {"grammar": _LARK + request.grammar}
    elif request.grammar is not None and guided == "sglang":
        body["ebnf"] = _LARK + request.grammar
    return body


class Events:
    """Reads a stream of server-sent events into pieces of text; what was cut off is an error, never an answer.

    Args:
        server: The address, for the sentences.
        sampling: The texts that end a generation are looked for here too: those of an answer are not sent, because a
            server would end a plan with them, and not every server keeps to those that are.
    """

    def __init__(self, server: str, sampling: Sampling) -> None:
        self._server = server
        self._stops = Stops(sampling.stop, sampling.answer_stop)
        self._bytes = b""
        self._usage: Mapping[str, Any] = {}
        self._reason: Literal["stop", "length"] | None = None

    @property
    def ended(self) -> bool:
        """Whether a text that ends the answer has come; the server need not go on."""
        return self._stops.reached

    def take(self, data: bytes) -> Iterator[Piece]:
        """Take bytes as they come.

        Raises:
            ServerError: If the server reports an error or does not speak the protocol.
        """
        # Lines are split here, because JSON may hold separators at which a text is split into lines elsewhere.
        *lines, self._bytes = (self._bytes + data).split(b"\n")
        for line in lines:
            name, _, value = line.strip().partition(b":")
            if name == b"data" and value.strip() != b"[DONE]" and not self.ended:
                yield from self._event(value)

    def last(self) -> Piece:
        """End the stream; gives the text held back, why it ended and, where the server tells, how long both sides were.

        Raises:
            ServerError: If no reason for the end has come.
        """
        reason = "stop" if self.ended else self._reason
        if reason is None:
            raise ServerError(f"The server at {self._server} broke off in the middle of an answer; ask again.")
        count = {name: int(self._usage.get(f"{name}_tokens") or 0) for name in ("prompt", "completion")}
        reused = (self._usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        return Piece(self._stops.rest(), reason, count["prompt"], count["completion"], reused)

    def _event(self, text: bytes) -> Iterator[Piece]:
        try:
            event = json.loads(text)
            choices = [dict(choice) for choice in event.get("choices") or ()]
            fresh = "".join(str((choice.get("delta") or {}).get("content") or "") for choice in choices)
            self._usage = dict(event.get("usage") or self._usage)
        except (ValueError, TypeError, AttributeError) as error:
            raise not_openai(self._server, text) from error
        if event.get("error") or event.get("object") == "error":
            raise refusal(self._server, _number(event), text)
        if said := self._stops.add(fresh):
            yield Piece(said)
        for reason in [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]:
            if reason not in ("stop", "length"):
                raise ServerError(f"The server at {self._server} gave up an answer with the reason {reason!r}.")
            self._reason = reason


def refusal(server: str, status: int, body: bytes, *, model: str = "") -> LlavaPlusError:
    """Put an error that a server reports into a sentence that says what would help.

    Args:
        server: The address.
        status: The HTTP status, or the code inside an event of a stream.
        body: The response: one of the forms of vLLM, SGLang and OpenAI, or anything else.
        model: The name that was asked for.
    """
    said = _message(body)
    if any(words in said.lower() for words in _TOO_LONG):
        return ProtocolError(
            f"The conversation is longer than the context of the LMM at {server} ({said}); "
            "start a new one, drop old turns or lower max_tokens."
        )
    if status in (401, 403):
        return ConfigError(f"The server at {server} refuses the key ({status}: {said}); pass the right api_key.")
    if status == 404 and model and model in said:
        return ConfigError(f"The server at {server} has no model {model!r}; {server}/models lists those it has.")
    if status == 404:
        return ConfigError(f"There is no chat endpoint at {server} ({said}); base_url usually ends in /v1.")
    if status in PASSING or status >= 500:
        return ServerError(f"The server at {server} failed ({status}: {said}); ask again or look into its log.")
    return ConfigError(f"The server at {server} does not accept the request ({status}: {said}).")


def models(server: str, status: int, body: bytes) -> list[str]:
    """Read which models a server lists under `/models`.

    Raises:
        ServerError: If the server fails or does not speak the protocol.
        ConfigError: If it does not accept the request.
    """
    if status != HTTPStatus.OK:
        raise refusal(server, status, body)
    try:
        return [str(model["id"]) for model in json.loads(body)["data"]]
    except (ValueError, TypeError, KeyError) as error:
        raise not_openai(server, body) from error


def not_openai(server: str, body: bytes) -> ServerError:
    """Say that what came is not the protocol."""
    said = body[:80].decode(errors="replace").strip()
    return ServerError(
        f"The server at {server} answers with {said!r}, which is not the OpenAI protocol; "
        "check that base_url leads to an OpenAI-compatible server."
    )


def _messages(request: Request) -> list[dict[str, Any]]:
    pictures = iter(request.pictures)
    system = [{"role": "system", "content": request.template.system}] if request.template.system else []
    return [
        *system,
        *({"role": _ROLES[speaker], "content": _content(text, pictures)} for speaker, text in request.turns),
    ]


def _content(text: str, pictures: Iterator[Image.Image]) -> str | list[dict[str, Any]]:
    count = text.count(IMAGE)
    if not count:
        return text
    urls = [_data_uri(next(pictures)) for _ in range(count)]
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [*parts, {"type": "text", "text": text.replace(IMAGE, "").strip()}]


def _data_uri(picture: Image.Image) -> str:
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=1)  # exact like every PNG, and five times as fast as the default
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _message(body: bytes) -> str:
    """Find the sentence in an error: `error.message` (OpenAI, vLLM), `message` (SGLang), `detail` (FastAPI)."""
    text = body.decode(errors="replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    for key in ("error", "message", "detail"):
        if isinstance(found, Mapping) and found.get(key):
            found = found[key]
    line = str(found).strip().split("\n")[0][:_LONGEST_MESSAGE]
    return "".join(char if char.isprintable() else " " for char in line) or "no reason given"


def _number(event: Mapping[str, Any]) -> int:
    error = event.get("error")
    code = error.get("code") if isinstance(error, Mapping) else event.get("code")
    return code if isinstance(code, int) else 500
