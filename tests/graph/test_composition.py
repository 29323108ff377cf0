"""The graph inside larger graphs: sharing messages, behind a schema of its own, streaming, with people in between."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command
from PIL import Image
from typing_extensions import TypedDict

from llavaplus_graph.graph import create_llavaplus_graph, results_of
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Mask, Masks, Pictures, Texts

STOP = Texts(texts=("STOP",), boxes=((0.1, 0.1, 0.9, 0.9),), scores=(1.0,))
THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}


class Report(TypedDict, total=False):
    topic: str
    picture: str
    texts: list[str]


def test_behind_a_node_with_a_schema_of_its_own(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm([call("read_text"), "It says STOP."])
    look = create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], store=store).compile()

    def read(state: Report) -> Report:
        asked: list[Any] = [{"type": "image", "file_id": state["picture"]}, {"type": "text", "text": state["topic"]}]
        results = results_of(look.invoke({"messages": [HumanMessage(asked)]}), store)
        return {"texts": [text for result in results if isinstance(result, Texts) for text in result.texts]}

    outer = StateGraph(Report)
    outer.add_node("read", read)
    outer.add_edge(START, "read")
    handle = store.put(Image.new("RGB", (4, 4), "red"))
    out = outer.compile().invoke({"topic": "What does it say?", "picture": handle})
    assert out == {"topic": "What does it say?", "picture": handle, "texts": ["STOP"]}


def test_as_a_subgraph_it_waits_and_goes_on_within_its_surroundings(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm([call("read_text"), "It says STOP."])
    look = create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], store=store, approve=["read_text"])
    outer = StateGraph(MessagesState)
    outer.add_node("look", look.compile())
    outer.add_node("report", lambda state: {"messages": [f"Report: {state['messages'][-1].text}"]})
    outer.add_edge(START, "look")
    outer.add_edge("look", "report")
    outer.add_edge("report", END)
    app = outer.compile(checkpointer=InMemorySaver())
    handle = store.put(Image.new("RGB", (4, 4), "red"))
    (waiting,) = app.invoke({"messages": [HumanMessage([{"type": "image", "file_id": handle}])]}, THREAD)[
        "__interrupt__"
    ]
    parts: Any = app.stream(
        Command(resume={waiting.id: {"type": "approve"}}), THREAD, stream_mode="updates", subgraphs=True
    )
    steps = [(bool(where), node) for where, update in parts for node in update]
    assert steps == [(True, "execute"), (True, "aggregate"), (True, "respond"), (False, "look"), (False, "report")]
    said = [message.text for message in app.get_state(THREAD).values["messages"][-2:]]
    assert said == ["It says STOP.", "Report: It says STOP."]


def test_now_erase_it_means_the_region_found_last_turns_ago(tmp_path: Path) -> None:
    store, taken = ImageStore(tmp_path), list[Any]()
    clean = store.put(Image.new("RGB", (4, 4), "blue"))
    masks = Masks(masks=(Mask.from_array(np.eye(4, dtype=bool)),), boxes=((0.0, 0.0, 1.0, 1.0),))

    def erase(image: str, mask: Any) -> Pictures:
        taken.append(mask)
        return Pictures(handles=(clean,), message="Done.")

    skills = [scripted_skill("segment_region", masks), scripted_skill("inpaint_region", erase)]
    lmm = ScriptedLmm(
        [
            call("inpaint_region", id="a"),
            "Which region?",
            call("segment_region", id="b"),
            "Found.",
            "Yes.",
            call("inpaint_region", id="c"),
            "Gone.",
        ]
    )
    app = create_llavaplus_graph(lmm, skills, store=store).compile(checkpointer=InMemorySaver())

    def say(text: str, *handles: str) -> str:
        blocks: list[Any] = [{"type": "image", "file_id": handle} for handle in handles]
        out = app.invoke({"messages": [HumanMessage([*blocks, {"type": "text", "text": text}])]}, THREAD)
        return str(out["messages"][-1].text)

    assert say("Erase it.", store.put(Image.new("RGB", (4, 4), "red"))) == "Which region?"
    assert "There is no mask yet; mark or segment a region first." in lmm.requests[1].messages[-1].text
    say("This one.\nThe input boxes are: [[0.0, 0.0, 0.25, 1.0]]")
    say("Is it red?")
    assert (say("Now erase it."), len(taken)) == ("Gone.", 1)
    assert Mask.model_validate(taken[0]).area == masks.masks[0].area


def test_a_subgraph_that_gets_messages_alone_knows_earlier_pictures_and_regions(tmp_path: Path) -> None:
    store, taken = ImageStore(tmp_path), list[Any]()
    masks = Masks(masks=(Mask.from_array(np.eye(4, dtype=bool)),), boxes=((0.0, 0.0, 1.0, 1.0),))
    made = store.put(Image.new("RGB", (4, 4), "blue"))

    def erase(image: str, mask: Any) -> Pictures:
        taken.append((image, Mask.model_validate(mask).area))
        return Pictures(handles=(made,), message="Done.")

    skills = [
        scripted_skill("segment_region", masks),
        scripted_skill("inpaint_region", erase),
        scripted_skill("transform_image", Pictures(handles=(made,), message="Done.")),
    ]
    plans = plan(*(call(name).tool_calls[0] for name in ("segment_region", "transform_image")))
    lmm = ScriptedLmm([plans, "Found.", call("inpaint_region"), "Gone."])
    outer = StateGraph(MessagesState)
    outer.add_node("look", create_llavaplus_graph(lmm, skills, store=store).compile())
    outer.add_edge(START, "look")
    app = outer.compile(checkpointer=InMemorySaver())
    handle = store.put(Image.new("RGB", (4, 4), "red"))
    app.invoke({"messages": [HumanMessage([{"type": "image", "file_id": handle}])]}, THREAD)
    out = app.invoke({"messages": [HumanMessage("Now erase it.")]}, THREAD)
    assert taken == [(made, 0.25)]
    assert [result.kind for result in results_of(out, store)] == ["pictures"]


def test_the_guide_runs_as_written(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "composition.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE))
    Image.new("RGB", (8, 6), "red").save(tmp_path / "cup.png")
    place = {"LLAVAPLUS_IMAGES": str(tmp_path / "store")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | place, capture_output=True, text=True
    )
    assert done.stdout == "skill_started tag_image\nskill_finished tag_image\nA cup."
    assert done.stderr == ""
