"""Gives up on work that takes too long. Knows threads and event loops, not what the work is."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from llavaplus_graph.errors import SkillError

_T = TypeVar("_T")


def within(seconds: float | None, name: str, work: Callable[[], _T]) -> _T:
    """Does work in a thread of its own, for at most so many seconds.

    Python cannot stop a thread: work that hangs goes on, but nobody waits for it, not even the end of the process.

    Args:
        seconds: the limit; None does the work right here, without one.
        name: whose work it is, for the message.
        work: what to do; it sees the caller's context variables.

    Raises:
        SkillError: there was no result in time.
    """
    if seconds is None:
        return work()
    future: Future[_T] = Future()
    context = contextvars.copy_context()

    def body() -> None:
        try:
            future.set_result(context.run(work))
        # Whatever it is belongs to the one who waits.
        except BaseException as err:  # noqa: BLE001
            future.set_exception(err)

    threading.Thread(target=body, name=f"skill {name}", daemon=True).start()
    try:
        return future.result(timeout=seconds)
    except TimeoutError:
        if future.done():  # the work's own error
            raise
        raise _too_late(seconds, name) from None


async def awithin(seconds: float | None, name: str, work: Awaitable[_T]) -> _T:
    """As `within`, for work on the event loop; it is cancelled when its time is over."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise _too_late(seconds or 0, name) from None


def _too_late(seconds: float, name: str) -> SkillError:
    return SkillError(f"{name} took longer than {seconds:g} s and was stopped.")
