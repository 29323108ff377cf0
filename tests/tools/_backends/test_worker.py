import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends import worker
from llavaplus_tools._backends.worker import apart, begin


def test_work_is_done_in_another_process_that_stays_warm() -> None:
    process = apart(os.getpid, name="skill", seconds=30)
    assert process() == process() != os.getpid()


def test_pictures_go_there_and_come_back() -> None:
    picture = np.arange(300 * 400 * 3, dtype=np.uint8).reshape(300, 400, 3)
    assert (apart(np.flipud, name="skill", seconds=30)(picture) == picture[::-1]).all()


HOURS = range(10**15)
add_up = cast(Callable[[range], int], sum)  # of such a range it is work for the processor that nothing interrupts


def test_work_that_never_ends_is_stopped_and_its_process_is_gone() -> None:
    process = apart(os.getpid, name="skill", seconds=30)()
    with pytest.raises(SkillError, match=r"^read_text took longer than 0.5 s and was stopped\.$"):
        apart(add_up, name="read_text", seconds=0.5)(HOURS)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert apart(os.getpid, name="skill", seconds=30)() != process


def test_a_process_that_crashes_is_a_sentence_and_the_next_call_gets_another_one() -> None:
    with pytest.raises(SkillError, match="read_codes broke down over this picture"):
        apart(os.abort, name="read_codes", seconds=30)()
    assert apart(os.getpid, name="skill", seconds=30)() != os.getpid()


class UnreadableError(Exception):
    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)


def refusing(error: str) -> None:
    errors = {"own": SkillError("the mask is empty"), "slow": TimeoutError("inside"), "bug": KeyError("x")}
    raise errors.get(error, UnreadableError("one", "other"))


@pytest.mark.parametrize(
    ("error", "kind"), [("own", SkillError), ("slow", TimeoutError), ("bug", KeyError), ("odd", RuntimeError)]
)
def test_errors_come_back_as_they_are_and_the_process_stays(error: str, kind: type[Exception]) -> None:
    process = apart(os.getpid, name="skill", seconds=30)
    before = process()
    with pytest.raises(kind) as raised:
        apart(refusing, name="skill", seconds=30)(error)
    assert process() == before
    if kind is not RuntimeError:
        assert "in refusing" in raised.value.__notes__[0]


def test_calls_at_the_same_time_do_not_wait_for_each_other_and_one_that_is_stopped_takes_no_other_along() -> None:
    def stopped() -> str:
        with pytest.raises(SkillError):
            apart(add_up, name="skill", seconds=0.5)(HOURS)
        return "stopped"

    with ThreadPoolExecutor(3) as threads:
        waiting = threads.submit(apart(time.sleep, name="skill", seconds=30), 1.0)
        hanging = threads.submit(stopped)
        assert hanging.result() == "stopped"
        assert waiting.result() is None


def test_where_no_process_can_be_started_the_work_is_done_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    worker._WORKERS.close()
    monkeypatch.setattr(worker, "_WORKERS", worker._Workers())
    assert apart(os.getpid, name="skill", seconds=30)() == os.getpid()
    assert "no process could be started for skill" in caplog.text


SCRIPT = """
import os, threading, time
from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.worker import apart
print("main runs", flush=True)  # with no guard against running twice
process = apart(os.getpid, name="skill", seconds=30)()
apart(os.system, name="skill", seconds=30)("echo a library prints")

def wait():
    try:
        apart(time.sleep, name="skill", seconds=30)(30)
    except SkillError:
        pass

threading.Thread(target=wait, daemon=True).start()
time.sleep(0.3)
print(process)
"""


def test_a_script_needs_no_guard_and_ends_at_once_with_all_its_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    begun = time.monotonic()
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stderr == "a library prints\n"
    said, process = ran.stdout.split("\n", 1)
    assert said == "main runs"
    assert time.monotonic() - begun < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)


def test_what_was_begun_is_ready_when_the_first_task_comes(tmp_path: Path) -> None:
    begin(partial(os.mkdir, tmp_path / "ready"), name="read_text", seconds=30)
    until = time.monotonic() + 30
    while not (tmp_path / "ready").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert (tmp_path / "ready").is_dir()


def test_what_cannot_be_begun_is_not_told_before_the_first_task(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    begin(partial(os.mkdir, tmp_path), name="read_text", seconds=30)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=30)
