"""Whatever schema a tool has, what can be decoded along it is a plan, and its arguments fit."""

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from transformers import PreTrainedTokenizerFast

from llavaplus_graph.chat_model.decoding import Guide
from llavaplus_graph.chat_model.grammar import ToolSpec, turn_grammar
from llavaplus_graph.chat_model.schemas import STRING, value_rule
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.protocol import VALUE, parse_turn
from tests.benchmarks.hostile import hostile_tools


def fits(tokenizer: PreTrainedTokenizerFast, schema: Any, text: str) -> bool:
    """Whether a value, as it is written, can be decoded along a schema."""
    definitions = {"$defs": schema["$defs"]} if isinstance(schema, Mapping) and "$defs" in schema else {}
    guide = Guide(tokenizer, f"start: value /!/\nSTRING: {STRING}\nvalue: {value_rule(schema, definitions)}")
    return all(guide.take(token) for token in tokenizer(f"{text}!", add_special_tokens=False)["input_ids"])


NUMBER, ANY = {"type": "number"}, {"description": "Anything."}
LINK = {
    "$ref": "#/$defs/Link",
    "$defs": {"Link": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Link"}, "x": NUMBER}}},
}


@pytest.mark.parametrize(
    ("schema", "text", "fitting"),
    [
        (NUMBER, "-12.5", True),
        (NUMBER, "0", True),
        (NUMBER, "1e999", False),
        (NUMBER, "1E5", False),
        ({**NUMBER, "minimum": 0}, "1e999", False),
        ({**NUMBER, "exclusiveMaximum": 1}, "0.99", True),
        ({**NUMBER, "exclusiveMaximum": 1}, "1", False),
        ({**NUMBER, "multipleOf": 0.5}, "2.5", True),
        ({"type": "integer"}, "1.5", False),
        ({"type": "integer"}, "-42", True),
        ({"type": "integer", "title": "Id"}, "9" * 18, True),
        ({"type": "integer"}, "9" * 19, False),
        ({"type": "integer"}, "07", False),
        ({"type": ["number", "null"]}, "null", True),
        ({"type": ["number", "null"]}, "1e9", False),
        ({"type": ["string", "integer"], "minLength": 2}, '"a"', False),
        ({"type": "array"}, "[1, [1e5]]", False),
        ({"type": "array"}, '[1, ["a", {"b": null}]]', True),
        ({"type": "array", "prefixItems": [NUMBER, NUMBER], "minItems": 2, "maxItems": 2}, "[1, 2]", True),
        ({"type": "array", "prefixItems": [NUMBER], "minItems": 1}, "[1, true]", True),
        ({"type": "array", "items": NUMBER, "maxItems": 1}, "[1e9]", False),
        ({"type": "array", "items": True}, "[1e9]", False),
        ({"type": "array", "items": True}, '[1.5, {"b": ["c"]}]', True),
        (ANY, '{"a": [1.5, {"b": "c"}]}', True),
        (ANY, "1e999", False),
        (ANY, '"value👉"', False),
        (True, "false", True),
        (LINK, '{"next": {"next": {"x": 1}}}', True),
        (LINK, '{"next": {"x": 1e9}}', False),
    ],
)
def test_numbers_have_an_end_wherever_they_stand(
    tokenizer: PreTrainedTokenizerFast, schema: Any, text: str, fitting: bool
) -> None:
    assert fits(tokenizer, schema, text) == fitting


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "string", "maxLength": 20},
        {"type": "string", "pattern": ".*"},
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"enum": ["value👉", "fine"]},
        {},
    ],
)
def test_no_string_is_a_mark_of_the_protocol(tokenizer: PreTrainedTokenizerFast, schema: dict[str, Any]) -> None:
    assert fits(tokenizer, schema, '"fine"')
    assert not fits(tokenizer, schema, '"value👉"')


@pytest.mark.parametrize(
    ("schema", "text", "fitting"),
    [
        ({"type": "object"}, '{"a": 1}', True),
        ({"type": "object"}, '{"value👉": 1}', False),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, '{"a": "b"}', False),
        ({"type": "object", "additionalProperties": False}, '{"a": 1}', False),
        ({"type": "object", "additionalProperties": True}, '{"a": 1}', True),
        ({"type": "object", "additionalProperties": True}, '{"a": 1e9}', False),
        ({"type": "object", "patternProperties": {"^x": NUMBER}}, '{"x1": 1}', True),
        ({"type": "object", "patternProperties": {"^x": NUMBER}}, '{"a": 1e9}', False),
        ({"type": "object", "properties": {"a": NUMBER}}, '{"b": 1}', False),
        ({"type": "object", "properties": {"a": NUMBER}, "additionalProperties": True}, '{"b": 1}', False),
        ({"type": "object", "properties": {"value👉": NUMBER, "a": NUMBER}}, '{"a": 1}', True),
        ({"type": "object", "properties": {"value👉": NUMBER, "a": NUMBER}}, '{"value👉": 1}', False),
    ],
)
def test_an_object_inside_has_the_keys_that_are_named_or_any_that_are_harmless(
    tokenizer: PreTrainedTokenizerFast, schema: dict[str, Any], text: str, fitting: bool
) -> None:
    assert fits(tokenizer, schema, text) == fitting


