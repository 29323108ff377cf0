import asyncio
import contextvars
import threading
import time

import pytest

from llavaplus_graph.errors import SkillError
from llavaplus_graph.graph.deadline import awithin, within

TOLD: contextvars.ContextVar[str] = contextvars.ContextVar("told", default="nobody")


def settled(thread: threading.Thread) -> threading.Thread:
    """The thread, a moment later: it has given its result before it is found idle again."""
    time.sleep(0.05)
    return thread


def test_a_thread_that_is_done_does_the_next_work() -> None:
    first = settled(within(5, "look", threading.current_thread))
    assert first is not threading.current_thread()
    assert within(5, "look", threading.current_thread) is first


def test_a_thread_that_hangs_is_given_up_and_gets_no_other_work() -> None:
    let_go = threading.Event()
    hanging: list[threading.Thread] = []

    def hang() -> None:
        hanging.append(threading.current_thread())
        let_go.wait(30)

    with pytest.raises(SkillError, match=r"look took longer than 0\.05 s and was stopped"):
        within(0.05, "look", hang)
    assert within(5, "look", threading.current_thread) is not hanging[0]
    let_go.set()


def test_without_a_limit_work_is_done_right_here() -> None:
    assert within(None, "look", threading.current_thread) is threading.current_thread()


def test_work_sees_what_the_caller_was_told() -> None:
    TOLD.set("somebody")
    assert within(5, "look", TOLD.get) == "somebody"


@pytest.mark.parametrize("error", [ValueError("no"), TimeoutError("its own")])
def test_an_error_of_the_work_itself_comes_through(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        within(5, "look", fail)


def test_more_threads_at_once_than_may_wait_all_do_their_work() -> None:
    barrier = threading.Barrier(24)
    callers = [threading.Thread(target=within, args=(10, "look", lambda: barrier.wait(10))) for _ in range(24)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert not barrier.broken


def test_awaited_work_is_given_up_too() -> None:
    with pytest.raises(SkillError, match="look took longer than"):
        asyncio.run(awithin(0.01, "look", asyncio.sleep(10)))
