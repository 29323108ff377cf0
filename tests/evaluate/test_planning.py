import json
import random
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.messages import read_messages
from llavaplus_graph.data.heldout import Question, held_out_questions
from llavaplus_graph.data.pictures import DrawnPicture, PictureKind, draw_picture
from llavaplus_graph.evaluate import planning
from llavaplus_graph.evaluate.planning import Planned, examine, report, share
from llavaplus_graph.images import HANDLE, ImageStore
from llavaplus_graph.protocol import parse_turn
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Texts

READ = Question("what does it say", (("read_text", {}),))
FIND = Question("find the red cup", (("detect_objects", {"query": "red cup"}),))
TALK = Question("hi there", (), pictures=0)
TOOLS = [scripted_skill("read_text", Texts(texts=(), boxes=(), scores=()))]


def store() -> ImageStore:
    return ImageStore("memory://planning")


def asked(question: Question) -> list[BaseMessage]:
    lmm = ScriptedLmm(["Hello."])
    list(examine(lmm, TOOLS, [question], store()))
    return lmm.requests[0].messages


def blocks(message: BaseMessage) -> list[dict[str, Any]]:
    assert isinstance(message.content, list)
    return [block for block in message.content if isinstance(block, dict)]


def test_a_plan_is_judged_by_its_skill_and_by_its_arguments() -> None:
    lmm = ScriptedLmm([call("read_text"), call("detect_objects", query="the cup"), call("read_text")])
    results = list(examine(lmm, TOOLS, [READ, FIND, TALK], store()))
    assert [result.question for result in results] == [READ, FIND, TALK]
    assert [(result.skill_right, result.arguments_right) for result in results] == [
        (True, True),
        (True, False),
        (False, False),
    ]
    assert results[1].planned == (("detect_objects", {"query": "the cup"}),)


def test_an_answer_is_the_right_plan_where_no_skill_is_needed() -> None:
    (result,) = examine(ScriptedLmm(["Hello."]), TOOLS, [TALK], store())
    assert (result.planned, result.skill_right, result.arguments_right) == ((), True, True)


def test_the_tools_are_bound_and_questions_are_asked_one_by_one() -> None:
    lmm = ScriptedLmm(["Hello.", "Hello."])
    results = examine(lmm, TOOLS, [TALK, READ], store())
    assert lmm.requests == []
    next(results)
    assert [request.tools for request in lmm.requests] == [("read_text",)]


def test_pictures_come_as_handles_and_are_the_same_every_time() -> None:
    two = Question("find it there", (), boxes=[[0.1, 0.2, 0.3, 0.4]], pictures=2)
    (message,) = asked(two)
    *images, text = blocks(message)
    assert [bool(HANDLE.fullmatch(image["file_id"])) for image in images] == [True, True]
    assert text["text"] == "find it there\nThe input boxes are: [[0.1, 0.2, 0.3, 0.4]]"
    assert asked(two) == [message]


@pytest.mark.parametrize(
    ("skill", "kinds"),
    [
        ("read_text", {"page", "sign", "receipt", "screen"}),
        ("read_codes", {"qr_code", "barcode"}),
        ("caption_image", {"photograph", "scene"}),
    ],
)
def test_pictures_suit_the_question(skill: str, kinds: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def draw(kind: PictureKind, rng: random.Random) -> DrawnPicture:
        drawn.append(kind)
        return draw_picture(kind, rng)

    monkeypatch.setattr(planning, "draw_picture", draw)
    questions = [Question("well?", ((skill, {}),))] * 30
    list(examine(ScriptedLmm(["Hello."] * 30), TOOLS, questions, store()))
    assert set(drawn) == kinds
    assert len(drawn) == 30


def test_points_and_their_labels_are_written_behind_the_words() -> None:
    (message,) = asked(Question("cut", (), points=[[0.5, 0.25], [0.75, 0.5]], labels=[1, 0]))
    text = blocks(message)[-1]["text"]
    assert text.startswith("cut\nThe input points are: [[0.5, 0.25], [0.75, 0.5]]")
    assert text.endswith("[1, 0]")


def test_a_question_about_what_was_segmented_follows_the_turn_that_did_it() -> None:
    before, planned, result, answer, question = asked(Question("erase it", (), after="segmented"))
    assert isinstance(before, HumanMessage)
    assert isinstance(planned, AIMessage)
    assert isinstance(result, ToolMessage)
    assert len(blocks(before)) == 2
    assert result.tool_call_id == planned.tool_calls[0]["id"]
    assert json.loads(str(result.content))["boxes"] == [planned.tool_calls[0]["args"]["boxes"][0]]
    assert "[0.2, 0.3, 0.6, 0.8]" in answer.text
    assert [block["type"] for block in blocks(question)] == ["text"]


@pytest.mark.parametrize("question", held_out_questions()[::29], ids=lambda question: question.text[:30])
def test_the_bundled_lmm_can_read_every_question(question: Question) -> None:
    dialogue = read_messages(asked(question), Dialect(names="skills"))
    assert len(dialogue.pictures) == question.pictures
    assert dialogue.turns[-1][0] == "human"
    assert question.text in dialogue.turns[-1][1]
    assert all(parse_turn(text).problem is None for speaker, text in dialogue.turns if speaker == "gpt")


def test_the_report_has_all_first_and_then_every_skill() -> None:
    both = Question("read and count", (("read_text", {}), ("detect_objects", {"query": "bikes"})))
    results = [
        Planned(READ, (), skill_right=True, arguments_right=True),
        Planned(FIND, (), skill_right=True, arguments_right=False),
        Planned(READ, (), skill_right=False, arguments_right=False),
        Planned(TALK, (), skill_right=True, arguments_right=True),
        Planned(both, (), skill_right=False, arguments_right=False),
    ]
    assert report(results) == [
        ("all", 5, 0.6, 0.4),
        ("detect_objects", 1, 1.0, 0.0),
        ("no skill", 1, 1.0, 1.0),
        ("read_text", 2, 0.5, 0.5),
        ("two skills", 1, 0.0, 0.0),
    ]


def test_without_results_the_shares_are_nought() -> None:
    assert report([]) == [("all", 0, 0.0, 0.0)]
    assert share([]) == 0
    assert share([True, False, True, True]) == 0.75


def test_several_calls_of_one_turn_are_all_judged() -> None:
    both = Question("read and find", (("read_text", {}), ("detect_objects", {"query": "red cup"})))
    calls = [call("detect_objects", query="red cup").tool_calls[0], call("read_text").tool_calls[0]]
    (result,) = examine(ScriptedLmm([plan(*calls)]), TOOLS, [both], store())
    assert result.arguments_right
    assert result.group == "two skills"
