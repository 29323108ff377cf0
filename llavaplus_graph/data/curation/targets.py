"""What a question is about: a region that the user marks, or a thing that is not there. Draws; writes no words."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Literal

from langchain_core.tools import BaseTool

from llavaplus_graph.data.curation.labelling import DroppedError, Marks
from llavaplus_graph.data.slots import random_box, random_point, vocabulary
from llavaplus_graph.data.sources.contexts import ImageContext, SeenObject
from llavaplus_graph.errors import ConfigError

MARK_ARGUMENTS = frozenset(
    {"boxes", "box", "points", "point_labels", "point", "reference_region", "reference_image", "scribbles"}
)
"""Arguments that come from what the user drew."""

_LEAST_AREA = 0.01  # share of the picture below which nobody draws a box


def draw_marks(
    context: ImageContext, tool: BaseTool, wanted: Literal["box", "points"] | None, rng: random.Random
) -> Marks:
    """Mark one thing of the picture, or a region drawn at random where nothing is known.

    Raises:
        ConfigError: If the skill takes no box and no point.
    """
    kinds = [
        kind
        for kind, names in (("box", ("boxes", "box", "reference_region")), ("points", ("points", "point")))
        if any(name in tool.args for name in names) and wanted in (None, kind)
    ]
    if not kinds:
        raise ConfigError(f"the skill {tool.name!r} takes no {wanted or 'box or point'}, so it has no visual prompt.")
    large = [thing for thing in context.objects if _area(thing) >= _LEAST_AREA]
    thing = rng.choice(large) if large else None
    names = (thing.name,) if thing else ()
    if rng.choice(kinds) == "box":
        box = _rounded(thing.box) if thing else tuple(random_box(rng))
        return Marks(boxes=(box,), names=names)
    x1, y1, x2, y2 = thing.box if thing else (0.0, 0.0, 0.0, 0.0)
    point = _rounded(((x1 + x2) / 2, (y1 + y2) / 2)) if thing else tuple(random_point(rng))
    return Marks(points=(point,), names=names)


def mark_arguments(marks: Marks, tool: BaseTool) -> dict[str, object]:
    """Give the arguments that say what the user drew."""
    if marks.boxes:
        if "reference_region" in tool.args:
            return {"reference_image": "image_1", "reference_region": list(marks.boxes[0])}
        return {"boxes": [list(box) for box in marks.boxes]} if "boxes" in tool.args else {"box": list(marks.boxes[0])}
    if "points" not in tool.args:
        return {"point": list(marks.points[0])}
    labels = {"point_labels": [1] * len(marks.points)} if "point_labels" in tool.args else {}
    return {"points": [list(point) for point in marks.points], **labels}


def draw_absent(context: ImageContext, every: Sequence[str], rng: random.Random) -> str:
    """Draw a thing that other pictures hold and this one does not, by its objects and its captions.

    Args:
        context: What is known of the picture.
        every: Names of the things in all pictures.
        rng: Source of chance.

    Raises:
        DroppedError: If everything is there.
    """
    things: list[str] = vocabulary()["things"]
    for names in (every, things):
        left = [name for name in dict.fromkeys(names) if not _mentioned(name, context)]
        if left:
            return rng.choice(left)
    raise DroppedError("everything that could be asked for is in the picture")


def _mentioned(name: str, context: ImageContext) -> bool:
    return any(name.lower() in text.lower() or text.lower() in name.lower() for text in _words(context))


def _words(context: ImageContext) -> Iterable[str]:
    return (*context.names, *context.captions, *context.texts)


def _area(thing: SeenObject) -> float:
    x1, y1, x2, y2 = thing.box
    return (x2 - x1) * (y2 - y1)


def _rounded(numbers: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(number, 2) for number in numbers)
