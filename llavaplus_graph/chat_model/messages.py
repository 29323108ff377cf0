"""LangChain messages to the protocol's turns and back; pure: no tensors, no files, no store.

HumanMessage  -> human turn, pictures first
AIMessage     -> assistant turn: reasoning = thoughts, tool calls = actions, text = value
ToolMessages  -> one human turn that feeds all results back and repeats the question
"""

import base64
import binascii
import json
import re
import uuid
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage

from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.errors import PictureError, ProtocolError
from llavaplus_graph.protocol import IMAGE, Action, ParsedTurn, Turn, clean_text, render_observation, render_turn
from llavaplus_graph.skills import canonical_name, wire_name

_DATA_URI = re.compile(r"data:image/[\w.+-]+;base64,(.*)", re.DOTALL)
_LONGEST_RESULT = 700  # characters of one result that the LMM reads
_IGNORED_IN_ANSWERS = ("tool_use", "tool_call", "reasoning", "thinking", "invalid_tool_call", "server_tool_call")


@dataclass(slots=True)
class Dialogue:
    """A conversation as the LMM reads it.

    Attributes:
        turns: Speaker and text in order, pictures as `<image>`.
        pictures: A handle or the bytes of a picture for every `<image>`, in order.
        system: What the developer added to the template's system text.
        said: What the user wrote, message by message; results are not among it.
        results: The results that have come since the user's last message.
    """

    turns: list[tuple[Literal["human", "gpt"], str]] = field(default_factory=list)
    pictures: list[str | bytes] = field(default_factory=list)
    system: str = ""
    said: list[str] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def instruction(self) -> str:
        """Everything the user has said, newest last: the source of words for quoted arguments."""
        return "\n".join(self.said)


def read_messages(messages: Sequence[BaseMessage], dialect: Dialect) -> Dialogue:
    """Turn messages into what the LMM reads.

    Args:
        messages: The conversation.
        dialect: Decides the names skills are called by and which separators may not occur in foreign text.

    Raises:
        ProtocolError: If a message or block is of a kind that cannot be shown to the LMM; nothing is dropped silently.
        PictureError: If a picture is given by URL or is not valid base64.
    """
    dialogue = Dialogue()
    names: dict[str, str] = {}
    question = ""
    pending: list[ToolMessage] = []
    for message in [*messages, None]:
        if isinstance(message, ToolMessage):
            pending.append(message)
            continue
        if pending:
            _add_results(dialogue, pending, names, question, dialect)
            pending = []
        if isinstance(message, SystemMessage):
            dialogue.system = f"{dialogue.system} {clean_text(message.text)}".strip()
        elif isinstance(message, AIMessage):
            names |= {str(call["id"]): call["name"] for call in message.tool_calls}
            dialogue.turns.append(("gpt", _answer_text(message, dialect)))
        elif isinstance(message, HumanMessage):
            question = _add_question(dialogue, message)
        elif message is not None:
            raise ProtocolError(
                f"A message of type {message.type!r} cannot be shown to the LMM; use human, ai, system or tool."
            )
    if not any(speaker == "human" for speaker, _ in dialogue.turns):
        raise ProtocolError("There is no human message to answer; add one.")
    if dialogue.turns[-1][0] == "gpt":
        raise ProtocolError("The conversation ends with an answer of the assistant; add the human message to answer.")
    return dialogue


def ai_fields(
    parsed: ParsedTurn, dialect: Dialect, *, finish_reason: str, bound: Collection[str] = ()
) -> dict[str, Any]:
    """Give the fields of the AIMessage for a turn: content, tool_calls, reasoning and metadata.

    Args:
        parsed: The turn that was read from the LMM's text.
        dialect: Maps wire names back to skill names.
        finish_reason: `stop` or `length`; a turn that was cut off before its answer began has no calls.
        bound: Names of the bound tools, which stay as they are.
    """
    turn, metadata = parsed.turn, {"finish_reason": finish_reason}
    calls: list[ToolCall] = []
    if parsed.problem is not None:
        metadata["invalid_plan"] = parsed.problem
    elif turn.actions:
        calls = [
            ToolCall(
                name=skill_name(action.name, dialect, bound),
                args=dict(action.params),
                id=f"call_{uuid.uuid4().hex[:12]}",
                type="tool_call",
            )
            for action in turn.actions
        ]
        metadata["finish_reason"] = "tool_calls"
    extra = {"reasoning_content": turn.thoughts} if turn.thoughts else {}
    return {"content": turn.value or "", "tool_calls": calls, "additional_kwargs": extra, "response_metadata": metadata}


def message_text(message: BaseMessage, dialect: Dialect) -> str:
    """Write one message by itself as the LMM would read it, every picture as `<image>`; nothing joins it to others.

    Raises:
        ProtocolError: If the message or a block of it cannot be shown to the LMM.
        PictureError: If a picture is given by address or is not valid base64.
    """
    if isinstance(message, AIMessage):
        return _answer_text(message, dialect)
    if isinstance(message, ToolMessage):
        alone = Dialogue()
        _add_results(alone, [message], {}, "", dialect)
        return alone.turns[0][1]
    if isinstance(message, HumanMessage):
        alone = Dialogue()
        _add_question(alone, message)
        return alone.turns[0][1]
    return clean_text(message.text)


def skill_name(name: str, dialect: Dialect, bound: Collection[str] = ()) -> str:
    """Map a name the LMM wrote to the skill's; unknown names and those of bound tools stay as they are."""
    return (canonical_name(name) or name) if dialect.names == "wire" and name not in bound else name


