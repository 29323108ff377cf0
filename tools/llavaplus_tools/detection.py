"""Finding named things. Knows queries and thresholds; a detector does the finding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import make_skill, picture_of
from llavaplus_graph.types import Detections
from llavaplus_tools._backends.grounding import ZeroShotDetector
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.arguments import ThresholdArguments
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.boxes import chosen
from llavaplus_tools.protocols import Detector, Found

DETECTOR: Final = "IDEA-Research/grounding-dino-tiny"
"""172 million parameters, Apache-2.0."""

BOX_THRESHOLD: Final = 0.3
TEXT_THRESHOLD: Final = 0.25

MOST_PHRASES: Final = 100
"""A longer list takes a detector several readings of the picture and is hardly what a user asked for."""

# A full stop inside a word or number separates nothing.
_SEPARATOR = re.compile(r"[,;|\n]|(?<!\S)\.|\.(?!\S)")


def zero_shot_detector(
    model: str = DETECTOR,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
) -> Detector:
    """A detector with weights of Hugging Face, for the skills that take one.

    Args:
        model: hub id or directory of a Grounding DINO, MM-Grounding-DINO, OWLv2 or OWL-ViT. OWLv2 is less sure of
            itself: 0.15 is a good threshold for its boxes.
        revision: a branch, tag or commit; by default the main one.
        device: ``auto`` is the GPU where there is one.
        dtype: ``auto`` is float32 on the CPU and half precision on a GPU.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
    """
    return ZeroShotDetector(Weights(model, revision, device, dtype, allow_download), pool)


def detect_objects(
    *,
    store: ImageStore | None = None,
    model: str = DETECTOR,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    backend: Detector | None = None,
) -> BaseTool:
    """The skill that finds, locates and counts named things.

    Args:
        store: where handles lead; by default the store of the process.
        model: as in `zero_shot_detector`, like the following.
        revision: see there.
        device: see there.
        dtype: see there.
        allow_download: see there.
        pool: see there.
        backend: a detector to use instead of all these.
    """
    pictures = store if store is not None else default_store()
    detector = backend or zero_shot_detector(
        model, revision=revision, device=device, dtype=dtype, allow_download=allow_download, pool=pool
    )

    def run(
        image: str | Path | Image.Image,
        query: str,
        box_threshold: float = BOX_THRESHOLD,
        text_threshold: float = TEXT_THRESHOLD,
    ) -> Detections:
        """Find, locate and count named things; gives a box for each."""
        phrases = phrases_of(query)
        handle, picture = picture_of(image, pictures)
        with spoken_for("detect_objects", detector):
            found = detected(detector, picture, phrases, box_threshold=box_threshold, text_threshold=text_threshold)
        return Detections(image=handle, boxes=found.boxes, scores=found.scores, labels=found.labels)

    return make_skill(run, row_with("detect_objects", detector), ThresholdArguments)


def phrases_of(query: str) -> list[str]:
    """What a query asks for: its phrases between commas and full stops, each once, in their order.

    Args:
        query: for example ``"red cup . fork"`` or ``"red cup, fork"``; 3.5 and St.Gallen stay whole.

    Raises:
        SkillError: there is nothing to look for, or too much.
    """
    phrases: dict[str, str] = {}
    for part in _SEPARATOR.split(query):
        phrase = " ".join(part.split())
        if any(letter.isalnum() for letter in phrase):
            phrases.setdefault(phrase.casefold(), phrase)
    if not phrases:
        raise SkillError(f"the query {query[:60]!r} names nothing to look for; name things, several joined by ' . '")
    if len(phrases) > MOST_PHRASES:
        raise SkillError(
            f"the query names {len(phrases)} things and at most {MOST_PHRASES} can be looked for at once; ask for fewer"
        )
    return list(phrases.values())


def detected(
    detector: Detector,
    picture: Image.Image,
    phrases: Sequence[str],
    *,
    box_threshold: float = BOX_THRESHOLD,
    text_threshold: float = TEXT_THRESHOLD,
) -> Found:
    """What a detector finds, in a form that a result may hold: inside the picture, each thing once, best first.

    Args:
        detector: finds.
        picture: RGB.
        phrases: what to look for; nothing is found for none.
        box_threshold: least confidence of a box, 0 to 1.
        text_threshold: least confidence of the phrase that it answers, 0 to 1.
    """
    if not phrases:
        return Found()
    return chosen(detector(picture, phrases, box_threshold=box_threshold, text_threshold=text_threshold))
