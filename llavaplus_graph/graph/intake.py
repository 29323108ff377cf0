"""Brings messages into the form the graph works with. Knows messages and the store, no model.

Pictures inside messages become handles, and plans of a turn that was broken off lose the calls nobody answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from llavaplus_graph.errors import LlavaPlusError, PictureError
from llavaplus_graph.graph.lmm import with_calls
from llavaplus_graph.graph.pictures import handles_in, handles_made, with_handles
from llavaplus_graph.images import ImageStore
from llavaplus_graph.remote_pictures import Fetcher


@dataclass(frozen=True, slots=True)
class Intake:
    """Messages as the LMM gets them.

    Attributes:
        messages: the whole conversation, every picture as a handle.
        changed: those that differ from what came in; each has the id of the message it replaces.
        pictures: handles to append to the conversation's pictures.
    """

    messages: list[BaseMessage]
    changed: list[BaseMessage]
    pictures: list[str]


def take_in(
    messages: Sequence[BaseMessage], known: Sequence[str], store: ImageStore, fetcher: Fetcher | None = None
) -> Intake:
    """Takes in a conversation that ends with the user's new messages.

    Args:
        messages: all messages of the thread, the new ones last.
        known: handles of the conversation's pictures so far.
        store: where pictures are put and looked for.
        fetcher: fetches pictures that are given as URLs; None refuses them.

    Raises:
        LlavaPlusError: there is no message.
        PictureError: a picture cannot be read, its handle is not in the store, or it is a URL that is not fetched.
    """
    if not messages:
        raise LlavaPlusError("there is no message to answer; pass at least one, for example user_message('Hello')")
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    taken = [_settled(with_handles(message, store, fetcher), answered) for message in messages]
    changed = [new for new, old in zip(taken, messages, strict=True) if new is not old]
    return Intake(taken, changed, _pictures_to_add(taken, known, store))


def _settled(message: BaseMessage, answered: set[str]) -> BaseMessage:
    """A turn that was broken off leaves calls without results behind; no model accepts such a history."""
    if not isinstance(message, AIMessage):
        return message
    calls = [call for call in message.tool_calls if call["id"] in answered]
    return message if len(calls) == len(message.tool_calls) else with_calls(message, calls)


def _pictures_to_add(messages: Sequence[BaseMessage], known: Sequence[str], store: ImageStore) -> list[str]:
    """Pictures of the new messages, and of older ones when a whole history came in at once."""
    last_reply = max((at for at, said in enumerate(messages) if isinstance(said, AIMessage | ToolMessage)), default=-1)
    added: list[str] = []
    for at, message in enumerate(messages):
        for handle in handles_in(message):
            if at > last_reply or handle not in (*known, *added):
                if handle not in store:
                    raise PictureError(f"{handle!r} is not a picture of {store!r}; make the message with user_message")
                added.append(handle)
        # A graph inside another one gets messages alone; what skills made in earlier turns is found in their results.
        added.extend(made for made in handles_made(message) if made not in (*known, *added) and made in store)
    return added
