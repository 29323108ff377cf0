"""Finding in one picture what was marked in another. Knows examples and masks; models give features and outlines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import numpy as np
from langchain_core.tools import BaseTool
from PIL import Image
from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter, WithJsonSchema

from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.limits import MOST_MASKS
from llavaplus_graph.skills import PictureArgument, PictureArguments, make_skill, picture_of
from llavaplus_graph.types import Box, Mask, Masks
from llavaplus_tools._backends.features import DinoFeatures
from llavaplus_tools._backends.matching import Cells, finds
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.arguments import unnested
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.boxes import box_around, filled, region_in
from llavaplus_tools.protocols import FeatureMap, Prompt, Region, Segmenter
from llavaplus_tools.segmentation import masks_of
from llavaplus_tools.segmenters import sam_segmenter

FEATURES: Final = "facebook/dinov2-small"
"""22 million parameters, Apache-2.0."""

_Region = Annotated[
    Annotated[Mask, Tag("mask")] | Annotated[Box, Tag("box")],
    Discriminator(lambda value: "mask" if isinstance(value, Mask | dict) else "box"),
    BeforeValidator(unnested),
    WithJsonSchema(TypeAdapter(Box).json_schema()),
]


class ExampleArguments(PictureArguments):
    """An example of what is looked for; Python callers may mark it with a mask."""

    reference_image: PictureArgument = Field(description="The picture with the example: image_1, image_2 or a handle.")
    reference_region: _Region = Field(description="The box [x1, y1, x2, y2] around the example.")


def dino_features(
    model: str = FEATURES,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
) -> FeatureMap:
    """Dense features with weights of Hugging Face, for `segment_by_example`.

    Args:
        model: hub id or directory of a DINOv2, with or without registers, or of a DINOv3 ViT, whose
            licence is its own.
        revision: a branch, tag or commit; by default the main one.
        device: ``auto`` is the GPU where there is one.
        dtype: ``auto`` is float32 on the CPU and half precision on a GPU.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
    """
    return DinoFeatures(Weights(model, revision, device, dtype, allow_download), pool)


def segment_by_example(
    *,
    store: ImageStore | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    features: FeatureMap | None = None,
    segmenter: Segmenter | None = None,
) -> BaseTool:
    """The skill that finds in one picture what was marked in another.

    Args:
        store: where handles lead; by default the store of the process.
        device: of the default features and segmenter, like the following; ``auto`` is the GPU where there is one.
        dtype: ``auto`` is what suits the device.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
        features: by default `dino_features`.
        segmenter: by default `sam_segmenter`.
    """
    pictures = store if store is not None else default_store()
    seen = features or dino_features(device=device, dtype=dtype, allow_download=allow_download, pool=pool)
    cutter = segmenter or sam_segmenter(device=device, dtype=dtype, allow_download=allow_download, pool=pool)

    def run(
        image: str | Path | Image.Image, reference_image: str | Path | Image.Image, reference_region: Box | Mask
    ) -> Masks:
        """Find in one picture what was marked in another."""
        handle, picture = picture_of(image, pictures)
        _, reference = picture_of(reference_image, pictures)
        with spoken_for("segment_by_example", seen, cutter):
            prompts, scores = _matches(picture, reference, reference_region, seen, cutter)
            cut = masks_of(handle, picture, prompts, cutter)
        return cut.model_copy(update={"scores": scores})

    return make_skill(run, row_with("segment_by_example", seen, cutter), ExampleArguments)


def _matches(
    picture: Image.Image, reference: Image.Image, marked: Box | Mask, features: FeatureMap, segmenter: Segmenter
) -> tuple[list[Prompt], tuple[float, ...]]:
    """Where something like the example is: a box and a point each, and how alike it is."""
    if isinstance(marked, Mask):
        example = region_in(reference, marked)
    else:
        (cut,) = segmenter.from_boxes(reference, [marked])
        whole = filled(marked, reference.size)
        # What reaches beyond the box is not what was marked.
        example = cut & whole if (cut & whole).any() else whole
    grid = features(reference)
    found = finds(grid, _cells_of(example, grid.shape[:2]), features(picture))[:MOST_MASKS]
    prompts = [_prompt(find.cells, find.peak) for find in found]
    return prompts, tuple(find.score for find in found)


def _prompt(cells: Cells, peak: tuple[int, int]) -> Prompt:
    rows, columns = cells.shape
    point = ((peak[1] + 0.5) / columns, (peak[0] + 0.5) / rows)
    return Prompt(box=box_around(cells), points=(point,), labels=(1,))


def _cells_of(region: Region, shape: tuple[int, ...]) -> Cells:
    """The cells of a grid that a region covers mostly, or the one that it covers most."""
    rows, columns = shape
    covered = np.asarray(Image.fromarray(region.astype(np.float32)).resize((columns, rows), Image.Resampling.BOX))
    return covered >= min(0.5, float(covered.max()))
