"""Who answers, when it has to, and what is checked of the answer."""

import asyncio

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph import InputState, create_llavaplus_graph
from llavaplus_graph.images import ImageStore
from llavaplus_graph.samples import sample
from llavaplus_graph.testing import ScriptedLmm, call, plan, scripted_skill
from llavaplus_graph.types import Texts

STOP = Texts(texts=("STOP",), boxes=((0.1, 0.1, 0.9, 0.9),), scores=(1.0,))
STORE = ImageStore("memory://responder")


def asked() -> InputState:
    picture = {"type": "image", "file_id": STORE.put(sample("sign"))}
    return {"messages": [HumanMessage([picture, {"type": "text", "text": "What does it say?"}])]}


def test_another_lmm_answers_and_may_ask_for_another_round() -> None:
    planner = ScriptedLmm([call("read_text")])
    writer = ScriptedLmm([call("read_text", id="again"), "It says STOP."])
    graph = create_llavaplus_graph(planner, [scripted_skill("read_text", STOP)], store=STORE, responder=writer)
    out = graph.compile().invoke(asked())
    assert out["messages"][-1].text == "It says STOP."
    assert (len(planner.requests), len(writer.requests), out["rounds"]) == (1, 2, 2)


def test_an_lmm_that_cannot_call_skills_may_still_answer() -> None:
    writer = FakeListChatModel(responses=["It says STOP."])
    planner = ScriptedLmm([call("read_text")])
    graph = create_llavaplus_graph(planner, [scripted_skill("read_text", STOP)], store=STORE, responder=writer)
    assert graph.compile().invoke(asked())["messages"][-1].text == "It says STOP."


@pytest.mark.parametrize("asynchronously", [False, True], ids=["sync", "async"])
def test_a_grounded_answer_lists_what_it_made_up(asynchronously: bool) -> None:
    lmm = ScriptedLmm([call("read_text"), 'It says "STOP" and "GO" 42 times.'])
    graph = create_llavaplus_graph(lmm, [scripted_skill("read_text", STOP)], store=STORE, grounded=True).compile()
    out = asyncio.run(graph.ainvoke(asked())) if asynchronously else graph.invoke(asked())
    assert out["messages"][-1].response_metadata["ungrounded"] == ["GO", "42"]


def test_calls_beyond_the_budget_are_not_run_and_then_an_answer_is_due() -> None:
    ran: list[str] = []

    def read(image: str) -> Texts:
        ran.append(image)
        return STOP

    greedy = plan(*(call("read_text", id=f"c{number}").tool_calls[0] for number in range(3)))
    lmm = ScriptedLmm([greedy, "Enough."])
    graph = create_llavaplus_graph(lmm, [scripted_skill("read_text", read)], store=STORE, max_calls=2).compile()
    out = graph.invoke(asked())
    assert len(ran) == 2
    assert out["results"]["c2"]["error"] == "read_text was not run: 2 calls a turn are allowed."
    assert lmm.requests[1].tool_choice == "none"


def test_a_budget_without_calls_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_calls must be at least 1, not 0"):
        create_llavaplus_graph(ScriptedLmm([]), [], max_calls=0)
