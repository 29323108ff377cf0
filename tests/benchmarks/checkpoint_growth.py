"""How far a SQLite database grows with turns that bring a picture of 1 MB each, beside messages that carry base64.

Both answer every question after one call of a skill; the other one is LangChain's `create_agent`. Run from the
repository's root:

    python -m tests.benchmarks.checkpoint_growth [--turns 10]
"""

import argparse
import base64
import io
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from PIL import Image

from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, scripted_skill
from llavaplus_graph.types import Detections

CUP = Detections(boxes=((0.1, 0.2, 0.3, 0.4),), scores=(0.9,), labels=("cup",))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--turns", type=int, default=10)
    turns = parser.parse_args().turns
    pictures = [noise(index) for index in range(turns)]
    print(f"{turns} turns, {sum(map(len, pictures)) / turns / 1e6:.2f} MB a picture")
    for name, growth in (("llavaplus_graph, handles", by_handle), ("create_agent, base64", by_base64)):
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name:26} {growth(Path(folder), pictures) / 1e6:8.2f} MB")


def noise(seed: int) -> bytes:
    """A PNG of about 1 MB."""
    pixels = np.random.default_rng(seed).integers(0, 256, (600, 585, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def by_handle(folder: Path, pictures: list[bytes]) -> int:
    """Bytes of the database with pictures as handles; the pictures themselves are in the store."""
    store = ImageStore(folder / "pictures")
    skill = scripted_skill("detect_objects", CUP)
    app = create_llavaplus_graph(_lmm(len(pictures)), [skill], store=store)

    def ask(saver: SqliteSaver) -> None:
        graph = app.compile(checkpointer=saver)
        for picture in pictures:
            block = {"type": "image", "file_id": store.put(picture)}
            message = HumanMessage([block, {"type": "text", "text": "Where is the cup?"}])
            graph.invoke({"messages": [message]}, {"configurable": {"thread_id": "t"}})

    return _size(folder / "t.sqlite", ask)


def by_base64(folder: Path, pictures: list[bytes]) -> int:
    """Bytes of the database with pictures inside the messages."""
    agent = create_agent(_lmm(len(pictures)), [scripted_skill("detect_objects", CUP)])

    def ask(saver: SqliteSaver) -> None:
        agent.checkpointer = saver
        for picture in pictures:
            block = {"type": "image", "base64": base64.b64encode(picture).decode(), "mime_type": "image/png"}
            message = HumanMessage([block, {"type": "text", "text": "Where is the cup?"}])
            agent.invoke({"messages": [message]}, {"configurable": {"thread_id": "t"}})

    return _size(folder / "t.sqlite", ask)


def _lmm(turns: int) -> ScriptedLmm:
    replies: list[AIMessage | str] = []
    for index in range(turns):
        replies += [call("detect_objects", id=f"c{index}", query="cup"), "The cup is on the left."]
    return ScriptedLmm([*replies])


def _size(path: Path, ask: Callable[[SqliteSaver], None]) -> int:
    connection = sqlite3.connect(path, check_same_thread=False)
    ask(SqliteSaver(connection))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


if __name__ == "__main__":
    main()
