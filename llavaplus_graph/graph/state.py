"""What the graph remembers, plain JSON and messages only. Knows nothing of models, skills or pixels."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypeAlias

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict as a state before Python 3.12

from llavaplus_graph.graph.conversation import CONVERSATION
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.types import SkillResult, parse_result

Artifact: TypeAlias = dict[str, Any]
"""A skill result in plain JSON, as ``model_dump(mode="json")`` gives it."""


def merge_results(known: Mapping[str, Artifact], new: Mapping[str, Artifact]) -> dict[str, Artifact]:
    """Adds results; one that comes again moves to the end, so that the newest is always last."""
    return {call_id: artifact for call_id, artifact in known.items() if call_id not in new} | dict(new)


class InputState(TypedDict):
    """What a caller gives: the new messages (LangChain messages, or what `add_messages` makes messages of)."""

    messages: Annotated[list[AnyMessage], CONVERSATION]


class State(InputState):
    """What a thread holds.

    Attributes:
        images: handles of the conversation's pictures, ``image_1`` first. A picture that comes again, from the user
            or out of a skill, is listed again: then it is ``latest`` once more and no number ever changes its meaning.
        results: the plain form of the current turn's skill results by call id. Those of earlier turns are in the tool
            messages alone: every checkpoint holds the whole state, and what stands in it twice is paid for often.
        rounds: how many rounds of skills the current turn has had.
        edits: arguments that a person put in place of the plan's, by call id.
    """

    images: Annotated[list[str], operator.add]
    results: Annotated[dict[str, Artifact], merge_results]
    rounds: int
    edits: Annotated[dict[str, dict[str, Any]], operator.or_]


class Update(TypedDict, total=False):
    """What a node changes; what stays as it is is left out, because every entry is a row of the checkpointer."""

    messages: list[BaseMessage]
    images: list[str]
    results: dict[str, Artifact]
    rounds: int
    edits: dict[str, dict[str, Any]]


class Task(TypedDict):
    """What one run of the execute node is sent.

    Attributes:
        call: one call of the plan.
        images: handles of the conversation's pictures, oldest first.
        masks: plain form of the newest segmented regions; None unless the skill follows them and there are some.
        scene: plain form of the newest scene map, likewise.
    """

    call: ToolCall
    images: list[str]
    masks: Artifact | None
    scene: NotRequired[Artifact | None]


def pending_calls(messages: Sequence[BaseMessage]) -> list[ToolCall]:
    """The calls that the last message asks for; none when it is no plan."""
    last = messages[-1] if messages else None
    return list(last.tool_calls) if isinstance(last, AIMessage) else []


def newest_masks(results: Mapping[str, Artifact]) -> Artifact | None:
    """The plain form of the segmented regions that were found last, or None."""
    return _newest("masks", results)


def newest_scene(results: Mapping[str, Artifact]) -> Artifact | None:
    """The plain form of the scene map that was made last, or None."""
    return _newest("scene_map", results)


def _newest(kind: str, results: Mapping[str, Artifact]) -> Artifact | None:
    return next((found for found in reversed(list(results.values())) if found["kind"] == kind), None)


def results_in(messages: Sequence[BaseMessage]) -> dict[str, Artifact]:
    """The skill results that messages carry, by call id and oldest first; those of other tools are left out."""
    told = [said for said in messages if isinstance(said, ToolMessage) and _is_result(said.artifact)]
    return {said.tool_call_id: said.artifact for said in told}


def _is_result(artifact: object) -> bool:
    try:
        return isinstance(artifact, Mapping) and bool(parse_result(artifact))
    except ValueError:
        return False


def results_of(output: Mapping[str, Any], store: ImageStore | None = None) -> list[SkillResult]:
    """The typed results behind the last answer, in the order of their calls.

    Args:
        output: what ``graph.invoke`` returned, or ``graph.get_state(config).values``; of a larger graph too, as long
            as it has the messages.
        store: where the pictures of the conversation are; by default the store of the process.

    Returns:
        Results that draw themselves; a skill that failed gives a `SkillFailure`.

    Raises:
        ValueError: a stored result was written by something else.
    """
    store = store or default_store()
    results = {**results_in(output["messages"]), **output.get("results", {})}
    calls = [call for plan in _plans_of_the_last_turn(output["messages"]) for call in plan.tool_calls]
    return [parse_result(results[call["id"]]).bound_to(store.get) for call in calls if call["id"] in results]


def _plans_of_the_last_turn(messages: Sequence[BaseMessage]) -> list[AIMessage]:
    plans: list[AIMessage] = []
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            break
        if isinstance(message, AIMessage):
            plans.insert(0, message)
    return plans
