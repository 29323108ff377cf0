"""Painting new pictures, from words alone or over a layout. Knows prompts and layouts; a painter does the painting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from langchain_core.tools import BaseTool
from PIL import Image
from pydantic import BeforeValidator, Field, WithJsonSchema

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArgument, catalogued, make_skill, picture_of
from llavaplus_graph.types import Pictures, SceneMap
from llavaplus_tools._backends.diffusion import DiffusionPainter, LayoutPainter, Painting, check_extra
from llavaplus_tools._backends.outlines import outlined
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.scene_parsers import HubSceneParser
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.arguments import PromptArguments
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.protocols import Painter, SceneParser
from llavaplus_tools.scene_colours import painted
from llavaplus_tools.scenes import SCENE_PARSER

PAINTER: Final = "stable-diffusion-v1-5/stable-diffusion-v1-5"
"""Stable Diffusion 1.5: one thousand million parameters, CreativeML OpenRAIL-M, which names forbidden uses.

``black-forest-labs/FLUX.2-klein-4B`` is under Apache-2.0, four times as large, and wants a GPU.
"""

LAYOUT_CONTROL: Final = "lllyasviel/sd-controlnet-seg"
"""Keeps Stable Diffusion 1.5 to a map of coloured areas."""

Hint = Literal["scene", "edges"]


def _checked_layout(value: object) -> object:
    if isinstance(value, SceneMap) or value == "latest":
        return value
    if isinstance(value, dict):
        return SceneMap.model_validate(value)
    raise ValueError("a layout is named by the word latest")


LayoutArgument = Annotated[
    SceneMap | Literal["latest"],
    BeforeValidator(_checked_layout),
    WithJsonSchema({"type": "string", "enum": ["latest"]}),
]
"""A ``layout`` argument: the model writes ``latest``; the executor and Python pass a `SceneMap` or its plain form."""


class LayoutArguments(PromptArguments):
    """What shall be painted, and over which layout."""

    image: PictureArgument = Field(
        default="latest", description="Whose layout, where no scene map was made: latest, image_1 or a handle."
    )
    layout: LayoutArgument = Field(default="latest", description="Which scene map: latest, the one made last.")


def diffusion_painter(
    model: str = PAINTER,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    painting: Painting | None = None,
) -> Painter:
    """A painter with weights of Hugging Face, which needs the extra ``generation``.

    Args:
        model: hub id or directory of a pipeline of diffusers.
        revision: a branch, tag or commit; by default the main one.
        device: ``auto`` is the GPU where there is one; on a CPU a picture takes minutes.
        dtype: ``auto`` is float32 on the CPU and half precision on a GPU.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
        painting: steps, guidance, seed and size.
    """
    return DiffusionPainter(Weights(model, revision, device, dtype, allow_download), pool, painting)


def generate_image(
    *,
    store: ImageStore | None = None,
    model: str = PAINTER,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    painting: Painting | None = None,
    backend: Painter | None = None,
) -> BaseTool:
    """The skill that paints a new picture from words.

    Args:
        store: where the new picture goes; by default the store of the process.
        model: as in `diffusion_painter`, like the following.
        revision: see there.
        device: see there.
        dtype: see there.
        allow_download: see there.
        pool: see there.
        painting: see there.
        backend: a painter to use instead of all these; gets the prompt alone.
    """
    pictures = store if store is not None else default_store()
    painting = painting or Painting(seconds=catalogued("generate_image").deadline)
    painter = backend or diffusion_painter(
        model,
        revision=revision,
        device=device,
        dtype=dtype,
        allow_download=allow_download,
        pool=pool,
        painting=painting,
    )

    def run(prompt: str) -> Pictures:
        """Paint a new picture from words."""
        words = worded(prompt, "prompt", "the wished-for picture")
        if backend is None:
            check_extra("generate_image")
        with spoken_for("generate_image", painter):
            picture = painter(words)
        return made("generate_image", picture, pictures)

    return make_skill(run, row_with("generate_image", painter), PromptArguments)


def generate_from_layout(
    *,
    store: ImageStore | None = None,
    model: str = PAINTER,
    control: str = LAYOUT_CONTROL,
    hint: Hint = "scene",
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    painting: Painting | None = None,
    parser: SceneParser | None = None,
    backend: Painter | None = None,
) -> BaseTool:
    """The skill that paints a new picture over a layout: the newest scene map, or that of a picture itself.

    Args:
        store: where handles lead and the new picture goes; by default the store of the process.
        model: as in `diffusion_painter`: a Stable Diffusion 1 or XL.
        control: hub id or directory of a ControlNet that was trained for `model` and `hint`.
        hint: what the layout is: ``scene``, areas in the colours of ADE20K; or ``edges``, the outlines in the picture
            (for ControlNets of Canny's edges), which needs no scene map.
        revision: of `model`; see `diffusion_painter`, like the following.
        device: see there.
        dtype: see there.
        allow_download: see there.
        pool: see there.
        painting: see there.
        parser: makes the scene map where the conversation has none; by default that of ``segment_scene``.
        backend: a painter to use instead of `model` and `control`; gets the prompt and ``layout``, an RGB picture.
    """
    pictures = store if store is not None else default_store()
    painting = painting or Painting(seconds=catalogued("generate_from_layout").deadline)
    painter = backend or LayoutPainter(
        Weights(control, None, device, dtype, allow_download),
        Weights(model, revision, device, dtype, allow_download),
        pool,
        painting,
    )
    backends = (painter.control, painter) if isinstance(painter, LayoutPainter) else (painter,)
    seeing = parser or HubSceneParser(Weights(SCENE_PARSER, None, device, dtype, allow_download), pool)

    def run(
        prompt: str, image: str | Path | Image.Image = "latest", layout: SceneMap | Literal["latest"] = "latest"
    ) -> Pictures:
        """Paint a new picture with the layout of the newest scene map, or of a picture."""
        words = worded(prompt, "prompt", "the wished-for picture")
        if backend is None:
            check_extra("generate_from_layout")
        if hint == "scene" and isinstance(layout, SceneMap):
            handle, shape = layout.image, _painted_map(layout)
        else:
            handle, picture = picture_of(image, pictures)
            with spoken_for("generate_from_layout", seeing):
                shape = outlined(picture) if hint == "edges" else painted(seeing(picture), picture.size)
        with spoken_for("generate_from_layout", *backends):
            return made("generate_from_layout", painter(words, layout=shape), pictures, handle)

    return make_skill(run, row_with("generate_from_layout", *backends), LayoutArguments)


def worded(text: str, argument: str, meaning: str) -> str:
    """What the model asks for, without space around it.

    Args:
        text: the argument.
        argument: its name.
        meaning: what it should say.

    Raises:
        SkillError: it is empty.
    """
    words = " ".join(text.split())
    if not words:
        raise SkillError(f"the {argument} is empty; give {meaning} in words")
    return words


def made(skill: str, picture: Image.Image, store: ImageStore, image: str | None = None) -> Pictures:
    """The result for a picture that was painted.

    Args:
        skill: what painted it.
        picture: RGB.
        store: where it goes.
        image: handle of the picture that it was made from, if any.
    """
    return Pictures(image=image, handles=(store.put(picture),), message=f"The {skill} has processed the image.")


def _painted_map(layout: SceneMap) -> Image.Image:
    if not layout.masks:
        raise SkillError("the scene map is empty, so there is no layout to paint over; segment a scene first")
    height, width = layout.masks[0].size
    if any(mask.size != (height, width) for mask in layout.masks):
        raise SkillError("the masks of the scene map are of different sizes; segment the scene again")
    areas = [(name, np.asarray(mask.array(), bool)) for name, mask in zip(layout.classes, layout.masks, strict=True)]
    return painted(areas, (width, height))
