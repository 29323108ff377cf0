"""An LMM and skills that do what a script says. Knows no weights.

Example:
    >>> from llavaplus_graph.types import Texts
    >>> lmm = ScriptedLmm([call("read_text"), "The sign says STOP."])
    >>> skill = scripted_skill("read_text", Texts(texts=("STOP",), boxes=((0.1, 0.1, 0.9, 0.9),), scores=(1.0,)))
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from llavaplus_graph.skills import CATALOGUE, PictureArgument, SkillInfo, make_skill
from llavaplus_graph.types import SkillResult

Scripted = AIMessage | str | Callable[[list[BaseMessage]], AIMessage | str]
"""A reply: a message, its text, or a function of the conversation (which may raise, to play a model that breaks)."""


def call(name: str, *, id: str = "", thoughts: str = "", **arguments: Any) -> AIMessage:  # noqa: A002  LangChain's word
    """A plan with one call.

    Args:
        name: the skill.
        id: of the call; by default one made of the name.
        thoughts: why it is called.
        **arguments: of the call.
    """
    return plan(ToolCall(type="tool_call", name=name, args=arguments, id=id or f"call_{name}"), thoughts=thoughts)


def plan(*calls: ToolCall, thoughts: str = "", text: str = "") -> AIMessage:
    """A plan with several calls."""
    reasoning = {"reasoning_content": thoughts} if thoughts else {}
    return AIMessage(content=text, tool_calls=list(calls), additional_kwargs=reasoning)


@dataclass(frozen=True, slots=True)
class Request:
    """What a `ScriptedLmm` was asked.

    Attributes:
        messages: the conversation as the model got it.
        tools: names of the skills it might have called.
        tool_choice: what `bind_tools` was told.
    """

    messages: list[BaseMessage]
    tools: tuple[str, ...]
    tool_choice: str | None


class ScriptedLmm(BaseChatModel):
    """A chat model that replies what it was given, in order.

    Args:
        responses: the replies.

    Attributes:
        requests: what it was asked so far.
        reads_handles: whether the graph may send it handles in place of pixels.
    """

    responses: list[Any]  # Any: pydantic would try to make a message of a text
    reads_handles: bool = True
    _requests: list[Request] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)  # Any: the type of a lock is no class

    def __init__(self, responses: Sequence[Scripted], **fields: Any) -> None:
        super().__init__(responses=list(responses), **fields)

    @property
    def requests(self) -> list[Request]:
        """What it was asked so far, oldest first."""
        return self._requests

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Remembers the names of the tools and the choice for `requests`."""
        return self.bind(tools=[getattr(tool, "name", str(tool)) for tool in tools], tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages, **kwargs))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        """Word by word, then everything else in one piece."""
        reply = self._reply(messages, **kwargs)
        for word in reply.text.replace(" ", " \0").split("\0"):
            if word:
                yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        rest = reply.model_dump(exclude={"type", "content"})
        yield ChatGenerationChunk(message=AIMessageChunk(content="", chunk_position="last", **rest))

    def _reply(self, messages: list[BaseMessage], **kwargs: Any) -> AIMessage:
        request = Request(list(messages), tuple(kwargs.get("tools") or ()), kwargs.get("tool_choice"))
        with self._lock:
            self._requests.append(request)
            turn = len(self._requests)
        if turn > len(self.responses):
            raise IndexError(f"ScriptedLmm has {len(self.responses)} replies and was asked for number {turn}")
        scripted = self.responses[turn - 1]
        reply: AIMessage | str = scripted(request.messages) if callable(scripted) else scripted
        # A copy, because LangChain writes ids into the messages it is given.
        return AIMessage(reply) if isinstance(reply, str) else reply.model_copy()


class _AnyArguments(BaseModel):
    model_config = ConfigDict(extra="allow")

    image: PictureArgument = Field("latest", description="Which picture: latest, image_2 or a handle.")


def scripted_skill(
    name: str,
    result: SkillResult | BaseException | Callable[..., SkillResult],
    *,
    args_schema: type[BaseModel] = _AnyArguments,
    deadline: float = 60.0,
) -> BaseTool:
    """A skill that returns or raises what it was given.

    Args:
        name: its name; one of the catalogue's gets the catalogue's wire names and what it follows.
        result: what it returns, what it raises (a `KeyboardInterrupt` plays a process that is killed), or a function of
            the validated arguments.
        args_schema: the model's arguments; by default ``image`` and anything else.
        deadline: seconds after which the executor gives up on it.
    """
    info = next((row for row in CATALOGUE if row.name == name), SkillInfo(name))

    def run(**arguments: Any) -> SkillResult:
        if isinstance(result, BaseException):
            raise result
        return result(**arguments) if callable(result) else result

    description = f"The scripted skill {name}."
    return make_skill(run, replace(info, deadline=deadline), args_schema, description=description)
