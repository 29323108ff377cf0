"""Naming the areas of a scene. Knows classes and areas; a scene parser does the seeing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, make_skill, picture_of
from llavaplus_graph.types import Mask, SceneMap
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.scene_parsers import HubSceneParser
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.protocols import SceneParser

SCENE_PARSER: Final = "openmmlab/upernet-convnext-tiny"
"""60 million parameters, MIT, the 150 classes of ADE20K."""

_LEAST_SHARE = 0.001


def segment_scene(
    *,
    store: ImageStore | None = None,
    model: str = SCENE_PARSER,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    backend: SceneParser | None = None,
) -> BaseTool:
    """The skill that names every area of a scene.

    Args:
        store: where handles lead; by default the store of the process.
        model: hub id or directory of a OneFormer, Mask2Former, MaskFormer, EoMT, UPerNet, SegFormer or BEiT; which
            classes it knows depends on what it was trained on.
        revision: a branch, tag or commit; by default the main one.
        device: ``auto`` is the GPU where there is one.
        dtype: ``auto`` is float32 on the CPU and half precision on a GPU.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
        backend: a scene parser to use instead of all these.
    """
    pictures = store if store is not None else default_store()
    parser = backend or HubSceneParser(Weights(model, revision, device, dtype, allow_download), pool)

    def run(image: str | Path | Image.Image) -> SceneMap:
        """Name every area of a scene: road, sky, building and so on."""
        handle, picture = picture_of(image, pictures)
        with spoken_for("segment_scene", parser):
            parsed = parser(picture)
        areas = [(name, Mask.from_array(region)) for name, region in parsed if region.mean() >= _LEAST_SHARE]
        areas.sort(key=lambda named: named[1].area, reverse=True)
        classes, masks = tuple(name for name, _ in areas), tuple(mask for _, mask in areas)
        return SceneMap(image=handle, classes=classes, masks=masks)

    return make_skill(run, row_with("segment_scene", parser), PictureArguments)
