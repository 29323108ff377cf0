import json
from collections.abc import Iterator

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool

from llavaplus_graph.evaluate.reading import Read, repeat_signs
from llavaplus_graph.images import HANDLE, ImageStore
from llavaplus_graph.testing import Scripted, ScriptedLmm, scripted_skill
from llavaplus_graph.types import Texts


def reader(*found: tuple[str, ...]) -> list[BaseTool]:
    """Every skill there is: one that reads something else on every sign."""
    left: Iterator[tuple[str, ...]] = iter(found)

    def read(**arguments: object) -> Texts:
        assert HANDLE.fullmatch(str(arguments["image"]))
        texts = next(left)
        return Texts(texts=texts, boxes=[(0.0, 0.0, 1.0, 1.0)] * len(texts), scores=[0.9] * len(texts))

    return [scripted_skill("read_text", read)]


def repeat(messages: list[BaseMessage]) -> str:
    """What an LMM says that copies as it should."""
    return "It says: " + ", ".join(f'"{text}"' for text in json.loads(messages[-1].text)["texts"])


def results(answers: list[Scripted], *found: tuple[str, ...], count: int = 2) -> list[Read]:
    return list(repeat_signs(ScriptedLmm(answers), reader(*found), count, ImageStore("memory://reading")))


def test_an_answer_is_right_when_it_repeats_every_text() -> None:
    first, second = results([repeat, repeat], ("WET FLOOR", "Café"), ("Gate 7",))
    assert first == Read(("WET FLOOR", "Café"), 'It says: "WET FLOOR", "Café"', exact=True)
    assert second.exact


def test_a_letter_that_differs_makes_an_answer_wrong() -> None:
    answers: list[Scripted] = ['It says: "WET FLOOR", "Cafe"', 'It says: "Gate 7".']
    assert [read.exact for read in results(answers, ("WET FLOOR", "Café"), ("Gate 7",))] == [False, True]


def test_signs_on_which_nothing_is_found_are_replaced() -> None:
    read = results([repeat, repeat], (), ("Gate 7",), (), (), ("EXIT",))
    assert [one.texts for one in read] == [("Gate 7",), ("EXIT",)]


def test_the_lmm_sees_question_plan_and_the_readers_result() -> None:
    lmm = ScriptedLmm([repeat])
    list(repeat_signs(lmm, reader(("WET FLOOR", "Café")), 1, ImageStore("memory://reading")))
    question, plan, result = lmm.requests[0].messages
    assert isinstance(question, HumanMessage)
    assert isinstance(plan, AIMessage)
    assert isinstance(result, ToolMessage)
    assert [block["type"] for block in question.content_blocks] == ["image", "text"]
    assert [(planned["name"], planned["args"]) for planned in plan.tool_calls] == [("read_text", {})]
    assert plan.tool_calls[0]["id"] == result.tool_call_id
    assert result.content == '{"texts": ["WET FLOOR", "Café"]}'
    assert lmm.requests[0].tools == ("read_text",)


def test_a_series_of_signs_is_the_same_every_time() -> None:
    asked = []
    for seed in ("signs", "signs", "others"):
        lmm = ScriptedLmm([repeat] * 3)
        tools = reader(*[("EXIT",)] * 3)
        list(repeat_signs(lmm, tools, 3, ImageStore("memory://reading"), seed=seed))
        asked.append([request.messages[0].content for request in lmm.requests])
    assert asked[0] == asked[1] != asked[2]
