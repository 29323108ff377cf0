"""Runs a tool no longer than its deadline allows, one call of a tool at a time. Knows no record and no sample."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.tools import BaseTool

from llavaplus_graph.skills import skill_info

_DEADLINE = 120.0  # seconds, for a tool that does not say how long it may take


class OverdueError(Exception):
    """A tool took longer than it may; its thread goes on, and nobody waits for it."""


def invoke_in_time(tool: BaseTool, args: Mapping[str, Any]) -> ToolMessage:
    """Call a tool on a thread of its own and wait for it until its deadline.

    Args:
        tool: The tool; a skill says itself how long it may take.
        args: Its arguments.

    Raises:
        OverdueError: If it took longer; names the tool and the seconds.
        Exception: Whatever the tool raises.
    """
    info = skill_info(tool)
    deadline = info.deadline if info else _DEADLINE
    done: queue.Queue[ToolMessage | BaseException] = queue.Queue()

    def work() -> None:
        try:
            done.put(tool.invoke(ToolCall(name=tool.name, args=dict(args), id="call", type="tool_call")))
        # Handed to the thread that waits.
        except BaseException as error:  # noqa: BLE001
            done.put(error)

    with _lock_of(tool.name):
        threading.Thread(target=work, daemon=True).start()
        try:
            outcome = done.get(timeout=deadline)
        except queue.Empty:
            raise OverdueError(f"{tool.name}: more than {deadline:g} s") from None
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


@functools.cache
def _lock_of(name: str) -> threading.Lock:  # noqa: ARG001 - the name is the key of the cache
    return threading.Lock()
