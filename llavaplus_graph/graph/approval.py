"""Asks a person before a skill runs. Knows calls and decisions, no skill and no model.

Requests and decisions have the shapes of LangChain's human-in-the-loop middleware (docs.langchain.com,
"Human-in-the-loop"), so that whoever shows the one shows the other. Every call that waits has an interrupt of its own:
several can be pending at once, and each is resumed by its id while the others wait on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.tools import BaseTool
from langgraph.types import interrupt

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph.failures import failed
from llavaplus_graph.graph.lmm import with_calls
from llavaplus_graph.graph.node import Node
from llavaplus_graph.graph.state import Task, Update
from llavaplus_graph.skills import canonical_name

DECISIONS = ("approve", "edit", "reject")


def approved(node: Node[Task, Update], names: Sequence[str], skills: Sequence[BaseTool]) -> Node[Task, Update]:
    """The execute node, which waits for a person where the call is one of these skills.

    The request is ``{"action_requests": [{"name", "args", "description"}], "review_configs": [{"action_name",
    "allowed_decisions"}]}``; the answer ``{"decisions": [decision]}``, or the decision alone: ``{"type": "approve"}``,
    ``{"type": "edit", "edited_action": {"name", "args"}}`` or ``{"type": "reject", "message"}``. An answer that is none
    of these is asked for again, and the request says what is wrong.

    Args:
        node: runs a call.
        names: skills that wait.
        skills: all skills.

    Raises:
        ConfigError: `names` has one that is not a skill's.
    """
    known = [skill.name for skill in skills]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"approve names {unknown[0]!r}; the skills are {', '.join(known) or 'none'}")
    if not names:
        return node

    def reviewed(task: Task) -> tuple[Task, Update]:
        call = task["call"]
        name = call["name"] if call["name"] in known else canonical_name(call["name"])
        return _reviewed(task) if name in names else (task, {})

    # The person is asked before anything runs: when the node is run again with the answer, nothing happens twice.
    def execute(task: Task) -> Update:
        task, update = reviewed(task)
        return update if "results" in update else {**node.invoke(task), **update}

    async def aexecute(task: Task) -> Update:
        task, update = reviewed(task)
        return update if "results" in update else {**await node.ainvoke(task), **update}

    return Node(execute, aexecute)


def edited_plan(messages: Sequence[BaseMessage], edits: Mapping[str, dict[str, Any]]) -> list[BaseMessage]:
    """The plan that a conversation ends with, as it was carried out; nothing when nobody changed it."""
    plan = messages[-1] if messages else None
    if not isinstance(plan, AIMessage) or not any(call["id"] in edits for call in plan.tool_calls):
        return []
    calls = [ToolCall(**{**call, "args": edits.get(str(call["id"]), call["args"])}) for call in plan.tool_calls]
    return [with_calls(plan, calls)]


def _reviewed(task: Task) -> tuple[Task, Update]:
    """What is to be run, and what the decision itself changes."""
    call = task["call"]
    decision = _decision(call)
    if decision["type"] == "reject":
        reason = decision.get("message")
        told = f"A person did not allow {call['name']}{f': {reason}' if reason else ''}; do not call it again unasked."
        return task, {"results": {str(call["id"]): failed(call["name"], told)}}
    if decision["type"] == "edit":
        arguments = dict(decision["edited_action"]["args"])
        return {**task, "call": {**call, "args": arguments}}, {"edits": {str(call["id"]): arguments}}
    return task, {}


def _decision(call: ToolCall) -> Mapping[str, Any]:
    problem = ""
    while True:
        answer = interrupt(_request(call, problem))
        decisions = answer.get("decisions", [answer]) if isinstance(answer, Mapping) else None
        problem = _problem_of(decisions, call["name"])
        if not problem and decisions:
            decision: Mapping[str, Any] = decisions[0]
            return decision


def _request(call: ToolCall, problem: str) -> dict[str, Any]:
    shown = json.dumps(call["args"], ensure_ascii=False)
    description = f"{problem} " if problem else ""
    return {
        "action_requests": [
            {
                "name": call["name"],
                "args": call["args"],
                "description": f"{description}May {call['name']} run with {shown}?",
            }
        ],
        "review_configs": [{"action_name": call["name"], "allowed_decisions": list(DECISIONS)}],
    }


def _problem_of(decisions: object, name: str) -> str:
    """What is wrong with an answer, as a sentence for the person; empty when nothing is."""
    if not isinstance(decisions, Sequence) or len(decisions) != 1 or not isinstance(decisions[0], Mapping):
        return "The answer must be one decision."
    decision = decisions[0]
    if decision.get("type") not in DECISIONS:
        return f"The decision {decision.get('type')!r} must be one of {', '.join(DECISIONS)}."
    if decision["type"] == "edit":
        action = decision.get("edited_action")
        if not isinstance(action, Mapping) or not isinstance(action.get("args"), Mapping):
            return "An edit must have an edited_action with name and args."
        if action.get("name", name) != name:
            return f"An edit may change the arguments of {name}, not call {action['name']!r} instead."
    return ""
