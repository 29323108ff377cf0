"""Erasing a region from a picture. Knows masks and prompts; OpenCV does the filling."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from langchain_core.tools import BaseTool
from PIL import Image
from pydantic import Field

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import MaskArgument, PictureArguments, catalogued, make_skill, picture_of
from llavaplus_graph.types import Mask, Pictures
from llavaplus_tools._backends.filling import filled, grown


class InpaintingArguments(PictureArguments):
    """What the model gives; the mask comes from the conversation."""

    prompt: str = Field(
        default="",
        max_length=2000,
        description="What to paint into the region; empty to erase what is there.",
        json_schema_extra={"x-quoted": True},
    )
    mask: MaskArgument = Field(default="latest", description="Which region: latest, the one segmented last.")


def inpaint_region(*, store: ImageStore | None = None) -> BaseTool:
    """The skill that fills a segmented region anew, offline, with OpenCV's inpainting.

    Offline it erases: it continues what is around the region. It cannot paint anything new, so a prompt is refused.

    Args:
        store: where handles lead and the new picture goes; by default the store of the process.
    """
    pictures = store if store is not None else default_store()

    def run(image: str | Path | Image.Image, prompt: str = "", mask: Mask | Literal["latest"] = "latest") -> Pictures:
        """Erase the region that was segmented last, or paint something else into it.

        Segment the region first. An empty prompt erases it.
        """
        if prompt.strip():
            raise SkillError(
                "offline, inpaint_region can only erase a region, not paint into it; leave the prompt empty"
            )
        if not isinstance(mask, Mask):
            raise SkillError("inpaint_region has no region to work on; segment one first")
        handle, picture = picture_of(image, pictures)
        result = Image.fromarray(filled(np.asarray(picture), _region(mask, picture)))
        message = "The inpaint_region has processed the image."
        return Pictures(image=handle, handles=(pictures.put(result),), message=message)

    return make_skill(run, catalogued("inpaint_region"), InpaintingArguments)


def _region(mask: Mask, picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    height, width = mask.size
    if (width, height) != picture.size:
        raise SkillError(
            f"the mask is for a picture of {width} x {height} pixels and this one has {picture.width} x "
            f"{picture.height}; segment the region in this picture first"
        )
    region = mask.array()
    if not region.any():
        raise SkillError("the mask is empty, so there is nothing to fill; segment a region first")
    if region.all():
        raise SkillError(
            "the mask covers the whole picture, so there is nothing to fill it from; segment a smaller region"
        )
    rimmed = grown(region)
    return region if rimmed.all() else rimmed
