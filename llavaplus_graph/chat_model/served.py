"""The engine behind `base_url`: an LMM that an OpenAI-compatible server (vLLM, SGLang) runs, asked over HTTP.

Knows connections, waiting and asking again; what is sent and what comes back is the business of `openai_wire`.
"""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import httpx

from llavaplus_graph.chat_model.generation import Piece, Request
from llavaplus_graph.chat_model.openai_wire import PASSING, Events, Guided, chat_body, models, not_openai, refusal
from llavaplus_graph.errors import ConfigError, LlavaPlusError, ServerError

_CONNECTING = 10.0  # seconds at most until a connection stands; what takes longer is not there
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 8.0  # seconds between attempts, doubled every time


@dataclass(frozen=True, slots=True)
class ServedEngine:
    """Asks a server; safe to call from several threads and event loops, since every call has its own connection.

    Attributes:
        url: The address up to and including `/v1`.
        model: The name under which the server knows the LMM.
        api_key: Sent as a bearer token.
        timeout: Seconds the server may be silent; None waits for ever.
        max_retries: How often a request is repeated that did not get an answer.
        guided: How this server takes a grammar.
    """

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float | None = 120.0
    max_retries: int = 2
    guided: Guided | None = None

    def check(self) -> None:
        """Ask whether the server is there and knows the model.

        Raises:
            ServerError: If the server cannot be reached or fails.
            ConfigError: If it does not know the key or the model.
        """
        with self._plainly(), httpx.Client(verify=_trust(), timeout=self._timeout) as client:
            response = client.get(f"{self.url}/models", headers=self._headers)
        known = models(self.url, response.status_code, response.content)
        if known and self.model not in known:
            raise ConfigError(f"The server at {self.url} has no model {self.model!r}; it has {', '.join(known)}.")

    def generate(self, request: Request) -> Iterator[Piece]:
        """Generate a continuation.

        Raises:
            ServerError: If the server cannot be reached, fails or breaks off.
            ConfigError: If it does not know the key or the model, or does not accept the request.
            ProtocolError: If the conversation is longer than its context.
        """
        events = Events(self.url, request.sampling)
        with self._plainly(), httpx.Client(verify=_trust()) as client:
            response = self._opened(client, self._post(request))
            try:
                for data in response.iter_bytes():
                    yield from events.take(data)
                    if events.ended:
                        break
            finally:
                response.close()
            yield events.last()

    async def agenerate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Generate a continuation without holding a thread; raises what `generate` raises."""
        events = Events(self.url, request.sampling)
        post = await asyncio.to_thread(self._post, request)
        with self._plainly():
            async with httpx.AsyncClient(verify=_trust()) as client:
                response = await self._aopened(client, post)
                try:
                    async for data in response.aiter_bytes():
                        for piece in events.take(data):
                            yield piece
                        if events.ended:
                            break
                finally:
                    await response.aclose()
                yield events.last()

    def _opened(self, client: httpx.Client, post: httpx.Request) -> httpx.Response:
        attempts = _Attempts(self.max_retries)
        while True:
            try:
                response = client.send(post, stream=True)
            except _NO_ANSWER as error:
                pause = attempts.after(self._unreachable(error))
            else:
                if _streams(response):
                    return response
                response.read()
                pause = attempts.after(self._failure(response), response)
            time.sleep(pause)

    async def _aopened(self, client: httpx.AsyncClient, post: httpx.Request) -> httpx.Response:
        attempts = _Attempts(self.max_retries)
        while True:
            try:
                response = await client.send(post, stream=True)
            except _NO_ANSWER as error:
                pause = attempts.after(self._unreachable(error))
            else:
                if _streams(response):
                    return response
                await response.aread()
                pause = attempts.after(self._failure(response), response)
            await asyncio.sleep(pause)

    def _post(self, request: Request) -> httpx.Request:
        return httpx.Request(
            "POST",
            f"{self.url}/chat/completions",
            json=chat_body(request, self.model, self.guided),
            headers={"Accept": "text/event-stream", **self._headers},
            extensions={"timeout": self._timeout.as_dict()},
        )

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def _timeout(self) -> httpx.Timeout:
        return httpx.Timeout(self.timeout, connect=min(self.timeout or _CONNECTING, _CONNECTING))

    def _failure(self, response: httpx.Response) -> LlavaPlusError:
        if response.is_success:
            return not_openai(self.url, response.content)
        return refusal(self.url, response.status_code, response.content, model=self.model)

    def _unreachable(self, error: httpx.TransportError) -> ServerError:
        reason = str(error) or type(error).__name__
        return ServerError(f"The server at {self.url} cannot be reached ({reason}); start it or correct base_url.")

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Put what can go wrong with a connection into sentences."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unreachable(error) from error
        except httpx.TimeoutException as error:
            raise ServerError(
                f"The server at {self.url} was silent for {self.timeout} seconds; ask again or raise timeout."
            ) from error
        except httpx.HTTPError as error:
            raise ServerError(
                f"The server at {self.url} broke off in the middle of an answer ({error}); ask again."
            ) from error


class _Attempts:
    """Decides whether a request that failed is worth another attempt, and after how many seconds."""

    def __init__(self, retries: int) -> None:
        self._left = retries
        self._pause = _FIRST_PAUSE

    def after(self, failure: LlavaPlusError, response: httpx.Response | None = None) -> float:
        passing = response is None or response.status_code in PASSING
        if not passing or self._left <= 0:
            raise failure
        self._left -= 1
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        asked = response.headers.get("retry-after", "") if response is not None else ""
        if asked.isdecimal():
            return min(float(asked), _LONGEST_PAUSE)
        return pause * random.uniform(0.75, 1.25)  # clients that failed together do not come back together


def _streams(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.OK and "text/event-stream" in response.headers.get("content-type", "")


# Nothing of an answer had come, so that asking again repeats nothing.
_NO_ANSWER = (httpx.ConnectError, httpx.ConnectTimeout, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """Read the certificates once; httpx would do so for every connection."""
    return httpx.create_ssl_context()
