"""Which numbers and quotations of an answer nobody has said before. Knows texts, no model.

An answer may repeat what results and the user have said, and count what a result lists. Whether a number is used in
the right place is beyond this check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

UNGROUNDED = "ungrounded"
"""Key of ``response_metadata``: numbers and quotations of an answer that occur in no result, a list of texts."""

_QUOTATION = re.compile(r'"([^"\n]+)"|“([^”\n]+)”|«([^»\n]+)»|„([^“”\n]+)[“”]')
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,:/-]\d+)*(?!\w)(\s?%)?")
_DIGITS = re.compile(r"\d+(?:[.,:/-]\d+)*")


def with_evidence_checked(answer: AIMessage, messages: Sequence[BaseMessage]) -> AIMessage:
    """The answer with what it made up under ``response_metadata["ungrounded"]``; an empty list is a good answer.

    Args:
        answer: what the LMM said; a plan is returned as it is.
        messages: the conversation before it.
    """
    if answer.tool_calls:
        return answer
    metadata = {**answer.response_metadata, UNGROUNDED: made_up(answer.text, messages)}
    return answer.model_copy(update={"response_metadata": metadata})


def made_up(answer: str, messages: Sequence[BaseMessage]) -> list[str]:
    """The quotations and numbers of an answer that neither a result nor the user has said, in that order.

    Quotations are compared without regard to case and spaces, numbers by value; ``87 %`` may stand for ``0.87``.
    """
    said = _Said(messages)
    quotations = ["".join(match.groups(default="")) for match in _QUOTATION.finditer(answer)]
    missing = [text for text in quotations if not said.has_text(text)]
    numbers = _NUMBER.finditer(_QUOTATION.sub(" ", answer))
    missing += [match[0] for match in numbers if not said.has_number(match[0], percent=bool(match[1]))]
    return list(dict.fromkeys(missing))


class _Said:
    """What results and the user have said."""

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        texts: list[str] = []
        numbers: set[str] = set()
        for message in messages:
            if isinstance(message, HumanMessage):
                texts.append(message.text)
            elif isinstance(message, ToolMessage):
                for value in _leaves(_read(message.text)):
                    if isinstance(value, str):
                        texts.append(value)
                    else:
                        numbers.add(_value(str(value)))
        self._text = "\n".join(_plain(text) for text in texts)
        self._numbers = numbers | {_value(found) for text in texts for found in _DIGITS.findall(text)}

    def has_text(self, text: str) -> bool:
        return _plain(text).strip(" .,;:!?") in self._text

    def has_number(self, number: str, *, percent: bool) -> bool:
        value = _value(number.rstrip("% "))
        return value in self._numbers or (percent and _value(str(float(value) / 100)) in self._numbers)


def _read(content: str) -> Any:  # Any: whatever JSON holds
    try:
        return json.loads(content)
    except ValueError:
        return content


def _leaves(value: Any) -> Iterator[str | int | float]:
    """Every text and number of a JSON value, and how long its lists are."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        yield len(value)
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield value


def _value(number: str) -> str:
    """One spelling of a number: 0.50 and 0.5 are the same; a date or a time stays as it is."""
    try:
        return f"{float(number):.6g}"
    except ValueError:
        return number


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
