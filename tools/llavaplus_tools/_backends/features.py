"""Dense features of pictures with DINOv2 or DINOv3: alike where pictures show alike things. Knows tensors, no skill."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.hub import load_configuration, load_image_processor, load_model
from llavaplus_tools._backends.pool import ModelPool, default_pool
from llavaplus_tools._backends.weights import Weights

_FAMILIES: Final = ("dinov2", "dinov2_with_registers", "dinov3_vit")
_LONGEST_SIDE = 40
"""Patches along the long side: fine enough for things of a twentieth of the picture, and quick on a CPU."""


class DinoFeatures:
    """A `FeatureMap` with weights of Hugging Face, loaded at the first call and shared through a pool.

    Args:
        weights: a DINOv2, with or without registers, or a DINOv3 ViT.
        pool: where loaded models are kept; by default that of the process.
    """

    def __init__(self, weights: Weights, pool: ModelPool | None = None) -> None:
        self.weights = weights
        self._pool = pool if pool is not None else default_pool()

    def __call__(self, picture: Image.Image) -> npt.NDArray[np.float32]:
        """Give an array of shape (rows, columns, dimensions) with vectors of length 1; a cell is a patch."""
        grid: npt.NDArray[np.float32] = self._pool.use(
            self.weights, "feature map", partial(_load, self.weights.id), lambda dino: dino.features(picture)
        )
        return grid


@dataclass(frozen=True, slots=True)
class _Dino:
    model: Any  # as all from transformers
    processor: Any

    def features(self, picture: Image.Image) -> npt.NDArray[np.float32]:
        import torch

        patch = int(self.model.config.patch_size)
        columns, rows = patches(picture.size)
        scaled = picture.resize((columns * patch, rows * patch), Image.Resampling.BICUBIC)
        pixels = self.processor(images=scaled, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            hidden = self.model(pixels.to(self.model.device, self.model.dtype)).last_hidden_state
        # Before the patches come the class token and, in some families, registers.
        grid = hidden[0, -rows * columns :].float().reshape(rows, columns, -1)
        features: npt.NDArray[np.float32] = torch.nn.functional.normalize(grid, dim=-1).cpu().numpy()
        return features


def patches(size: tuple[int, int]) -> tuple[int, int]:
    """How many patches wide and high a picture of a size in pixels is seen."""
    longest = max(size)
    return max(1, round(_LONGEST_SIDE * size[0] / longest)), max(1, round(_LONGEST_SIDE * size[1] / longest))


def _load(name: str, weights: Weights) -> _Dino:
    family = load_configuration(weights).model_type
    if family not in _FAMILIES:
        raise SkillError(
            f"the weights {name} belong to a {family}, which gives no dense features; choose a DINOv2 or a DINOv3 ViT"
        )
    # Any picture processor normalises; this one needs no torchvision for any of the families.
    processor = load_image_processor(weights, "ViTImageProcessorPil", do_resize=False, do_center_crop=False)
    return _Dino(load_model(weights, "AutoModel"), processor)
