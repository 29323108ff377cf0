"""Turns a conversation that the graph has had into a record, so that good conversations become instruction data.

Knows messages and the wire format; whether a conversation was good is for a person to say.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from langchain_core.messages import AIMessage, BaseMessage

from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.messages import read_messages
from llavaplus_graph.data.record import Record, gpt, human
from llavaplus_graph.data.sources.streaming import Tally
from llavaplus_graph.errors import DataError, LlavaPlusError
from llavaplus_graph.images import ImageStore, default_store
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
    return _read(messages, name, source)[0]


def write_recorded(
    conversations: Iterable[tuple[str, Sequence[BaseMessage]]], out: Path, *, store: ImageStore | None = None
) -> Tally:
    """Write conversations as `records.jsonl` and their pictures beside it, ready for training.

    Args:
        conversations: Name and messages of each; only those that a person found good belong here.
        out: The folder to write to; what it holds is replaced.
        store: Where the handles of the messages lead; by default the store of the process.

    Returns:
        How many records were written, and why others were not.

    Raises:
        DataError: If the folder cannot be written to.
    """
    tally = Tally()
    shown = store or default_store()
    partial = out / f"records.{secrets.token_hex(4)}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as lines:
            for name, messages in conversations:
                try:
                    record = _with_files(*_read(messages, name, "recorded"), out / "pictures", shown)
                except LlavaPlusError as error:
                    tally.drop(str(error), name)
                else:
                    tally.kept += 1
                    lines.write(record.to_json() + "\n")
        partial.replace(out / "records.jsonl")
    except OSError as error:
        raise DataError(f"{str(out)!r} cannot be written to: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return tally


def _read(messages: Sequence[BaseMessage], name: str, source: str) -> tuple[Record, list[str | bytes]]:
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
    names = tuple(picture if isinstance(picture, str) else "inline" for picture in dialogue.pictures)
    return Record(name, names, tuple(turns), source), list(dialogue.pictures)


def _with_files(record: Record, pictures: Sequence[str | bytes], folder: Path, store: ImageStore) -> Record:
    """Save the pictures of a record under their handles and name the files, relative to the folder of the records."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for picture in pictures:
        handle = picture if isinstance(picture, str) else store.put(picture)
        target = folder / f"{handle}.png"
        if not target.exists():
            store.get(handle).save(target)
        names.append(f"{folder.name}/{target.name}")
    return Record(record.unique_id, tuple(names), record.conversations, record.data_source)
