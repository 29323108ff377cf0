r"""The grammar of an assistant turn: only bound tools, arguments that fit their schema, quotations of the instruction.

Writes Lark text for llguidance; pure, knows no tensors. One rule a tool:

    call_0: "{\"API_name\": \"detect_objects\", \"API_params\": {" params_0 "}}"
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from llavaplus_graph.chat_model.schemas import KEY, MARKS, STRING, value_rule
from llavaplus_graph.protocol import ACTIONS, THOUGHTS, VALUE

_CHUNK = re.compile(r"\w+|\s+|[^\w\s]", re.UNICODE)
_FREE = f"/[^{MARKS}]*/"
_ANY = "/(?s:.*)/"
_THOUGHT = rf"/[^{MARKS}\n]{{0,400}}/"
_COMPOSED = ("$ref", "anyOf", "oneOf", "allOf")
_TRIMMED = "/[^ ](.*[^ ])?/"  # a quotation neither begins nor ends with white space, of which only blanks are left
_MOST_CALLS = 8  # of one turn; an LMM that knows no tool for a wish would call for ever
_MOST_PHRASES = 6  # phrases of a quoted query, joined by " . "
_LONGEST_INSTRUCTION = 4_000  # characters of the conversation that quotations may come from, newest last

Choice = Literal["auto", "any", "none"]
_Quoting = Literal["here", "elsewhere", "nowhere"]  # where quoted arguments are held to what the user said


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
    quoting: _Quoting = "here" if _words(instruction) else "nowhere"
    return _turn(tools, choice, parallel, only_call, quoting, instruction, answer)


def turn_grammars(
    tools: Sequence[ToolSpec],
    *,
    choice: Choice = "auto",
    instruction: str = "",
    parallel: bool = True,
    only_call: str | None = None,
    answer: Sequence[str] = (),
) -> tuple[str, ...]:
    """Write the same as several grammars that all have to be followed.

    The first depends on the tools alone, so that it need not be compiled anew for every turn; the second, where there
    is one, holds quotations and the answer to the conversation and is small. Takes what `turn_grammar` takes.
    """
    described = json.dumps([(tool.name, tool.schema) for tool in tools])
    form, keys = _form(described, choice, parallel, only_call, bool(_words(instruction)))
    if keys is None:
        return (_turn(tools, choice, parallel, only_call, "here", instruction, answer),)
    return (form, _content(keys, instruction, answer)) if keys or answer else (form,)


def _turn(
    tools: Sequence[ToolSpec],
    choice: Choice,
    parallel: bool,
    only_call: str | None,
    quoting: "_Quoting",
    instruction: str = "",
    answer: Sequence[str] = (),
) -> str:
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
    again = parallel and (len(allowed) > 1 or not _always_the_same(allowed[0]))
    several = f"({_lit(', ')} call){{0,{_MOST_CALLS - 1}}}" if again else ""
    some = f"{_lit('[')} call {several} {_lit(']')}"
    rules.append(f"actions: {some}" if choice == "any" else f"actions: {_lit('[]')} | {some}")
    rules += [f"call: {' | '.join(calls)}", f"STRING: {STRING}"]
    for index, tool in enumerate(allowed):
        rules += _tool_rules(index, tool, quoting)
    spans = _span_rules(instruction) if quoting == "here" and any(map(_quotes, allowed)) else []
    return "\n".join([*rules, *spans])


@lru_cache(maxsize=32)
def _form(
    tools: str, choice: Choice, parallel: bool, only_call: str | None, said: bool
) -> tuple[str, Collection[str] | None]:
    """Write what a turn looks like, whatever the conversation is about; the tools come as JSON.

    Returns:
        The grammar, and the keys whose values are quotations where the user said something; see `_quoted_keys`.
    """
    specs = [ToolSpec(name, schema) for name, schema in json.loads(tools)]
    allowed = [tool for tool in specs if only_call in (None, tool.name) and choice != "none"]
    keys = _quoted_keys(allowed) if said else []
    return _turn(specs, choice, parallel, only_call, "elsewhere" if keys else "nowhere"), keys


def _content(keys: Collection[str], instruction: str, answer: Sequence[str]) -> str:
    """Write what the conversation has to do with a turn: quotations after certain keys, and the answer."""
    parts = [f"until_{index} {_quotation(key, may_be_empty=True)}" for index, key in enumerate(keys)]
    ends = [f"{json.dumps(key)}: " for key in keys]
    return "\n".join(
        [
            f"start: {'part* ' if parts else ''}until_answer answer",
            *([f"part: {' | '.join(parts)}"] if parts else []),
            *(f"until_{index}[suffix={_lit(end)}]: {_ANY}" for index, end in enumerate(ends)),
            f"until_answer[suffix={_lit(VALUE + ' ')}]: {_ANY}",
            *(answer or [f"answer: {_ANY}"]),  # the form sees to it that it holds no mark
            *(_span_rules(instruction) if parts else []),
        ]
    )


def _quoted_keys(tools: Sequence[ToolSpec]) -> list[str] | None:
    """List the keys whose values are quotations; None if a key is one here and none there."""
    keys, others = set(), set()
    for tool in tools:
        properties = tool.schema.get("properties") or {}
        own = {name for name, schema in properties.items() if quoted(schema)}
        keys |= own
        others |= (set(properties) - own) | _inner_names([*tool.schema.values(), *properties.values()])
    return sorted(keys) if not keys & others else None


def _inner_names(schema: Any) -> set[str]:
    """List the names of all properties inside a schema."""
    if isinstance(schema, list):
        return {name for inner in schema for name in _inner_names(inner)}
    if not isinstance(schema, Mapping):
        return set()
    own = schema.get("properties")
    names = set(own) if isinstance(own, Mapping) else set()
    return names.union(*(_inner_names(inner) for inner in schema.values()))


def quoted(schema: Mapping[str, Any] | bool) -> bool:
    """Tell whether an argument is to be quoted from the user's words."""
    return isinstance(schema, Mapping) and bool(schema.get("x-quoted"))


