"""Turning, cutting, scaling and toning pictures with Pillow. Knows the nine operations and what each one takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from langchain_core.tools import BaseTool
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from pydantic import BaseModel, ConfigDict, Field

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import DEFAULT_LIMITS, ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, catalogued, make_skill, picture_of
from llavaplus_graph.types import Box, Pictures

Operation = Literal["crop", "rotate", "flip", "resize", "brightness", "contrast", "sharpness", "greyscale", "blur"]
_Side = Annotated[int, Field(ge=1, le=DEFAULT_LIMITS.max_side)]


class TransformParameters(BaseModel):
    """What the operations take; each takes its own ones and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    box: Box | None = Field(default=None, description="crop: [x1, y1, x2, y2] from 0 to 1, the part to keep.")
    degrees: float | None = Field(default=None, ge=-3600, le=3600, description="rotate: clockwise when positive.")
    direction: Literal["horizontal", "vertical"] | None = Field(
        default=None, description="flip: horizontal swaps left and right, vertical swaps top and bottom."
    )
    width: _Side | None = Field(default=None, description="resize: new width in pixels.")
    height: _Side | None = Field(default=None, description="resize: new height in pixels.")
    scale: float | None = Field(default=None, gt=0, le=100, description="resize: 0.5 for half the size, 2 for twice.")
    factor: float | None = Field(
        default=None, ge=0, le=20, description="brightness, contrast, sharpness: 1.0 changes nothing, 2.0 doubles."
    )
    radius: float | None = Field(default=None, ge=0, le=500, description="blur: in pixels.")


class TransformArguments(PictureArguments):
    """What the model gives."""

    operation: Operation = Field(description="What to do.")
    parameters: TransformParameters = Field(
        default_factory=TransformParameters, description="What the operation takes; greyscale takes nothing."
    )


def transform_image(*, store: ImageStore | None = None) -> BaseTool:
    """The skill that turns, cuts, scales and tones pictures with Pillow.

    Args:
        store: where handles lead and the new picture goes; by default the store of the process.
    """
    pictures = store if store is not None else default_store()

    def run(
        image: str | Path | Image.Image, operation: Operation, parameters: TransformParameters | None = None
    ) -> Pictures:
        """Change a picture as a whole: crop, rotate, flip, resize, brightness, contrast, sharpness, greyscale, blur.

        crop takes box; rotate takes degrees, clockwise; flip takes direction; resize takes width, height or both, or
        scale; brightness, contrast and sharpness take factor (1.0 changes nothing); blur takes radius in pixels.
        """
        handle, picture = picture_of(image, pictures)
        result = transformed(picture, operation, parameters or TransformParameters())
        message = "The transform_image has processed the image."
        return Pictures(image=handle, handles=(pictures.put(result),), message=message)

    return make_skill(run, catalogued("transform_image"), TransformArguments)


def transformed(picture: Image.Image, operation: Operation, parameters: TransformParameters) -> Image.Image:
    """A new picture.

    Args:
        picture: RGB.
        operation: what to do.
        parameters: exactly what the operation takes.

    Raises:
        SkillError: a parameter is missing, or belongs to another operation, or the result would be too large.
    """
    change = _CHANGES[operation]
    given = parameters.model_dump(exclude_none=True)
    foreign = [name for name in given if name not in change.takes]
    if foreign:
        raise SkillError(f"{operation} takes {change.told}, not {' and '.join(foreign)}")
    if change.takes and not given:
        raise SkillError(f"{operation} needs {change.told}")
    return change.apply(picture, **given)


def _crop(picture: Image.Image, box: Box) -> Image.Image:
    left, top = (
        min(picture.width - 1, round(box[0] * picture.width)),
        min(picture.height - 1, round(box[1] * picture.height)),
    )
    right, bottom = round(box[2] * picture.width), round(box[3] * picture.height)
    return picture.crop((left, top, max(left + 1, right), max(top + 1, bottom)))


def _rotate(picture: Image.Image, degrees: float) -> Image.Image:
    # Quarter turns move pixels exactly; others need a larger picture, white where there was nothing.
    quarters = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
    turn = degrees % 360
    if turn in quarters:
        return picture.transpose(quarters[int(turn)])
    _check_size(picture.width + picture.height, max(picture.size))
    return picture.rotate(-turn, Image.Resampling.BICUBIC, expand=True, fillcolor=(255, 255, 255))


def _flip(picture: Image.Image, direction: str) -> Image.Image:
    return ImageOps.mirror(picture) if direction == "horizontal" else ImageOps.flip(picture)


def _resize(
    picture: Image.Image, width: int | None = None, height: int | None = None, scale: float | None = None
) -> Image.Image:
    if scale is not None and (width or height):
        raise SkillError("resize takes scale, or width and height, not both")
    factor = scale or (width or 0) / picture.width or (height or 0) / picture.height
    size = (width or max(1, round(picture.width * factor)), height or max(1, round(picture.height * factor)))
    _check_size(*size)
    return picture.resize(size, Image.Resampling.LANCZOS)


def _check_size(width: int, height: int) -> None:
    if max(width, height) > DEFAULT_LIMITS.max_side or width * height > DEFAULT_LIMITS.max_pixels:
        raise SkillError(
            f"the result would have up to {width:,} x {height:,} pixels and at most {DEFAULT_LIMITS.max_pixels:,} are "
            "allowed; make the picture smaller"
        )


class _Change(NamedTuple):
    """An operation: the parameters it takes, how to name them, and what it does."""

    takes: tuple[str, ...]
    told: str
    apply: Callable[..., Image.Image]


def _toned(enhancer: Callable[[Image.Image], Any]) -> _Change:  # Any: ImageEnhance's classes share no public base
    return _Change(
        ("factor",), "factor (1.0 changes nothing)", lambda picture, factor: enhancer(picture).enhance(factor)
    )


_CHANGES: Final[dict[Operation, _Change]] = {
    "crop": _Change(("box",), "box ([x1, y1, x2, y2] from 0 to 1)", _crop),
    "rotate": _Change(("degrees",), "degrees (clockwise)", _rotate),
    "flip": _Change(("direction",), "direction (horizontal or vertical)", _flip),
    "resize": _Change(("width", "height", "scale"), "width, height or both in pixels, or scale", _resize),
    "brightness": _toned(ImageEnhance.Brightness),
    "contrast": _toned(ImageEnhance.Contrast),
    "sharpness": _toned(ImageEnhance.Sharpness),
    "greyscale": _Change((), "no parameters", lambda picture: ImageOps.grayscale(picture).convert("RGB")),
    "blur": _Change(
        ("radius",), "radius (pixels)", lambda picture, radius: picture.filter(ImageFilter.GaussianBlur(radius))
    ),
}
