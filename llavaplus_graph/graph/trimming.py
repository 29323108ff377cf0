"""What of a long conversation is shown to a model. Knows messages and handles, no model and no pixels.

Whatever is left out, the first and the newest picture stay: follow-up questions are about them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, trim_messages
from langchain_core.messages.utils import count_tokens_approximately

from llavaplus_graph.graph.pictures import handle_block, handles_in, handles_made

Trim = int | Callable[[list[BaseMessage]], list[BaseMessage]]
"""About how many tokens a conversation may have, or a function that leaves messages out."""

_TOKENS_OF_A_PICTURE = 576  # 24 x 24 patches: LLaVA-1.5 (arXiv 2310.03744), section 3.3


def trimmed(messages: Sequence[BaseMessage], images: Sequence[str], trim: Trim | None) -> list[BaseMessage]:
    """Leaves out what is too much, and brings the first and the newest picture back.

    Args:
        messages: the conversation, pictures as handles.
        images: the conversation's pictures, oldest first.
        trim: how much may stay. A number keeps the newest turns as a whole, at least the one that is to be answered;
            None keeps everything, and still brings the pictures of messages back that were taken out of the state.
    """
    if trim is None:
        kept = list(messages)
    else:
        kept = _newest(messages, trim) if isinstance(trim, int) else trim(list(messages))
    seen = {handle for message in kept for handle in (*handles_in(message), *handles_made(message))}
    # dict.fromkeys: the first picture may be the newest one.
    lost = [handle for handle in dict.fromkeys([*images[:1], *images[-1:]]) if handle not in seen]
    return _pinned(kept, lost) if lost else kept


def _newest(messages: Sequence[BaseMessage], tokens: int) -> list[BaseMessage]:
    kept = trim_messages(
        list(messages),
        max_tokens=tokens,
        token_counter=_count,
        strategy="last",
        start_on="human",
        include_system=True,
        allow_partial=False,
    )
    if any(isinstance(message, HumanMessage) for message in kept):
        return list(kept)
    asked = max((at for at, message in enumerate(messages) if isinstance(message, HumanMessage)), default=0)
    system = [message for message in messages[:asked] if isinstance(message, SystemMessage)]
    return [*system, *messages[asked:]]


def _count(messages: list[BaseMessage]) -> int:
    return count_tokens_approximately(messages, tokens_per_image=_TOKENS_OF_A_PICTURE)


def _pinned(messages: Sequence[BaseMessage], handles: Sequence[str]) -> list[BaseMessage]:
    """The messages with pictures at the head of the first thing that the user says."""
    blocks = [handle_block(handle) for handle in handles]
    for at, message in enumerate(messages):
        if isinstance(message, HumanMessage):
            own = [{"type": "text", "text": message.content}] if isinstance(message.content, str) else message.content
            said = message.model_copy(update={"content": [*blocks, *own]})
            return [*messages[:at], said, *messages[at + 1 :]]
    return [HumanMessage([*blocks]), *messages]
