"""What is known of pictures: captions, objects with boxes, printed texts. Reads plain JSON; knows no labeller.

One picture an object, in a JSON list or one a line:

{"image": "kitchen.jpg", "captions": ["A cup on a table."], "objects": [{"name": "cup", "box": [0.1, 0.2, 0.3, 0.4]}]}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llavaplus_graph.data.record import picture_file
from llavaplus_graph.data.sources.released import NO_PICTURE
from llavaplus_graph.data.sources.streaming import Tally, read_bodies
from llavaplus_graph.geometry import Box


class SeenObject(BaseModel):
    """A thing in a picture: its name and its normalised box x1, y1, x2, y2."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(min_length=1)
    box: Box


class ImageContext(BaseModel):
    """What is known of one picture, or of one wish where there is no picture yet.

    Attributes:
        image: The file's name, relative to a folder of pictures; empty where nothing is shown.
        captions: Sentences about it.
        objects: What can be seen, and where.
        texts: What is printed on it.
        prompt: A detailed description that a picture was generated from (as in JourneyDB).
        instruction: How the picture shall be edited (as in InstructPix2Pix).
        question: What somebody asked about it (as in InfoSeek) ...
        answer: ... and what is true.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    image: str = ""
    captions: tuple[str, ...] = ()
    objects: tuple[SeenObject, ...] = ()
    texts: tuple[str, ...] = ()
    prompt: str | None = None
    instruction: str | None = None
    question: str | None = None
    answer: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _normalised(cls, body: Any) -> Any:  # Any: whatever a file holds
        """Divide boxes by `width` and `height` where the entry has them: then they are in pixels."""
        if not isinstance(body, Mapping) or not {"width", "height"} <= body.keys() or not body.get("objects"):
            return body
        width, height = float(body["width"]), float(body["height"])
        sides = (width, height, width, height)
        return {**body, "objects": [{**thing, "box": shares_of(thing["box"], sides)} for thing in body["objects"]]}

    @property
    def names(self) -> tuple[str, ...]:
        """Every kind of thing in it, once, in the order of the objects."""
        return tuple(dict.fromkeys(thing.name for thing in self.objects))


def shares_of(corners: Sequence[float], sides: Sequence[float]) -> list[float]:
    """Divide corners in pixels by the sides of their picture, four decimals, nothing outside the picture."""
    pairs = zip(corners, sides, strict=True)
    return [round(min(max(float(corner) / side, 0.0), 1.0), 4) for corner, side in pairs]


def read_contexts(
    path: Path,
    *,
    tally: Tally | None = None,
    most: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[ImageContext]:
    """Read a JSON list or lines of what is known of pictures, in constant memory.

    Args:
        path: The file.
        tally: Counts what was kept and what was dropped, with reasons.
        most: Stop after so many.
        progress: Told the number of bytes read after every entry.

    Raises:
        DataError: If the file cannot be read or stops in the middle.
    """
    counted = tally if tally is not None else Tally()
    for number, body in enumerate(read_bodies(path, progress=progress), start=1):
        if most is not None and counted.kept >= most:
            return
        try:
            context = ImageContext.model_validate(body)
        except (ValidationError, ValueError, TypeError, KeyError, ZeroDivisionError) as error:
            counted.drop(f"it does not say what is on a picture: {_complaint(error)}", _name(body, number))
            continue
        counted.kept += 1
        yield context


def with_pictures(contexts: Iterator[ImageContext], folders: Sequence[Path], tally: Tally) -> Iterator[ImageContext]:
    """Leave out contexts whose picture is in none of the folders, and count them."""
    for context in contexts:
        if context.image and picture_file(context.image, folders) is None:
            tally.kept -= 1
            tally.drop(NO_PICTURE, context.image)
        else:
            yield context


def _name(body: Any, number: int) -> str:
    return str(body.get("image") or f"entry {number}") if isinstance(body, Mapping) else f"entry {number}"


def _complaint(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    first = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"] if not isinstance(step, int))
    return f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"
