from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool

from llavaplus_graph.data.heldout import plain_words
from llavaplus_graph.data.phrasing import load_phrasings
from llavaplus_graph.data.pictures import PICTURE_KINDS
from llavaplus_graph.evaluate.sight import QUESTIONS, look
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import CATALOGUE
from llavaplus_graph.testing import ScriptedLmm, call, scripted_skill
from llavaplus_graph.types import Texts

TOOLS: list[BaseTool] = [scripted_skill("read_text", Texts(texts=(), boxes=(), scores=()))]


def store() -> ImageStore:
    return ImageStore("memory://sight")


def test_the_questions_stand_in_no_training_file_and_their_skills_in_the_catalogue() -> None:
    trained = {plain_words(phrasing.text) for phrasing in load_phrasings()}
    assert not trained & {plain_words(question) for question in QUESTIONS}
    assert {skill for plans in QUESTIONS.values() for skill in plans.values()} <= {info.name for info in CATALOGUE}


def test_a_reader_of_everything_is_right_about_writing_alone() -> None:
    seen = list(look(ScriptedLmm([call("read_text") for _ in range(18)]), TOOLS, 2, store()))
    assert [one.kind for one in seen] == [kind for kind in PICTURE_KINDS for _ in range(2)]
    assert {one.kind for one in seen if one.right} == {"page", "sign", "receipt", "screen"}
    assert all(one.planned == ("read_text",) for one in seen)


def test_who_calls_nothing_is_right_about_blank_pictures_alone() -> None:
    seen = list(look(ScriptedLmm(["It is blank."] * 9), TOOLS, 1, store()))
    assert [one.kind for one in seen if one.right] == ["blank"]


def test_two_calls_are_not_the_plan_that_was_asked_for() -> None:
    both = call("read_text")
    both.tool_calls.append({"name": "caption_image", "args": {}, "id": "2", "type": "tool_call"})
    assert not next(look(ScriptedLmm([both]), TOOLS, 1, store())).right


def test_blanked_pictures_are_even_and_the_questions_the_same() -> None:
    pictures = store()
    asked: list[list[BaseMessage]] = []
    for blanked in (False, True):
        lmm = ScriptedLmm(["Hello."] * 9)
        list(look(lmm, TOOLS, 1, pictures, blanked=blanked))
        asked.append([request.messages[0] for request in lmm.requests])
    for shown, hidden in zip(*asked, strict=True):
        assert shown.content[1] == hidden.content[1]
        picture = pictures.get(hidden.content[0]["file_id"])
        assert picture.getextrema() == ((127, 127),) * 3
