"""One turn as text and as JSON. Knows messages, prints nothing; whatever others wrote is made safe for a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AnyMessage, ToolMessage


class Action(TypedDict):
    """One call of a plan."""

    skill: str
    arguments: dict[str, Any]


class Result(TypedDict):
    """What a skill returned; the file is the annotated or edited picture, where one was written."""

    skill: str
    status: str
    content: Any
    file: str | None


class Round(TypedDict):
    """One plan and its results."""

    thoughts: str
    actions: list[Action]
    results: list[Result]


class Answer(TypedDict):
    """The end of a turn; the problem says why a plan could not be used, where that happened."""

    thoughts: str
    answer: str
    problem: str | None


def rounds_of(messages: Sequence[AnyMessage]) -> list[Round]:
    """The rounds of the last turn, oldest first."""
    rounds: list[Round] = []
    for message in last_turn(messages):
        if message.type == "ai" and message.tool_calls:
            rounds.append({"thoughts": thoughts_of(message), "actions": actions_of(message), "results": []})
        elif message.type == "tool" and rounds:
            rounds[-1]["results"].append(result_of(message))
    return rounds


def last_turn(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """The messages from the user's last one on."""
    last = max((at for at, message in enumerate(messages) if message.type == "human"), default=0)
    return list(messages[last:])


def answer_of(message: AIMessage) -> Answer:
    """The last message of a turn."""
    problem = message.response_metadata.get("invalid_plan")
    return {"thoughts": thoughts_of(message), "answer": message.text, "problem": str(problem) if problem else None}


def thoughts_of(message: AIMessage) -> str:
    """Why the LMM does what it does; empty when it does not say."""
    parts = [str(block["reasoning"]) for block in message.content_blocks if block["type"] == "reasoning"]
    return "\n".join(parts).strip()


def actions_of(message: AIMessage) -> list[Action]:
    """The calls of a plan."""
    return [{"skill": call["name"], "arguments": call["args"]} for call in message.tool_calls]


def result_of(message: ToolMessage) -> Result:
    """What the LMM was told of a skill's result."""
    return {"skill": message.name or "", "status": message.status, "content": json.loads(message.text), "file": None}


def plan_lines(message: AIMessage) -> list[str]:
    """A plan as text."""
    thoughts = [f"  thoughts  {printable(thoughts_of(message))}"] if thoughts_of(message) else []
    return [*thoughts, *(f"  action    {_call(action)}" for action in actions_of(message))]


def result_line(message: ToolMessage) -> str:
    """A result as text."""
    result = result_of(message)
    label = "result" if result["status"] == "success" else "failure"
    return printable(f"  {label:<8}  {result['skill']}: {json.dumps(result['content'], ensure_ascii=False)}")


def printable(text: str) -> str:
    """The text without characters that would steer a terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)


def _call(action: Action) -> str:
    given = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in action["arguments"].items())
    return printable(f"{action['skill']}({', '.join(given)})")
