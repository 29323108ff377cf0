"""One turn of the LMM: with skills, with one chance to repair an unreadable plan, or without. Knows no graph.

The course of a turn is written once, as a generator that asks for model calls; `Lmm.ask` and `Lmm.aask` serve it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolCall
from langchain_core.runnables import Runnable, run_in_executor
from langchain_core.tools import BaseTool

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph.sight import Sight

REMINDER = (
    "Your last plan could not be read: {problem}. "
    "Call skills with their name and all their arguments, or answer without a skill."
)
"""Stands behind the conversation when a plan is asked for again; it never enters the state."""

INVALID_PLAN = "invalid_plan"
"""Key of ``response_metadata``: why a plan could not be used, one sentence."""

# Where an answer is due. Anthropic's client takes every other word for the name of a tool that has to be called
# (docs.anthropic.com, "Messages", tool_choice).
_NO_CALL: Final[Mapping[str, Any]] = {"anthropic-chat": {"type": "none"}}
_CALL_BLOCKS: Final = frozenset({"tool_call", "tool_call_chunk", "tool_use", "input_json_delta", "function_call"})
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Request:
    messages: list[BaseMessage]
    may_act: bool


class Lmm:
    """A chat model together with the skills it may call.

    Args:
        model: the chat model.
        skills: what it may call; none at all is fine.
        sight: what it is shown of a conversation.
        answers_only: whether a model that cannot call tools will do; it is never asked for a plan.

    Raises:
        ConfigError: the model cannot call tools, and has to.
    """

    def __init__(
        self, model: BaseChatModel, skills: Sequence[BaseTool], sight: Sight, *, answers_only: bool = False
    ) -> None:
        self._acting: Runnable[list[BaseMessage], BaseMessage] = model
        self._answering: Runnable[list[BaseMessage], BaseMessage] = model
        self._may_act = True
        if skills:
            try:
                self._acting = model.bind_tools(skills)
                self._answering = model.bind_tools(skills, tool_choice=_NO_CALL.get(model._llm_type, "none"))
            except NotImplementedError:
                if not answers_only:
                    name = type(model).__name__
                    raise ConfigError(f"{name} cannot call tools; use ChatLlavaPlus or another one that can") from None
                self._may_act = False
        self._sight = sight

    def ask(self, messages: Sequence[BaseMessage], images: Sequence[str] = (), *, may_act: bool = True) -> AIMessage:
        """The LMM's next message.

        Args:
            messages: the whole conversation, pictures as handles.
            images: the conversation's pictures, ``image_1`` first.
            may_act: whether it may call skills; otherwise it has to answer.

        Returns:
            A plan (every call has an id that the conversation has not seen) or an answer. After two unreadable plans
            it is an answer made without skills, with the reason in ``response_metadata["invalid_plan"]``.
        """
        turn = _turn(messages, may_act and self._may_act)
        request = next(turn)
        while True:
            reply = self._model_for(request).invoke(self._sight.visible(request.messages, images))
            try:
                request = turn.send(_as_ai(reply))
            except StopIteration as done:
                return self._kept(done.value, messages)

    async def aask(
        self, messages: Sequence[BaseMessage], images: Sequence[str] = (), *, may_act: bool = True
    ) -> AIMessage:
        """As `ask`."""
        turn = _turn(messages, may_act and self._may_act)
        request = next(turn)
        while True:
            visible = await run_in_executor(None, self._sight.visible, request.messages, images)
            reply = await self._model_for(request).ainvoke(visible)
            try:
                request = turn.send(_as_ai(reply))
            except StopIteration as done:
                if isinstance(done.value.content, str):
                    return self._kept(done.value, messages)
                return await run_in_executor(None, self._kept, done.value, messages)

    def _kept(self, reply: AIMessage, messages: Sequence[BaseMessage]) -> AIMessage:
        """The reply as the state may hold it."""
        return _with_new_ids(_sound(self._sight.with_handles(reply)), messages)

    def _model_for(self, request: _Request) -> Runnable[list[BaseMessage], BaseMessage]:
        return self._acting if request.may_act else self._answering


def _turn(messages: Sequence[BaseMessage], may_act: bool) -> Generator[_Request, AIMessage, AIMessage]:
    problem = None
    if may_act:
        reply = yield _Request(list(messages), may_act=True)
        problem = _problem_of(reply)
        if problem is None:
            return reply
        reminder = SystemMessage(REMINDER.format(problem=problem))
        reply = yield _Request([*messages, reminder], may_act=True)
        problem = _problem_of(reply)
        if problem is None:
            return reply
    reply = yield _Request(list(messages), may_act=False)
    return _answer_only(reply, problem)


def _as_ai(reply: BaseMessage) -> AIMessage:
    if not isinstance(reply, AIMessage):
        raise TypeError(f"a chat model must return an AIMessage, not a {type(reply).__name__}")
    return reply


def _problem_of(reply: AIMessage) -> str | None:
    reason = reply.response_metadata.get(INVALID_PLAN)
    if reason:
        return str(reason)
    if reply.invalid_tool_calls:
        broken = reply.invalid_tool_calls[0]
        return f"the arguments of {broken.get('name') or 'a call'} are not a JSON object"
    return None


def _answer_only(reply: AIMessage, problem: str | None) -> AIMessage:
    """What a model said that was told to call nothing, without the calls it may have made all the same."""
    own = _problem_of(reply)
    if reply.tool_calls:
        own = "skills were called where an answer was due"
    if reply.tool_calls or reply.invalid_tool_calls:
        reply = with_calls(reply, [])
    reason = problem or own
    if reason is None:
        return reply
    return reply.model_copy(update={"response_metadata": {**reply.response_metadata, INVALID_PLAN: reason}})


def with_calls(message: AIMessage, calls: list[ToolCall]) -> AIMessage:
    """The same message (its id too) with other calls.

    Blocks that spell the old calls out go. The others stay, because some interfaces want the thoughts that led to a
    call back beside it; without a call they want none.
    """
    rest = [block for block in message.content if isinstance(block, str) or block.get("type") not in _CALL_BLOCKS]
    return AIMessage(
        content=rest if calls and isinstance(message.content, list) else message.text,
        tool_calls=calls,
        id=message.id,
        name=message.name,
        additional_kwargs={key: value for key, value in message.additional_kwargs.items() if key != "tool_calls"},
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
    )


def _sound(reply: AIMessage) -> AIMessage:
    """The reply without lone surrogates, which neither checkpoints nor requests can hold."""
    said = {"content": reply.content, "tool_calls": reply.tool_calls, "additional_kwargs": reply.additional_kwargs}
    clean = {name: _without_surrogates(value) for name, value in said.items()}
    return reply if clean == said else reply.model_copy(update=clean)


def _without_surrogates(value: Any) -> Any:  # Any: whatever JSON holds
    if isinstance(value, str):
        return _SURROGATES.sub("", value)
    if isinstance(value, list):
        return [_without_surrogates(inner) for inner in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(inner) for key, inner in value.items()}
    return value


def _with_new_ids(reply: AIMessage, messages: Sequence[BaseMessage]) -> AIMessage:
    """Results are kept by call id and messages by their own, so none may be missing or come twice in a conversation."""
    if reply.id is not None and any(message.id == reply.id for message in messages):
        reply = reply.model_copy(update={"id": f"lc_{uuid.uuid4()}"})
    taken = {call["id"] for message in messages if isinstance(message, AIMessage) for call in message.tool_calls}
    calls: list[ToolCall] = []
    for call in reply.tool_calls:
        new = call["id"] if call["id"] and call["id"] not in taken else f"call_{uuid.uuid4().hex}"
        taken.add(new)
        calls.append(ToolCall(type="tool_call", name=call["name"], args=call["args"], id=new))
    same = [call["id"] for call in calls] == [call["id"] for call in reply.tool_calls]
    return reply if same else with_calls(reply, calls)
