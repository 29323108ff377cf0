import os
import subprocess
import sys
from pathlib import Path

import pytest

from llavaplus_graph.held import HeldModel, announce, held_models

MODEL = HeldModel("detector", "some/model", "cpu", 1_000)
HOLDER = """
from llavaplus_graph.held import HeldModel, announce
announce([HeldModel("detector", "some/model", "cpu", 1_000)])
print("announced", flush=True)
input()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_without_announcements_nothing_is_held() -> None:
    assert held_models() == []


def test_a_process_says_what_it_holds_and_takes_it_back() -> None:
    announce([MODEL])
    (held,) = held_models()
    assert (held.kind, held.id, held.device, held.bytes) == ("detector", "some/model", "cpu", 1_000)
    assert held.process == os.getpid()
    announce([])
    assert held_models() == []


def test_other_processes_are_seen_while_they_live_and_forgotten_when_they_are_killed(cache: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"announced\n"
        assert [(held.id, held.process) for held in held_models()] == [("some/model", holder.pid)]
        holder.kill()
    assert held_models() == []
    assert not list((cache / "llavaplus-graph" / "loaded").iterdir())


def test_what_another_version_has_written_is_passed_over(cache: Path) -> None:
    announce([MODEL])
    (path,) = cache.rglob("*.json")
    path.write_text('[{"model": 1}]')
    assert held_models() == []


def test_a_folder_that_cannot_be_written_stops_nobody(cache: Path) -> None:
    (cache / "llavaplus-graph").write_text("a file where the folder should be")
    announce([MODEL])
    assert held_models() == []
