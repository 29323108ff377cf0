"""Joins the results of a round into what the LMM reads. Knows results, not how they came about."""

from __future__ import annotations

import json

from langchain_core.messages import ToolMessage

from llavaplus_graph.graph.state import State, Update, pending_calls
from llavaplus_graph.types import SkillFailure, parse_result


def aggregate(state: State) -> Update:
    """The aggregate node: one tool message per call, in the order of the plan, and the new pictures get numbers."""
    messages = []
    pictures: list[str] = []
    for call in pending_calls(state["messages"]):
        artifact = state["results"][str(call["id"])]
        result = parse_result(artifact)
        content = result.content()
        if result.pictures:
            first = len(state["images"]) + len(pictures) + 1
            content["pictures"] = [f"image_{first + offset}" for offset in range(len(result.pictures))]
            pictures.extend(result.pictures)
        messages.append(
            ToolMessage(
                content=json.dumps(content, ensure_ascii=False),
                artifact=artifact,
                name=call["name"],
                tool_call_id=str(call["id"]),
                status="error" if isinstance(result, SkillFailure) else "success",
            )
        )
    return {"messages": [*messages], "images": pictures, "rounds": state["rounds"] + 1}
