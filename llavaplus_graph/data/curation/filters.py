"""What makes a question or an answer unfit for training, each with its reason. Pure; knows no labeller and no file."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool

from llavaplus_graph.data.curation.labelling import Brief, DroppedError, Exchange
from llavaplus_graph.data.curation.language import is_foreign
from llavaplus_graph.data.curation.overlap import ngrams
from llavaplus_graph.data.curation.spec import Filters
from llavaplus_graph.protocol import MARKERS
from llavaplus_graph.skills import skill_info

EMPTY = "it is empty"
MARKED = "it holds a marker of the wire format"
NAMES_SKILL = "it names the skill"
REVEALS = "it reveals what the labeller was shown"
NUMBERS = "it cites numbers that are not in the result"
FOREIGN = "it is in another language"
NOT_ABSENT = "it does not say that nothing was found"

_SHOWN = re.compile(
    r"\b(captions?|annotations?|annotated|ground[- ]truth|metadata|bounding[- ]box(es)? (list|provided|given)"
    r"|(provided|given) (description|text|context|information|list|image context)"
    r"|(as|is|are) (described|listed|mentioned|stated) in"
    r"|according to the (description|context|list|text|information|data)|ms[- ]?coco|coco dataset)\b",
    re.IGNORECASE,
)
_CAPTIONS = re.compile(r"captions?", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NUMERALS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WORDS = {word: str(number) for number, word in enumerate(_NUMERALS, start=2)}
_NOTHING = re.compile(
    r"\b(no|not|none|nothing|neither|nor|without|cannot|zero|absent|missing|isn't|aren't|wasn't|couldn't|can't|don't"
    r"|doesn't|didn't)\b",
    re.IGNORECASE,
)
_QUOTED_WORDS = 8  # so many words in a row of a caption are no accident


def check_question(text: str, brief: Brief, filters: Filters) -> None:
    """Refuse a question that cannot be trained on.

    Raises:
        DroppedError: With the reason.
    """
    _check(text, brief, filters, quotes=())


def check_answer(exchange: Exchange, brief: Brief, filters: Filters) -> None:
    """Refuse an answer that cannot be trained on; raises as `check_question`."""
    failed = any("error" in content for _, content in exchange.results)
    told = [json.dumps(content, ensure_ascii=False) for _, content in exchange.results]
    _check(exchange.answer, brief, filters, quotes=told, named=failed)
    if not failed and (made_up := unknown_numbers(exchange, brief)):
        raise DroppedError(NUMBERS, made_up)
    if brief.absent is not None and filters.language == "en" and not _NOTHING.search(exchange.answer.replace("’", "'")):
        raise DroppedError(NOT_ABSENT, exchange.answer)


def _check(text: str, brief: Brief, filters: Filters, *, quotes: Sequence[str], named: bool = False) -> None:
    if not text.strip():
        raise DroppedError(EMPTY)
    if any(marker in text for marker in MARKERS):
        raise DroppedError(MARKED, text)
    if not named and (name := mentioned_skill(text, brief.tools, filters.mentions)):
        raise DroppedError(NAMES_SKILL, f"{name}: {text}")
    if shown := revealed_context(text, brief, quotes):
        raise DroppedError(REVEALS, f"{shown}: {text}")
    if filters.language and is_foreign(text, filters.language):
        raise DroppedError(FOREIGN, text)


def mentioned_skill(text: str, tools: Sequence[BaseTool], also: Sequence[str] = ()) -> str:
    """Give the name of a skill that a text mentions; empty when it mentions none.

    A name of several words counts in any spelling that is no plain English (`detect_objects`, `GroundingDINO`), one
    that is an English word by itself (`sam`, `clip`) only in capitals.
    """
    names = [name for tool in tools for name in (tool.name, *_wire_names(tool))]
    for name in names:
        if _mention(name).search(text):
            return name
    return next((word for word in also if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)), "")


def revealed_context(text: str, brief: Brief, quotes: Sequence[str] = ()) -> str:
    """Give what shows that the writer read about the picture instead of seeing it; empty when nothing does.

    Args:
        text: A question or an answer.
        brief: What the labeller was told.
        quotes: Results, whose words may be repeated.
    """
    match = _SHOWN.search(text)
    captioning = any("caption" in f"{tool.name} {tool.description}".lower() for tool in brief.tools)
    if match and not (captioning and _CAPTIONS.fullmatch(match.group())):
        return match.group()
    written = ngrams(text, _QUOTED_WORDS)
    for quote in quotes:
        written -= ngrams(quote, _QUOTED_WORDS)
    for caption in brief.context.captions:
        if copied := written & ngrams(caption, _QUOTED_WORDS):
            return min(" ".join(words) for words in copied)
    return ""


def unknown_numbers(exchange: Exchange, brief: Brief) -> str:
    """Give the numbers of an answer that neither results, calls, question nor captions hold and nothing counts to."""
    known = set(_known_numbers(exchange, brief))
    said = [_plain(number) for number in _NUMBER.findall(exchange.answer)]
    if brief.language == "en":
        said += [_WORDS[word] for word in re.findall(r"[a-z]+", exchange.answer.lower()) if word in _WORDS]
    return ", ".join(dict.fromkeys(number for number in said if number not in known))


def _known_numbers(exchange: Exchange, brief: Brief) -> Iterator[str]:
    texts = [exchange.question, *brief.context.captions, *brief.context.texts]
    for action, content in exchange.results:
        texts += [json.dumps(dict(action.params), ensure_ascii=False), json.dumps(content, ensure_ascii=False)]
        yield from _counts(content)
    for text in texts:
        for number in _NUMBER.findall(text):
            yield _plain(number)
            yield _percent(number)
        yield from (_WORDS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _WORDS)
    yield str(len(exchange.results))


def _counts(content: Mapping[str, Any]) -> Iterator[str]:
    """Count what a result lists: all of a list, and how often each thing stands in it; tags are listed in a text."""
    for key, value in content.items():
        listed = value.split(", ") if key == "tags" and isinstance(value, str) else value
        if isinstance(listed, list):
            yield from map(str, (len(listed), *Counter(map(str, listed)).values()))
            yield from map(str, range(1, len(listed) + 1))  # the first, 2. and so on


def _plain(number: str) -> str:
    """Write a number as everybody does: 0.50 is 0.5 and 3.0 is 3."""
    return number.rstrip("0").rstrip(".") if number.count(".") == 1 and "," not in number else number


def _percent(number: str) -> str:
    try:
        return _plain(f"{float(number) * 100:.2f}")
    except ValueError:
        return number


def _wire_names(tool: BaseTool) -> tuple[str, ...]:
    info = skill_info(tool)
    return info.wire_names if info else ()


def _mention(name: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in re.split(r"[\s_+-]+", name) if part]
    if len(parts) == 1:
        return re.compile(rf"\b({parts[0].upper()}|{parts[0]}\(\))\b")
    if "_" in name and "-" not in name and "dino" not in name:  # `detect objects` is plain English
        return re.compile(rf"\b({'_'.join(parts)}|{''.join(part.capitalize() for part in parts)})\b")
    return re.compile(r"\b" + r"[\s_+-]*".join(parts) + r"\b", re.IGNORECASE)
