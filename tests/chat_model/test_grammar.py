"""What the grammar lets through, asked with a real tokenizer: every text is followed token by token."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from llavaplus_graph.chat_model.decoding import Guide
from llavaplus_graph.chat_model.grammar import Choice, ToolSpec, turn_grammar, turn_grammars
from llavaplus_graph.errors import ConfigError

Writer = Callable[..., str | tuple[str, ...]]
INSTRUCTION = 'Find the café "cat" and the red\\blue dog'
DETECT = ToolSpec(
    "detect_objects",
    {
        "type": "object",
        "properties": {
            "query": {"type": "string", "x-quoted": True, "minLength": 1},
            "image": {"type": "string", "default": "latest"},
        },
        "required": ["query"],
    },
)
READ = ToolSpec("read_text", {"type": "object", "properties": {"image": {"type": "string"}}})
INPAINT = ToolSpec(
    "inpaint_region",
    {
        "type": "object",
        "properties": {"prompt": {"type": "string", "x-quoted": True, "default": ""}, "image": {"type": "string"}},
    },
)
EMPTY = ToolSpec("look")
TOOLS = (DETECT, READ, INPAINT, EMPTY)


def call(name: str, **params: Any) -> str:
    return json.dumps({"API_name": name, "API_params": params})


def plan(*calls: str) -> str:
    return f"[{', '.join(calls)}]"


def turn(actions: str, thoughts: str = "I see.", value: str = "Fine.") -> str:
    return f' "thoughts🤔" {thoughts}\n"actions🚀" {actions}\n"value👉" {value}'


def allows(tokenizer: PreTrainedTokenizerFast, grammars: str | Sequence[str], text: str) -> bool:
    """Whether the tokens of a text, and the end after them, are never forbidden."""
    guide = Guide(tokenizer, *([grammars] if isinstance(grammars, str) else grammars))
    for token in [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]:
        logits = guide.mask(torch.zeros(len(tokenizer)))
        if logits[token] == float("-inf"):
            return False
        guide.take(token)
    return guide.finished


ACCEPTED = {
    "no call": "[]",
    "a word of the user": plan(call("detect_objects", query="cat")),
    "several phrases": plan(call("detect_objects", query="cat . red . dog")),
    "a stretch of words": plan(call("detect_objects", query="the red")),
    "quotation marks, accents": plan(call("detect_objects", query='café "cat"')),
    "a backslash": plan(call("detect_objects", query="red\\blue")),
    "another picture": plan(call("detect_objects", query="cat", image="image_2")),
    "an optional argument left out": plan(call("read_text")),
    "an escaped letter": plan(call("read_text", image="é")),
    "a letter as it is": '[{"API_name": "read_text", "API_params": {"image": "é"}}]',
    "an escaped character beyond the first plane": plan(call("read_text", image="😀")),
    "a default that is empty": plan(call("inpaint_region", prompt="")),
    "a quotation that may be empty": plan(call("inpaint_region", prompt="dog")),
    "only the later argument": plan(call("inpaint_region", image="image_1")),
    "a tool without arguments": plan(call("look")),
    "two calls": plan(call("read_text"), call("look")),
}


WRITERS = [turn_grammar, turn_grammars]
"""The grammar of a turn as one, and as two that both have to be followed."""


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("actions", ACCEPTED.values(), ids=ACCEPTED)
def test_plans_that_fit_the_bound_tools_are_allowed(
    tokenizer: PreTrainedTokenizerFast, actions: str, write: Writer
) -> None:
    assert allows(tokenizer, write(TOOLS, instruction=INSTRUCTION), turn(actions))


REFUSED = {
    "a word the user did not say": plan(call("detect_objects", query="cow")),
    "half a word": plan(call("detect_objects", query="ca")),
    "words that do not follow each other": plan(call("detect_objects", query="cat dog")),
    "an empty quotation": plan(call("detect_objects", query="")),
    "a quotation of white space": plan(call("detect_objects", query=" ")),
    "phrases in an argument that is not a query": plan(call("inpaint_region", prompt="cat . dog")),
    "a required argument left out": plan(call("detect_objects")),
    "an argument of its own making": plan(call("read_text", colour="red")),
    "an argument of its own making at the end": plan(call("detect_objects", query="cat", colour="red")),
    "an argument where there are none": plan(call("look", image="latest")),
    "arguments in another order": '[{"API_name": "inpaint_region", "API_params": {"image": "a", "prompt": "dog"}}]',
    "an argument of another type": plan(call("read_text", image=3)),
    "an unknown tool": plan(call("draw")),
    "other white space": '[{"API_name":"read_text", "API_params": {}}]',
    "white space in the list": "[ ]",
    "a line break in a string": '[{"API_name": "read_text", "API_params": {"image": "a\nb"}}]',
    "half a character": '[{"API_name": "read_text", "API_params": {"image": "\\ud83d"}}]',
    "a marker in a string": '[{"API_name": "read_text", "API_params": {"image": "value👉"}}]',
    "an object instead of a list": call("read_text"),
    "a list that is not closed": plan(call("read_text"))[:-1],
}


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("actions", REFUSED.values(), ids=REFUSED)
def test_plans_that_do_not_fit_are_forbidden(tokenizer: PreTrainedTokenizerFast, actions: str, write: Writer) -> None:
    assert not allows(tokenizer, write(TOOLS, instruction=INSTRUCTION), turn(actions))


@pytest.mark.parametrize("write", WRITERS)
def test_answers_follow_their_rules(tokenizer: PreTrainedTokenizerFast, write: Writer) -> None:
    grammar = write(TOOLS, instruction=INSTRUCTION, answer=["answer: /[a-z]+/"])
    assert allows(tokenizer, grammar, turn(plan(call("detect_objects", query="cat")), value="fine"))
    assert not allows(tokenizer, grammar, turn("[]", value="Fine"))


def test_what_depends_on_the_tools_alone_stays_the_same_from_turn_to_turn() -> None:
    first, second = (turn_grammars(TOOLS, instruction=words) for words in ("find the cat", "find the dog"))
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert len(first[1]) < len(first[0])
    assert turn_grammars(TOOLS[1:2], instruction="cat") == turn_grammars(TOOLS[1:2], instruction="dog")
    assert len(turn_grammars(TOOLS, choice="none", instruction="cat")) == 1


MIXED: dict[str, dict[str, Any]] = {
    "plain elsewhere": {"properties": {"query": {"type": "string"}}},
    "inside another argument": {"properties": {"a": {"type": "object", "properties": {"query": {"type": "string"}}}}},
    "in a definition": {
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "object", "properties": {"query": {"type": "string"}}}},
    },
}


@pytest.mark.parametrize("schema", MIXED.values(), ids=MIXED)
def test_a_key_that_is_quoted_in_one_place_only_is_free_in_the_other(
    tokenizer: PreTrainedTokenizerFast, schema: dict[str, Any]
) -> None:
    tools = [DETECT, ToolSpec("other", schema)]
    inner = {"query": "cow"}
    params = inner if "query" in schema["properties"] else {"a": inner}
    grammars = turn_grammars(tools, instruction=INSTRUCTION)
    assert allows(tokenizer, grammars, turn(plan(call("other", **params))))
    assert not allows(tokenizer, grammars, turn(plan(call("detect_objects", query="cow"))))


@pytest.mark.parametrize(
    ("choice", "with_call", "without"), [("auto", True, True), ("any", True, False), ("none", False, True)]
)
def test_tool_choice_decides_whether_there_is_a_call(
    tokenizer: PreTrainedTokenizerFast, choice: Choice, with_call: bool, without: bool
) -> None:
    grammar = turn_grammar(TOOLS, choice=choice)
    assert allows(tokenizer, grammar, turn(plan(call("read_text")))) == with_call
    assert allows(tokenizer, grammar, turn("[]")) == without


def test_without_tools_there_is_no_call(tokenizer: PreTrainedTokenizerFast) -> None:
    assert allows(tokenizer, turn_grammar([]), turn("[]"))
    assert not allows(tokenizer, turn_grammar([]), turn(plan(call("read_text"))))


def test_one_tool_can_be_singled_out(tokenizer: PreTrainedTokenizerFast) -> None:
    grammar = turn_grammar(TOOLS, choice="any", only_call="look")
    assert allows(tokenizer, grammar, turn(plan(call("look"))))
    assert not allows(tokenizer, grammar, turn(plan(call("read_text"))))


def test_calls_in_parallel_can_be_forbidden(tokenizer: PreTrainedTokenizerFast) -> None:
    grammar = turn_grammar(TOOLS, parallel=False)
    assert allows(tokenizer, grammar, turn(plan(call("look"))))
    assert not allows(tokenizer, grammar, turn(plan(call("look"), call("look"))))


@pytest.mark.parametrize(
    ("tools", "twice"),
    [
        ((EMPTY,), False),
        ((EMPTY, READ), True),
        ((READ,), True),
        ((ToolSpec("look", {"properties": {"n": {"enum": [3]}}, "required": ["n"]}),), False),
        ((ToolSpec("look", {"properties": {"n": {"enum": [3]}}}),), True),
        ((ToolSpec("look", {"properties": {"n": {"enum": [3, 4]}}, "required": ["n"]}),), True),
        ((ToolSpec("look", {"additionalProperties": True}),), True),
    ],
)
def test_the_only_call_there_can_be_is_made_once(
    tokenizer: PreTrainedTokenizerFast, tools: Sequence[ToolSpec], twice: bool
) -> None:
    one = call(tools[-1].name, **({"n": 3} if "n" in tools[-1].schema.get("properties", {}) else {}))
    for grammar in (turn_grammar(tools), turn_grammars(tools)):
        assert allows(tokenizer, grammar, turn(plan(one)))
        assert allows(tokenizer, grammar, turn(plan(one, one))) == twice


@pytest.mark.parametrize("instruction", ["", " \n "])
def test_with_nothing_to_quote_any_words_will_do(tokenizer: PreTrainedTokenizerFast, instruction: str) -> None:
    grammar = turn_grammar(TOOLS, instruction=instruction)
    assert allows(tokenizer, grammar, turn(plan(call("detect_objects", query="a cow"))))
    assert not allows(tokenizer, grammar, turn(plan(call("detect_objects", query=""))))


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (turn("[]").removeprefix(" "), True),
        (turn("[]", thoughts="x" * 400), True),
        (turn("[]", value=""), True),
        (turn("[]", value="one\ntwo — ça “va” 😀"), True),
        (turn("[]", thoughts="x" * 401), False),
        (turn("[]", thoughts="one\ntwo"), False),
        (turn("[]", thoughts="🚀"), False),
        (turn("[]", value='a "value👉" b'), False),
        (turn("[]") + turn("[]"), False),
        ("A cat.", False),
        (turn("[]").replace('"', "'"), False),
    ],
)
def test_a_turn_is_one_well_formed_block(tokenizer: PreTrainedTokenizerFast, text: str, allowed: bool) -> None:
    assert allows(tokenizer, turn_grammar([]), text) == allowed


def test_a_turn_cannot_end_before_its_answer(tokenizer: PreTrainedTokenizerFast) -> None:
    grammar = turn_grammar(TOOLS)
    assert not allows(tokenizer, grammar, turn("[]").split('"value')[0])


NESTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "operation": {"enum": ["crop", "größer"]},
        "box": {"$ref": "#/$defs/Box"},
        "parameters": {"type": "object"},
    },
    "required": ["operation"],
    "$defs": {
        "Box": {
            "type": "object",
            "properties": {"x": {"type": "number", "minimum": 0, "maximum": 1}, "next": {"$ref": "#/$defs/Box"}},
            "required": ["x"],
        }
    },
}


@pytest.mark.parametrize(
    ("params", "allowed"),
    [
        ('{"operation": "crop"}', True),
        ('{"operation": "größer", "box": {"x": 0.5, "next": {"x": 1}}}', True),
        ('{"operation": "crop", "parameters": {"degrees": [90, null, {"a": "b"}]}}', True),
        ('{"operation": "paint"}', False),
        ('{"operation": "crop", "box": {}}', False),
        ('{"operation": "crop", "box": {"x": 7}}', False),
        ('{"operation": "crop", "box": {"x": 0.5, "y": 0.5}}', False),
        ('{"operation": "crop", "box": {"x": 0.5, "next": {"y": 1}}}', False),
        ("{}", False),
    ],
)
def test_nested_objects_enumerations_and_references_are_held_to(
    tokenizer: PreTrainedTokenizerFast, params: str, allowed: bool
) -> None:
    grammar = turn_grammar([ToolSpec("transform_image", NESTED)])
    actions = f'[{{"API_name": "transform_image", "API_params": {params}}}]'
    assert allows(tokenizer, grammar, turn(actions)) == allowed


def test_quoted_and_referenced_arguments_go_together(tokenizer: PreTrainedTokenizerFast) -> None:
    schema = {**NESTED, "properties": {"what": {"type": "string", "x-quoted": True}, **NESTED["properties"]}}
    grammar = turn_grammar([ToolSpec("cut", schema)], instruction="cut the dog")
    assert allows(tokenizer, grammar, turn(plan(call("cut", what="dog", operation="crop", box={"x": 0.1}))))
    assert not allows(tokenizer, grammar, turn(plan(call("cut", what="cat", operation="crop"))))


ODD_NAMES = ['quo"te', "back\\slash", "line\nbreak", "é", "%json {", 'a"]\nstart: "x', "🚀"]


@pytest.mark.parametrize("odd", ODD_NAMES)
def test_names_cannot_break_out_of_the_grammar(tokenizer: PreTrainedTokenizerFast, odd: str) -> None:
    schema = {
        "type": "object",
        "properties": {odd: {"type": "string", "x-quoted": True, "description": odd}},
        "required": [odd],
    }
    grammar = turn_grammar([ToolSpec(odd, schema)], instruction=f"a dog {odd}")
    assert allows(tokenizer, grammar, turn(plan(call(odd, **{odd: "dog"}))))
    assert not allows(tokenizer, grammar, turn(plan(call(odd, **{odd: "cat"}))))


OPEN_ENDED = {
    "nothing": ({}, {}),
    "a title alone": ({"title": "Look"}, {}),
    "an object without properties": ({"type": "object", "properties": {}}, {}),
    "any keys": ({"type": "object", "additionalProperties": True}, {"a": [1, "b"]}),
    "keys of one type": ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}),
    "named keys and others": (
        {"properties": {"a": {"type": "string"}}, "additionalProperties": True},
        {"a": "", "b": 1},
    ),
    "any value": ({"properties": {"a": {}}}, {"a": {"b": [None]}}),
    "true for any value": ({"properties": {"a": True}}, {"a": 1.5}),
    "either": ({"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, {"a": None}),
    "what llguidance cannot hold to": (
        {"properties": {"a": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}}},
        {"a": [1, 1]},
    ),
    "a format": ({"properties": {"a": {"type": "string", "format": "date"}}}, {"a": "2026-11-22"}),
    "a pattern": ({"properties": {"a": {"type": "string", "pattern": "^[a-z]{3}$"}}}, {"a": "abc"}),
    "lengths": ({"properties": {"a": {"type": "string", "minLength": 2, "maxLength": 3}}}, {"a": "ab"}),
}


@pytest.mark.parametrize(("schema", "params"), OPEN_ENDED.values(), ids=OPEN_ENDED)
def test_every_kind_of_schema_can_be_bound(
    tokenizer: PreTrainedTokenizerFast, schema: dict[str, Any], params: dict[str, Any]
) -> None:
    actions = json.dumps([{"API_name": "look", "API_params": params}])
    assert allows(tokenizer, turn_grammar([ToolSpec("look", schema)], instruction="Look!"), turn(actions))


@pytest.mark.parametrize("broken", [{"enum": []}, {"type": "string", "pattern": "(?=x)"}, {"$ref": "#/$defs/No"}])
def test_a_schema_that_cannot_be_decoded_along_says_what_to_do(
    tokenizer: PreTrainedTokenizerFast, broken: dict[str, Any]
) -> None:
    grammar = turn_grammar([ToolSpec("look", {"properties": {"a": broken}, "required": ["a"]})])
    with pytest.raises(ConfigError, match="constrained=False") as caught:
        Guide(tokenizer, grammar)
    assert "\n" not in str(caught.value)


def test_a_long_conversation_and_many_tools_stay_quick_to_prepare(tokenizer: PreTrainedTokenizerFast) -> None:
    tools = [ToolSpec(f"tool_{index}", DETECT.schema) for index in range(60)]
    grammar = turn_grammar(tools, instruction=" ".join(f"word{index}" for index in range(5_000)))
    assert len(grammar) < 100_000
    assert allows(tokenizer, grammar, turn(plan(call("tool_7", query="word4999 . word4998"))))
