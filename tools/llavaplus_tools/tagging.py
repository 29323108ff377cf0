"""Naming what is in a picture by keywords, and boxing it. Knows tags; a tagger and a detector do the seeing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, make_skill, picture_of
from llavaplus_graph.types import Detections, Tags
from llavaplus_tools._backends.contrastive import HubTagger
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.detection import detected, zero_shot_detector
from llavaplus_tools.protocols import Detector, Tagger

TAGGER: Final = "google/siglip2-base-patch16-224"
"""375 million parameters, Apache-2.0."""

MOST_TAGS: Final = 20
TAG_THRESHOLD: Final = 0.05
"""SigLIP is rarely sure of a word without a sentence around it."""


@cache
def common_things() -> tuple[str, ...]:
    """The vocabulary that comes along: things, places and activities of everyday pictures, in English."""
    lines = files("llavaplus_tools").joinpath("common_things.txt").read_text(encoding="utf-8").splitlines()
    return tuple(word.strip() for line in lines for word in line.split(",") if word.strip())


def zero_shot_tagger(
    model: str = TAGGER,
    *,
    vocabulary: Sequence[str] | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
) -> Tagger:
    """A tagger with weights of Hugging Face, for the skills that take one.

    Args:
        model: hub id or directory of a SigLIP, SigLIP 2 or CLIP.
        vocabulary: the tags to choose from; by default `common_things`.
        revision: a branch, tag or commit; by default the main one.
        device: ``auto`` is the GPU where there is one.
        dtype: ``auto`` is float32 on the CPU and half precision on a GPU.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.

    Raises:
        ConfigError: the vocabulary is empty.
    """
    tagger = HubTagger(
        Weights(model, revision, device, dtype, allow_download),
        common_things() if vocabulary is None else vocabulary,
        pool,
    )
    if not tagger.vocabulary:
        raise ConfigError("the vocabulary of the tagger is empty; give it the words to choose from, or none at all")
    return tagger


def tag_image(
    *,
    store: ImageStore | None = None,
    model: str = TAGGER,
    vocabulary: Sequence[str] | None = None,
    threshold: float = TAG_THRESHOLD,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    backend: Tagger | None = None,
) -> BaseTool:
    """The skill that lists what is in a picture.

    Args:
        store: where handles lead; by default the store of the process.
        model: as in `zero_shot_tagger`.
        vocabulary: see there.
        threshold: least confidence of a tag, 0 to 1.
        revision: as in `zero_shot_tagger`, like the following.
        device: see there.
        dtype: see there.
        allow_download: see there.
        pool: see there.
        backend: a tagger to use instead of all these.
    """
    pictures = store if store is not None else default_store()
    tagger = backend or zero_shot_tagger(
        model,
        vocabulary=vocabulary,
        revision=revision,
        device=device,
        dtype=dtype,
        allow_download=allow_download,
        pool=pool,
    )

    def run(image: str | Path | Image.Image) -> Tags:
        """List what is in a picture as keywords."""
        handle, picture = picture_of(image, pictures)
        with spoken_for("tag_image", tagger):
            tags = surest(tagger(picture), threshold)
        return Tags(image=handle, tags=tuple(tag for tag, _ in tags), scores=tuple(score for _, score in tags))

    return make_skill(run, row_with("tag_image", tagger), PictureArguments)


def tag_and_detect(
    *,
    store: ImageStore | None = None,
    threshold: float = TAG_THRESHOLD,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    tagger: Tagger | None = None,
    detector: Detector | None = None,
) -> BaseTool:
    """The skill that lists what is in a picture, with a box for each thing.

    Args:
        store: where handles lead; by default the store of the process.
        threshold: least confidence of a tag, 0 to 1.
        device: of the default tagger and detector, like the following; ``auto`` is the GPU where there is one.
        dtype: ``auto`` is what suits the device.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
        tagger: by default `zero_shot_tagger`.
        detector: by default `zero_shot_detector`.
    """
    pictures = store if store is not None else default_store()
    namer = tagger or zero_shot_tagger(device=device, dtype=dtype, allow_download=allow_download, pool=pool)
    finder = detector or zero_shot_detector(device=device, dtype=dtype, allow_download=allow_download, pool=pool)

    def run(image: str | Path | Image.Image) -> Detections:
        """List what is in a picture, with a box for each thing."""
        handle, picture = picture_of(image, pictures)
        with spoken_for("tag_and_detect", namer, finder):
            tags = [tag for tag, _ in surest(namer(picture), threshold)]
            found = detected(finder, picture, tags)
        return Detections(image=handle, boxes=found.boxes, scores=found.scores, labels=found.labels, tags=tuple(tags))

    return make_skill(run, row_with("tag_and_detect", namer, finder), PictureArguments)


def surest(tags: Sequence[tuple[str, float]], threshold: float) -> list[tuple[str, float]]:
    """The tags that a result tells: those that are sure enough, at most 20, most certain first.

    Args:
        tags: words with confidences; one that is not a number is no confidence.
        threshold: least confidence, 0 to 1.
    """
    kept = [(tag, min(score, 1.0)) for tag, score in tags if score >= threshold]
    return sorted(kept, key=lambda named: -named[1])[:MOST_TAGS]
