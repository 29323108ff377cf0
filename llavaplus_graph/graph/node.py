"""A step of the graph that runs in both worlds. Knows no state.

A `RunnableLambda` would do the same, with a trace of its own inside the trace that LangGraph keeps of every node.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from langchain_core.runnables import Runnable, RunnableConfig

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Node(Runnable[_In, _Out]):
    """A function and its asynchronous twin as one runnable.

    Args:
        work: what the node does.
        awork: the same on the event loop; None where `work` is too short to block it.
    """

    def __init__(self, work: Callable[[_In], _Out], awork: Callable[[_In], Awaitable[_Out]] | None = None) -> None:
        self._work = work
        self._awork = awork

    def invoke(self, input: _In, config: RunnableConfig | None = None, **kwargs: Any) -> _Out:  # noqa: A002, ARG002
        """Does the work; LangGraph has made the configuration known to whatever is called inside."""
        return self._work(input)

    async def ainvoke(
        self,
        input: _In,  # noqa: A002
        config: RunnableConfig | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> _Out:
        """As `invoke`."""
        return self._work(input) if self._awork is None else await self._awork(input)