@pytest.mark.parametrize(
    ("lengths", "text", "fitting"),
    [
        ({"minLength": 2}, '"a"', False),
        ({"minLength": 2}, '"abc"', True),
        ({"maxLength": 2}, '"abc"', False),
        ({"maxLength": 0}, '""', True),
        ({"minLength": 2, "maxLength": 2}, '"é😀"', True),
        ({"minLength": 2, "maxLength": 2}, '"\\u00e9\\ud83d\\ude00"', True),
        ({"minLength": 2, "maxLength": 2}, '"\\ud83d"', False),
        ({"maxLength": 3}, '"\\n\\""', True),
    ],
)
def test_the_length_of_a_string_counts_characters_not_escapes(
    tokenizer: PreTrainedTokenizerFast, lengths: dict[str, int], text: str, fitting: bool
) -> None:
    assert fits(tokenizer, {"type": "string", **lengths}, text) == fitting


def test_a_schema_nothing_fits_says_so(tokenizer: PreTrainedTokenizerFast) -> None:
    for schema in ({"enum": ["value👉"]}, {"type": "integer", "minimum": 3, "maximum": 2}):
        with pytest.raises(ConfigError, match="constrained=False"):
            fits(tokenizer, schema, "3")


def arguments(tokenizer: PreTrainedTokenizerFast, schema: dict[str, Any], text: str) -> bool:
    """Whether these may be the arguments of a tool."""
    guide = Guide(tokenizer, turn_grammar([ToolSpec("t", schema)], choice="any"))
    written = f' "thoughts🤔" I.\n"actions🚀" [{{"API_name": "t", "API_params": {text}}}]\n"value👉" '
    return all(map(guide.take, tokenizer(written, add_special_tokens=False)["input_ids"]))


@pytest.mark.parametrize(
    ("schema", "text", "fitting"),
    [
        ({"properties": {"a": NUMBER}, "additionalProperties": True}, '{"a": 1, "b": {"c": 2}}', True),
        ({"properties": {"a": NUMBER}, "additionalProperties": True}, '{"b": "x"}', True),
        ({"properties": {"a": NUMBER}, "additionalProperties": True}, '{"a": "x"}', False),
        ({"properties": {"a": NUMBER}, "additionalProperties": {}}, '{"b": [], "a": "x"}', False),
        ({"additionalProperties": {"type": "integer"}}, '{"b": 1, "c": 2}', True),
        ({"additionalProperties": {"type": "integer"}}, '{"b": "x"}', False),
        ({"additionalProperties": True}, '{"value👉": 1}', False),
        ({"required": ["a"], "additionalProperties": True}, "{}", False),
        ({"required": ["a"], "additionalProperties": True}, '{"a": 1}', True),
        ({"anyOf": [{"properties": {"a": NUMBER}, "required": ["a"]}]}, '{"a": 1}', True),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"a": NUMBER}}}}, '{"a": 1}', True),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"a": NUMBER}}}}, '{"b": 1}', False),
    ],
)
def test_arguments_may_have_other_keys_where_the_schema_wants_them(
    tokenizer: PreTrainedTokenizerFast, schema: dict[str, Any], text: str, fitting: bool
) -> None:
    assert arguments(tokenizer, schema, text) == fitting


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_drawn_along_a_hostile_schema_is_a_plan_that_fits(
    tokenizer: PreTrainedTokenizerFast, seed: int
) -> None:
    rng = random.Random(seed)
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in hostile_tools(rng)}
    tools = [ToolSpec(name, schema) for name, schema in schemas.items()]
    grammar = turn_grammar(tools, choice="any", parallel=False)
    texts = (drawn(tokenizer, Guide(tokenizer, grammar), rng) for _ in range(20))
    parsed = parse_turn(next(text for text in texts if f"\n{VALUE} " in text))
    assert parsed.problem is None
    assert parsed.turn.actions
    for action in parsed.turn.actions:
        Draft202012Validator(schemas[action.name]).validate(json.loads(json.dumps(dict(action.params))))


def drawn(tokenizer: PreTrainedTokenizerFast, guide: Guide, rng: random.Random) -> str:
    """Draw tokens that are allowed until the answer begins, at most some hundreds."""
    tokens = tokenizer(' "thoughts🤔" I.\n"actions🚀" ', add_special_tokens=False)["input_ids"]
    assert all(map(guide.take, tokens))
    while len(tokens) < 600 and f"\n{VALUE} " not in tokenizer.decode(tokens[-20:]):
        left = (guide.mask(torch.zeros(len(tokenizer))) == 0).nonzero().flatten().tolist()
        tokens += [rng.choice(left)]
        assert guide.take(tokens[-1])
        tokens += guide.forced()
    return str(tokenizer.decode(tokens))
