"""Changing pictures as told. Knows instructions; a painter does the painting."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from langchain_core.tools import BaseTool
from PIL import Image
from pydantic import Field, model_validator

from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, catalogued, make_skill, picture_of
from llavaplus_graph.types import Pictures
from llavaplus_tools._backends.diffusion import Painting, check_extra
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools.arguments import Quoted, with_wire_names
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.generation import diffusion_painter, made, worded
from llavaplus_tools.protocols import Painter

EDITOR: Final = "timbrooks/instruct-pix2pix"
"""InstructPix2Pix on Stable Diffusion 1.5: one thousand million parameters, MIT."""


class InstructionArguments(PictureArguments):
    """What shall be changed."""

    instruction: Quoted = Field(description="The change, in the user's words.")

    @model_validator(mode="before")
    @classmethod
    def _from_wire(cls, values: object) -> object:
        return with_wire_names(values, "instruction", "prompt")


def edit_image(
    *,
    store: ImageStore | None = None,
    model: str = EDITOR,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    painting: Painting | None = None,
    backend: Painter | None = None,
) -> BaseTool:
    """The skill that changes a picture as told.

    Args:
        store: where handles lead and the new picture goes; by default the store of the process.
        model: as in `diffusion_painter`, like the following: a pipeline that takes a picture and an instruction.
        revision: see there.
        device: see there.
        dtype: see there.
        allow_download: see there.
        pool: see there.
        painting: see there.
        backend: a painter to use instead of all these; gets the instruction and ``image``.
    """
    pictures = store if store is not None else default_store()
    painting = painting or Painting(seconds=catalogued("edit_image").deadline)
    painter = backend or diffusion_painter(
        model,
        revision=revision,
        device=device,
        dtype=dtype,
        allow_download=allow_download,
        pool=pool,
        painting=painting,
    )

    def run(image: str | Path | Image.Image, instruction: str) -> Pictures:
        """Change a picture as told."""
        words = worded(instruction, "instruction", "the change")
        handle, picture = picture_of(image, pictures)
        if backend is None:
            check_extra("edit_image")
        with spoken_for("edit_image", painter):
            return made("edit_image", painter(words, image=picture), pictures, handle)

    return make_skill(run, row_with("edit_image", painter), InstructionArguments)
