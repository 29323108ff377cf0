"""What a chat model is shown of a conversation: which pictures, where, and as what. Knows messages, no node, no skill.

State holds handles alone. Here, at the model's door, they become what the model can see: they stay handles for a model
that opens the store itself, become pixels in the tool's turn or in a user's turn after it, or captions. The pictures
that skills made are shown too. A model that can be shown nothing gets an error, never a conversation with holes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph.pictures import (
    handle_block,
    handle_of,
    handles_in,
    handles_made,
    pixel_block,
    with_handles,
)
from llavaplus_graph.graph.trimming import Trim, trimmed
from llavaplus_graph.images import ImageStore

Vision = Literal["auto", "handles", "tool_turn", "user_turn", "captions"]
"""How a model sees: by what is known of it, handles, pixels where a tool's result is, pixels in a user's turn behind
all results of a round, or captions in place of pixels."""

Captioner = Callable[[str], str]
"""A handle to words for its picture."""

_Block = str | dict[str, object]


class Sight:
    """How one model sees the pictures of conversations.

    Args:
        model: the model.
        store: where the pictures are.
        vision: how it sees; ``auto`` goes by what it says of itself.
        captioner: gives the words, where it sees captions.
        trim: what it is shown of a long conversation; None shows all of it.
        prompt: what a model is told that was not tuned on the skills; empty tells it nothing.

    Raises:
        ConfigError: captions are wanted and nobody gives them.
    """

    def __init__(
        self,
        model: BaseChatModel,
        store: ImageStore,
        *,
        vision: Vision = "auto",
        captioner: Captioner | None = None,
        trim: Trim | None = None,
        prompt: str = "",
    ) -> None:
        self._way = vision_of(model) if vision == "auto" else vision
        if self._way == "captions" and captioner is None:
            raise ConfigError("vision='captions' needs the skill caption_image; add it to the skills")
        self._model, self._store, self._captioner = type(model).__name__, store, captioner
        self._trim, self._prompt = trim, prompt
        self._results = bool(getattr(model, "sees_results", True))

    def visible(self, messages: Sequence[BaseMessage], images: Sequence[str] = ()) -> list[BaseMessage]:
        """The conversation as the model is sent it.

        Args:
            messages: the whole conversation, pictures as handles.
            images: the conversation's pictures, ``image_1`` first, so that they can be called by their names.

        Raises:
            PictureError: a picture is not in the store.
            ConfigError: the model takes no pictures, and there is one.
        """
        kept = trimmed(messages, images, self._trim)
        if self._results:
            kept = [_with_made(message) for message in kept]
        if self._way == "handles":
            return kept
        if self._way == "user_turn":
            kept = list(_behind_the_results(kept))
        shown = [self._shown(message, images) for message in kept]
        told = [SystemMessage(self._prompt), *shown] if self._prompt else shown
        return _system_first(told)

    def with_handles(self, reply: AIMessage) -> AIMessage:
        """What the model says, with handles in place of pictures that it painted itself."""
        return cast(AIMessage, with_handles(reply, self._store))

    def _shown(self, message: BaseMessage, images: Sequence[str]) -> BaseMessage:
        if not handles_in(message):
            return message
        blocks: list[_Block] = []
        for block in message.content:
            handle = handle_of(block)
            blocks.extend([cast(_Block, block)] if handle is None else self._blocks(handle, images))
        return message.model_copy(update={"content": blocks})

    def _blocks(self, handle: str, images: Sequence[str]) -> list[_Block]:
        """A picture under the name by which the model may call it."""
        name = f"image_{list(images).index(handle) + 1}" if handle in images else handle
        if self._way == "captions" and self._captioner is not None:
            return [{"type": "text", "text": f"{name} (described in words): {self._captioner(handle)}"}]
        if self._way == "nothing":
            raise ConfigError(
                f"{self._model} takes no pictures, and this conversation has some; use vision='captions' with the "
                "skill caption_image, or a model that sees"
            )
        return [{"type": "text", "text": f"{name}:"}, pixel_block(handle, self._store)]


def vision_of(model: BaseChatModel) -> Literal["handles", "tool_turn", "user_turn", "nothing"]:
    """How a model sees, by what it says of itself and what is known of its class.

    Profiles speak of the LMM, but it is the interface that takes pictures in a tool's turn or refuses them: OpenAI's
    chat completions refuse them (platform.openai.com, "Chat completions"), its responses and Anthropic's messages take
    them. A model that nobody knows is shown pictures in the user's turn, where every model that sees takes them.
    """
    if getattr(model, "reads_handles", False):
        return "handles"
    profile = model.profile or {}
    if profile.get("image_inputs") is False:
        return "nothing"
    if model._llm_type in ("openai-chat", "azure-openai-chat"):
        return "tool_turn" if getattr(model, "use_responses_api", None) else "user_turn"
    if model._llm_type == "anthropic-chat" or profile.get("image_tool_message"):
        return "tool_turn"
    return "user_turn"


def _with_made(message: BaseMessage) -> BaseMessage:
    """A result together with the pictures that the skill made."""
    shown = handles_in(message)
    made = [handle for handle in handles_made(message) if handle not in shown]
    if not made:
        return message
    own = [{"type": "text", "text": message.content}] if isinstance(message.content, str) else message.content
    return message.model_copy(update={"content": [*own, *map(handle_block, made)]})


def _behind_the_results(messages: Iterable[BaseMessage]) -> Iterable[BaseMessage]:
    """Moves the pictures of tool turns into a user turn behind the last result of the round."""
    moved: list[str] = []
    for message in messages:
        if moved and not isinstance(message, ToolMessage):
            yield _pictures_turn(moved)
            moved = []
        if isinstance(message, ToolMessage) and isinstance(message.content, list):
            moved.extend(handles_in(message))
            rest = [block for block in message.content if handle_of(block) is None]
            yield message.model_copy(update={"content": rest})
        else:
            yield message
    if moved:
        yield _pictures_turn(moved)


def _pictures_turn(handles: Sequence[str]) -> HumanMessage:
    return HumanMessage([{"type": "text", "text": "The skills made:"}, *map(handle_block, handles)])


def _system_first(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Other interfaces take system messages only at the beginning; later ones are said by the user."""
    start = next((at for at, message in enumerate(messages) if not isinstance(message, SystemMessage)), len(messages))
    return [
        HumanMessage(message.content) if at > start and isinstance(message, SystemMessage) else message
        for at, message in enumerate(messages)
    ]
