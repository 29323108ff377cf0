r"""JSON Schemas as an argument of a plan can hold to them, in llguidance's spelling; pure.

What JSON Schema allows and a plan cannot carry is taken out: keys nobody named, numbers without end (`1e999` is no JSON
number once it is read), and the marks of the protocol, which would open a new part of the turn.

    {"type": "number"}  ->  %json {"anyOf": [{"type": "number", "minimum": 0}, {"type": "number", "maximum": 0}], …}
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from llavaplus_graph.protocol import MARKERS

MARKS = "".join(marker[-2] for marker in MARKERS)
"""The emoji of the markers; no string of a plan holds one as it is."""

_CHAR = (
    rf'([^"\\\x00-\x1f{MARKS}]|\\["\\\/bfnrt]|\\u([0-9a-ce-f][0-9a-f]{{3}}|d[0-7][0-9a-f]{{2}})'
    r"|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})"
)
STRING = f'/"{_CHAR}*"/'
"""A JSON string with or without ASCII escapes; escaped surrogates come in pairs; no mark of the protocol fits in."""
KEY = rf'/"[^"\\\x00-\x1f{MARKS}]*"/'
"""A key as it is, so that no escape hides one that has been there."""

_UNMARKED = f"^[^{MARKS}]*$"
_ANNOTATIONS = ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment")
_AS_THEY_ARE = ("enum", "const", "required", "allOf", "dependentRequired")  # each of allOf may lack what another names
_SCHEMAS = ("items", "contains", "additionalProperties")  # where true stands for any value
_BY_NAME = ("properties", "patternProperties", "$defs", "definitions")
_PLAIN_STRING = {"type", "minLength", "maxLength", "x-quoted", *_ANNOTATIONS}
_PLAIN_INTEGER = {"type", *_ANNOTATIONS}
_INTEGER = "/-?(0|[1-9][0-9]{0,17})/"  # fits into 64 bits; an LMM that finds no end to a number does not end its turn
_ANYTHING = "llavaplus-anything"
_REFERENCE = {"$ref": f"#/$defs/{_ANYTHING}"}
# A number with a bound has no exponent; two halves cost less than bounds that are far away.
_NUMBER = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "number", "maximum": 0}]}
_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_CHOICES = {"enum", "const", "anyOf", "oneOf"}
_SCALARS: list[dict[str, Any]] = [
    {"type": "null"},
    {"type": "boolean"},
    _NUMBER,
    {"type": "string", "pattern": _UNMARKED},
]
_CONTAINERS: list[dict[str, Any]] = [
    {"type": "array", "items": _REFERENCE},
    {"type": "object", "patternProperties": {_UNMARKED: _REFERENCE}, "additionalProperties": False},
]
# Lenient: what llguidance cannot hold to, such as uniqueItems, is left to the tool's own validation.
_OPTIONS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True}


def value_rule(schema: Mapping[str, Any] | bool, definitions: Mapping[str, Any]) -> str:
    """Write what a value of a schema is in Lark; `STRING` stands for any string.

    Args:
        schema: A JSON Schema.
        definitions: What its references lead to, by `$defs` or `definitions`.
    """
    if isinstance(schema, Mapping) and schema.get("type") == "string" and set(schema) <= _PLAIN_STRING:
        least, most = schema.get("minLength", 0), schema.get("maxLength", "")
        return f'/"{_CHAR}{{{least},{most}}}"/' if least or most != "" else "STRING"
    if isinstance(schema, Mapping) and schema.get("type") == "integer" and set(schema) <= _PLAIN_INTEGER:
        return _INTEGER
    whole: Any = _strict({**schema, **definitions} if isinstance(schema, Mapping) else schema)
    text = json.dumps({**whole, "x-guidance": _OPTIONS} if isinstance(whole, Mapping) else whole, ensure_ascii=False)
    if _ANYTHING in text:
        anything = {_ANYTHING: {"anyOf": [*_SCALARS, *_CONTAINERS]}}
        named = {**whole, "$defs": {**whole.get("$defs", {}), **anything}, "x-guidance": _OPTIONS}
        text = json.dumps(named, ensure_ascii=False)
    return f"%json {text}"


def _strict(schema: Any) -> Any:
    """Rewrite a schema so that whatever fits it can be part of a plan and still fits the original."""
    if schema is True:
        return _REFERENCE
    if not isinstance(schema, Mapping):
        return schema
    kept = {key: _part(key, value) for key, value in schema.items() if key not in _ANNOTATIONS}
    if not set(kept) - {*_BY_NAME[2:], "x-quoted"}:
        return {**kept, **_REFERENCE}
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if _unmarked(json.dumps(value, ensure_ascii=False))]
    kind = kept.get("type")
    if isinstance(kind, list) and not _CHOICES & kept.keys():
        return {"anyOf": [_strict({**schema, "type": name}) for name in kind]}
    kept = _BY_TYPE.get(str(kind), dict)(kept)
    return _closed(kept) if "properties" in kept else kept


def _part(key: str, value: Any) -> Any:
    if key in _AS_THEY_ARE:
        return value
    if key in _BY_NAME and isinstance(value, Mapping):
        return {name: _strict(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_strict(inner) for inner in value]
    return _strict(value) if isinstance(value, Mapping) or key in _SCHEMAS else value


def _string(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.keys() & {"enum", "const", "format"}:
        return schema
    patterns = [{"pattern": pattern} for pattern in (schema.get("pattern"), _UNMARKED) if pattern]
    if len(patterns) == 1:
        return {**schema, **patterns[0]}
    rest = {key: value for key, value in schema.items() if key != "pattern"}
    return {**rest, "allOf": [*rest.get("allOf", ()), *patterns]}


def _number(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.keys() & (_BOUNDS | _CHOICES):
        return schema
    return {**{key: value for key, value in schema.items() if key != "type"}, **_NUMBER}


def _array(schema: dict[str, Any]) -> dict[str, Any]:
    listed = len(schema.get("prefixItems", ()))
    if "items" in schema or schema.get("maxItems", listed + 1) <= listed:
        return schema
    return {**schema, "items": _REFERENCE}


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    others = schema.get("additionalProperties", _REFERENCE)
    if "properties" in schema or others is False:
        return schema
    if "patternProperties" in schema:
        return {**schema, "additionalProperties": False}
    return {**schema, "patternProperties": {_UNMARKED: others}, "additionalProperties": False}


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Allow only the keys an object schema names; JSON Schema itself allows any where it does not say otherwise."""
    named = {name: inner for name, inner in schema["properties"].items() if _unmarked(name)}
    return {**schema, "properties": named, "additionalProperties": False}


def _unmarked(text: str) -> bool:
    return not any(mark in text for mark in MARKS)


_BY_TYPE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "string": _string,
    "number": _number,
    "array": _array,
    "object": _object,
}
