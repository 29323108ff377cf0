"""How long it takes to go on with a thread that stopped before its answer, after so many turns.

Every time a new connection and a new graph read the SQLite database, as a new process would; imports are not counted.
Run from the repository's root:

    python -m tests.benchmarks.resume_time [--rounds 10]
"""

import argparse
import itertools
import shutil
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver
from PIL import Image

from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, scripted_skill
from llavaplus_graph.types import Detections

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
CUP = Detections(boxes=((0.1, 0.2, 0.3, 0.4),), scores=(0.9,), labels=("cup",))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    print(f"{'turns':>5} {'database':>10} {'read the state':>16} {'resume and answer':>18}")
    for turns in (1, 10, 50):
        with tempfile.TemporaryDirectory() as folder:
            row = measure(Path(folder), turns, rounds)
        print(f"{turns:5} {row[0] / 1e6:7.2f} MB {row[1] * 1e3:13.1f} ms {row[2] * 1e3:15.1f} ms")


def measure(folder: Path, turns: int, rounds: int) -> tuple[int, float, float]:
    """Bytes of the database, seconds to read the state, and seconds to the end of the resumed turn (both medians)."""
    store = ImageStore(folder / "pictures")
    path = folder / "t.sqlite"
    for index in range(turns):
        block = {"type": "image", "file_id": store.put(Image.new("RGB", (64, 48), (index, 0, 0)))}
        given = {"messages": [HumanMessage([block, {"type": "text", "text": "Where is the cup?"}])]}
        with_app(path, store, given, stop=index == turns - 1)
    reading, resuming = [], []
    for index in range(rounds):
        copy = shutil.copy(path, folder / f"{index}.sqlite")
        read, whole = with_app(Path(copy), store, None)
        reading.append(read)
        resuming.append(whole)
    return path.stat().st_size, statistics.median(reading), statistics.median(resuming)


def with_app(path: Path, store: ImageStore, given: Any, *, stop: bool = False) -> tuple[float, float]:
    """Go on with the thread; gives seconds until the state was read and until it stopped."""
    numbers = itertools.count(time.monotonic_ns())

    def reply(messages: list[BaseMessage]) -> AIMessage | str:
        answered = isinstance(messages[-1], ToolMessage)
        return "On the left." if answered else call("detect_objects", id=f"c{next(numbers)}", query="cup")

    began = time.perf_counter()
    connection = sqlite3.connect(path, check_same_thread=False)
    graph = create_llavaplus_graph(ScriptedLmm([reply] * 4), [scripted_skill("detect_objects", CUP)], store=store)
    app = graph.compile(checkpointer=SqliteSaver(connection), interrupt_before=["respond"] if stop else None)
    app.get_state(CONFIG)
    read = time.perf_counter() - began
    app.invoke(given, CONFIG)
    whole = time.perf_counter() - began
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return read, whole


if __name__ == "__main__":
    main()
