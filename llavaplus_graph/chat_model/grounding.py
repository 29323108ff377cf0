r"""Grounded answers: while an answer is decoded, its numbers and quotations can only be ones that somebody gave it.

Writes rules for the answer part of the turn's grammar, and holds numbers of arguments likewise; pure. With the result
`{"texts": ["OPEN", "9-5"]}` the answer may quote `"OPEN"` or `"9-5"`, whole, and say 9-5, 9, 5 or 2 (a count); every
other word is free.
"""

import json
import operator
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llavaplus_graph.chat_model.schemas import MARKS

_NUMBER = re.compile(r"(?:(?<![\w)\]])[-−])?\d+(?:[.,:/\-]\d+)*(?: ?%)?")
_PARTS = re.compile(r"[:/\-]")  # what joins numbers that may also be said alone: 9-5, 12:30, 3/4
_LONGEST_QUOTATION = 400  # characters of a text that is quoted whole; from longer ones parts may be quoted
_MOST_QUOTATIONS = 80  # texts that are quoted whole; of further ones, parts
_MOST_EXCERPTS = 12_000  # characters that parts may be quoted from
_LONGEST_TEXT = 160  # characters of a text argument of a tool that the LMM has not learned
_LIMITED_TEXT = {"enum", "const", "maxLength", "format", "pattern", "x-quoted"}  # has rules of its own
_MOST_NUMBERS = 64  # numbers that an argument may be, the last ones of the conversation
_SAID = re.compile(r"(?:(?<![\w.)\]])-)?\d{1,15}(?:\.\d{1,9})?(?![\d.]*\d)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_BOUNDS = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}
_BOUNDED = {"type", "title", "description", "default", "examples", *_BOUNDS}
_BETWEEN = "\x00"  # stands between texts that parts are quoted from, so that no part reaches from one into the next
_CHUNK = re.compile(r"\w+|\s+|[^\w\s]", re.UNICODE)

# Free text has no digit, nothing that opens a quotation, no mark. Nothing but ASCII may follow it that it may not hold:
# a lexer reads byte by byte, and what begins like a letter of another script it takes for one.
_NEVER = rf'"“”„{MARKS}'
_NUMERALS = "0-9²³¹¼-¾٠-٩۰-۹०-९০-৯๐-๙⁰-₉⅐-↉①-⓿❶-➓０-９"  # those that are met; all of them would cost milliseconds
_JOINER = r".,:\/\-−–"  # joins two numbers to a third, or makes a number a negative one or a fraction


def answer_rules(name: str, results: Sequence[Mapping[str, Any]], said: str) -> list[str]:
    """Write the rules of an answer that reads results.

    Args:
        name: Name of the rule that stands for the answer.
        results: The results that the answer is about, as the LMM reads them.
        said: What the user said; its numbers may be repeated, and its words quoted.
    """
    whole, parts = _quotations(results, said)
    after = f"{name}_after"
    quote = f" | TEXT QUOTATION {name} | QUOTATION {name}" if whole or parts else ""
    positive, negative = _numbers(results, said)
    number = f" | BEFORE? NUMBER {after}" if positive else ""
    number += f" | MINUS NEGATIVE {after}" if negative else ""
    rules = [f'{name}: "" | TEXT{quote}{number}', f"TEXT: /{_free(str(results) + said)}+/"]
    if quote:
        rules += _quotation_rules(whole, parts)
    if number:
        again = quote.replace("TEXT", "AFTER")
        rules.append(f'{after}: "" | AFTER{again}{number.replace("BEFORE?", "JOIN").replace("MINUS", "JOIN_MINUS")}')
        rules += _number_rules(positive, negative)
    return rules


def held_arguments(schema: Mapping[str, Any], results: Sequence[Mapping[str, Any]], said: str) -> Mapping[str, Any]:
    """Hold numbers among the arguments of a tool to those that the conversation knows, and texts to a sentence or two.

    For tools that an LMM has not learned: it can copy what they are to be called with, and work out nothing, not even
    where a text ends. Where the conversation has no number that fits, any will do.

    Args:
        schema: The JSON schema of the arguments.
        results: The results that have come since the user's last message.
        said: What the user said.
    """
    text = _THOUSANDS.sub("", "\n".join([*map(str, results), said]).replace("−", "-"))
    known = [float(number) if "." in number else int(number) for number in _SAID.findall(text)]
    known = list(dict.fromkeys(reversed(known)))[:_MOST_NUMBERS]
    properties = schema.get("properties") or {}
    held = {name: _held(value, known) for name, value in properties.items()}
    return {**schema, "properties": held} if held != properties else schema


def _held(schema: Any, known: Sequence[float]) -> Any:
    if isinstance(schema, Mapping) and schema.get("type") == "string" and not _LIMITED_TEXT & set(schema):
        return {**schema, "maxLength": _LONGEST_TEXT}
    if not isinstance(schema, Mapping) or schema.get("type") not in ("integer", "number") or set(schema) - _BOUNDED:
        return schema
    bounds = [(holds, schema[name]) for name, holds in _BOUNDS.items() if name in schema]
    fitting = [number for number in known if all(holds(number, bound) for holds, bound in bounds)]
    if schema["type"] == "integer":
        fitting = [number for number in fitting if isinstance(number, int)]
    return {"type": schema["type"], "enum": fitting} if fitting else schema


def _number_rules(positive: Sequence[str], negative: Sequence[str]) -> list[str]:
    """Write numbers and what may stand before and between them, so that no other number can be read.

    A number takes what may stand right behind it along: a lexer that knows 1 and 1.5 reads the dot of `1.` as a
    beginning of the second, and could not end there.
    """
    rules = [
        # `A-3` names a thing; ` -3` and `.3` would be other numbers than 3.
        rf"BEFORE: TEXT & /(.|\n)*([^{_JOINER}]|[A-Za-z][{_JOINER}])/",
        r"AFTER: TEXT & ~/\s*[%‰](.|\n)*/",
        r"JOIN: BEFORE & AFTER & ~/[eE]-?/",
    ]
    if positive:
        rules.append(f"NUMBER: {_either(positive)} /[{_JOINER}]?/")
    if negative:
        rules += [
            rf"MINUS: TEXT & /((.|\n)*[^A-Za-z{_JOINER}])?-/",
            r"JOIN_MINUS: MINUS & AFTER & ~/-/",
            f"NEGATIVE: {_either(negative)} /[{_JOINER}]?/",
        ]
    return rules


def _quotation_rules(whole: Sequence[str], parts: Sequence[str]) -> list[str]:
    """Write what stands between quotation marks: texts as they are, or stretches of what is too long for that."""
    texts = [_either(whole)] if whole else []
    rules = []
    if parts:
        chunks = _CHUNK.findall(_BETWEEN.join(parts))
        texts.append("PART")
        rules = [
            r"PART: STRETCH_OF_PARTS & /[^\s\x00]([^\x00]*[^\s\x00])?/",
            f"STRETCH_OF_PARTS: %regex {json.dumps({'substring_chunks': chunks}, ensure_ascii=False)}",
        ]
    return [f"QUOTATION: {_lit(chr(34))} ({' | '.join(texts)}) {_lit(chr(34))}", *rules]


def _quotations(results: Sequence[Mapping[str, Any]], said: str) -> tuple[list[str], list[str]]:
    """List what may be quoted: texts that are quoted whole, and those that parts are quoted from."""
    texts = list(dict.fromkeys(text for result in results for text in _strings(result) if text))
    short = [text for text in texts if len(text) <= _LONGEST_QUOTATION]
    long = [text for text in texts if len(text) > _LONGEST_QUOTATION]
    parts, room = [], _MOST_EXCERPTS
    for text in [said, *long, *short[_MOST_QUOTATIONS:]]:
        if text[:room].strip():
            parts.append(text[:room])
        room = max(room - len(text), 0)
    return short[:_MOST_QUOTATIONS], parts


def _numbers(results: Sequence[Mapping[str, Any]], said: str) -> tuple[list[str], list[str]]:
    """List what may be said as a number: whatever results and user wrote, and how many of something there are.

    Returns:
        Numbers, and those that are said with a minus before them.
    """
    found: dict[str, None] = {}
    for text in (*map(str, results), said):
        for number in _NUMBER.findall(text.replace("−", "-")):
            body = number.rstrip(" %")
            first, *rest = _PARTS.split(body.lstrip("-"))
            sign = "-" if body[0] == "-" else ""
            found |= dict.fromkeys((number, number.replace(" ", ""), body, sign + first, *rest))
    known = [number for number in found | dict.fromkeys(map(str, _counts(results))) if number.isascii()]
    negative = [number[1:] for number in known if number.startswith("-")]
    return [number for number in known if not number.startswith("-")], negative


def _free(known: str) -> str:
    """Write what a character of free text is: no digit, and of other numerals (², ½, Ⅳ) only those that are known."""
    numerals = "".join(sorted({char for char in known if unicodedata.category(char) in ("Nl", "No")}))
    return f"([^{_NEVER}{_NUMERALS}]|[{numerals}])" if numerals else f"[^{_NEVER}{_NUMERALS}]"


def _counts(results: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    """Count what results list: all of a list, with what was left out of it, and how often each thing stands in it."""
    for result in results:
        omitted = result.get("omitted")
        for value in result.values():
            if isinstance(value, list):
                yield len(value)
                if isinstance(omitted, int):
                    yield len(value) + omitted
                yield from Counter(map(str, value)).values()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _either(texts: Sequence[str]) -> str:
    return f"({' | '.join(map(_lit, texts))})"


def _lit(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
