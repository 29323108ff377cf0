import json
from typing import Any

import numpy as np
from langchain_core.messages import ToolMessage

from llavaplus_graph.graph.aggregator import aggregator
from llavaplus_graph.graph.limits import Limits
from llavaplus_graph.graph.state import State, Update
from llavaplus_graph.testing import call, plan
from llavaplus_graph.types import Mask, Masks, Pictures, SkillFailure, SkillResult, Texts, parse_result

OLD, NEW, NEWER = (f"img_00000000000000{number}" for number in ("a1", "b2", "c3"))


def aggregated(*results: SkillResult, ran: int = 9, max_calls: int = 9, longest: int = 6000) -> Update:
    asked = [call(f"skill_{index}", id=f"c{index}").tool_calls[0] for index in range(len(results))]
    known = {f"c{index}": result.model_dump(mode="json") for index, result in enumerate(results)}
    finished = {key: known[key] for key in list(known)[:ran]}
    state: State = {
        "messages": [plan(*asked)],
        "images": [OLD],
        "results": finished,
        "edits": {},
        "rounds": 0,
    }
    return aggregator(Limits(3, max_calls), longest).invoke(state)


def contents(update: Update) -> list[dict[str, Any]]:
    return [json.loads(message.text) for message in update["messages"]]


def test_there_is_one_message_for_every_call_in_the_order_of_the_plan() -> None:
    update = aggregated(Texts(texts=("a",), boxes=((0, 0, 1, 1),), scores=(1,)), SkillFailure(skill="x", error="No."))
    assert [message.name for message in update["messages"]] == ["skill_0", "skill_1"]
    assert [message.status for message in update["messages"] if isinstance(message, ToolMessage)] == [
        "success",
        "error",
    ]
    assert contents(update) == [{"texts": ["a"]}, {"error": "No."}]
    assert update["rounds"] == 1


def test_masks_are_in_the_artifact_and_not_in_the_text() -> None:
    noise = np.random.default_rng(0).random((64, 64)) > 0.5
    masks = Masks(masks=(Mask.from_array(noise),), boxes=((0, 0, 1, 1),))
    message = aggregated(masks)["messages"][0]
    assert isinstance(message, ToolMessage)
    assert message.text == '{"boxes": [[0.0, 0.0, 1.0, 1.0]]}'
    assert parse_result(message.artifact) == masks


def test_new_pictures_get_the_next_numbers_across_all_calls() -> None:
    update = aggregated(Pictures(handles=(NEW, NEWER), message="Made."), Pictures(handles=(NEW,), message="Again."))
    assert [content["pictures"] for content in contents(update)] == [["image_2", "image_3"], ["image_4"]]
    assert update["images"] == [NEW, NEWER, NEW]


def test_the_whole_observation_has_a_limit_and_says_what_is_left_out() -> None:
    many = Texts(texts=("word",) * 200, boxes=((0, 0, 1, 1),) * 200, scores=(1.0,) * 200)
    update = aggregated(many, many, longest=400)
    assert sum(len(message.text) for message in update["messages"]) <= 400
    assert [len(content["texts"]) + content["left_out"] for content in contents(update)] == [200, 200]


def test_calls_beyond_the_budget_are_answered_without_having_run() -> None:
    read = Texts(texts=("a",), boxes=((0, 0, 1, 1),), scores=(1,))
    update = aggregated(read, read, ran=1, max_calls=3)
    assert contents(update)[1] == {"error": "skill_1 was not run: 3 calls a turn are allowed."}
    assert update["results"]["c1"]["kind"] == "failure"
