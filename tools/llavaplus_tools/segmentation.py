"""Cutting out what a box or points mean. Knows prompts and masks; the cutting is GrabCut's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import numpy as np
from langchain_core.tools import BaseTool
from PIL import Image
from pydantic import Field, model_validator

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, catalogued, make_skill, picture_of
from llavaplus_graph.types import Box, Mask, Masks, Point
from llavaplus_tools._backends.grabcut import Hint, cut_box, cut_points


class RegionArguments(PictureArguments):
    """What the model gives: boxes, or points, or boxes with points that refine them."""

    boxes: list[Box] | None = Field(
        default=None, max_length=32, description="Boxes [x1, y1, x2, y2] from 0 to 1, one region each."
    )
    points: list[Point] | None = Field(
        default=None, max_length=64, description="Points [x, y] from 0 to 1 on one region."
    )
    point_labels: list[Literal[0, 1]] | None = Field(
        default=None, max_length=64, description="One for each point: 1 in the region, 0 outside it. All 1 by default."
    )

    @model_validator(mode="after")
    def _labels_match_points(self) -> Self:
        labels, points = len(self.point_labels or ()), len(self.points or ())
        if labels not in (0, points):
            raise ValueError(f"there are {labels} point_labels for {points} points; give one for each point")
        return self


def segment_region(*, store: ImageStore | None = None) -> BaseTool:
    """The skill that cuts out what a box or points mean, offline, with OpenCV's GrabCut.

    GrabCut knows colours and edges, not things: it is good at regions that stand out and poor at patterned ones. Where
    it finds no region in a box, the mask is the box itself.

    Args:
        store: where handles lead; by default the store of the process.
    """
    pictures = store if store is not None else default_store()

    def run(
        image: str | Path | Image.Image,
        boxes: list[Box] | None = None,
        points: list[Point] | None = None,
        point_labels: list[int] | None = None,
    ) -> Masks:
        """Segment the region in a box, or the region that points lie on.

        Give boxes, one mask each; or points, one mask for all of them; or both, and the points refine the boxes that
        hold them. Point labels say which points lie on the region (1) and which beside it (0).
        """
        labels = point_labels or [1] * len(points or ())
        hints = [Hint(*point, inside=label == 1) for point, label in zip(points or (), labels, strict=True)]
        if not boxes and not any(hint.inside for hint in hints):
            raise SkillError("segment_region needs boxes, or points of which at least one lies on the region (label 1)")
        handle, picture = picture_of(image, pictures)
        if not boxes:
            mask = Mask.from_array(cut_points(np.asarray(picture), hints))
            return Masks(image=handle, masks=(mask,), boxes=(mask.box or (0.0, 0.0, 1.0, 1.0),))
        _check_hints(hints, boxes)
        masks = tuple(Mask.from_array(_cut_or_box(picture, box, hints)) for box in boxes)
        return Masks(image=handle, masks=masks, boxes=tuple(boxes))

    return make_skill(run, catalogued("segment_region"), RegionArguments)


def _check_hints(hints: list[Hint], boxes: list[Box]) -> None:
    for hint in hints:
        if hint.inside and not any(_holds(box, hint) for box in boxes):
            raise SkillError(
                f"point [{hint.x}, {hint.y}] lies in none of the boxes; give points inside the boxes, or points alone"
            )


def _holds(box: Box, hint: Hint) -> bool:
    return box[0] <= hint.x <= box[2] and box[1] <= hint.y <= box[3]


def _cut_or_box(picture: Image.Image, box: Box, hints: list[Hint]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    cut = cut_box(np.asarray(picture), box, [hint for hint in hints if _holds(box, hint)])
    if cut is not None:
        return cut
    whole = np.zeros((picture.height, picture.width), bool)
    left, top = int(box[0] * picture.width), int(box[1] * picture.height)
    right, bottom = round(box[2] * picture.width), round(box[3] * picture.height)
    whole[top : max(top + 1, bottom), left : max(left + 1, right)] = True
    return whole
