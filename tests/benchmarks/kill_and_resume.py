"""Kills the process in the middle of a turn, again and again, and counts what the resumed turn does twice or never.

A turn has two rounds with five calls. Its process kills itself (SIGKILL) at a random one of the moments in which the
LMM has replied, a skill begins or ends, and the checkpointer begins or ends to write; then another process resumes the
thread. A call is finished when the checkpoint holds its result. Run from the repository's root, on Linux or macOS:

    python -m tests.benchmarks.kill_and_resume [--runs 100] [--durability sync]
"""

import argparse
import multiprocessing
import os
import random
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from PIL import Image

from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Tags

ROUNDS = (("a", "b", "c"), ("d", "e"))
ANSWER = "a b c d e"
CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
Durability = Literal["sync", "async", "exit"]


class Fuse:
    """Ends the process at its n-th moment; without a number it only counts."""

    def __init__(self, moment: int = 0) -> None:
        self.moments = 0
        self._last = moment
        self._lock = threading.Lock()

    def burn(self) -> None:
        """One moment passes."""
        with self._lock:
            self.moments += 1
            if self.moments == self._last:
                os.kill(os.getpid(), signal.SIGKILL)


class FusedSaver(SqliteSaver):
    """A SQLite saver whose process may end before and after it writes."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        strict = JsonPlusSerializer(allowed_msgpack_modules=None)
        super().__init__(sqlite3.connect(path, check_same_thread=False), serde=strict)
        self._fuse = fuse

    def put(self, *args: Any, **kwargs: Any) -> RunnableConfig:
        """Write a checkpoint."""
        self._fuse.burn()
        written = super().put(*args, **kwargs)
        self._fuse.burn()
        return written

    def put_writes(self, *args: Any, **kwargs: Any) -> None:
        """Write what a node has returned."""
        self._fuse.burn()
        super().put_writes(*args, **kwargs)
        self._fuse.burn()


@dataclass
class Tally:
    """What happened in all runs.

    Attributes:
        runs: turns that were begun.
        killed: those whose process was killed before they ended.
        repeated: finished calls that were run again.
        lost: calls whose result is missing in the end.
        different: answers that are not the one of an undisturbed turn.
        unsaved: calls that had ended and were run again, because the process was killed before their result was saved.
    """

    runs: int = 0
    killed: int = 0
    repeated: int = 0
    lost: int = 0
    different: int = 0
    unsaved: int = 0


def main() -> None:
    """Kill, resume, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--durability", choices=["sync", "async", "exit"], default="sync")
    given = parser.parse_args()
    tally = Tally()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        moments = undisturbed(Path(folder) / "whole", given.durability)
        for run in range(given.runs):
            disturbed(Path(folder) / str(run), rng.randint(1, moments), given.durability, tally)
    print(f"{moments} moments a turn, durability {given.durability}")
    print("\n".join(f"{field.name:>9}: {getattr(tally, field.name)}" for field in fields(tally)))


def undisturbed(folder: Path, durability: Durability) -> int:
    """Go through a whole turn; gives the number of its moments."""
    if _in_a_process(folder, 0, durability) != 0 or (folder / "answer").read_text() != ANSWER:
        raise RuntimeError("the turn did not end well although nobody disturbed it")
    return int((folder / "moments").read_text())


def disturbed(folder: Path, moment: int, durability: Durability, tally: Tally) -> None:
    """Go through a turn that is killed at a moment, resume it, and add up what happened."""
    killed = _in_a_process(folder, moment, durability) == -signal.SIGKILL
    finished = _saved(folder)
    ended = _logged(folder, "ended")
    begun = len(_logged(folder, "began"))
    if killed and _in_a_process(folder, 0, durability) != 0:
        raise RuntimeError(f"the turn that was killed at moment {moment} could not be resumed")
    again = _logged(folder, "began")[begun:]
    tally.runs += 1
    tally.killed += killed
    tally.repeated += len([thing for thing in again if thing in finished])
    tally.unsaved += len([thing for thing in again if thing in ended and thing not in finished])
    tally.lost += len(set(ANSWER.split()) - _saved(folder))
    tally.different += (folder / "answer").read_text() != ANSWER


def turn(folder: Path, moment: int, durability: Durability) -> None:
    """Begin the turn, or resume it where there is one."""
    fuse = Fuse(moment)
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def look(thing: str, **_: object) -> Tags:
        os.write(log, f"began {thing}\n".encode())
        fuse.burn()
        os.write(log, f"ended {thing}\n".encode())
        fuse.burn()
        return Tags(tags=(thing,), scores=(1.0,))

    def reply(messages: list[BaseMessage]) -> AIMessage | str:
        fuse.burn()
        return _next_reply(messages)

    lmm = ScriptedLmm([reply] * 9)
    store = ImageStore(folder / "pictures")
    graph = create_llavaplus_graph(lmm, [scripted_skill("tag_image", look)], store=store)
    app = graph.compile(checkpointer=FusedSaver(folder / "t.sqlite", fuse))
    begun = bool(app.get_state(CONFIG).values)
    picture = {"type": "image", "file_id": store.put(Image.new("RGB", (8, 8)))}
    given: Any = None if begun else {"messages": [HumanMessage([picture, {"type": "text", "text": "What is it?"}])]}
    out = app.invoke(given, CONFIG, durability=durability)
    (folder / "answer").write_text(out["messages"][-1].text)
    (folder / "moments").write_text(str(fuse.moments))


def _next_reply(messages: Sequence[BaseMessage]) -> AIMessage | str:
    results = [message for message in messages if isinstance(message, ToolMessage)]
    if len(results) == len(ANSWER.split()):
        return " ".join(message.artifact["tags"][0] for message in results)
    things = ROUNDS[1] if results else ROUNDS[0]
    return plan(*(call("tag_image", id=f"c_{thing}", thing=thing).tool_calls[0] for thing in things))


def _in_a_process(folder: Path, moment: int, durability: Durability) -> int | None:
    folder.mkdir(exist_ok=True)
    process = multiprocessing.get_context("fork").Process(target=turn, args=(folder, moment, durability))
    process.start()
    process.join()
    return process.exitcode


def _saved(folder: Path) -> set[str]:
    """The things whose results the checkpoints hold, those of a step that has not ended included."""
    if not (folder / "t.sqlite").exists():
        return set()
    saver = FusedSaver(folder / "t.sqlite", Fuse())
    kept = saver.get_tuple(CONFIG)
    saver.conn.close()
    if kept is None:
        return set()
    found = [kept.checkpoint["channel_values"].get("results", {})]
    found += [value for _, channel, value in kept.pending_writes or [] if channel == "results"]
    return {artifact["tags"][0] for results in found for artifact in results.values() if artifact["kind"] == "tags"}


def _logged(folder: Path, word: str) -> list[str]:
    log = folder / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split()[1] for line in lines if line.startswith(word)]


if __name__ == "__main__":
    main()
