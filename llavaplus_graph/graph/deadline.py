"""Gives up on work that takes too long. Knows threads and event loops, not what the work is."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import queue
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeAlias, TypeVar

from llavaplus_graph.errors import SkillError

_T = TypeVar("_T")
_Job: TypeAlias = Callable[[], None]

_IDLE: deque[queue.SimpleQueue[_Job]] = deque()
"""Where threads wait for their next job: to wake one takes a fraction of the time that it takes to start one."""

_MOST_IDLE = 16


def within(seconds: float | None, name: str, work: Callable[[], _T]) -> _T:
    """Does work in a thread beside this one, for at most so many seconds.

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
    context = contextvars.copy_context()
    # A queue wakes the one who waits in half the time of a Future.
    done: queue.SimpleQueue[Callable[[], _T]] = queue.SimpleQueue()

    def job() -> None:
        try:
            result = context.run(work)
        # Whatever it is belongs to the one who waits.
        except BaseException as err:  # noqa: BLE001
            done.put(functools.partial(_raised, err))
        else:
            done.put(lambda: result)

    _idle_thread().put(job)
    try:
        outcome = done.get(timeout=seconds)
    except queue.Empty:
        raise _too_late(seconds, name) from None
    return outcome()


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


def _idle_thread() -> queue.SimpleQueue[_Job]:
    """The inbox of a thread that has nothing to do."""
    try:
        return _IDLE.pop()
    except IndexError:
        inbox: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="skill", daemon=True).start()
        return inbox


def _serve(inbox: queue.SimpleQueue[_Job]) -> None:
    inbox.get()()  # a thread whose work hangs stays here and is not found idle again
    while len(_IDLE) < _MOST_IDLE:
        _IDLE.append(inbox)
        inbox.get()()


def _raised(err: BaseException) -> NoReturn:
    raise err


def _too_late(seconds: float, name: str) -> SkillError:
    return SkillError(f"{name} took longer than {seconds:g} s and was stopped.")


if hasattr(os, "register_at_fork"):  # a forked process has none of these threads
    os.register_at_fork(after_in_child=_IDLE.clear)
