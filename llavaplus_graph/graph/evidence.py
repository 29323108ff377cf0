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

_QUOTATION = re.compile(
    r""""([^"\n]+)"|“([^”\n]+)”|«([^»\n]+)»|„([^“”\n]+)[“”]|`([^`\n]+)`"""
    # Single quotes are apostrophes too: those inside a word, or behind one that no quotation began with, are none.
    r"""|(?<!\w)'((?:[^'\n]|(?<=\w)'(?=\w))+)'(?!\w)|‘((?:[^’\n]|(?<=\w)’(?=\w))+)’(?!\w)"""
)
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,:/-]\d+)*(?!\w)(\s?%)?")
_DIGITS = re.compile(r"\d+(?:[.,:/-]\d+)*")
_JOINTS = re.compile(r"[:/-]")
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")


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

    Quotations are compared without regard to case and spaces, numbers by value: ``87 %`` may stand for ``0.87`` and
    ``1,000`` for ``1000``. A part of a date or of a range may be told alone, and two known numbers as a range.
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
                        numbers.add(_value(str(abs(value))))
        self._text = "\n".join(_plain(text) for text in texts)
        found = {digits for text in texts for digits in _DIGITS.findall(text)}
        parts = {part for digits in found for part in (*digits.split("-"), *_JOINTS.split(digits))}
        self._numbers = numbers | {_value(digits) for digits in found | parts}

    def has_text(self, text: str) -> bool:
        return _plain(text).strip(" .,;:!?") in self._text

    def has_number(self, number: str, *, percent: bool) -> bool:
        number = number.rstrip("% \N{NO-BREAK SPACE}")
        value = _value(number)
        if value in self._numbers or (percent and _hundredth(value) in self._numbers):
            return True
        ends = number.split("-")
        return len(ends) == 2 and all(self.has_number(end, percent=percent) for end in ends)


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
    """One spelling of a number: 0.50, 0.5 and 0,5 are the same; a date or a time stays as it is."""
    plain = number.replace(",", "" if _THOUSANDS.fullmatch(number) else ".")
    try:
        # As a float, long numbers that differ in their last digits would be one.
        return str(int(plain)) if plain.isdecimal() else f"{float(plain):.12g}"
    except ValueError:
        return number


def _hundredth(value: str) -> str:
    """The share that a percentage stands for; nothing where it is no single number."""
    try:
        return _value(f"{float(value) / 100:.12g}")
    except ValueError:
        return ""


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
