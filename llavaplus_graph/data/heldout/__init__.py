"""The held-out examination: human-like instructions apart from the training phrasings, with the calls they ask for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import yaml

_WORD = re.compile(r"[a-z]+|\{\w+\}")


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the examination.

    Attributes:
        text: What the user types.
        calls: Name and arguments of the calls a sensible reader expects, in order; empty when no skill is needed.
        boxes: Boxes the user drew, normalised.
        points: Points the user set, normalised, with `labels` 1 or 0.
        labels: Labels of the points.
        after: What happened in the turn before (`segmented`), if it matters.
        pictures: How many pictures come with it.
    """

    text: str
    calls: tuple[tuple[str, Mapping[str, Any]], ...]
    boxes: Sequence[Sequence[float]] = ()
    points: Sequence[Sequence[float]] = ()
    labels: Sequence[int] = ()
    after: str | None = None
    pictures: int = 1


Part = Literal["test", "unseen", "development"]


@cache
def held_out_questions(part: Part = "test") -> tuple[Question, ...]:
    """Read the examination.

    Args:
        part: `unseen` was written last, by someone who saw neither phrasings nor results, and nobody has looked at what
            is missed in it. So was `test`, until the misses of one edition were looked at. Those of `development` were
            read while phrasings were still being written, so it flatters.
    """
    entries = yaml.safe_load((files(__name__) / f"{part}.yaml").read_text("utf-8"))
    return tuple(_question(entry) for entry in entries)


@cache
def _held_out_words() -> frozenset[tuple[str, ...]]:
    return frozenset(plain_words(question.text) for part in get_args(Part) for question in held_out_questions(part))


def is_held_out(text: str) -> bool:
    """Tell whether an authored phrasing says the words of a held-out question, whatever its case and punctuation."""
    return plain_words(text) in _held_out_words()


def plain_words(text: str) -> tuple[str, ...]:
    """Give the words of a text without case and punctuation; slots count as words."""
    return tuple(_WORD.findall(text.lower()))


def _question(entry: Mapping[str, Any]) -> Question:
    marks = entry.get("marks") or {}
    calls = tuple((call["name"], call.get("args") or {}) for call in entry["calls"])
    return Question(
        entry["text"],
        calls,
        marks.get("boxes") or (),
        marks.get("points") or (),
        marks.get("labels") or (),
        entry.get("after"),
        int(entry.get("pictures", 1)),
    )
