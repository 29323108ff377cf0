"""Erasing a region from a picture, or painting into it. Knows masks and prompts.

OpenCV does the erasing, without any weights; a diffusion pipeline the painting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import numpy as np
from langchain_core.tools import BaseTool
from PIL import Image
from pydantic import Field, model_validator

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import MaskArgument, PictureArguments, catalogued, make_skill, picture_of
from llavaplus_graph.types import Mask, Pictures
from llavaplus_tools._backends.diffusion import Painting, RegionPainter, check_extra
from llavaplus_tools._backends.filling import filled, grown
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import MissingWeightsError, Weights
from llavaplus_tools._backends.worker import apart
from llavaplus_tools.arguments import with_wire_names
from llavaplus_tools.backed import row_with
from llavaplus_tools.generation import PAINTER, made
from llavaplus_tools.protocols import Painter, Region

_ERASING: Final = 60.0  # seconds at most


class InpaintingArguments(PictureArguments):
    """What the model gives; the mask comes from the conversation."""

    prompt: str = Field(
        default="",
        max_length=2000,
        description="What to paint into the region; empty to erase what is there.",
        json_schema_extra={"x-quoted": True},
    )
    mask: MaskArgument = Field(default="latest", description="Which region: latest, the one segmented last.")

    @model_validator(mode="before")
    @classmethod
    def _from_wire(cls, values: object) -> object:
        return with_wire_names(values, "prompt", "caption")


def inpaint_region(
    *,
    store: ImageStore | None = None,
    model: str = PAINTER,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    painting: Painting | None = None,
    isolated: bool = True,
    backend: Painter | None = None,
) -> BaseTool:
    """The skill that fills a segmented region anew.

    Without a prompt it erases, offline: OpenCV continues what is around the region. With one it paints, which needs
    weights and the extra ``generation``.

    Args:
        store: where handles lead and the new picture goes; by default the store of the process.
        model: hub id or directory of an inpainting pipeline, or of a Stable Diffusion 1 or XL.
        revision: a branch, tag or commit; by default the main one.
        device: ``auto`` is the GPU where there is one; on a CPU painting takes minutes.
        dtype: ``auto`` is float32 on the CPU and half precision on a GPU.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
        painting: steps, guidance, seed and size.
        isolated: OpenCV runs in a process of its own, which is stopped at the skill's deadline.
        backend: a painter to use instead of the pipeline; gets the prompt, ``image`` and ``mask``, white in the region.
    """
    pictures = store if store is not None else default_store()
    row = catalogued("inpaint_region")
    painter = backend or RegionPainter(
        Weights(model, revision, device, dtype, allow_download), pool, painting or Painting(seconds=row.deadline)
    )
    fill = apart(filled, name=row.name, seconds=_ERASING) if isolated else filled

    def run(image: str | Path | Image.Image, prompt: str = "", mask: Mask | Literal["latest"] = "latest") -> Pictures:
        """Erase the region that was segmented last, or paint something else into it.

        Segment the region first. An empty prompt erases it.
        """
        words = " ".join(prompt.split())
        if not isinstance(mask, Mask):
            raise SkillError("inpaint_region has no region to work on; segment one first")
        handle, picture = picture_of(image, pictures)
        region = _region(mask, picture)
        if words:
            result = _painted(painter, words, picture, region)
        else:
            result = Image.fromarray(fill(np.asarray(picture), _rimmed(region)))
        return made("inpaint_region", result, pictures, handle)

    return make_skill(run, row_with("inpaint_region", painter), InpaintingArguments)


def _painted(painter: Painter, words: str, picture: Image.Image, region: Region) -> Image.Image:
    hole = Image.fromarray(region.astype(np.uint8) * 255)
    try:
        if isinstance(painter, RegionPainter):
            check_extra("inpaint_region")
        return painter(words, image=picture, mask=hole)
    except MissingWeightsError as err:
        raise SkillError(
            "offline, inpaint_region can only erase a region, not paint into it; leave the prompt empty"
        ) from err


def _region(mask: Mask, picture: Image.Image) -> Region:
    height, width = mask.size
    if (width, height) != picture.size:
        raise SkillError(
            f"the mask is for a picture of {width} x {height} pixels and this one has {picture.width} x "
            f"{picture.height}; segment the region in this picture first"
        )
    region = np.asarray(mask.array(), bool)
    if not region.any():
        raise SkillError("the mask is empty, so there is nothing to fill; segment a region first")
    if region.all():
        raise SkillError(
            "the mask covers the whole picture, so there is nothing to fill it from; segment a smaller region"
        )
    return region


def _rimmed(region: Region) -> Region:
    rimmed = grown(region)
    return region if rimmed.all() else rimmed
