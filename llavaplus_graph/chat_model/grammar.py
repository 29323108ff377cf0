r"""The grammar of an assistant turn: only bound tools, arguments that fit their schema, quotations of the instruction.

Writes Lark text for llguidance; pure, knows no tensors. One rule a tool:

    call_0: "{\"API_name\": \"detect_objects\", \"API_params\": {" params_0 "}}"
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llavaplus_graph.protocol import ACTIONS, THOUGHTS, VALUE

_CHUNK = re.compile(r"\w+|\s+|[^\w\s]", re.UNICODE)
_FREE = r"/[^🤔🚀👉]*/"
_THOUGHT = r"/[^🤔🚀👉\n]{0,400}/"
# A JSON string with or without ASCII escapes; escaped surrogates come in pairs, and no marker of the protocol fits in.
_STRING = (
    r'/"([^"\\\x00-\x1f🤔🚀👉]|\\["\\\/bfnrt]|\\u([0-9a-ce-f][0-9a-f]{3}|d[0-7][0-9a-f]{2})'
    r'|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})*"/'
)
_AS_THEY_ARE = ("properties", "enum", "const", "default", "examples", "allOf")
_NOT_PLAIN = ("enum", "const", "pattern", "format", "minLength", "maxLength", "anyOf", "allOf", "oneOf", "$ref")
_TRIMMED = r"/\S(.*\S)?/"  # a quotation neither begins nor ends with white space
_MOST_PHRASES = 6  # phrases of a quoted query, joined by " . "
_LONGEST_INSTRUCTION = 4_000  # characters of the conversation that quotations may come from, newest last

Choice = Literal["auto", "any", "none"]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the grammar knows it: the name the LMM writes and the JSON schema of its arguments."""

    name: str
    schema: Mapping[str, Any] = field(default_factory=dict)


def turn_grammar(
    tools: Sequence[ToolSpec],
    *,
    choice: Choice = "auto",
    instruction: str = "",
    parallel: bool = True,
    only_call: str | None = None,
    answer: Sequence[str] = (),
) -> str:
    """Write the grammar of one assistant turn.

    Args:
        tools: The bound tools; empty means that no call is possible.
        choice: `auto` leaves it to the LMM whether to call, `any` forces a call, `none` forbids one.
        instruction: What the user said; string arguments marked `x-quoted` must be words of it.
        parallel: Whether several calls may stand in one turn.
        only_call: Name of the one tool that may be called.
        answer: Rules, the first of them called `answer`, that its text must follow; free text without them.
    """
    allowed = [tool for tool in tools if only_call in (None, tool.name)]
    rules = [
        f"start: {_lit(' ')}? {_lit(THOUGHTS + ' ')} THOUGHT "
        f"{_lit(chr(10) + ACTIONS + ' ')} actions {_lit(chr(10) + VALUE + ' ')} answer"
    ]
    rules += [f"THOUGHT: {_THOUGHT}", *(answer or [f"answer: {_FREE}"])]
    calls = [f"call_{index}" for index in range(len(allowed))] if choice != "none" else []
    if not calls:
        rules.append(f"actions: {_lit('[]')}")
        return "\n".join(rules)
    several = f"({_lit(', ')} call)*" if parallel else ""
    some = f"{_lit('[')} call {several} {_lit(']')}"
    rules.append(f"actions: {some}" if choice == "any" else f"actions: {_lit('[]')} | {some}")
    rules += [f"call: {' | '.join(calls)}", f"STRING: {_STRING}"]
    spans = _span_rules(instruction)
    for index, tool in enumerate(allowed):
        rules += _tool_rules(index, tool, quotable=bool(spans))
    return "\n".join([*rules, *spans])


def quoted(schema: Mapping[str, Any] | bool) -> bool:
    """Tell whether an argument is to be quoted from the user's words."""
    return isinstance(schema, Mapping) and bool(schema.get("x-quoted"))


