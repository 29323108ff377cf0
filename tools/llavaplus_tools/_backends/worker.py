"""Does work in other processes, which can be stopped at a deadline and may crash. Knows no skill and no picture.

Python cannot stop a thread, and a crash in native code ends the process it happens in. The processes do not run the
user's main module again, so that no script needs a guard; they stay warm for the next call and end when idle for long.
"""

from __future__ import annotations

import atexit
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from traceback import format_exception
from typing import IO, Any, ParamSpec, TypeVar

from llavaplus_graph.errors import SkillError

_LOG = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")
_PACKAGE = __name__.partition(".")[0]
# Importing the package itself would load every skill, and LangChain with them, which takes longer than most work.
_PROGRAM = f"""
import sys
from importlib.util import find_spec
from types import ModuleType
package = ModuleType({_PACKAGE!r})
package.__path__ = list(find_spec({_PACKAGE!r}).submodule_search_locations)
sys.modules[{_PACKAGE!r}] = package
from {__name__} import serve
serve()
"""
_IDLE = 300.0
"""Seconds after which a process that has nothing to do ends and gives its memory back."""


def apart(work: Callable[_P, _T], *, name: str, seconds: float) -> Callable[_P, _T]:
    """The same work in another process, for at most so many seconds.

    Args:
        work: a function of one of these backends, or of another package. It, its arguments and its result travel as
            bytes, and it cannot depend on what this process has changed.
        name: whose work it is, for the message.
        seconds: the limit; at its end the process is killed, and the next call gets another one.

    Returns:
        The function. It raises what `work` raises, and `SkillError` where there is no result in time or the process
        ended of itself.
    """

    @wraps(work)
    def remote(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        message = pickle.dumps((seconds, work, args, kwargs), pickle.HIGHEST_PROTOCOL)
        try:
            worker = _WORKERS.take()
        except OSError as err:  # a sandbox may forbid processes; then the work is done here, without a limit
            _LOG.warning("no process could be started for %s: %s", name, err)
            return work(*args, **kwargs)
        try:
            done, result = worker.ask(message, seconds)
        except TimeoutError:
            worker.kill()
            raise SkillError(f"{name} took longer than {seconds:g} s and was stopped.") from None
        except (EOFError, OSError):
            worker.kill()
            raise SkillError(f"{name} broke down over this picture; try another one") from None
        except BaseException:  # the user has interrupted it
            worker.kill()
            raise
        _WORKERS.give_back(worker)
        if not done:
            raise result
        answer: _T = result
        return answer

    return remote


def begin(work: Callable[[], object], *, name: str, seconds: float) -> None:
    """Lets a process do something now, in the background, so that it is warm when it gets its first task.

    Args:
        work: as in `apart`, for example what loads models.
        name: as in `apart`.
        seconds: as in `apart`; it is never waited for.
    """

    def run() -> None:
        with suppress(Exception):  # whatever is wrong will be wrong in the first task too
            apart(work, name=name, seconds=seconds)()

    threading.Thread(target=run, name=f"{name} gets ready", daemon=True).start()


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        path = os.pathsep.join(part or str(os.curdir) for part in sys.path)
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and program
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.home = os.getpid()
        self.last_used = time.monotonic()

    def ask(self, message: bytes, seconds: float) -> tuple[bool, Any]:  # Any: whatever the work gives or raises
        """Sends a task and waits for the answer: whether it was done, and the result or the error.

        Raises:
            TimeoutError: there was no answer in time; the process is dead.
            EOFError: the process ended.
            OSError: the process ended.
        """
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            _write(self._pipe(self._process.stdin), message)
            answer: tuple[bool, Any] = pickle.loads(_read(self._pipe(self._process.stdout)))  # noqa: S301  our own
        except (EOFError, OSError):
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        return answer

    @property
    def is_fresh(self) -> bool:
        """It lives and will not end in a moment."""
        return time.monotonic() - self.last_used < _IDLE / 2 and self._process.poll() is None

    def kill(self) -> None:
        """Ends the process, whatever it does."""
        _WORKERS.forget(self)
        if self.home != os.getpid():
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # something may have been left unsent
                self._pipe(pipe).close()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise EOFError
        return pipe


class _Workers:
    """The processes of this one; those without work are kept for the next task."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        atexit.register(self.close)

    def take(self) -> _Worker:
        """A process without work, the one last used where there are several."""
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                break
            if worker.home == os.getpid() and worker.is_fresh:
                return worker
            worker.kill()
        worker = _Worker()
        with self._lock:
            self._all.add(worker)
        return worker

    def give_back(self, worker: _Worker) -> None:
        """Keeps a process whose task is done."""
        worker.last_used = time.monotonic()
        with self._lock:
            self._idle.append(worker)

    def forget(self, worker: _Worker) -> None:
        """Keeps a process no longer."""
        with self._lock:
            self._all.discard(worker)

    def close(self) -> None:
        """Ends all processes, also those that work."""
        for worker in list(self._all):
            worker.kill()


_WORKERS = _Workers()


def serve() -> None:
    """What the other process does: one task after another from its input, until that ends or stays empty for long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the one who waits
    with os.fdopen(os.dup(0), "rb") as tasks, os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)  # what libraries print is no answer
        with suppress(EOFError, OSError):
            while True:
                with _limited(_IDLE):
                    message = _read(tasks)
                _write(answers, _answer(message))


class _limited:  # noqa: N801  it is used as a function
    """Ends this process when what is inside takes longer; the one who waits may have been killed."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, os._exit, (0,))
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *exc_info: object) -> None:
        self._timer.cancel()


def _answer(message: bytes) -> bytes:
    try:
        seconds, work, args, kwargs = pickle.loads(message)  # noqa: S301  written by the process that began this one
        with _limited(seconds + 1):
            return pickle.dumps((True, work(*args, **kwargs)), pickle.HIGHEST_PROTOCOL)
    # Whatever it is belongs to the one who waits.
    except Exception as err:  # noqa: BLE001
        err.add_note("".join(format_exception(err)))
        return _as_bytes(err)


def _as_bytes(err: Exception) -> bytes:
    try:
        told = pickle.dumps((False, err))
        pickle.loads(told)  # noqa: S301  some errors can be written but not read
    # Errors of libraries fail in ways of their own.
    except Exception:  # noqa: BLE001
        return pickle.dumps((False, RuntimeError(f"{type(err).__name__}: {err}")))
    return told


def _write(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(8, "little"))
    pipe.write(message)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes:
    size = pipe.read(8)
    message = pipe.read(int.from_bytes(size, "little"))
    if len(size) < 8 or len(message) < int.from_bytes(size, "little"):
        raise EOFError
    return message
