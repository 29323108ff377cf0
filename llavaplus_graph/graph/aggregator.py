"""Joins the results of a round into what the LMM reads. Knows results, not how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping

from langchain_core.messages import ToolCall, ToolMessage
from pydantic import JsonValue

from llavaplus_graph.graph.approval import edited_plan
from llavaplus_graph.graph.failures import failed
from llavaplus_graph.graph.limits import Limits
from llavaplus_graph.graph.merging import merged_contents
from llavaplus_graph.graph.node import Node
from llavaplus_graph.graph.state import Artifact, State, Update, pending_calls
from llavaplus_graph.graph.truncation import within_room
from llavaplus_graph.types import SkillFailure, SkillResult, parse_result

LONGEST_OBSERVATION = 6000
"""Characters of JSON that the LMM reads of one round."""


def aggregator(limits: Limits, longest: int = LONGEST_OBSERVATION) -> Node[State, Update]:
    """The aggregate node: one tool message per call, in the order of the plan, and the new pictures get numbers.

    Args:
        limits: calls beyond them were not run and are answered here.
        longest: characters of JSON that the LMM may have to read of one round.
    """

    def aggregate(state: State) -> Update:
        calls = pending_calls(state["messages"])
        refused = {
            str(call["id"]): failed(
                call["name"], f"{call['name']} was not run: {limits.calls} calls a turn are allowed."
            )
            for call in calls
            if str(call["id"]) not in state["results"]
        }
        artifacts: Mapping[str, Artifact] = {**state["results"], **refused}
        results = [parse_result(artifacts[str(call["id"])]) for call in calls]
        pictures = [handle for result in results for handle in result.pictures]
        merged = merged_contents([(call["name"], result) for call, result in zip(calls, results, strict=True)])
        contents = within_room(merged, longest)
        number = len(state["images"])
        messages = []
        for call, result, content in zip(calls, results, contents, strict=True):
            messages.append(_message(call, artifacts[str(call["id"])], result, content, first=number + 1))
            number += len(result.pictures)
        update: Update = {
            "messages": [*edited_plan(state["messages"], state["edits"]), *messages],
            "rounds": state["rounds"] + 1,
        }
        if pictures:
            update["images"] = pictures
        if refused:
            update["results"] = refused
        return update

    return Node(aggregate)


def _message(
    call: ToolCall, artifact: Artifact, result: SkillResult, content: dict[str, JsonValue], *, first: int
) -> ToolMessage:
    """The tool message of a call; the first of its new pictures gets this number."""
    named: list[JsonValue] = [f"image_{first + offset}" for offset in range(len(result.pictures))]
    return ToolMessage(
        content=json.dumps({**content, "pictures": named} if named else content, ensure_ascii=False),
        artifact=artifact,
        name=call["name"],
        tool_call_id=str(call["id"]),
        status="error" if isinstance(result, SkillFailure) else "success",
    )
