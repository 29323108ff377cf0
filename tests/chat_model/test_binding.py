from typing import Any

import pytest
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from llavaplus_graph.chat_model.binding import Binding, specification
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.messages import Dialogue
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.protocol import Action

SKILLS = Dialect(template="v1", names="skills")
WIRE = Dialect(template="v0", names="wire")


def bound(*names: str, choice: Any = None, parallel: bool = True) -> Binding:
    return Binding.of([{"function": {"name": name}} for name in names], choice, parallel)


@pytest.mark.parametrize(
    ("spelling", "choice", "only"),
    [
        (None, "auto", None),
        ("auto", "auto", None),
        (False, "none", None),
        ("none", "none", None),
        (True, "any", None),
        ("any", "any", None),
        ("required", "any", None),
        ("b", "any", "b"),
        ({"type": "function", "function": {"name": "b"}}, "any", "b"),
        ({"type": "tool", "name": "b"}, "any", "b"),
        ({"function": None, "name": "b"}, "any", "b"),
    ],
)
def test_every_spelling_of_a_choice_is_read(spelling: Any, choice: str, only: str | None) -> None:
    binding = bound("a", "b", choice=spelling)
    assert (binding.choice, binding.only) == (choice, only)


def test_a_choice_that_is_not_bound_is_refused() -> None:
    with pytest.raises(ConfigError, match="names 'c', which is not bound; bound are a, b"):
        bound("a", "b", choice="c")


ONE, TWO = [Action("a", {})], [Action("a", {}), Action("b", {})]


@pytest.mark.parametrize(
    ("binding", "actions", "reason"),
    [
        (bound("a"), TWO, None),
        (bound("a", choice="none"), [], None),
        (bound("a", choice="none"), ONE, "a call of a was planned although calls are forbidden"),
        (bound("a", parallel=False), ONE, None),
        (bound("a", parallel=False), TWO, "several calls were planned (2)"),
    ],
)
def test_it_says_which_calls_must_not_be_made(binding: Binding, actions: list[Action], reason: str | None) -> None:
    told = binding.unwanted(actions)
    assert (told or "").startswith(reason or "")
    assert (told is None) == (reason is None)


def test_a_tool_of_its_own_name_stays_apart_from_a_skill_of_the_same_wire_name() -> None:
    assert "sam" in bound("segment_region").grammars(Dialogue(), WIRE, grounded=False)[0]
    with pytest.raises(ConfigError, match="sam and segment_region are both called 'sam'"):
        bound("sam", "segment_region").grammars(Dialogue(), WIRE, grounded=False)
    assert bound("sam", "segment_region").grammars(Dialogue(), SKILLS, grounded=False)


def test_an_answer_is_held_to_results_only_where_there_are_some() -> None:
    without, with_results = Dialogue(said=["Q"]), Dialogue(said=["Q"], results=[{"texts": ["STOP"]}])
    assert "QUOTATION" not in bound("a").grammars(without, SKILLS, grounded=True)[0]
    assert "QUOTATION" not in bound("a").grammars(with_results, SKILLS, grounded=False)[0]
    assert "QUOTATION" in bound("a").grammars(with_results, SKILLS, grounded=True)[0]


def test_a_tool_the_lmm_has_not_learned_is_called_with_numbers_that_were_said() -> None:
    def held(name: str, *, grounded: bool = True, skills: tuple[str, ...] = ("known",)) -> bool:
        parameters = {"type": "object", "properties": {"n": {"type": "integer"}}}
        binding = Binding.of([{"function": {"name": name, "parameters": parameters}}], None, True)
        dialect = Dialect(template="v1", names="skills", skills=skills)
        return '"enum": [3]' in binding.grammars(Dialogue(said=["Add 3."]), dialect, grounded=grounded)[0]

    assert held("unknown")
    assert not held("known")
    assert not held("unknown", skills=())  # nobody knows what it has learned
    assert not held("unknown", grounded=False)


def test_marks_of_quoted_arguments_survive_langchains_conversion() -> None:
    class Arguments(BaseModel):
        query: str = Field(description="What.", json_schema_extra={"x-quoted": True})
        size: int = 1

    @tool(args_schema=Arguments)
    def find(query: str, size: int) -> str:
        """Finds."""
        return query * size

    described = specification(find)["function"]["parameters"]["properties"]
    assert (described["query"].get("x-quoted"), described["size"].get("x-quoted")) == (True, None)
