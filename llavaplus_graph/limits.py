"""What may leave a skill: how much of it, and text that came out of a picture made harmless. Knows no skill.

Every result passes here on its way out of `llavaplus_graph.skills.make_skill`, whoever wrote the skill.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import singledispatch
from typing import Any, Final, TypeVar

from llavaplus_graph.protocol import clean_text
from llavaplus_graph.types import (
    Caption,
    Detections,
    Knowledge,
    Masks,
    Pictures,
    SceneMap,
    SkillFailure,
    SkillResult,
    Tags,
    Texts,
)

MOST_BOXES: Final = 500
MOST_MASKS: Final = 200
MOST_CHARACTERS: Final = 100_000

_R = TypeVar("_R", bound=SkillResult)


def within_limits(result: _R) -> _R:
    """The result with at most 500 boxes, 200 masks and 100,000 characters, and nothing in its texts but text.

    Protocol markers and control characters are taken out of every text. Of boxes and masks the most certain stay, in
    their order; where nothing says how certain they are, the first. `SkillResult.left_out` says how many are missing.

    Args:
        result: any result; it stays as it is.
    """
    return result.model_copy(update=_changes(result))


@singledispatch
def _changes(result: SkillResult) -> dict[str, Any]:
    del result  # a kind that somebody else has added
    return {}


@_changes.register
def _(result: Detections) -> dict[str, Any]:
    kept = _best(result.scores, MOST_BOXES)
    return {
        **_picked(result, kept, "boxes", "scores"),
        "labels": _cleaned(result.labels[index] for index in kept),
        "caption": None if result.caption is None else _cut(result.caption),
        "tags": None if result.tags is None else _cleaned(result.tags),
    }


@_changes.register
def _(result: Masks) -> dict[str, Any]:
    kept = _best(result.scores or (1.0,) * len(result.masks), MOST_MASKS)
    columns = ["masks", "boxes", *(["scores"] if result.scores else [])]
    labels = [result.labels[index] for index in kept] if result.labels else []
    return {**_picked(result, kept, *columns), "labels": _cleaned(labels)}


@_changes.register
def _(result: SceneMap) -> dict[str, Any]:
    kept = _best([mask.area for mask in result.masks], MOST_MASKS)
    return {**_picked(result, kept, "masks"), "classes": _cleaned(result.classes[index] for index in kept)}


@_changes.register
def _(result: Texts) -> dict[str, Any]:
    # In reading order a text stays as long as there is room, however certain.
    texts = _cleaned(result.texts[:MOST_BOXES])
    fits = len([text for text, given in zip(texts, result.texts, strict=False) if text or not given])
    columns = ["boxes", "scores"] + ["formats"] * (result.formats is not None)
    return {**_picked(result, range(fits), *columns), "texts": texts[:fits]}


@_changes.register
def _(result: Tags) -> dict[str, Any]:
    kept = _best(result.scores, MOST_BOXES)
    return {**_picked(result, kept, "scores"), "tags": _cleaned(result.tags[index] for index in kept)}


@_changes.register
def _(result: Caption) -> dict[str, Any]:
    return {"caption": _cut(result.caption)}


@_changes.register
def _(result: Knowledge) -> dict[str, Any]:
    entries = result.entries[:MOST_BOXES]
    captions = _cleaned(entry.caption for entry in entries)
    told = [
        entry.model_copy(update={"caption": caption, "source": None if entry.source is None else _cut(entry.source)})
        for entry, caption in zip(entries, captions, strict=True)
    ]
    return {"entries": tuple(told), "left_out": result.left_out + len(result.entries) - len(told)}


@_changes.register
def _(result: Pictures) -> dict[str, Any]:
    return {"message": _cut(result.message)}


@_changes.register
def _(result: SkillFailure) -> dict[str, Any]:
    return {"error": _cut(result.error)}


def _best(scores: Sequence[float], most: int) -> Sequence[int]:
    """Indices of the highest scores, in their order."""
    if len(scores) <= most:
        return range(len(scores))
    return sorted(sorted(range(len(scores)), key=lambda index: -scores[index])[:most])


def _picked(result: SkillResult, kept: Sequence[int], *columns: str) -> dict[str, Any]:
    """Some rows of a result's columns, and how many rows are left out."""
    left_out = result.left_out + len(getattr(result, columns[0])) - len(kept)
    rows = {name: tuple(getattr(result, name)[index] for index in kept) for name in columns}
    return {**rows, "left_out": left_out}


def _cleaned(texts: Iterable[str]) -> tuple[str, ...]:
    """Clean texts, of which those that find no more room are empty."""
    room = MOST_CHARACTERS
    cleaned = []
    for text in texts:
        cleaned.append(clean_text(text)[:room])
        room -= len(cleaned[-1])
    return tuple(cleaned)


def _cut(text: str) -> str:
    return _cleaned((text,))[0]
