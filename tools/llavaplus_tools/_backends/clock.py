"""Stops models at a deadline, in the thread that runs them. Knows modules and seconds, no skill and no pool.

Python cannot stop a thread from outside, and a model is too large to be loaded a second time in a process that could be
killed. But a model is thousands of small modules that Python calls one after another: each asks whether there is time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.memory import modules_of


@dataclass(slots=True)
class _Clock:
    name: str
    seconds: float
    left: float
    until: float | None = None  # while a model runs


_CLOCK: ContextVar[_Clock | None] = ContextVar("clock", default=None)


@contextmanager
def limited(name: str, seconds: float) -> Iterator[None]:
    """Gives the models that run inside so many seconds together; loading and fetching them does not count.

    Args:
        name: whose work it is, for the message.
        seconds: the limit; an inner one takes the place of an outer one.
    """
    token = _CLOCK.set(_Clock(name, seconds, seconds))
    try:
        yield
    finally:
        _CLOCK.reset(token)


@contextmanager
def running() -> Iterator[None]:
    """Lets the time run while a model works inside.

    Raises:
        SkillError: from within a watched model, when the time is up.
    """
    clock = _CLOCK.get()
    if clock is None or clock.until is not None:
        yield
        return
    clock.until = time.monotonic() + clock.left
    try:
        yield
    finally:
        clock.left, clock.until = clock.until - time.monotonic(), None


def watch(model: Any) -> None:
    """Makes every part of a model look at the time before it begins; costs about a microsecond each.

    Args:
        model: what a pool holds, as in `modules_of`.
    """
    for whole in modules_of(model):
        for part in whole.modules():
            part.register_forward_pre_hook(_check)


def _check(module: Any, inputs: Any) -> None:
    del module, inputs
    clock = _CLOCK.get()
    if clock is not None and clock.until is not None and time.monotonic() > clock.until:
        raise SkillError(f"{clock.name} took longer than {clock.seconds:g} s and was stopped.")
