"""Tells whoever streams the graph which calls begin and end. Knows calls, not what they do.

The events come with ``stream_mode="custom"`` and are plain JSON::

    {"event": "skill_started", "skill": "read_text", "id": "call_1"}
    {"event": "skill_finished", "skill": "read_text", "id": "call_1", "seconds": 0.42, "status": "success"}
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, NotRequired

from langchain_core.messages import ToolCall
from typing_extensions import TypedDict


class SkillEvent(TypedDict):
    """A call that began or ended.

    Attributes:
        event: which of the two.
        skill: as the plan called it.
        id: of the call.
        seconds: how long it took, when it has ended.
        status: whether there is a result or a failure, when it has ended.
    """

    event: Literal["skill_started", "skill_finished"]
    skill: str
    id: str
    seconds: NotRequired[float]
    status: NotRequired[Literal["success", "error"]]


Tell = Callable[[Any], None]


def nobody(event: object) -> None:
    """Tells no one."""


class Progress:
    """One call on its way; making it says that the call has begun."""

    def __init__(self, call: ToolCall, tell: Tell) -> None:
        self._name, self._id, self._tell = call["name"], str(call["id"]), tell
        self._began = time.monotonic()
        tell(SkillEvent(event="skill_started", skill=self._name, id=self._id))

    def finished(self, kind: str) -> None:
        """Says that the call has ended with a result of this kind."""
        self._tell(
            SkillEvent(
                event="skill_finished",
                skill=self._name,
                id=self._id,
                seconds=round(time.monotonic() - self._began, 3),
                status="error" if kind == "failure" else "success",
            )
        )
