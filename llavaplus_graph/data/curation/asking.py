"""Asks a chat model for replies of a given form: from the cache, else with retries. Knows no prompt and no sample.

Works with any LangChain chat model; what failed for good is told apart from what is worth another try by the HTTP
status that the clients' exceptions carry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from llavaplus_graph.data.curation.labelling import DroppedError, Spent
from llavaplus_graph.data.curation.replies import Replies, reply_key
from llavaplus_graph.errors import ConfigError, LlavaPlusError, ServerError

UNPARSABLE = "the labeller's reply cannot be read"
REFUSED = "the labeller refused"

_Form = TypeVar("_Form", bound=BaseModel)
_PASSING = frozenset({408, 409, 425, 429})
_LONGEST_WAIT = 60.0  # seconds
_REFUSAL = re.compile(
    r"\s*(i'?m sorry|i am sorry|sorry,|i can(no|')t|i am unable|i'm unable|as an ai\b)", re.IGNORECASE
)


class Asking:
    """A chat model that fills forms.

    Args:
        model: The chat model.
        replies: What was answered before.
        retries: How often a request that failed is sent again.
        wait: Seconds before the first retry; each further one waits twice as long, or as long as the server says.
        attempts: How often it is asked for a reply that can be read.
        method: How LangChain makes it reply in JSON; None leaves that to the model's class.
        where: The model in the words of an error.
    """

    def __init__(
        self,
        model: BaseChatModel,
        replies: Replies,
        *,
        retries: int = 5,
        wait: float = 1.0,
        attempts: int = 2,
        method: str | None = None,
        where: str = "",
    ) -> None:
        self._model = model
        self._replies = replies
        self._retries, self._wait, self._attempts = retries, wait, attempts
        self._method = method
        self._where = where or f"The labeller {type(model).__name__}"
        self.name = identity(model)

    def fill(self, form: type[_Form], messages: Sequence[BaseMessage], spent: Spent) -> _Form:
        """Get a form filled.

        Args:
            form: What the reply must be.
            messages: What is sent.
            spent: Where the request is counted.

        Raises:
            DroppedError: If the model refuses, or no reply can be read.
            ConfigError: If the model cannot be used at all: a wrong key, no such model.
            ServerError: If it keeps failing.
        """
        schema = form.model_json_schema()
        failure = DroppedError(UNPARSABLE)
        for attempt in range(self._attempts):
            key = reply_key(self.name, messages, schema, f"{self._method}/{attempt}")
            reply = self._replies.get(key)
            if reply is None:
                reply = self._requested(schema, messages)
                self._replies.put(key, reply)
                spent.requests += 1
                spent.input_tokens += reply["input_tokens"]
                spent.output_tokens += reply["output_tokens"]
            else:
                spent.cached += 1
            try:
                return form.model_validate(reply["reply"])
            except ValidationError as error:
                refused = reply["reason"] == REFUSED
                failure = DroppedError(REFUSED if refused else UNPARSABLE, reply["text"] or str(error))
        raise failure

    def _requested(self, schema: Mapping[str, Any], messages: Sequence[BaseMessage]) -> dict[str, Any]:
        """Send a request until it is answered; gives what is kept of the answer."""
        retrying = Retrying(
            stop=stop_after_attempt(self._retries + 1),
            wait=self._pause,
            retry=retry_if_exception(is_passing),
            reraise=True,
        )
        try:
            return _kept(retrying(self._filling(dict(schema)).invoke, list(messages)))
        except LlavaPlusError:
            raise
        # Every provider's client raises exceptions of its own.
        except Exception as error:  # noqa: BLE001
            return self._judged(error)

    def _filling(self, schema: dict[str, Any]) -> Runnable[Any, Any]:  # Any: LangChain's own types of in- and output
        options = {"method": self._method} if self._method else {}
        try:
            return self._model.with_structured_output(schema, include_raw=True, **options)
        except NotImplementedError:  # a model without tools is asked for plain JSON
            told = f"Reply with one JSON object of this schema and nothing else:\n{json.dumps(schema)}"
            return RunnableLambda(partial(_in_plain_text, self._model, told))

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        try:
            told = float(headers.get("retry-after", ""))
        except ValueError:
            told = self._wait * 2.0 ** (state.attempt_number - 1)
        return min(max(told, 0.0), _LONGEST_WAIT)

    def _judged(self, error: Exception) -> dict[str, Any]:
        """Decide whether a failure ends the work, or only this sample."""
        status, said = status_of(error), " ".join(str(error).split())[:200]
        if status in (401, 403) or (status == 429 and "quota" in said):
            problem = "has no more quota" if status == 429 else "refused the key"
            raise ConfigError(f"{self._where} {problem} ({status}); set a valid key and run again.") from error
        if status == 404:
            raise ConfigError(f"{self._where} is not known to its server (404): {said}") from error
        if is_passing(error):
            times = f"{self._retries + 1} times" if self._retries else "once"
            raise ServerError(
                f"{self._where} failed {times} ({status or type(error).__name__}: {said}); "
                "run again later, what is done is kept."
            ) from error
        reason = REFUSED if status in (400, 422) or "filter" in type(error).__name__.lower() else UNPARSABLE
        return {"reply": None, "reason": reason, "text": said, "input_tokens": 0, "output_tokens": 0}


def identity(model: BaseChatModel) -> str:
    """Give what tells a chat model and its settings from others, the same in every process; holds no secret."""
    settings = {key: value for key, value in model._identifying_params.items() if _is_plain(value)}
    return f"{type(model).__module__}.{type(model).__name__} {json.dumps(settings, sort_keys=True)}"


def status_of(error: BaseException) -> int | None:
    """Give the HTTP status behind an exception of a provider's client; None when there is none."""
    for cause in _causes(error):
        found = getattr(cause, "status_code", None) or getattr(getattr(cause, "response", None), "status_code", None)
        if isinstance(found, int):
            return found
    return None


def is_passing(error: BaseException) -> bool:
    """Tell whether a failure may be gone at the next try: an overload, a broken connection, a slow server."""
    status = status_of(error)
    if status is not None:
        return (status in _PASSING or status >= 500) and "insufficient_quota" not in str(error)
    return any(isinstance(cause, OSError) or type(cause).__module__.startswith("httpcore") for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _in_plain_text(model: BaseChatModel, told: str, messages: list[BaseMessage]) -> dict[str, Any]:
    raw = model.invoke([*messages, HumanMessage(told)])
    try:
        return {"raw": raw, "parsed": JsonOutputParser().invoke(raw)}
    # Whatever else a model wrote is no JSON.
    except ValueError:
        return {"raw": raw, "parsed": None}


def _kept(answered: Mapping[str, Any]) -> dict[str, Any]:
    raw: AIMessage = answered["raw"]
    usage = raw.usage_metadata
    refusal = raw.additional_kwargs.get("refusal")
    parsed = answered.get("parsed")
    refused = parsed is None and bool(refusal or _REFUSAL.match(raw.text))
    return {
        "reply": parsed if isinstance(parsed, dict) else None,
        "reason": REFUSED if refused else UNPARSABLE,
        "text": str(refusal or raw.text)[:300],
        "input_tokens": usage["input_tokens"] if usage else 0,
        "output_tokens": usage["output_tokens"] if usage else 0,
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    return value is None or isinstance(value, str | int | float | bool)
