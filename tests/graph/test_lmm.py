import asyncio

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.messages.tool import invalid_tool_call

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.graph.lmm import Lmm
from llavaplus_graph.graph.sight import Sight
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Tags

ASKED = [HumanMessage("What is it?")]
UNREADABLE = AIMessage("actions [", response_metadata={"invalid_plan": "the actions are not a list of calls"})
BROKEN_CALL = AIMessage("", invalid_tool_calls=[invalid_tool_call(name="tag_image", args="{", id="1", error=None)])


def ask(scripted: ScriptedLmm, *, may_act: bool = True, asynchronously: bool = False) -> AIMessage:
    skills = [scripted_skill("tag_image", Tags(tags=(), scores=()))]
    lmm = Lmm(scripted, skills, Sight(scripted, ImageStore("memory://lmm")))
    return asyncio.run(lmm.aask(ASKED, may_act=may_act)) if asynchronously else lmm.ask(ASKED, may_act=may_act)


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("unreadable", [UNREADABLE, BROKEN_CALL], ids=["invalid-plan", "invalid-tool-call"])
def test_an_unreadable_plan_gets_one_more_chance(unreadable: AIMessage, asynchronously: bool) -> None:
    scripted = ScriptedLmm([unreadable, call("tag_image")])
    reply = ask(scripted, asynchronously=asynchronously)
    reminder = scripted.requests[1].messages[-1]
    assert [planned["name"] for planned in reply.tool_calls] == ["tag_image"]
    assert isinstance(reminder, SystemMessage)
    assert "Your last plan could not be read" in reminder.text


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
def test_after_two_unreadable_plans_it_answers_without_skills_and_says_why(asynchronously: bool) -> None:
    scripted = ScriptedLmm([UNREADABLE, UNREADABLE, "A cat."])
    reply = ask(scripted, asynchronously=asynchronously)
    assert reply.text == "A cat."
    assert reply.response_metadata["invalid_plan"] == "the actions are not a list of calls"
    assert [request.tool_choice for request in scripted.requests] == [None, None, "none"]
    assert scripted.requests[2].messages == ASKED


def test_calls_made_where_an_answer_was_due_are_dropped() -> None:
    stubborn = plan(call("tag_image").tool_calls[0], text="Let me see.")
    reply = ask(ScriptedLmm([stubborn]), may_act=False)
    assert (reply.text, reply.tool_calls) == ("Let me see.", [])
    assert "an answer was due" in reply.response_metadata["invalid_plan"]


def test_every_call_gets_an_id_of_its_own() -> None:
    again = plan(*(call("tag_image", id="x").tool_calls[0] for _ in range(2)), text="Twice.")
    first, second = ask(ScriptedLmm([again])).tool_calls
    assert first["id"] == "x"
    assert second["id"] not in (None, "", "x")


def test_an_answer_does_not_replace_the_plan_of_a_model_that_gives_every_message_one_id() -> None:
    planned, answer = call("tag_image"), AIMessage("A cat.")
    planned.id = answer.id = "always"
    skill = scripted_skill("tag_image", Tags(tags=(), scores=()))
    app = create_llavaplus_graph(ScriptedLmm([planned, answer]), [skill]).compile()
    out = app.invoke({"messages": [HumanMessage("What is it?")]})
    assert [message.type for message in out["messages"]] == ["human", "ai", "tool", "ai"]


def test_without_skills_the_model_is_asked_as_it_is() -> None:
    scripted = ScriptedLmm(["Hello."])
    assert Lmm(scripted, [], Sight(scripted, ImageStore("memory://lmm"))).ask(ASKED).text == "Hello."
    assert scripted.requests[0].tools == ()


def test_a_model_that_cannot_call_tools_is_refused() -> None:
    skills = [scripted_skill("tag_image", Tags(tags=(), scores=()))]
    speaker = FakeListChatModel(responses=["Hi"])
    with pytest.raises(ConfigError, match="FakeListChatModel cannot call tools"):
        Lmm(speaker, skills, Sight(speaker, ImageStore("memory://lmm")))


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
def test_what_no_checkpoint_can_hold_is_taken_out_of_a_plan(asynchronously: bool) -> None:
    (planned,) = ask(
        ScriptedLmm([call("tag\ud83d_image", id="c\ud83d", query=[{"k\ud83dey": "cu\ud83dp"}])]),
        asynchronously=asynchronously,
    ).tool_calls
    assert (planned["name"], planned["id"], planned["args"]) == ("tag_image", "c", {"query": [{"key": "cup"}]})


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
def test_a_picture_that_the_model_painted_is_kept_as_a_handle_and_an_address_as_words(asynchronously: bool) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
    painted = {"type": "image", "base64": pixel, "mime_type": "image/png"}
    elsewhere = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/a.png"}}
    reply = ask(ScriptedLmm([AIMessage([painted, elsewhere])]), asynchronously=asynchronously)
    kept, told = list(reply.content)
    assert isinstance(kept, dict)
    assert str(kept["file_id"]).startswith("img_")
    assert isinstance(told, dict)
    assert "was not taken in" in told["text"]
    assert pixel not in repr(reply)
