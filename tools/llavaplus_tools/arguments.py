"""Arguments that several skills share, in the forms in which models give them. Knows no backend and runs nothing.

The original's data name some of them otherwise and nest some of them; both are understood, and only ours are told to
the model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from llavaplus_graph.skills import PictureArguments
from llavaplus_graph.types import Point

Quoted = Annotated[str, Field(min_length=1, max_length=2_000, json_schema_extra={"x-quoted": True})]
"""Words of the user, copied: a decoder may hold the argument to them."""


def with_wire_names(values: object, name: str, *wire_names: str) -> object:
    """The arguments of a call with ours in place of the original's.

    Args:
        values: what the model gave, usually a mapping; anything else is left to the schema, which refuses it.
        name: our name of one argument, a text. Where the original wraps it, ``{"caption": text}``, it is unwrapped.
        wire_names: what the original calls it; used only where `name` is not given.
    """
    if not isinstance(values, Mapping):
        return values
    given = next((key for key in (name, *wire_names) if values.get(key) is not None), None)
    if given is None:
        return values
    text = values[given]
    if isinstance(text, Mapping) and isinstance(text.get("caption"), str):
        text = text["caption"]
    return {**{key: value for key, value in values.items() if key not in wire_names}, name: text}


def listed(value: object) -> object:
    """A list that was written out as a text, ``"[0.1, 0.2]"``, as some models do with nested ones; else the value."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def unnested(value: object) -> object:
    """The first of a nested list's items where it has one item only: ``[[0.1, 0.2]]`` is ``[0.1, 0.2]``."""
    value = listed(value)
    if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], list | tuple):
        return unnested(value[0])
    return value


def in_list(value: object) -> object:
    """A flat list of numbers as a list that holds it: one box where several are expected."""
    value = listed(value)
    if isinstance(value, list | tuple) and value and all(isinstance(one, int | float) for one in value):
        return [value]
    return value


def points_in_groups(value: object) -> object:
    """Points of one region, or one point, as a list that holds their list: the original nests points by region."""
    several = in_list(value)
    one_region = isinstance(several, list | tuple) and all(several) and _depth(several) == 2
    return [several] if one_region else several


def labels_in_groups(value: object) -> object:
    """The labels of one region's points as a list that holds their list, as `points_in_groups`."""
    value = listed(value)
    return [value] if value and _depth(value) == 1 else value


def _depth(value: object) -> int:
    """How many lists are nested at the beginning of a value."""
    if not isinstance(value, list | tuple):
        return 0
    return 1 + _depth(value[0]) if value else 1


class QueryArguments(PictureArguments):
    """What is looked for."""

    query: Quoted = Field(description="The things to look for, as the user names them, several joined by ' . '.")

    @model_validator(mode="before")
    @classmethod
    def _from_wire(cls, values: object) -> object:
        return with_wire_names(values, "query", "caption")


class ThresholdArguments(QueryArguments):
    """What is looked for, and how sure the detector has to be."""

    box_threshold: float = Field(default=0.3, ge=0, le=1, description="Least confidence of a box, 0 to 1.")
    text_threshold: float = Field(default=0.25, ge=0, le=1, description="Least confidence of a phrase, 0 to 1.")


class PointArguments(PictureArguments):
    """Where to look."""

    point: Annotated[Point, BeforeValidator(unnested)] = Field(
        description="The point [x, y], as shares of width and height."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_wire(cls, values: object) -> object:
        # The original also takes a list of points, and a box for its centre.
        if not isinstance(values, Mapping) or values.get("point") is not None:
            return values
        if values.get("points") is not None:
            return {**values, "point": values["points"]}
        box = unnested(values.get("boxes"))
        if not isinstance(box, list | tuple) or len(box) != 4 or not all(isinstance(side, int | float) for side in box):
            return values
        return {**values, "point": [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]}


class PromptArguments(BaseModel):
    """What shall be painted."""

    prompt: Quoted = Field(description="The wished-for picture, in the user's words.")

    @model_validator(mode="before")
    @classmethod
    def _from_wire(cls, values: object) -> object:
        return with_wire_names(values, "prompt", "caption")
