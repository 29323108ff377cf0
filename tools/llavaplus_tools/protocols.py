"""What a skill asks of the model behind it: small Protocols that any detector, segmenter, captioner and so on can meet.

Knows shapes and units only. Pictures are RGB, coordinates shares of width and height in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from llavaplus_graph.types import Box, Point

Region = npt.NDArray[np.bool_]
"""A mask of shape (height, width) of the picture."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a detector found, best first: boxes, confidences in [0, 1] and the phrase that each box answers."""

    boxes: tuple[Box, ...] = ()
    scores: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


class Detector(Protocol):
    """Finds named things."""

    def __call__(
        self, picture: Image.Image, phrases: Sequence[str], *, box_threshold: float, text_threshold: float
    ) -> Found:
        """Find every thing that a phrase names; thresholds are in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What marks one region: any of a box around it, points on it (label 1) and beside it (0), a rough mask of it."""

    box: Box | None = None
    points: tuple[Point, ...] = ()
    labels: tuple[int, ...] = ()
    mask: Region | None = None


class Segmenter(Protocol):
    """Outlines what boxes, points and rough masks mean."""

    def from_boxes(self, picture: Image.Image, boxes: Sequence[Box]) -> list[Region]:
        """Give the best mask for each box, in their order."""
        ...

    def from_points(self, picture: Image.Image, points: Sequence[Point], labels: Sequence[int]) -> list[Region]:
        """Give the masks of what the points lie on (label 1) and not (label 0), from the smallest part to the whole."""
        ...

    def from_prompts(self, picture: Image.Image, prompts: Sequence[Prompt]) -> list[Region]:
        """Give the best mask for each prompt, in their order; an empty one where nothing is found."""
        ...


class SceneParser(Protocol):
    """Names the areas of a scene."""

    def __call__(self, picture: Image.Image) -> Sequence[tuple[str, Region]]:
        """Give the classes that occur, each with its area; the areas do not overlap."""
        ...


class Captioner(Protocol):
    """Describes pictures."""

    def __call__(self, picture: Image.Image) -> str:
        """Describe the picture in a sentence."""
        ...


class Tagger(Protocol):
    """Names what is in a picture."""

    def __call__(self, picture: Image.Image) -> Sequence[tuple[str, float]]:
        """Give tags and confidences in [0, 1], most confident first."""
        ...


class Embedder(Protocol):
    """Turns pictures into vectors whose inner product says how alike they are."""

    def __call__(self, pictures: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Give an array of shape (pictures, dimensions) with rows of length 1."""
        ...


class FeatureMap(Protocol):
    """Gives dense features, for finding by example."""

    def __call__(self, picture: Image.Image) -> npt.NDArray[np.float32]:
        """Give an array of shape (rows, columns, dimensions) with vectors of length 1."""
        ...


class Painter(Protocol):
    """Makes pictures: from a prompt, and from whatever pictures the skill gives it by keyword."""

    def __call__(self, prompt: str, **pictures: Image.Image) -> Image.Image:
        """Paint one picture."""
        ...
