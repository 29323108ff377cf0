"""Outlines what prompts mark, with SAM or SAM 2. Knows tensors, no result and no skill.

A picture is encoded once and remembered for the next prompts on it: encoding takes nearly all of the time.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_graph.types import Box, Point
from llavaplus_tools._backends.framing import framed, stretch
from llavaplus_tools._backends.hub import load_configuration, load_image_processor, load_model
from llavaplus_tools._backends.pool import ModelPool, default_pool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.boxes import box_around
from llavaplus_tools.protocols import Prompt, Region

_SQUASHED: Final = ("sam2", "sam2_video")
"""Families that see the picture squashed to a square; SAM sees it padded to one. The hub's SAM 2 are all of the latter
kind by name."""

_REMEMBERED = 2
_AT_ONCE = 16
_CERTAIN = 10.0  # the logit of a pixel that a rough mask holds, or does not


class SamSegmenter:
    """A `Segmenter` with weights of Hugging Face, loaded at the first call and shared through a pool.

    Args:
        weights: a SAM or a SAM 2.
        pool: where loaded models are kept; by default that of the process.
    """

    def __init__(self, weights: Weights, pool: ModelPool | None = None) -> None:
        self.weights = weights
        self._pool = pool if pool is not None else default_pool()

    def from_boxes(self, picture: Image.Image, boxes: Sequence[Box]) -> list[Region]:
        """Give the best mask for each box, in their order."""
        return self.from_prompts(picture, [Prompt(box=box) for box in boxes])

    def from_points(self, picture: Image.Image, points: Sequence[Point], labels: Sequence[int]) -> list[Region]:
        """Give SAM's three masks for points, from the smallest part to the whole."""
        prompt = Prompt(points=tuple(points), labels=tuple(labels))
        levels = self._pool.use(
            self.weights, "segmenter", partial(_load, self.weights.id), lambda sam: sam.levels(picture, prompt)
        )
        return sorted(levels, key=lambda region: int(region.sum()))

    def from_prompts(self, picture: Image.Image, prompts: Sequence[Prompt]) -> list[Region]:
        """Give the best mask for each prompt, in their order."""
        masks: list[Region] = self._pool.use(
            self.weights, "segmenter", partial(_load, self.weights.id), lambda sam: sam.best(picture, prompts)
        )
        return masks


