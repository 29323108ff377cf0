"""Cutting out what boxes, points, scribbles, masks or names mean. Knows prompts and masks, not how a segmenter cuts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from langchain_core.tools import BaseTool
from PIL import Image
from pydantic import BeforeValidator, Field, TypeAdapter, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.limits import MOST_MASKS
from llavaplus_graph.skills import PictureArguments, make_skill, picture_of
from llavaplus_graph.types import Box, Mask, Masks, Point
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools.arguments import QueryArguments, in_list, labels_in_groups, points_in_groups
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.boxes import box_around, filled, region_in
from llavaplus_tools.detection import detected, phrases_of, zero_shot_detector
from llavaplus_tools.protocols import Detector, Prompt, Segmenter
from llavaplus_tools.scribbles import along
from llavaplus_tools.segmenters import best_segmenter, sam_segmenter

_PIXELS_AT_ONCE = 100_000_000  # of unpacked masks

_Label = Literal[0, 1]
_Points = Annotated[
    list[Annotated[list[Point], Field(max_length=64)]],
    BeforeValidator(points_in_groups),
    WithJsonSchema(TypeAdapter(list[Point]).json_schema()),
]
_Scribbles = Annotated[
    list[Annotated[list[Point], Field(max_length=1_000)]],
    BeforeValidator(points_in_groups),
    WithJsonSchema(TypeAdapter(list[list[Point]]).json_schema()),
]
_Labels = Annotated[
    list[list[_Label]], BeforeValidator(labels_in_groups), WithJsonSchema(TypeAdapter(list[_Label]).json_schema())
]


class RegionArguments(PictureArguments):
    """What the model gives: boxes, or points and scribbles, or boxes with points that refine them.

    Points may be nested, one list for each region. Python callers may also give a rough mask.
    """

    boxes: Annotated[list[Box], BeforeValidator(in_list)] | None = Field(
        default=None, max_length=32, description="Boxes [x1, y1, x2, y2] from 0 to 1, one region each."
    )
    points: _Points | None = Field(default=None, max_length=32, description="Points [x, y] from 0 to 1 on one region.")
    point_labels: _Labels | None = Field(
        default=None, description="One for each point: 1 in the region, 0 outside it. All 1 by default."
    )
    scribbles: _Scribbles | None = Field(
        default=None, max_length=16, description="Lines drawn over one region, each a list of points [x, y]."
    )
    mask: SkipJsonSchema[Mask | None] = Field(default=None, description="A rough mask of the region.")

    @model_validator(mode="after")
    def _labels_match_points(self) -> Self:
        labels, points = ([len(group) for group in groups or ()] for groups in (self.point_labels, self.points))
        if labels and labels != points:
            raise ValueError(f"there are {sum(labels)} point_labels for {sum(points)} points; give one for each point")
        return self


def segment_region(
    *,
    store: ImageStore | None = None,
    model: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    isolated: bool = True,
    segmenter: Segmenter | None = None,
) -> BaseTool:
    """The skill that cuts out what boxes, points, scribbles or a rough mask mean.

    Args:
        store: where handles lead; by default the store of the process.
        model: as in `best_segmenter`, like the following; without any weights it works with GrabCut.
        revision: see there.
        device: see there.
        dtype: see there.
        allow_download: see there.
        pool: see there.
        isolated: see there.
        segmenter: a segmenter to use instead of all these.
    """
    pictures = store if store is not None else default_store()
    cutter = segmenter or best_segmenter(
        "segment_region",
        model,
        revision=revision,
        device=device,
        dtype=dtype,
        allow_download=allow_download,
        pool=pool,
        isolated=isolated,
    )

    def run(
        image: str | Path | Image.Image,
        boxes: list[Box] | None = None,
        points: list[list[Point]] | None = None,
        point_labels: list[list[int]] | None = None,
        scribbles: list[list[Point]] | None = None,
        mask: Mask | None = None,
    ) -> Masks:
        """Segment the region in a box, or the region that points or scribbles lie on.

        Give boxes, one mask each; or points, one mask for all of them; or both, and the points refine the boxes that
        hold them. Point labels say which points lie on the region (1) and which beside it (0).
        """
        groups = _groups(points, point_labels, scribbles)
        handle, picture = picture_of(image, pictures)
        prompts = _prompts(boxes or [], groups, mask, picture)
        with spoken_for("segment_region", cutter):
            return masks_of(handle, picture, prompts, cutter)

    return make_skill(run, row_with("segment_region", cutter, instead=True), RegionArguments)


def segment_objects(
    *,
    store: ImageStore | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    detector: Detector | None = None,
    segmenter: Segmenter | None = None,
) -> BaseTool:
    """The skill that outlines named things: a detector finds them, a segmenter cuts them out.

    Args:
        store: where handles lead; by default the store of the process.
        device: of the default detector and segmenter, like the following; ``auto`` is the GPU where there is one.
        dtype: ``auto`` is what suits the device.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
        detector: by default `zero_shot_detector`.
        segmenter: by default `sam_segmenter`.
    """
    pictures = store if store is not None else default_store()
    finder = detector or zero_shot_detector(device=device, dtype=dtype, allow_download=allow_download, pool=pool)
    cutter = segmenter or sam_segmenter(device=device, dtype=dtype, allow_download=allow_download, pool=pool)

    def run(image: str | Path | Image.Image, query: str) -> Masks:
        """Outline named things; gives a mask for each."""
        phrases = phrases_of(query)
        handle, picture = picture_of(image, pictures)
        with spoken_for("segment_objects", finder, cutter):
            found = detected(finder, picture, phrases)
            prompts = [Prompt(box=box) for box in found.boxes[:MOST_MASKS]]
            cut = masks_of(handle, picture, prompts, cutter)
        return Masks(
            image=handle,
            masks=cut.masks,
            boxes=cut.boxes,
            labels=found.labels[:MOST_MASKS],
            scores=found.scores[:MOST_MASKS],
            left_out=len(found.boxes) - len(prompts),
        )

    return make_skill(run, row_with("segment_objects", finder, cutter), QueryArguments)


def masks_of(handle: str, picture: Image.Image, prompts: Sequence[Prompt], segmenter: Segmenter) -> Masks:
    """What prompts mean in a picture, each with the box it was asked for with, or else the one around it.

    Where nothing is found in a box, the mask is the box; where nothing is found at points, there is none.

    Args:
        handle: of the picture.
        picture: RGB.
        prompts: one region each.
        segmenter: cuts them out, some at a time, because a picture may be large.
    """
    at_once = max(1, _PIXELS_AT_ONCE // (picture.width * picture.height))
    masks: list[Mask] = []
    boxes: list[Box] = []
    for start in range(0, len(prompts), at_once):
        group = prompts[start : start + at_once]
        for prompt, region in zip(group, segmenter.from_prompts(picture, group), strict=True):
            box = prompt.box or box_around(region)
            if box is not None:
                masks.append(Mask.from_array(region if region.any() else filled(box, picture.size)))
                boxes.append(box)
    return Masks(image=handle, masks=tuple(masks), boxes=tuple(boxes))


def _groups(
    points: list[list[Point]] | None, labels: list[list[int]] | None, scribbles: list[list[Point]] | None
) -> list[Prompt]:
    groups = [
        Prompt(points=tuple(group), labels=tuple(labels[index] if labels else [1] * len(group)))
        for index, group in enumerate(points or ())
        if group
    ]
    drawn = tuple(point for scribble in scribbles or () for point in along(scribble))
    if not drawn:
        return groups
    if len(groups) > 1:
        raise SkillError("scribbles and points of several regions cannot be given together; call segment_region twice")
    beside = groups[0] if groups else Prompt()
    return [Prompt(points=beside.points + drawn, labels=beside.labels + (1,) * len(drawn))]


def _prompts(boxes: Sequence[Box], groups: Sequence[Prompt], mask: Mask | None, picture: Image.Image) -> list[Prompt]:
    """What a call means; points refine the boxes that hold them, or the rough mask."""
    points = [hint for group in groups for hint in zip(group.points, group.labels, strict=True)]
    if boxes:
        for point, label in points:
            if label and not any(_holds(box, point) for box in boxes):
                raise SkillError(
                    f"point {list(point)} lies in none of the boxes; give points inside the boxes, or points alone"
                )
        return [_refined(box, points) for box in boxes]
    if mask is not None:
        hints = tuple(point for point, _ in points), tuple(label for _, label in points)
        return [Prompt(points=hints[0], labels=hints[1], mask=region_in(picture, mask))]
    if not groups or not all(1 in group.labels for group in groups):
        raise SkillError("segment_region needs boxes, or points of which at least one lies on the region (label 1)")
    return list(groups)


def _refined(box: Box, hints: Sequence[tuple[Point, int]]) -> Prompt:
    held = [(point, label) for point, label in hints if _holds(box, point)]
    return Prompt(box=box, points=tuple(point for point, _ in held), labels=tuple(label for _, label in held))


def _holds(box: Box, point: Point) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]