def written_name(name: str, dialect: Dialect) -> str:
    """Map a skill's name to the one this LMM was tuned on."""
    return wire_name(name) if dialect.names == "wire" else name


def shorten(content: Mapping[str, Any], limit: int = _LONGEST_RESULT) -> dict[str, Any]:
    """Cut the lists of a result to what the LMM can read, saying in `omitted` how many entries are left out.

    Args:
        content: A result, lists of equal length side by side.
        limit: Characters of its written form.
    """

    def first(count: int) -> dict[str, Any]:
        return {key: value[:count] if isinstance(value, list) else value for key, value in content.items()}

    longest = max((len(value) for value in content.values() if isinstance(value, list)), default=0)
    if longest < 2 or len(str(content)) <= limit:
        return dict(content)
    kept = max(1, bisect_right(range(1, longest), limit, key=lambda count: len(str(first(count)))))
    return first(kept) | {"omitted": longest - kept}


def _add_question(dialogue: Dialogue, message: HumanMessage) -> str:
    texts, pictures = _blocks(message.content)
    text = clean_text("\n".join(texts)).strip()
    dialogue.pictures += pictures
    dialogue.said.append(text)
    dialogue.results = []
    seats = f"{IMAGE}\n" * len(pictures)
    if dialogue.turns and dialogue.turns[-1][0] == "human":
        before = dialogue.turns.pop()[1]
        dialogue.turns.append(("human", _seats_first(f"{before}\n{seats}{text}")))
    else:
        dialogue.turns.append(("human", seats + text))
    return text


def _seats_first(text: str) -> str:
    count = text.count(IMAGE)
    return f"{IMAGE}\n" * count + text.replace(f"{IMAGE}\n", "").replace(IMAGE, "").strip()


def _add_results(
    dialogue: Dialogue, messages: Sequence[ToolMessage], names: Mapping[str, str], question: str, dialect: Dialect
) -> None:
    results, seats = [], 0
    for message in messages:
        texts, pictures = _blocks(message.content)
        dialogue.pictures += pictures
        seats += len(pictures)
        name = clean_text(written_name(message.name or names.get(message.tool_call_id, "skill"), dialect))
        results.append((name, shorten(_content("\n".join(texts), name))))
    dialogue.results += [content for _, content in results]
    dialogue.turns.append(("human", f"{IMAGE}\n" * seats + render_observation(results, question)))


def _content(text: str, name: str) -> dict[str, Any]:
    """Read a skill's JSON; anything else becomes a message, and every string in it is made harmless."""
    try:
        value = _clean(json.loads(text))
    except (ValueError, RecursionError):
        value = clean_text(text)
    if isinstance(value, dict):
        return value
    return {"message": value if value not in ("", None) else f"The {name} has processed the image."}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list) else value


def _answer_text(message: AIMessage, dialect: Dialect) -> str:
    thoughts = message.additional_kwargs.get("reasoning_content") or ""
    texts = []
    for block in message.content if isinstance(message.content, list) else [message.content]:
        if isinstance(block, str):
            texts.append(block)
        elif block.get("type") == "text":
            texts.append(str(block.get("text", "")))
        elif block.get("type") == "reasoning":
            thoughts = thoughts or str(block.get("reasoning", ""))
        elif block.get("type") not in _IGNORED_IN_ANSWERS and block.get("type") != "tool_call_chunk":
            raise ProtocolError(
                f"A block of type {block.get('type')!r} in an assistant message cannot be shown to the LMM."
            )
    actions = tuple(
        Action(clean_text(written_name(call["name"], dialect)), _clean(call["args"])) for call in message.tool_calls
    )
    return render_turn(Turn(clean_text(str(thoughts)), actions, clean_text("".join(texts))))


def _blocks(content: str | Sequence[str | Mapping[str, Any]]) -> tuple[list[str], list[str | bytes]]:
    texts: list[str] = []
    pictures: list[str | bytes] = []
    for block in [content] if isinstance(content, str) else content:
        if isinstance(block, str):
            texts.append(block)
        elif block.get("type") in ("text", "text-plain"):
            texts.append(str(block.get("text", "")))
        elif block.get("type") == "json":
            texts.append(json.dumps(block.get("json")))
        else:
            pictures.append(_picture(block))
    return texts, pictures


def _picture(block: Mapping[str, Any]) -> str | bytes:
    """Read an image block of any common spelling: standard, OpenAI, Anthropic."""
    kind = block.get("type")
    if kind not in ("image", "image_url", "input_image"):
        raise ProtocolError(f"A block of type {kind!r} cannot be shown to the LMM; send text or an image block.")
    if block.get("file_id") or block.get("source_type") == "id":
        return str(block.get("file_id") or block.get("id"))
    if block.get("base64") or block.get("source_type") == "base64":
        return _decoded(str(block.get("base64") or block.get("data")))
    source = block.get("source")
    if isinstance(source, Mapping) and source.get("type") == "base64":
        return _decoded(str(source.get("data")))
    url = block.get("image_url") or block.get("url") or (source.get("url") if isinstance(source, Mapping) else None)
    url = url.get("url") if isinstance(url, Mapping) else url
    if not isinstance(url, str):
        keys = ", ".join(sorted(str(key) for key in block))
        raise PictureError(f"An image block with the keys {keys} is not understood; send it through user_message.")
    match = _DATA_URI.match(url)
    if match is None:
        raise PictureError(
            f"The picture {url[:80]!r} is given by address; addresses are not opened. "
            "Send it through user_message or as base64."
        )
    return _decoded(match.group(1))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(
            "An image block does not hold valid base64; encode the bytes of a PNG, JPEG or WEBP file."
        ) from error
