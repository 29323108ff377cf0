r"""Grounded answers: while an answer is decoded, its numbers and quotations can only be ones that results hold.

Writes rules for the answer part of the turn's grammar; pure. With the result `{"texts": ["OPEN", "9-5"]}` the answer
may quote `"OPEN"` or `"9-5"`, whole, and say 9-5, 9, 5 or 2 (a count); every other word is free.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NUMBER = re.compile(r"\d+(?:[.,:/\-]\d+)*")
_SIMPLE = re.compile(r"\d+(?:\.\d+)?")
_LONGEST_QUOTATION = 400
_MOST_QUOTATIONS = 80
_TEXT = r'/[^"0-9🤔🚀👉]+/'
_JOIN = r'/[^"0-9🤔🚀👉]*[^"0-9.,:\/\-🤔🚀👉][^"0-9🤔🚀👉]*/'  # what may stand between two numbers without joining them


def answer_rules(name: str, results: Sequence[Mapping[str, Any]], said: str) -> list[str]:
    """Write the rules of an answer that reads results.

    Args:
        name: Name of the rule that stands for the answer.
        results: The results that the answer is about, as the LMM reads them.
        said: What the user said; its numbers may be repeated.
    """
    quotations = list(dict.fromkeys(text for result in results for text in _strings(result) if _quotable(text)))
    numbers = _numbers(results, said)
    after = f"{name}_after"
    quote = f" | TEXT QUOTATION {name} | QUOTATION {name}" if quotations else ""
    number = f" | TEXT NUMBER {after} | NUMBER {after}" if numbers else ""
    rules = [f'{name}: "" | TEXT{quote}{number}', f"TEXT: {_TEXT}"]
    if quotations:
        written = " | ".join(json.dumps(f'"{text}"', ensure_ascii=False) for text in quotations[:_MOST_QUOTATIONS])
        rules.append(f"QUOTATION: {written}")
    if numbers:
        rules.append(f'{after}: "" | TEXT{quote} | JOIN NUMBER {after}')
        rules += [f"JOIN: {_JOIN}", f"NUMBER: {' | '.join(json.dumps(number) for number in numbers)}"]
    return rules


def _quotable(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_QUOTATION


def _numbers(results: Sequence[Mapping[str, Any]], said: str) -> list[str]:
    """List what may be said as a number: whatever results and user wrote, and how long the results' lists are."""
    found: dict[str, None] = {}
    for text in (*map(str, results), said):
        found |= dict.fromkeys(_NUMBER.findall(text)) | dict.fromkeys(_SIMPLE.findall(text))
    counts = (str(len(value)) for result in results for value in result.values() if isinstance(value, list))
    return list(found | dict.fromkeys(counts))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
