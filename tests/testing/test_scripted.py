import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool

from llavaplus_graph.errors import SkillError
from llavaplus_graph.skills import skill_info
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Tags

CAT = Tags(tags=("cat",), scores=(0.9,))


def run(skill: BaseTool) -> ToolMessage:
    message = skill.invoke({"type": "tool_call", "name": skill.name, "args": {"image": "img"}, "id": "1"})
    assert isinstance(message, ToolMessage)
    return message


def test_a_scripted_lmm_replies_in_order_and_remembers_what_it_was_asked() -> None:
    lmm = ScriptedLmm(["One.", AIMessage("Two.")])
    assert lmm.invoke("First?").text == "One."
    assert lmm.bind_tools([scripted_skill("tag_image", CAT)], tool_choice="any").invoke("Second?").text == "Two."
    assert [request.messages[0].text for request in lmm.requests] == ["First?", "Second?"]
    assert [(request.tools, request.tool_choice) for request in lmm.requests] == [((), None), (("tag_image",), "any")]


def test_a_reply_may_depend_on_the_conversation() -> None:
    def echo(messages: list[BaseMessage]) -> str:
        return messages[-1].text.upper()

    assert ScriptedLmm([echo]).invoke([HumanMessage("hello")]).text == "HELLO"


def test_a_scripted_lmm_says_when_its_script_is_over() -> None:
    with pytest.raises(IndexError, match="ScriptedLmm has 0 replies and was asked for number 1"):
        ScriptedLmm([]).invoke("Hello?")


def test_streamed_and_invoked_replies_are_the_same() -> None:
    reply = plan(*call("tag_image", image="latest").tool_calls, thoughts="Let me see.", text="One moment, please.")
    lmm = ScriptedLmm([reply, reply])
    whole = lmm.invoke("?")
    chunks = list(lmm.stream("?"))
    streamed = chunks[0]
    for chunk in chunks[1:]:
        streamed = streamed + chunk
    assert (streamed.text, streamed.tool_calls) == (whole.text, whole.tool_calls)
    assert streamed.content_blocks[0] == {"type": "reasoning", "reasoning": "Let me see."}
    assert len(chunks) == 4


def test_a_scripted_skill_returns_raises_or_computes() -> None:
    assert run(scripted_skill("tag_image", CAT)).content == '{"tags": "cat"}'
    assert (
        run(scripted_skill("tag_image", lambda image: Tags(tags=(image,), scores=(1.0,)))).content == '{"tags": "img"}'
    )
    assert run(scripted_skill("tag_image", SkillError("too dark"))).content == '{"error": "too dark"}'


def test_a_scripted_skill_of_the_catalogue_has_the_catalogues_names() -> None:
    known, new = skill_info(scripted_skill("inpaint_region", CAT)), skill_info(scripted_skill("count_dots", CAT))
    assert known is not None
    assert new is not None
    assert (known.wire_names, known.follows) == (("inpainting",), "mask")
    assert (new.name, new.wire_names) == ("count_dots", ())