@dataclass(frozen=True, slots=True)
class _Encoded:
    """What the decoder needs to know of a picture.

    Attributes:
        embeddings: tensors.
        content: height and width that the framed picture takes of the model's square.
        picture: height and width in pixels.
        stretch: how much wider and higher the framed picture is.
    """

    embeddings: Any
    content: tuple[int, int]
    picture: tuple[int, int]
    stretch: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Sam:
    model: Any  # as all from transformers
    processor: Any
    squashed: bool
    recent: OrderedDict[str, _Encoded] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def side(self) -> int:
        """The model's square, in pixels."""
        return int(self.model.config.prompt_encoder_config.image_size)

    def best(self, picture: Image.Image, prompts: Sequence[Prompt]) -> list[Region]:
        encoded = self._encoded(picture)
        if all(prompt.box and not prompt.points and prompt.mask is None for prompt in prompts):
            groups = [list(prompts[start : start + _AT_ONCE]) for start in range(0, len(prompts), _AT_ONCE)]
        else:
            groups = [[prompt] for prompt in prompts]
        masks: list[Region] = []
        for group in groups:
            # Only one point leaves open how much is meant; then the most certain of several masks is the best.
            open_ended = len(group) == 1 and len(group[0].points) == 1 and not group[0].box and group[0].mask is None
            logits, scores = self._decoded(encoded, group, several=open_ended)
            chosen = scores.argmax(dim=1)
            masks += [_in_picture(one[index], encoded, self.side) for one, index in zip(logits, chosen, strict=True)]
        return masks

    def levels(self, picture: Image.Image, prompt: Prompt) -> list[Region]:
        encoded = self._encoded(picture)
        logits, _ = self._decoded(encoded, [prompt], several=True)
        return [_in_picture(level, encoded, self.side) for level in logits[0]]

    def _encoded(self, picture: Image.Image) -> _Encoded:
        key = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()
        with self.lock:
            if key in self.recent:
                self.recent.move_to_end(key)
                return self.recent[key]
        import torch

        pixels = self.processor(images=framed(picture), return_tensors="pt")
        content = (self.side, self.side) if self.squashed else tuple(pixels["reshaped_input_sizes"][0].tolist())
        with torch.inference_mode():
            values = pixels["pixel_values"].to(self.model.device, self.model.dtype)
            embeddings = self.model.get_image_embeddings(values)
        encoded = _Encoded(embeddings, content, (picture.height, picture.width), stretch(picture))
        with self.lock:
            self.recent[key] = encoded
            while len(self.recent) > _REMEMBERED:
                self.recent.popitem(last=False)
        return encoded

    def _decoded(self, encoded: _Encoded, prompts: Sequence[Prompt], *, several: bool) -> tuple[Any, Any]:
        """Logits (prompts x masks x height x width, small) and scores (prompts x masks) of prompts of one kind."""
        import torch

        boxes = [_box_of(prompt) for prompt in prompts]
        points = [prompt.points for prompt in prompts]
        mask = prompts[0].mask
        with torch.inference_mode():
            output = self.model(
                image_embeddings=encoded.embeddings,
                input_boxes=self._placed(boxes, encoded).reshape(1, len(prompts), 4) if all(boxes) else None,
                input_points=self._placed(points, encoded)[None] if all(points) else None,
                input_labels=torch.tensor([[p.labels for p in prompts]], device=self.model.device)
                if all(points)
                else None,
                input_masks=None if mask is None else self._rough(mask, encoded),
                multimask_output=several,
            )
        return output.pred_masks[0].float(), output.iou_scores[0].float()

    def _placed(self, shares: Any, encoded: _Encoded) -> Any:
        """Coordinates x, y, as many as there are, from shares of the picture to pixels of the model's square."""
        import torch

        scale = np.array(encoded.content[::-1]) / np.array(encoded.stretch)
        places = np.array(shares, np.float64).reshape(len(shares), -1, 2) * scale
        return torch.tensor(places, dtype=torch.float32, device=self.model.device)

    def _rough(self, mask: Region, encoded: _Encoded) -> Any:
        """A mask as the logits that the prompt encoder reads, a quarter of the square's patches in size."""
        import torch
        from torch.nn.functional import interpolate

        config = self.model.config.prompt_encoder_config
        square = torch.zeros(1, 1, self.side, self.side)
        height = max(1, round(encoded.content[0] / encoded.stretch[1]))
        width = max(1, round(encoded.content[1] / encoded.stretch[0]))
        square[..., :height, :width] = interpolate(torch.tensor(mask)[None, None].float(), (height, width), mode="area")
        small = interpolate(square, (4 * config.image_size // config.patch_size,) * 2, mode="area")
        return ((small * 2 - 1) * _CERTAIN).to(self.model.device, self.model.dtype)


def _box_of(prompt: Prompt) -> Box | None:
    # SAM needs more than a rough mask to know what is meant.
    return prompt.box or (box_around(prompt.mask) if prompt.mask is not None and not prompt.points else None)


def _in_picture(logits: Any, encoded: _Encoded, side: int) -> Region:
    """A small mask (height x width, logits) at the size of its picture."""
    from torch.nn.functional import interpolate

    height, width = encoded.picture
    whole = (round(height * encoded.stretch[1]), round(width * encoded.stretch[0]))
    square = interpolate(logits[None, None], (side, side), mode="bilinear", align_corners=False)
    content = square[..., : encoded.content[0], : encoded.content[1]]
    large = interpolate(content, whole, mode="bilinear", align_corners=False)
    region: Region = (large[0, 0, :height, :width] > 0).cpu().numpy()
    return region


def _load(name: str, weights: Weights) -> _Sam:
    family = load_configuration(weights).model_type
    if family != "sam" and family not in _SQUASHED:
        raise SkillError(f"the weights {name} belong to a {family}, which outlines nothing; choose a SAM or a SAM 2")
    squashed = family in _SQUASHED
    # The class of SAM 2's own processor needs torchvision; all it does is scale to a square and normalise.
    processor = load_image_processor(weights, "ViTImageProcessorPil" if squashed else None)
    return _Sam(load_model(weights, "AutoModelForMaskGeneration"), processor, squashed)
