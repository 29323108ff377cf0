"""Describing pictures, and boxing what is described. Knows captions; a captioner and a detector do the seeing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, make_skill, picture_of
from llavaplus_graph.types import Caption, Detections
from llavaplus_tools._backends.captioners import HubCaptioner
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.detection import MOST_PHRASES, detected, zero_shot_detector
from llavaplus_tools.phrases import things_in
from llavaplus_tools.protocols import Captioner, Detector

CAPTIONER: Final = "florence-community/Florence-2-base"
"""232 million parameters, MIT."""


def hub_captioner(
    model: str = CAPTIONER,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    detailed: bool = False,
) -> Captioner:
    """A captioner with weights of Hugging Face, for the skills that take one.

    Args:
        model: hub id or directory of a Florence-2, BLIP or BLIP-2.
        revision: a branch, tag or commit; by default the main one.
        device: ``auto`` is the GPU where there is one.
        dtype: ``auto`` is float32 on the CPU and half precision on a GPU.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
        detailed: two or three sentences instead of one, with Florence-2 only.
    """
    return HubCaptioner(Weights(model, revision, device, dtype, allow_download), pool, detailed=detailed)


def caption_image(
    *,
    store: ImageStore | None = None,
    model: str = CAPTIONER,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    backend: Captioner | None = None,
) -> BaseTool:
    """The skill that describes a picture in a sentence.

    Args:
        store: where handles lead; by default the store of the process.
        model: as in `hub_captioner`, like the following.
        revision: see there.
        device: see there.
        dtype: see there.
        allow_download: see there.
        pool: see there.
        backend: a captioner to use instead of all these.
    """
    pictures = store if store is not None else default_store()
    captioner = backend or hub_captioner(
        model, revision=revision, device=device, dtype=dtype, allow_download=allow_download, pool=pool
    )

    def run(image: str | Path | Image.Image) -> Caption:
        """Describe a picture in a sentence."""
        handle, picture = picture_of(image, pictures)
        with spoken_for("caption_image", captioner):
            return Caption(image=handle, caption=described(captioner, picture))

    return make_skill(run, row_with("caption_image", captioner), PictureArguments)


def caption_and_detect(
    *,
    store: ImageStore | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    captioner: Captioner | None = None,
    detector: Detector | None = None,
) -> BaseTool:
    """The skill that describes a picture and boxes the things described.

    Args:
        store: where handles lead; by default the store of the process.
        device: of the default captioner and detector, like the following; ``auto`` is the GPU where there is one.
        dtype: ``auto`` is what suits the device.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
        captioner: by default `hub_captioner`.
        detector: by default `zero_shot_detector`.
    """
    pictures = store if store is not None else default_store()
    teller = captioner or hub_captioner(device=device, dtype=dtype, allow_download=allow_download, pool=pool)
    finder = detector or zero_shot_detector(device=device, dtype=dtype, allow_download=allow_download, pool=pool)

    def run(image: str | Path | Image.Image) -> Detections:
        """Describe a picture and box the things described."""
        handle, picture = picture_of(image, pictures)
        with spoken_for("caption_and_detect", teller, finder):
            caption = described(teller, picture)
            found = detected(finder, picture, things_in(caption)[:MOST_PHRASES])
        return Detections(image=handle, boxes=found.boxes, scores=found.scores, labels=found.labels, caption=caption)

    return make_skill(run, row_with("caption_and_detect", teller, finder), PictureArguments)


def described(captioner: Captioner, picture: Image.Image) -> str:
    """What a captioner says of a picture.

    Args:
        captioner: describes.
        picture: RGB.

    Raises:
        SkillError: it says nothing.
    """
    caption = captioner(picture).strip()
    if not caption:
        raise SkillError("the captioner found no words for this picture; try another picture or other weights")
    return caption
