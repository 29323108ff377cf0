"""Checkpoints: what they hold, that they survive a restart and that nothing is done twice."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from PIL import Image

from llavaplus_graph.graph import create_llavaplus_graph, results_of
from llavaplus_graph.graph.state import merge_results, newest_masks, newest_scene
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Mask, Masks, SkillFailure, Tags, Texts

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
STRICT = JsonPlusSerializer(allowed_msgpack_modules=None)
NOTHING = Tags(tags=(), scores=())
STOP = Texts(texts=("STOP",), boxes=((0.1, 0.1, 0.9, 0.9),), scores=(1.0,))


def shows(store: ImageStore, text: str) -> HumanMessage:
    handle = store.put(Image.new("RGB", (8, 6), "red"))
    return HumanMessage([{"type": "image", "file_id": handle}, {"type": "text", "text": text}])


def noting(seen: list[Any], argument: str) -> Callable[..., Tags]:
    def run(**arguments: Any) -> Tags:
        seen.append(arguments[argument])
        return NOTHING

    return run


def savers(kind: str, path: Path) -> BaseCheckpointSaver[str]:
    if kind == "memory":
        return InMemorySaver(serde=STRICT)
    return SqliteSaver(sqlite3.connect(path, check_same_thread=False), serde=STRICT)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_results_come_back_typed_out_of_strict_checkpoints(tmp_path: Path, kind: str) -> None:
    store, saver = ImageStore(tmp_path), savers(kind, tmp_path / "t.sqlite")
    lmm = ScriptedLmm([plan(*call("read_text").tool_calls, *call("fly", id="f").tool_calls), "It says STOP."])
    app = create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], store=store).compile(checkpointer=saver)
    app.invoke({"messages": [shows(store, "Read it.")]}, CONFIG)
    read, failed = results_of(app.get_state(CONFIG).values, store)
    assert read == STOP
    assert isinstance(failed, SkillFailure)


def test_a_conversation_goes_on_after_the_process_ended(tmp_path: Path) -> None:
    store, seen = ImageStore(tmp_path), list[Any]()
    for question in ("Read it.", "Again."):
        connection = sqlite3.connect(tmp_path / "t.sqlite", check_same_thread=False)
        skill = scripted_skill("read_text", noting(seen, "image"))
        graph = create_llavaplus_graph(ScriptedLmm([call("read_text"), "STOP."]), [skill], store=store)
        app = graph.compile(checkpointer=SqliteSaver(connection, serde=STRICT))
        message = shows(store, question) if question == "Read it." else HumanMessage(question)
        out = app.invoke({"messages": [message]}, CONFIG)
        connection.close()
    assert len(out["messages"]) == 8
    assert results_of(out, store) == [NOTHING]
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_resuming_repeats_no_finished_call(tmp_path: Path) -> None:
    store, ran, saver = ImageStore(tmp_path), list[str](), InMemorySaver(serde=STRICT)

    def counts(**_: object) -> Tags:
        ran.append("steady")
        return NOTHING

    def dies_once(**_: object) -> Tags:
        ran.append("fragile")
        if ran.count("fragile") == 1:
            raise KeyboardInterrupt
        return NOTHING

    calls = plan(*call("steady").tool_calls, *call("fragile").tool_calls)
    skills = [scripted_skill("steady", counts), scripted_skill("fragile", dies_once)]
    app = create_llavaplus_graph(ScriptedLmm([calls, "Done."]), skills, store=store).compile(checkpointer=saver)
    with pytest.raises(KeyboardInterrupt):
        app.invoke({"messages": [shows(store, "Both.")]}, {**CONFIG, "max_concurrency": 1})
    assert app.invoke(None, CONFIG)["messages"][-1].text == "Done."
    assert sorted(ran) == ["fragile", "fragile", "steady"]


def test_a_thread_that_was_broken_off_takes_a_new_question(tmp_path: Path) -> None:
    store, saver = ImageStore(tmp_path), InMemorySaver(serde=STRICT)
    lmm = ScriptedLmm([call("fragile"), "Hello again."])
    skills = [scripted_skill("fragile", KeyboardInterrupt())]
    app = create_llavaplus_graph(lmm, skills, store=store).compile(checkpointer=saver)
    with pytest.raises(KeyboardInterrupt):
        app.invoke({"messages": [shows(store, "Go.")]}, CONFIG)
    out = app.invoke({"messages": [HumanMessage("Hello?")]}, CONFIG)
    assert [message.type for message in out["messages"]] == ["human", "ai", "human", "ai"]
    assert not any(getattr(message, "tool_calls", None) for message in lmm.requests[-1].messages)


def test_ten_turns_with_a_picture_each_stay_small(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "pictures")
    saver = savers("sqlite", tmp_path / "t.sqlite")
    lmm = ScriptedLmm([call("read_text"), "STOP."] * 10)
    app = create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], store=store).compile(checkpointer=saver)
    for number in range(10):
        handle = store.put(Image.effect_noise((200, 200), 60 + number))
        app.invoke({"messages": [HumanMessage([{"type": "image", "file_id": handle}])]}, CONFIG)
    assert store.size_bytes() > 300_000
    assert (tmp_path / "t.sqlite").stat().st_size < 500_000


def test_a_result_that_comes_again_is_the_newest() -> None:
    first, second = ({"kind": "masks", "n": number} for number in (1, 2))
    assert list(merge_results({"a": first, "b": second}, {"a": first})) == ["b", "a"]
    assert newest_masks({"a": first, "b": second, "c": {"kind": "tags"}}) == second
    assert newest_masks({}) is None
    assert newest_scene({"a": first, "b": {"kind": "scene_map"}, "c": second}) == {"kind": "scene_map"}
    assert newest_scene({"a": first}) is None


def test_results_of_a_turn_without_skills_are_none(tmp_path: Path) -> None:
    out = create_llavaplus_graph(ScriptedLmm(["Hi."]), []).compile().invoke({"messages": [HumanMessage("Hi")]})
    assert results_of(out, ImageStore(tmp_path)) == []


def test_regions_of_an_earlier_turn_are_still_there(tmp_path: Path) -> None:
    store, seen = ImageStore(tmp_path), list[Any]()
    region = Masks(masks=(Mask.from_array(np.eye(6, 8)),), boxes=((0, 0, 1, 1),))
    lmm = ScriptedLmm([call("segment_region"), "There.", call("inpaint_region"), "Gone."])
    skills = [
        scripted_skill("segment_region", region),
        scripted_skill("inpaint_region", noting(seen, "mask")),
    ]
    app = create_llavaplus_graph(lmm, skills, store=store).compile(checkpointer=InMemorySaver(serde=STRICT))
    app.invoke({"messages": [shows(store, "Where?")]}, CONFIG)
    app.invoke({"messages": [HumanMessage("Now remove it.")]}, CONFIG)
    assert seen == [region.masks[0].model_dump(mode="json")]