def _tool_rules(index: int, tool: ToolSpec, *, quotable: bool) -> list[str]:
    head = json.dumps({"API_name": tool.name, "API_params": {}})[:-3]
    rules = [f"call_{index}: {_lit(head)} params_{index} {_lit('}')}"]
    properties = _image_last(tool.schema.get("properties") or {})
    schema = {**tool.schema, "type": "object", "properties": properties}
    if not properties:
        return [
            *rules,
            f"params_{index}: {_json(schema)}" if _open(schema) else f"params_{index}: {_lit('{}')}",
        ]
    if _open(schema):
        return [*rules, f"params_{index}: {_json(schema)}"]
    return rules + _object_rules(index, schema, properties, quotable=quotable)


def _image_last(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Put the picture behind what is to be done with it, the order in which plans are written."""
    return dict(sorted(properties.items(), key=lambda item: item[0] == "image"))


def _object_rules(index: int, schema: Mapping[str, Any], properties: Mapping[str, Any], *, quotable: bool) -> list[str]:
    """Write an object key by key, so that some of its values can be quotations and none has a key of its own making.

    `rest_i_k` is what may follow key k once something was written, `open_i_k` what may follow while nothing was.
    """
    required = set(schema.get("required") or ())
    definitions = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    rules = [f"params_{index}: {_lit('{')} open_{index}_0"]
    names = list(properties)
    for k, name in enumerate(names):
        value = f"value_{index}_{k}"
        pair = f"{_lit(json.dumps(name) + ': ')} {value}"
        skip_open, skip_rest = (
            ("", "") if name in required else (f" | open_{index}_{k + 1}", f" | rest_{index}_{k + 1}")
        )
        rules.append(f"open_{index}_{k}: {pair} rest_{index}_{k + 1}{skip_open}")
        rules.append(f"rest_{index}_{k}: {_lit(', ')} {pair} rest_{index}_{k + 1}{skip_rest}")
        rules.append(f"{value}: {_value(properties[name], name, definitions, quotable)}")
    end = len(names)
    return [*rules, f"open_{index}_{end}: {_lit('}')}", f"rest_{index}_{end}: {_lit('}')}"]


def _value(schema: Mapping[str, Any] | bool, name: str, definitions: Mapping[str, Any], quotable: bool) -> str:
    schema = schema if isinstance(schema, Mapping) else {}
    if not (quotable and quoted(schema)):
        plain = schema.get("type") == "string" and not any(key in schema for key in _NOT_PLAIN)
        return "STRING" if plain else _json({**schema, **definitions})
    span = "QUERY" if name == "query" else "SPAN"
    empty = f" | {_lit(chr(34) * 2)}" if schema.get("default") == "" else ""
    return f"{_lit(chr(34))} {span} {_lit(chr(34))}{empty}"


def _span_rules(instruction: str) -> list[str]:
    words = " ".join(instruction[-_LONGEST_INSTRUCTION:].split())
    chunks = [json.dumps(chunk)[1:-1] for chunk in _CHUNK.findall(words)]
    if not chunks:
        return []
    joined = " | ".join(' " . " '.join(["WORDS"] * count) for count in range(1, _MOST_PHRASES + 1))
    return [
        f"WORDS: STRETCH & {_TRIMMED}",
        f"STRETCH: %regex {json.dumps({'substring_chunks': chunks}, ensure_ascii=False)}",
        "SPAN: WORDS",
        f"QUERY: {joined}",
    ]


def _open(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("additionalProperties"))


def _json(schema: Mapping[str, Any]) -> str:
    # Lenient: what llguidance cannot hold to, such as uniqueItems, is left to the tool's own validation.
    options = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True}
    return f"%json {json.dumps({**_closed(schema), 'x-guidance': options}, ensure_ascii=False)}"


def _closed(schema: Any) -> Any:
    """Allow only the keys an object schema names; JSON Schema itself allows any where it does not say otherwise."""
    if isinstance(schema, list):
        return [_closed(inner) for inner in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {key: value if key in _AS_THEY_ARE else _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), Mapping):
        closed["properties"] = {name: _closed(inner) for name, inner in schema["properties"].items()}
        closed.setdefault("additionalProperties", False)
    return closed


def _lit(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
