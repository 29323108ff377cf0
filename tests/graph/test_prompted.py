from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage
from PIL import Image

from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.graph.prompted import PLANNER_PROMPT
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, scripted_skill
from llavaplus_graph.types import Caption, Tags

TAGS = Tags(tags=("cat",), scores=(1.0,))


def ask(lmm: ScriptedLmm, folder: Path, **options: Any) -> list[Any]:
    store = ImageStore(folder)
    handle = store.put(Image.new("RGB", (4, 4), "red"))
    skills = [scripted_skill("tag_image", TAGS), scripted_skill("caption_image", Caption(caption="a red square"))]
    graph = create_llavaplus_graph(lmm, skills, store=store, **options).compile()
    asked = HumanMessage([{"type": "image", "file_id": handle}, {"type": "text", "text": "What is it?"}])
    out: list[Any] = graph.invoke({"messages": [asked]})["messages"]
    return out


def test_a_model_that_was_not_tuned_is_told_how_to_plan_with_the_same_skills(tmp_path: Path) -> None:
    lmm = ScriptedLmm([call("tag_image"), "A cat."], reads_handles=False)
    said = ask(lmm, tmp_path)
    assert [request.messages[0] for request in lmm.requests] == [SystemMessage(PLANNER_PROMPT)] * 2
    assert lmm.requests[0].tools == ("tag_image", "caption_image")
    assert [message.type for message in said] == ["human", "ai", "tool", "ai"]


def test_the_words_can_be_others_or_none_and_a_tuned_model_gets_none(tmp_path: Path) -> None:
    lmm = ScriptedLmm(["A.", "B."], reads_handles=False)
    ask(lmm, tmp_path, prompt="Plan.")
    ask(lmm, tmp_path, prompt="")
    assert [request.messages[0].text.split(":")[0] for request in lmm.requests] == ["Plan.", "image_1"]
    tuned = ScriptedLmm(["A."])
    ask(tuned, tmp_path)
    assert tuned.requests[0].messages[0].type == "human"


def test_a_planner_that_sees_nothing_plans_from_captions(tmp_path: Path) -> None:
    lmm = ScriptedLmm([call("tag_image"), "A cat."], reads_handles=False, profile={"image_inputs": False})
    said = ask(lmm, tmp_path, vision="captions")
    assert lmm.requests[0].messages[1].text == "image_1 (described in words): a red squareWhat is it?"
    assert said[2].text == '{"tags": "cat"}'
    assert said[-1].text == "A cat."
