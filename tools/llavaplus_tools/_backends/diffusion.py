"""Paints pictures with the diffusion pipelines of diffusers. Knows tensors and pipelines, no skill and no handle.

One pipeline is loaded for its weights; painting over a layout or into a region uses the same parts in another pipeline.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from PIL import Image

from llavaplus_graph.errors import MissingExtraError, SkillError
from llavaplus_tools._backends.clock import limited, running
from llavaplus_tools._backends.hub import quiet
from llavaplus_tools._backends.pool import ModelPool, default_pool
from llavaplus_tools._backends.weights import Weights

# Everything of diffusers is Any: which class a pipeline has is in its files.
_PIPELINE: Final = "diffusion pipeline"
_CONTROL: Final = "layout control"
_MULTIPLE: Final = 8
_LOUDNESS = threading.Lock()
_OVER_LAYOUT: Final = {
    "StableDiffusionPipeline": "StableDiffusionControlNetPipeline",
    "StableDiffusionXLPipeline": "StableDiffusionXLControlNetPipeline",
}
_INTO_REGION: Final = {
    "StableDiffusionPipeline": "StableDiffusionInpaintPipeline",
    "StableDiffusionXLPipeline": "StableDiffusionXLInpaintPipeline",
    "Flux2KleinPipeline": "Flux2KleinInpaintPipeline",
}
_STEPS: Final = 25
_STEPS_OF_DISTILLED: Final = 4
_MOST_ELONGATED: Final = 8


@dataclass(frozen=True, slots=True)
class Painting:
    """How a picture is painted.

    Attributes:
        steps: of denoising; more take longer and get finer. By default 25, or 4 where weights are distilled.
        guidance: how closely the words are followed; by default what the pipeline holds good.
        picture_guidance: how closely an edited picture follows the first one, for pipelines that know that.
        seed: the same seed, words and pictures give the same picture.
        side: long side in pixels at which is painted; by default that of the weights.
        seconds: after so many the painting is given up.
    """

    steps: int | None = None
    guidance: float | None = None
    picture_guidance: float | None = None
    seed: int = 0
    side: int | None = None
    seconds: float = 300.0


def check_extra(skill: str) -> None:
    """Tells when diffusers is not installed, before anybody fetches gigabytes for it.

    Raises:
        SkillError: it is not.
    """
    try:
        import_module("diffusers")
    except ImportError as err:
        raise SkillError(str(MissingExtraError(skill, "generation"))) from err


class DiffusionPainter:
    """A `Painter` that paints from words alone, or changes the picture ``image`` as the words say.

    Args:
        weights: a text-to-image pipeline, or one like InstructPix2Pix that edits.
        pool: where loaded models are kept; by default that of the process.
        painting: how to paint.
    """

    def __init__(self, weights: Weights, pool: ModelPool | None = None, painting: Painting | None = None) -> None:
        self.weights = weights
        self._pool = pool if pool is not None else default_pool()
        self._painting = painting or Painting()

    def __call__(self, prompt: str, **pictures: Image.Image) -> Image.Image:
        """Paint one picture; an edited one has the size of ``image``."""
        return self._pool.use(
            self.weights, _PIPELINE, _load, lambda pipeline: self._painted(pipeline, prompt, **pictures)
        )

    def _painted(self, pipeline: Any, prompt: str, image: Image.Image | None = None) -> Image.Image:
        own = _own(pipeline)
        if image is None:
            side = self._painting.side
            size = {} if side is None else {"width": _rounded(side), "height": _rounded(side)}
            return _run(own, self._painting, prompt=prompt, **size)
        if "image" not in inspect.signature(own.__call__).parameters:
            raise SkillError(f"the weights {self.weights.id} paint new pictures only; choose some that edit")
        small = image.resize(_fitting(image.size, self._painting.side or _native_side(own)), Image.Resampling.LANCZOS)
        return _run(own, self._painting, prompt=prompt, image=small).resize(image.size, Image.Resampling.LANCZOS)


class LayoutPainter:
    """A `Painter` that keeps to the picture ``layout``: a map of coloured areas, or of edges.

    Args:
        control: a ControlNet for that kind of layout.
        weights: the text-to-image pipeline that it was made for.
        pool: where loaded models are kept; by default that of the process.
        painting: how to paint.
    """

    def __init__(
        self, control: Weights, weights: Weights, pool: ModelPool | None = None, painting: Painting | None = None
    ) -> None:
        self.control, self.weights = control, weights
        self._pool = pool if pool is not None else default_pool()
        self._painting = painting or Painting()

    def __call__(self, prompt: str, **pictures: Image.Image) -> Image.Image:
        """Paint one picture in the shape of ``layout``."""
        layout = pictures["layout"]
        with self._pool.borrow(self.control, _CONTROL, _load_control) as control:
            return self._pool.use(
                self.weights, _PIPELINE, _load, lambda pipeline: self._painted(pipeline, control, prompt, layout)
            )

    def _painted(self, pipeline: Any, control: Any, prompt: str, layout: Image.Image) -> Image.Image:
        own = _own(pipeline, _counterpart(pipeline, _OVER_LAYOUT, "paint over a layout"), controlnet=control)
        size = _fitting(layout.size, self._painting.side or _native_side(own))
        # Colours between those of two classes would be those of a third.
        small = layout.resize(size, Image.Resampling.NEAREST)
        return _run(own, self._painting, prompt=prompt, image=small, width=size[0], height=size[1])


class RegionPainter:
    """A `Painter` that paints into the white part of ``mask`` in ``image`` and leaves the rest as it is.

    Args:
        weights: an inpainting pipeline, or the text-to-image pipeline of a family that has one.
        pool: where loaded models are kept; by default that of the process.
        painting: how to paint.
    """

    def __init__(self, weights: Weights, pool: ModelPool | None = None, painting: Painting | None = None) -> None:
        self.weights = weights
        self._pool = pool if pool is not None else default_pool()
        self._painting = painting or Painting()

    def __call__(self, prompt: str, **pictures: Image.Image) -> Image.Image:
        """Paint one picture of the size of ``image``."""
        return self._pool.use(
            self.weights, _PIPELINE, _load, lambda pipeline: self._painted(pipeline, prompt, **pictures)
        )

    def _painted(self, pipeline: Any, prompt: str, image: Image.Image, mask: Image.Image) -> Image.Image:
        paints_regions = "mask_image" in inspect.signature(pipeline.__call__).parameters
        own = _own(pipeline, None if paints_regions else _counterpart(pipeline, _INTO_REGION, "paint into a region"))
        size = _fitting(image.size, self._painting.side or _native_side(own))
        small, hole = image.resize(size, Image.Resampling.LANCZOS), mask.resize(size, Image.Resampling.NEAREST)
        painted = _run(
            own, self._painting, prompt=prompt, image=small, mask_image=hole, width=size[0], height=size[1]
        ).resize(image.size, Image.Resampling.LANCZOS)
        # The model paints all of it anew; only the region was asked for.
        return Image.composite(painted, image, mask.convert("L"))


def _run(pipeline: Any, painting: Painting, **inputs: Any) -> Image.Image:
    import torch

    accepted = inspect.signature(pipeline.__call__).parameters
    distilled = bool(pipeline.config.get("is_distilled"))
    wanted = {
        "num_inference_steps": painting.steps or (_STEPS_OF_DISTILLED if distilled else _STEPS),
        "guidance_scale": 1.0 if distilled else painting.guidance,  # there is nothing left to guide
        "image_guidance_scale": painting.picture_guidance,
        "generator": torch.Generator("cpu").manual_seed(painting.seed),
    }
    options = {name: value for name, value in wanted.items() if name in accepted and value is not None}
    with limited("the painting", painting.seconds), running(), torch.inference_mode():
        output = pipeline(**inputs, **options, output_type="pil")
    if any(getattr(output, "nsfw_content_detected", None) or ()):
        raise SkillError("the painted picture was withheld by the weights' own filter; ask for something else")
    picture: Image.Image = output.images[0].convert("RGB")
    return picture


def _own(pipeline: Any, kind: Any = None, **parts: Any) -> Any:
    """A pipeline of the same parts for one painting; a scheduler counts steps and cannot be shared by threads."""
    scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    with _quiet_diffusers():
        own = (kind or type(pipeline)).from_pipe(pipeline, scheduler=scheduler, dtype=pipeline.dtype, **parts)
    own.set_progress_bar_config(disable=True)
    return own


def _counterpart(pipeline: Any, table: dict[str, str], purpose: str) -> Any:
    name = type(pipeline).__name__
    if name not in table:
        raise SkillError(f"a {name} cannot {purpose}; choose the weights of a {' or a '.join(table)}")
    return getattr(import_module("diffusers"), table[name])


def _native_side(pipeline: Any) -> int:
    """The side in pixels of the pictures that a pipeline was trained on."""
    model = getattr(pipeline, "unet", None) or pipeline.transformer
    size = getattr(model.config, "sample_size", None) or pipeline.default_sample_size
    return int(max(size) if isinstance(size, list | tuple) else size) * int(pipeline.vae_scale_factor)


def _fitting(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Width and height with the proportions of a picture, a long side as given, in the multiples that models need.

    Models know no strips: the short side is at least an eighth of the long one.
    """
    scale = side / max(size)
    least = side / _MOST_ELONGATED
    return _rounded(max(least, size[0] * scale)), _rounded(max(least, size[1] * scale))


def _rounded(side: float) -> int:
    return max(1, round(side / _MULTIPLE)) * _MULTIPLE


def _load(weights: Weights) -> Any:
    return _loaded("DiffusionPipeline", weights)


def _load_control(weights: Weights) -> Any:
    return _loaded("ControlNetModel", weights)


def _loaded(kind: str, weights: Weights) -> Any:
    found = getattr(import_module("diffusers"), kind)
    with quiet(weights), _quiet_diffusers():
        loaded = found.from_pretrained(weights.id, dtype=weights.torch_dtype(), **weights.options())
    return loaded.to(weights.device_name())


@contextmanager
def _quiet_diffusers() -> Iterator[None]:
    """Keeps bars and advice of diffusers off stderr."""
    told = import_module("diffusers.utils.logging")
    logger = logging.getLogger("diffusers")
    with _LOUDNESS:  # or two at once would restore what the other had set
        level, shown = logger.level, told.is_progress_bar_enabled()
        logger.setLevel(logging.ERROR)
        told.disable_progress_bar()
        try:
            yield
        finally:
            logger.setLevel(level)
            if shown:
                told.enable_progress_bar()