def _always_the_same(tool: ToolSpec) -> bool:
    """Tell whether there is but one call of a tool, so that a second would only repeat it."""
    properties, required = tool.schema.get("properties") or {}, tool.schema.get("required") or ()
    if set(properties) != set(required) or any(tool.schema.get(key) for key in ("additionalProperties", *_COMPOSED)):
        return False
    return all(isinstance(value, Mapping) and len(value.get("enum") or ()) == 1 for value in properties.values())


def _quotes(tool: ToolSpec) -> bool:
    return any(map(quoted, (tool.schema.get("properties") or {}).values()))


def _tool_rules(index: int, tool: ToolSpec, quoting: _Quoting) -> list[str]:
    head = json.dumps({"API_name": tool.name, "API_params": {}})[:-3]
    rules = [f"call_{index}: {_lit(head)} params_{index} {_lit('}')}"]
    if any(key in tool.schema for key in _COMPOSED):
        return [*rules, f"params_{index}: {value_rule({'type': 'object', **tool.schema}, {})}"]
    properties = _image_last(tool.schema.get("properties") or {})
    missing = {name: True for name in tool.schema.get("required") or () if name not in properties}
    return rules + _object_rules(index, tool.schema, {**properties, **missing}, quoting)


def _image_last(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Put the picture behind what is to be done with it, the order in which plans are written."""
    return dict(sorted(properties.items(), key=lambda item: item[0] == "image"))


def _object_rules(index: int, schema: Mapping[str, Any], properties: Mapping[str, Any], quoting: _Quoting) -> list[str]:
    """Write an object key by key, so that some of its values can be quotations; other keys where the schema wants.

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
        rules.append(f"{value}: {_value(properties[name], name, definitions, quoting)}")
    return rules + _last_rules(index, names, schema.get("additionalProperties"), definitions)


def _last_rules(index: int, names: Sequence[str], others: Any, definitions: Mapping[str, Any]) -> list[str]:
    """Close an object, or let keys follow that the schema does not name."""
    end, brace = len(names), _lit("}")
    if not others and others != {}:
        return [f"open_{index}_{end}: {brace}", f"rest_{index}_{end}: {brace}"]
    taken = " | ".join(_lit(json.dumps(name, ensure_ascii=False)) for name in names)
    return [
        f"open_{index}_{end}: {brace} | other_{index} rest_{index}_{end}",
        f"rest_{index}_{end}: {brace} | {_lit(', ')} other_{index} rest_{index}_{end}",
        f"other_{index}: OTHER_{index} {_lit(': ')} others_{index}",
        f"OTHER_{index}: KEY_{index}" + (f" & ~({taken})" if taken else ""),
        f"KEY_{index}: {KEY}",
        f"others_{index}: {value_rule(others, definitions)}",
    ]


def _value(schema: Mapping[str, Any] | bool, name: str, definitions: Mapping[str, Any], quoting: _Quoting) -> str:
    if quoting == "nowhere" or not isinstance(schema, Mapping) or not quoted(schema):
        return value_rule(schema, definitions)
    may_be_empty = schema.get("default") == ""
    if quoting == "elsewhere":
        return value_rule({"type": "string", "minLength": 0 if may_be_empty else 1}, {})
    return _quotation(name, may_be_empty)


def _quotation(name: str, may_be_empty: bool) -> str:
    span = "QUERY" if name == "query" else "SPAN"
    return f"{_lit(chr(34))} {span}{'?' if may_be_empty else ''} {_lit(chr(34))}"


def _words(instruction: str) -> list[str]:
    """Cut what the user said into what a quotation is made of, escaped as in JSON."""
    words = " ".join(instruction[-_LONGEST_INSTRUCTION:].split())
    return [json.dumps(chunk)[1:-1] for chunk in _CHUNK.findall(words)]


def _span_rules(instruction: str) -> list[str]:
    return [
        f"WORDS: STRETCH & {_TRIMMED}",
        f"STRETCH: %regex {json.dumps({'substring_chunks': _words(instruction)}, ensure_ascii=False)}",
        "SPAN: WORDS",
        f'QUERY: WORDS (" . " WORDS){{0,{_MOST_PHRASES - 1}}}',
    ]


def _lit(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
