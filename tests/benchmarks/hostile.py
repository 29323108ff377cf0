"""Tools whose schemas are as awkward as JSON Schema allows; knows schemas, not what decodes along them."""

import random
from typing import Any

_NAMES = ["a", "größe", "名前", 'quo"te', "back\\slash", "new\nline", "😀", "value👉", "", "x" * 40, "API_name", "$ref"]
_TEXTS = ["yes", "é", "日本", '"', "\\", "\n", "value👉", "", " ", "</s>", "###", "]", "}", "null", "\u2028", "😀"]
_DEPTH = 3


def hostile_tools(rng: random.Random) -> list[dict[str, Any]]:
    """Draw one to four tools, described as OpenAI does."""
    names = rng.sample(["read", "größer", "a.b-c", 'quo"te', "new\nline", "x" * 60, "🚀"], rng.randint(1, 4))
    return [{"type": "function", "function": {"name": name, "parameters": parameters(rng)}} for name in names]


def parameters(rng: random.Random) -> dict[str, Any]:
    """Draw the schema of a tool's arguments: an object, nested, with definitions that refer to themselves."""
    schema = _object(rng, _DEPTH)
    if rng.random() < 0.3:
        link = {"type": "object", "properties": {"x": {"type": "number"}, "next": {"$ref": "#/$defs/Link"}}}
        schema["$defs"] = {"Link": {**link, "required": ["x"], "additionalProperties": False}}
        schema.setdefault("properties", {})["link"] = {"$ref": "#/$defs/Link"}
    return schema


def value(rng: random.Random, depth: int) -> Any:
    """Draw a schema of any kind."""
    kinds = [_text, _text, _number, _number, _enumeration, _either, lambda *_: {"type": "boolean"}, _anything]
    if depth > 0:
        kinds += [_array, _array, _object, _object]
    return rng.choice(kinds)(rng, depth)


def _object(rng: random.Random, depth: int) -> dict[str, Any]:
    names = rng.sample(_NAMES, rng.randint(0, 4))
    schema: dict[str, Any] = {"type": "object"}
    if names:
        schema["properties"] = {name: value(rng, depth - 1) for name in names}
    safe = [name for name in names if "👉" not in name]
    if safe:
        schema["required"] = rng.sample(safe, rng.randint(0, len(safe)))
    if rng.random() < 0.4:
        schema["additionalProperties"] = rng.choice([True, False, {"type": "integer"}, {}])
    return schema


def _array(rng: random.Random, depth: int) -> dict[str, Any]:
    if rng.random() < 0.3:
        fixed = [value(rng, depth - 1) for _ in range(rng.randint(1, 3))]
        return {"type": "array", "prefixItems": fixed, "minItems": len(fixed), "maxItems": len(fixed)}
    schema: dict[str, Any] = {"type": "array", "items": value(rng, depth - 1), "maxItems": rng.randint(0, 4)}
    if rng.random() < 0.5:
        schema["minItems"] = rng.randint(0, schema["maxItems"])
    return schema


def _text(rng: random.Random, _: int) -> dict[str, Any]:
    least = rng.randint(0, 5)
    kinds: list[dict[str, Any]] = [
        {},
        {"minLength": least, "maxLength": least + rng.randint(0, 9)},
        {"maxLength": rng.randint(0, 12)},
        {"pattern": rng.choice(["^[a-z]{2,5}$", "^(ja|nein)$", "^.{0,6}$", "^\\d+$"])},
        {"description": 'Say "value👉".', "title": "T", "default": "x"},
    ]
    return {"type": "string", **rng.choice(kinds)}


def _number(rng: random.Random, _: int) -> dict[str, Any]:
    low = rng.randint(-50, 50)
    kinds: list[dict[str, Any]] = [
        {},
        {"minimum": low},
        {"maximum": low},
        {"minimum": low, "maximum": low + rng.randint(0, 9)},
        {"exclusiveMinimum": low, "exclusiveMaximum": low + 2},
    ]
    return {"type": rng.choice(["number", "integer"]), **rng.choice(kinds)}


def _enumeration(rng: random.Random, _: int) -> dict[str, Any]:
    texts: list[Any] = rng.sample([text for text in _TEXTS if "👉" not in text], rng.randint(1, 4))
    return {"enum": texts + rng.sample([None, 3, True, {"k": [1]}, "value👉"], rng.randint(0, 2))}


def _either(rng: random.Random, depth: int) -> dict[str, Any]:
    if rng.random() < 0.4:
        return {"type": rng.sample(["string", "number", "null", "boolean"], 2)}
    return {"anyOf": [value(rng, depth - 1), {"type": "null"}]}


def _anything(rng: random.Random, _: int) -> Any:
    return rng.choice([{}, True, {"description": "Whatever."}, {"const": rng.choice([1, "é", None])}])
