"""From pieces of generated text to LangChain's message, or to the chunks of a stream that add up to it.

Knows the protocol's streaming parser and LangChain's chunks; does not know where the text comes from.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from llavaplus_graph.chat_model.binding import Binding
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.generation import Piece
from llavaplus_graph.chat_model.messages import ai_fields
from llavaplus_graph.protocol import Action, ParsedTurn, StreamParser, Turn, TurnOpened

PROVIDER = "llavaplus"

# LangChain numbers thoughts, calls and text 0, 1, 2 as they come and merges what has the same number.
_FIRST_CALL = 3


class Reply:
    """One turn of the LMM while it is generated.

    Args:
        dialect: Maps the names the LMM writes to skill names.
        model_name: Goes into the metadata.
        binding: Which calls were allowed; others are told in the metadata and not made.
        each_once: Make a call once that stands in the plan several times, word for word.
    """

    def __init__(self, dialect: Dialect, model_name: str, binding: Binding, *, each_once: bool = False) -> None:
        self._dialect = dialect
        self._model_name = model_name
        self._binding = binding
        self._each_once = each_once
        self._parser = StreamParser()
        self._last = Piece("")

    def take(self, piece: Piece) -> list[ChatGenerationChunk]:
        """Take the next piece; gives the chunks of a stream that have become certain: thoughts, whole calls, text."""
        self._last = piece
        chunks: list[ChatGenerationChunk] = []
        for event in self._parser.feed(piece.text):
            chunks += [_chunk(content=event)] if isinstance(event, str) else self._plan(event)
        return chunks

    def rest(self) -> list[ChatGenerationChunk]:
        """End a stream; gives the text that was held back, then why it ended and what it cost."""
        fields = self._fields()
        held = fields["content"][self._parser.given :]
        last = _chunk(
            content="",
            response_metadata=fields["response_metadata"],
            usage_metadata=_usage(self._last),
            chunk_position="last",
        )
        return [_chunk(content=held), last] if held else [last]

    def result(self) -> ChatResult:
        """Give the whole turn as one message."""
        message = AIMessage(**self._fields(), usage_metadata=_usage(self._last))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _plan(self, event: TurnOpened) -> Iterator[ChatGenerationChunk]:
        if event.thoughts:
            yield _chunk(content="", additional_kwargs={"reasoning_content": event.thoughts})
        calls = self._read(ParsedTurn(Turn(event.thoughts, event.actions, ""), event.problem))["tool_calls"]
        for index, call in enumerate(calls, start=_FIRST_CALL):
            part = tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
            yield _chunk(content="", tool_call_chunks=[part])

    def _fields(self) -> dict[str, Any]:
        fields = self._read(self._parser.close())
        fields["response_metadata"] |= {"model_name": self._model_name, "model_provider": PROVIDER}
        if self._last.reused_tokens is not None:
            fields["response_metadata"]["prefix"] = {"reused_tokens": self._last.reused_tokens}
        return fields

    def _read(self, parsed: ParsedTurn) -> dict[str, Any]:
        if self._each_once and parsed.turn.actions:
            parsed = replace(parsed, turn=replace(parsed.turn, actions=_distinct(parsed.turn.actions)))
        problem = parsed.problem or self._binding.unwanted(parsed.turn.actions or ())
        reason = str(self._last.finish_reason)
        return ai_fields(
            replace(parsed, problem=problem), self._dialect, finish_reason=reason, bound=self._binding.names
        )


def _distinct(actions: Sequence[Action]) -> tuple[Action, ...]:
    return tuple(action for index, action in enumerate(actions) if action not in actions[:index])


def _chunk(**fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(**fields))


def _usage(piece: Piece) -> UsageMetadata | None:
    """Say what a turn cost; None where a server does not say."""
    total = piece.input_tokens + piece.output_tokens
    if not total:
        return None
    usage = UsageMetadata(input_tokens=piece.input_tokens, output_tokens=piece.output_tokens, total_tokens=total)
    if piece.reused_tokens is not None:
        usage["input_token_details"] = InputTokenDetails(cache_read=piece.reused_tokens)
    return usage
