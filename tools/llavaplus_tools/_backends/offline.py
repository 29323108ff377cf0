"""Outlines what prompts mark from colours and edges alone, without weights. Knows arrays, no result and no skill."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from llavaplus_graph.types import Box, Point
from llavaplus_tools._backends.grabcut import Hint, cut_box, cut_mask, cut_points, levels_at
from llavaplus_tools._backends.worker import apart
from llavaplus_tools.boxes import filled
from llavaplus_tools.protocols import Prompt, Region


class GrabCutSegmenter:
    """A `Segmenter` that needs no weights: OpenCV's GrabCut.

    It knows colours and edges, not things: it is good at regions that stand out and poor at patterned ones. Where it
    finds no region in a box, the mask is the box; where none in a rough mask, the mask stays as it is.

    Args:
        name: the skill that it works for.
        seconds: how long it may take when it runs in a process of its own, after which the process is stopped.
        isolated: it runs in a process of its own.
    """

    def __init__(self, name: str = "segment_region", *, seconds: float = 60.0, isolated: bool = True) -> None:
        self._cut_all = apart(_cut_all, name=name, seconds=seconds) if isolated else _cut_all
        self._levels_at = apart(levels_at, name=name, seconds=seconds) if isolated else levels_at

    def from_boxes(self, picture: Image.Image, boxes: Sequence[Box]) -> list[Region]:
        """Give the best mask for each box, in their order."""
        return self.from_prompts(picture, [Prompt(box=box) for box in boxes])

    def from_points(self, picture: Image.Image, points: Sequence[Point], labels: Sequence[int]) -> list[Region]:
        """Give the regions around the points with label 1 that stand out, from the smallest to the largest."""
        return self._levels_at(np.asarray(picture), _hints(points, labels))

    def from_prompts(self, picture: Image.Image, prompts: Sequence[Prompt]) -> list[Region]:
        """Give the best mask for each prompt, in their order."""
        return self._cut_all(np.asarray(picture), list(prompts))


def _cut_all(pixels: npt.NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Region]:
    return [_cut(pixels, prompt) for prompt in prompts]


def _cut(pixels: npt.NDArray[np.uint8], prompt: Prompt) -> Region:
    hints = _hints(prompt.points, prompt.labels)
    if prompt.box is not None:
        found = cut_box(pixels, prompt.box, hints)
        return found if found is not None else filled(prompt.box, (pixels.shape[1], pixels.shape[0]))
    if prompt.mask is not None:
        found = cut_mask(pixels, prompt.mask, hints) if prompt.mask.any() else None
        return found if found is not None else prompt.mask
    return cut_points(pixels, hints)


def _hints(points: Sequence[Point], labels: Sequence[int]) -> list[Hint]:
    return [Hint(*point, inside=label == 1) for point, label in zip(points, labels, strict=True)]
