"""How the messages of a thread are kept in a checkpoint: plain and short. Knows messages, no node and no checkpointer.

Every step of a graph writes the whole conversation, so what says nothing in a message is paid for at every step: the
module of its class and a dozen empty fields are half of a short one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.channels import BinaryOperatorAggregate
from langgraph.graph.message import add_messages

_CLASSES: Final[dict[str, type[BaseMessage]]] = {
    "human": HumanMessage,
    "ai": AIMessage,
    "system": SystemMessage,
    "tool": ToolMessage,
}
_DEFAULTS: Final = {
    name: {field: info.get_default(call_default_factory=True) for field, info in made.model_fields.items()}
    for name, made in _CLASSES.items()
}


class Conversation(BinaryOperatorAggregate[list[AnyMessage]]):
    """LangGraph's channel of messages that `add_messages` joins, written as plain JSON without empty fields.

    It reads what any other channel of messages has written too. Messages of other classes than LangChain's four are
    kept as LangGraph keeps them.
    """

    _written: Mapping[int, tuple[BaseMessage, Any]] = MappingProxyType({})
    """What has been written already, by the identity of the message: a long conversation changes by one or two."""

    def checkpoint(self) -> Any:  # Any: what is stored is not what is held
        """The messages as they are stored."""
        value = super().checkpoint()
        if not isinstance(value, list):
            return value
        known = self._written
        self._written = {id(said): known.get(id(said)) or (said, _plain(said)) for said in value}
        return [self._written[id(said)][1] for said in value]

    def from_checkpoint(self, checkpoint: Any) -> Conversation:
        """A channel that holds what was stored."""
        channel = super().from_checkpoint(checkpoint)
        if isinstance(channel.value, list):
            channel.value = stored_messages(channel.value)
        return channel


CONVERSATION: Final = Conversation(list, add_messages)  # type: ignore[arg-type]  # add_messages is typed more loosely than reducers


def stored_messages(stored: Sequence[Any]) -> list[AnyMessage]:
    """The messages that a checkpoint holds, for those who read one without a graph."""
    return [_message(each) for each in stored]


def _plain(message: BaseMessage) -> BaseMessage | dict[str, Any]:
    if type(message) is not _CLASSES.get(message.type):
        return message
    defaults = _DEFAULTS[message.type]
    said = {name: value for name, value in message.model_dump().items() if not _is_default(value, defaults.get(name))}
    return {"type": message.type, **said}


def _is_default(value: object, default: object) -> bool:
    # Only what is empty: an artifact may be anything, and not everything can be compared.
    return value is default or (type(value) in (list, dict) and not value and value == default)


def _message(stored: Any) -> Any:  # Any: the union of LangChain's messages has no common name but its members
    if not isinstance(stored, dict):
        return stored  # a message as another channel has written it
    fields = {name: value for name, value in stored.items() if name != "type"}
    return _CLASSES[stored["type"]](**fields)
