"""People in the loop: requests, decisions, several of them pending, and what the LMM then reads."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from PIL import Image

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import SkillResult, Tags

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}


class Studio:
    """A graph whose skill ``edit_image`` waits for a person; it notes what ran."""

    def __init__(self, folder: Path, *replies: Any) -> None:
        self.store, self.lmm, self.ran = ImageStore(folder), ScriptedLmm(replies), list[str]()
        skills = [scripted_skill("edit_image", self._run), scripted_skill("tag_image", self._run)]
        graph = create_llavaplus_graph(self.lmm, skills, store=self.store, approve=["edit_image"])
        self.app = graph.compile(checkpointer=InMemorySaver())

    def _run(self, image: str, instruction: str = "") -> SkillResult:
        self.ran.append(instruction)
        return Tags(tags=(instruction or "cat",), scores=(1.0,))

    def ask(self) -> Any:
        handle = self.store.put(Image.new("RGB", (4, 4), "red"))
        asked = HumanMessage([{"type": "image", "file_id": handle}, {"type": "text", "text": "Make it blue."}])
        return self.app.invoke({"messages": [asked]}, THREAD)

    def resume(self, answer: object) -> Any:
        return self.app.invoke(Command(resume=answer), THREAD)


def test_a_call_that_needs_approval_waits_and_then_runs_once(tmp_path: Path) -> None:
    studio = Studio(tmp_path, call("edit_image", instruction="blue"), "Done.")
    (waiting,) = studio.ask()["__interrupt__"]
    (request,) = waiting.value["action_requests"]
    assert (request["name"], request["args"]) == ("edit_image", {"instruction": "blue"})
    assert waiting.value["review_configs"] == [
        {"action_name": "edit_image", "allowed_decisions": ["approve", "edit", "reject"]}
    ]
    assert studio.ran == []
    out = studio.resume({"decisions": [{"type": "approve"}]})
    assert (studio.ran, out["messages"][-1].text) == (["blue"], "Done.")


def test_an_edited_call_runs_as_edited_and_the_conversation_says_so(tmp_path: Path) -> None:
    studio = Studio(tmp_path, call("edit_image", instruction="blue"), "Done.")
    studio.ask()
    edited = {"name": "edit_image", "args": {"instruction": "green"}}
    out = studio.resume({"decisions": [{"type": "edit", "edited_action": edited}]})
    assert studio.ran == ["green"]
    planned, told = studio.lmm.requests[1].messages[1:]
    assert planned.tool_calls[0]["args"] == {"instruction": "green"}  # type: ignore[attr-defined]
    assert told.text == '{"tags": "green"}'
    assert len(out["messages"]) == 4


def test_an_edited_plan_keeps_the_thoughts_that_its_interface_wants_back(tmp_path: Path) -> None:
    thought = {"type": "thinking", "thinking": "It is red.", "signature": "s"}
    planned = call("edit_image", id="e", instruction="blue")
    spelled = {"type": "tool_use", "id": "e", "name": "edit_image", "input": {"instruction": "blue"}}
    studio = Studio(tmp_path, planned.model_copy(update={"content": [thought, spelled]}), "Done.")
    studio.ask()
    edited = {"name": "edit_image", "args": {"instruction": "green"}}
    told = studio.resume({"type": "edit", "edited_action": edited})["messages"][1]
    assert told.content == [thought]
    assert told.tool_calls[0]["args"] == {"instruction": "green"}


def test_a_rejected_call_is_a_failure_with_the_reason(tmp_path: Path) -> None:
    studio = Studio(tmp_path, call("edit_image", instruction="blue"), "As you wish.")
    studio.ask()
    out = studio.resume({"decisions": [{"type": "reject", "message": "I like red"}]})
    assert studio.ran == []
    assert "A person did not allow edit_image: I like red;" in studio.lmm.requests[1].messages[-1].text
    assert out["messages"][-1].text == "As you wish."


def test_several_calls_wait_at_once_and_each_is_answered_by_its_own_id(tmp_path: Path) -> None:
    names = (("edit_image", "a"), ("tag_image", "b"), ("edit_image", "c"))
    calls = plan(*(call(name, id=letter, instruction=letter).tool_calls[0] for name, letter in names))
    studio = Studio(tmp_path, calls, "Done.")
    waiting = {
        item.value["action_requests"][0]["args"]["instruction"]: item.id for item in studio.ask()["__interrupt__"]
    }
    assert (set(waiting), studio.ran) == ({"a", "c"}, ["b"])
    (left,) = studio.resume({waiting["c"]: {"type": "approve"}})["__interrupt__"]
    assert (left.id, studio.ran) == (waiting["a"], ["b", "c"])
    out = studio.resume({waiting["a"]: {"type": "reject"}})
    assert studio.ran == ["b", "c"]
    assert [message.status for message in out["messages"] if message.type == "tool"] == ["error", "success", "success"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param("yes", "must be one decision", id="word"),
        pytest.param({"decisions": []}, "must be one decision", id="none"),
        pytest.param({"type": "maybe"}, "'maybe' must be one of approve, edit, reject", id="unknown"),
        pytest.param({"type": "edit"}, "must have an edited_action", id="edit-without-action"),
        pytest.param(
            {"type": "edit", "edited_action": {"name": "rm", "args": {}}}, "not call 'rm' instead", id="other-skill"
        ),
    ],
)
def test_an_answer_that_is_no_decision_is_asked_for_again(tmp_path: Path, answer: object, problem: str) -> None:
    studio = Studio(tmp_path, call("edit_image", instruction="blue"), "Done.")
    studio.ask()
    (again,) = studio.resume(answer)["__interrupt__"]
    assert problem in again.value["action_requests"][0]["description"]
    assert studio.ran == []
    assert studio.resume({"type": "approve"})["messages"][-1].text == "Done."
    assert studio.ran == ["blue"]


def test_it_waits_asynchronously_too(tmp_path: Path) -> None:
    studio = Studio(tmp_path, call("edit_image", instruction="blue"), "Done.")

    async def both() -> Any:
        first = await studio.app.ainvoke({"messages": [HumanMessage("Make it blue.")]}, THREAD)
        assert len(first["__interrupt__"]) == 1
        return await studio.app.ainvoke(Command(resume={"type": "reject"}), THREAD)

    assert asyncio.run(both())["messages"][-1].text == "Done."
    assert studio.ran == []


def test_a_wire_name_does_not_go_around_the_person(tmp_path: Path) -> None:
    studio = Studio(tmp_path, call("instruct-pix2pix", instruction="blue"), "Done.")
    assert len(studio.ask()["__interrupt__"]) == 1


def test_only_skills_that_are_there_can_wait() -> None:
    with pytest.raises(ConfigError, match="approve names 'fly'; the skills are none"):
        create_llavaplus_graph(ScriptedLmm([]), [], approve=["fly"])
