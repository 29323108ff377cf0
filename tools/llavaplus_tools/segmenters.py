"""The segmenters that skills use when they are given none: SAM where its weights are at hand, OpenCV elsewhere."""

from __future__ import annotations

from typing import Final

from llavaplus_graph.skills import catalogued
from llavaplus_tools._backends.offline import GrabCutSegmenter
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.sam import SamSegmenter
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.protocols import Segmenter

SEGMENTER: Final = "facebook/sam2.1-hiera-small"
"""46 million parameters, Apache-2.0."""


def sam_segmenter(
    model: str = SEGMENTER,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
) -> Segmenter:
    """A segmenter with weights of Hugging Face, for the skills that take one.

    Args:
        model: hub id or directory of a SAM or a SAM 2.
        revision: a branch, tag or commit; by default the main one.
        device: ``auto`` is the GPU where there is one.
        dtype: ``auto`` is float32, because half precision moves points by several pixels.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
    """
    number = "float32" if dtype == "auto" else dtype
    return SamSegmenter(Weights(model, revision, device, number, allow_download), pool)


def grabcut_segmenter(name: str = "segment_region", *, isolated: bool = True) -> Segmenter:
    """A segmenter that needs no weights: OpenCV's GrabCut, which knows colours and edges and no things.

    Args:
        name: the skill that it works for, whose deadline it keeps.
        isolated: OpenCV runs in a process of its own, which is stopped at the deadline and may break down alone.
    """
    return GrabCutSegmenter(name, seconds=catalogued(name).deadline, isolated=isolated)


def best_segmenter(
    name: str,
    model: str | None = None,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    isolated: bool = True,
) -> Segmenter:
    """What a skill uses that also works without weights.

    Args:
        name: the skill.
        model: as in `sam_segmenter`; by default the usual SAM 2 where it is on this machine or may be fetched, and
            GrabCut where not.
        revision: as in `sam_segmenter`, like the following.
        device: see there.
        dtype: see there.
        allow_download: see there.
        pool: see there.
        isolated: as in `grabcut_segmenter`.
    """
    if model is None and not allow_download and Weights(SEGMENTER, revision).folder() is None:
        return grabcut_segmenter(name, isolated=isolated)
    return sam_segmenter(
        model or SEGMENTER, revision=revision, device=device, dtype=dtype, allow_download=allow_download, pool=pool
    )
