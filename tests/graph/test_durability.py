"""A process that is killed, and a thread that goes on for long."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from PIL import Image

from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, scripted_skill
from llavaplus_graph.types import Detections

REPOSITORY = Path(__file__).parents[2]
CUPS = Detections(boxes=((0.1, 0.2, 0.3, 0.4),) * 3, scores=(0.9,) * 3, labels=("cup",) * 3)


@pytest.mark.skipif(sys.platform == "win32", reason="no process is forked or killed there")
def test_a_turn_that_is_killed_goes_on_without_doing_or_losing_anything_twice() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.kill_and_resume", "--runs", "8"],
        cwd=REPOSITORY,
        env={**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    counts = {name: int(count) for name, count in re.findall(r"^ *(\w+): (\d+)$", told, re.MULTILINE)}
    assert counts["runs"] == 8
    assert counts["killed"] >= 6
    assert (counts["repeated"], counts["lost"], counts["different"]) == (0, 0, 0)


def test_the_state_of_fifty_turns_with_a_picture_each_stays_small() -> None:
    store = ImageStore("memory://fifty")
    replies = [reply for at in range(50) for reply in (call("detect_objects", id=f"c{at}", query="cup"), "Three.")]
    graph = create_llavaplus_graph(ScriptedLmm(replies), [scripted_skill("detect_objects", CUPS)], store=store)
    app = graph.compile(checkpointer=InMemorySaver())
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    for at in range(50):
        picture = {"type": "image", "file_id": store.put(Image.new("RGB", (64, 48), (at, 0, 0)))}
        app.invoke({"messages": [HumanMessage([picture, {"type": "text", "text": "How many cups?"}])]}, config)
    state = app.get_state(config).values
    assert len(state["images"]) == 50
    assert len(JsonPlusSerializer().dumps_typed(state)[1]) < 100_000
