"""Turns a conversation that the graph has had into a record, so that good conversations become instruction data.

Knows messages and the wire format; whether a conversation was good is for a person to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage

from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.messages import read_messages
from llavaplus_graph.data.record import Record, gpt, human
from llavaplus_graph.errors import DataError
from llavaplus_graph.protocol import parse_turn


def record_of(messages: Sequence[BaseMessage], name: str, *, source: str = "recorded") -> Record:
    """Write a conversation as a record, with skill names.

    Args:
        messages: The `messages` of the graph's state, from the first question to an answer.
        name: The record's unique id.
        source: Where it comes from.

    Returns:
        A record whose images are handles, or `inline` for pictures that the messages carry themselves.

    Raises:
        DataError: If the conversation does not end with an answer of the assistant.
    """
    if not messages or not isinstance(messages[-1], AIMessage) or messages[-1].tool_calls:
        raise DataError("Only a conversation that ends with an answer becomes a record.")
    dialogue = read_messages(messages[:-1], Dialect(names="skills"))
    turns = []
    for speaker, text in dialogue.turns:
        if speaker == "human":
            turns.append(human(text))
        elif text is not None:
            turn = parse_turn(text).turn
            turns.append(gpt(turn.thoughts or "", turn.actions or (), turn.value or ""))
    last = messages[-1]
    turns.append(gpt(str(last.additional_kwargs.get("reasoning_content", "")), (), last.text))
    pictures = (picture if isinstance(picture, str) else "inline" for picture in dialogue.pictures)
    return Record(name, tuple(pictures), tuple(turns), source)
