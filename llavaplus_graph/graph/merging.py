"""Several skills may find the same thing; the LMM reads of it once. Knows boxes and labels, no message.

Two finds are one when they are of the same picture, have the same label and overlap. The more certain one stays, and
says under ``found_by`` who has found it; the result that the other one came from says under ``merged`` how many of its
own are told elsewhere. The typed results keep everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from llavaplus_graph.types import Box, Detections, Masks, SkillResult

SAME: Final = 0.7
"""Share of the union that two boxes of one thing have in common, at least."""

Content = dict[str, JsonValue]
_COLUMNS = ("boxes", "logits", "phrases")


@dataclass(frozen=True, slots=True)
class _Find:
    result: int
    row: int
    box: Box
    label: str
    score: float


@dataclass(slots=True)
class _Thing:
    finds: list[_Find] = field(default_factory=list)

    @property
    def best(self) -> _Find:
        return max(self.finds, key=lambda find: find.score)  # the first of equals


def merged_contents(results: Sequence[tuple[str, SkillResult]]) -> list[Content]:
    """What the LMM reads of the results of one round.

    Args:
        results: the skill's name and its result, in the order of the plan.

    Returns:
        One content per result, in the same order.
    """
    contents = [result.content() for _, result in results]
    things: list[_Thing] = []
    for index in range(len(results)):
        _add(things, _finds(index, results[index][1]), results)
    shared = [thing for thing in things if len(thing.finds) > 1]
    for index in {find.result for thing in shared for find in thing.finds}:
        told = {thing.best.row: thing for thing in things if thing.best.result == index}
        contents[index] = _told(contents[index], told, [name for name, _ in results])
    return contents


def overlap(one: Box, other: Box) -> float:
    """The common area of two boxes as a share of the area that both cover, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (_area(one) + _area(other) - common)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _finds(index: int, result: SkillResult) -> list[_Find]:
    if not isinstance(result, Detections | Masks) or not result.labels or result.image is None:
        return []
    scores = result.scores or (0.0,) * len(result.labels)
    rows = zip(result.boxes, result.labels, scores, strict=True)
    return [_Find(index, row, box, label.casefold().strip(), score) for row, (box, label, score) in enumerate(rows)]


def _add(things: list[_Thing], finds: list[_Find], results: Sequence[tuple[str, SkillResult]]) -> None:
    """Gives every find of a result to the thing that it overlaps most; a thing takes one find of a result."""
    pairs = [
        (overlap(find.box, thing.finds[0].box), at, thing)
        for at, find in enumerate(finds)
        for thing in things
        if thing.finds[0].label == find.label
        and results[thing.finds[0].result][1].image == results[find.result][1].image
    ]
    taken: set[int] = set()
    grown: set[int] = set()
    for share, at, thing in sorted(pairs, key=lambda pair: -pair[0]):
        if share >= SAME and at not in taken and id(thing) not in grown:
            thing.finds.append(finds[at])
            taken.add(at)
            grown.add(id(thing))
    things += [_Thing([find]) for at, find in enumerate(finds) if at not in taken]


def _told(content: Content, told: dict[int, _Thing], names: Sequence[str]) -> Content:
    rows = sorted(told)
    columns = {name: column for name in _COLUMNS if isinstance(column := content.get(name), list)}
    gone = len(columns["boxes"]) - len(rows)
    found_by: list[JsonValue] = [
        [*dict.fromkeys(names[find.result] for find in sorted(told[row].finds, key=lambda find: find.result))]
        for row in rows
    ]
    kept: Content = {name: [column[row] for row in rows] for name, column in columns.items()}
    if any(len(told[row].finds) > 1 for row in rows):
        kept["found_by"] = found_by
    return {**content, **kept, **({"merged": gone} if gone else {})}
