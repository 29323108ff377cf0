"""Outlining what is at a point at several sizes. Knows levels; a segmenter finds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import make_skill, picture_of
from llavaplus_graph.types import Mask, Masks, Point
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools.arguments import PointArguments
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.boxes import box_around
from llavaplus_tools.protocols import Region, Segmenter
from llavaplus_tools.segmenters import best_segmenter

_SAME_LEVEL: Final = 0.9
"""Two regions that overlap more than this (intersection over union) are one level."""


def segment_at_granularities(
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
    """The skill that outlines what is at a point: the part, the thing, the whole.

    SAM gives up to three levels. Without any weights it works with colours and edges, whose levels are the regions
    that last the longest while a picture's smallest regions merge.

    Args:
        store: where handles lead; by default the store of the process.
        model: as in `best_segmenter`, like the following.
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
        "segment_at_granularities",
        model,
        revision=revision,
        device=device,
        dtype=dtype,
        allow_download=allow_download,
        pool=pool,
        isolated=isolated,
    )

    def run(image: str | Path | Image.Image, point: Point) -> Masks:
        """Outline what is at a point, from the smallest part to the whole."""
        handle, picture = picture_of(image, pictures)
        with spoken_for("segment_at_granularities", cutter):
            levels = distinct_levels(cutter.from_points(picture, [point], [1]))
        boxes = [box_around(level) for level in levels]
        return Masks(
            image=handle,
            masks=tuple(Mask.from_array(level) for level in levels),
            boxes=tuple(box for box in boxes if box is not None),
        )

    return make_skill(run, row_with("segment_at_granularities", cutter, instead=True), PointArguments)


def distinct_levels(regions: Sequence[Region]) -> list[Region]:
    """Regions from the smallest to the largest, without empty ones and without what is nearly the one before."""
    levels: list[Region] = []
    for region in sorted(regions, key=lambda region: int(region.sum())):
        if region.any() and not (levels and _overlap(levels[-1], region) > _SAME_LEVEL):
            levels.append(region)
    return levels


def _overlap(one: Region, other: Region) -> float:
    return float((one & other).sum() / (one | other).sum())
