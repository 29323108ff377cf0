"""Names every pixel of a scene with models of Hugging Face. Knows tensors, no result and no skill."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.framing import framed
from llavaplus_tools._backends.hub import load_configuration, load_image_processor, load_model, load_tokenizer
from llavaplus_tools._backends.pool import ModelPool, default_pool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.protocols import Region

_QUERIED: Final = ("oneformer", "mask2former", "maskformer", "eomt")
_BY_PIXEL: Final = ("upernet", "segformer", "beit")
_LONGEST_SIDE = 768
"""Classes are told apart at this size: 150 of them at the size of a large picture would fill the memory."""


class HubSceneParser:
    """A `SceneParser` with weights of Hugging Face, loaded at the first call and shared through a pool.

    Args:
        weights: a OneFormer, Mask2Former, MaskFormer, EoMT, UPerNet, SegFormer or BEiT that was trained on scenes.
        pool: where loaded models are kept; by default that of the process.
    """

    def __init__(self, weights: Weights, pool: ModelPool | None = None) -> None:
        self.weights = weights
        self._pool = pool if pool is not None else default_pool()

    def __call__(self, picture: Image.Image) -> list[tuple[str, Region]]:
        """Give the classes that occur, each with its area, in the order of the model's classes."""
        names, numbers = self._pool.use(
            self.weights, "scene parser", partial(_load, self.weights.id), lambda parser: parser.parse(picture)
        )
        return [(names[number], numbers == number) for number in np.unique(numbers).tolist() if number in names]


@dataclass(frozen=True, slots=True)
class _Parser:
    model: Any  # as all from transformers
    processor: Any
    task: Any
    """What OneFormer is told to do, as tokens; None for other models."""

    def parse(self, picture: Image.Image) -> tuple[dict[int, str], npt.NDArray[np.int32]]:
        """The names of the classes, and the class of every pixel (height x width)."""
        import torch

        seen = framed(picture)
        inputs = self.processor(images=seen, return_tensors="pt").to(self.model.device, self.model.dtype)
        if self.task is not None:
            inputs["task_inputs"] = self.task.to(self.model.device)
        scale = min(1.0, _LONGEST_SIDE / max(seen.size))
        size = (max(1, round(seen.height * scale)), max(1, round(seen.width * scale)))
        with torch.inference_mode():
            output = self.model(**inputs)
            (classes,) = self.processor.post_process_semantic_segmentation(_in_float(output), target_sizes=[size])
        small = Image.fromarray(classes.cpu().numpy().astype(np.int32), mode="I")
        large = np.asarray(small.resize(seen.size, Image.Resampling.NEAREST))
        names = {number: name.split(",")[0].strip() for number, name in self.model.config.id2label.items()}
        return names, large[: picture.height, : picture.width]


def _in_float(output: Any) -> Any:
    # Interpolation in half precision is missing on some devices, and coarse on the others.
    for key, value in output.items():
        if getattr(value, "is_floating_point", bool)():
            output[key] = value.float()
    return output


def _load(name: str, weights: Weights) -> _Parser:
    family = load_configuration(weights).model_type
    if family not in (*_QUERIED, *_BY_PIXEL):
        raise SkillError(
            f"the weights {name} belong to a {family}, which names no scenes; "
            "choose a OneFormer, Mask2Former, EoMT or UPerNet"
        )
    auto = "AutoModelForUniversalSegmentation" if family in _QUERIED else "AutoModelForSemanticSegmentation"
    model = load_model(weights, auto)
    if family != "oneformer":
        return _Parser(model, load_image_processor(weights), None)
    # OneFormer's own processor would ask the hub for the names of the classes, which the model knows.
    processor = load_image_processor(weights, "Mask2FormerImageProcessorPil")
    return _Parser(model, processor, _task(load_tokenizer(weights), model.config.task_seq_len))


def _task(tokenizer: Any, length: int) -> Any:
    text = tokenizer("the task is semantic", padding="max_length", max_length=length, return_tensors="pt")
    return text["input_ids"] * text["attention_mask"]
