"""Finds what phrases name, with Grounding DINO, MM-Grounding-DINO, OWLv2 or OWL-ViT. Knows tensors, no skill.

Every family gives a score for each of its boxes and each phrase; from there on they are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.framing import framed, stretch
from llavaplus_tools._backends.hub import load_configuration, load_image_processor, load_model, load_tokenizer
from llavaplus_tools._backends.pool import ModelPool, default_pool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.protocols import Found

_Array = npt.NDArray[np.float64]
_GROUNDED: Final = ("grounding-dino", "mm-grounding-dino")
_CONTRASTED: Final = ("owlv2", "owlvit")


class ZeroShotDetector:
    """A `Detector` with weights of Hugging Face, loaded at the first call and shared through a pool.

    Args:
        weights: a Grounding DINO, MM-Grounding-DINO, OWLv2 or OWL-ViT.
        pool: where loaded models are kept; by default that of the process.
    """

    def __init__(self, weights: Weights, pool: ModelPool | None = None) -> None:
        self.weights = weights
        self._pool = pool if pool is not None else default_pool()

    def __call__(
        self, picture: Image.Image, phrases: Sequence[str], *, box_threshold: float, text_threshold: float
    ) -> Found:
        """Find every thing that a phrase names.

        Args:
            picture: RGB.
            phrases: what to look for.
            box_threshold: least score of a box, 0 to 1.
            text_threshold: least score of the phrase that it answers; OWLv2 has one score for both.
        """
        scores, boxes = self._pool.use(
            self.weights,
            "detector",
            partial(_load, self.weights.id),
            lambda model: model.score(framed(picture), phrases),
        )
        return found(scores, boxes * np.tile(stretch(picture), 2), phrases, max(box_threshold, text_threshold))


def found(scores: _Array, boxes: _Array, phrases: Sequence[str], threshold: float) -> Found:
    """The boxes that answer a phrase, each with the phrase that it answers best.

    Args:
        scores: boxes x phrases, 0 to 1; NaN where a model has lost its way.
        boxes: n x 4: x1, y1, x2, y2.
        phrases: as many as the scores have columns.
        threshold: a box with no higher score is left out.
    """
    best = np.nan_to_num(scores, nan=-1.0)
    answers, heights = best.argmax(axis=1), best.max(axis=1)
    kept = [int(index) for index in np.argsort(-heights, kind="stable") if heights[index] > threshold]
    return Found(
        boxes=tuple((b[0], b[1], b[2], b[3]) for b in boxes[kept].tolist()),
        scores=tuple(heights[kept].tolist()),
        labels=tuple(phrases[int(answers[index])] for index in kept),
    )


def _load(name: str, weights: Weights) -> _Grounded | _Contrasted:
    family = load_configuration(weights).model_type
    if family not in (*_GROUNDED, *_CONTRASTED):
        raise SkillError(
            f"the weights {name} belong to a {family}, which finds nothing by its name; "
            "choose a Grounding DINO, an MM-Grounding-DINO or an OWLv2"
        )
    model = load_model(weights, "AutoModelForZeroShotObjectDetection")
    kind = _Grounded if family in _GROUNDED else _Contrasted
    return kind(model, load_image_processor(weights), load_tokenizer(weights))


@dataclass(frozen=True, slots=True)
class _Grounded:
    """Grounding DINO reads all phrases as one text and scores every box against every token of it."""

    model: Any  # as all from transformers
    processor: Any
    tokenizer: Any

    def score(self, picture: Image.Image, phrases: Sequence[str]) -> tuple[_Array, _Array]:
        """Scores (boxes x phrases) and boxes, shares of the picture."""
        tokens = [self.tokenizer(_unpunctuated(phrase), add_special_tokens=False).input_ids for phrase in phrases]
        pixels = self.processor(images=picture, return_tensors="pt")
        all_scores, all_boxes = [], []
        for group in self._groups(tokens, phrases):
            probabilities, boxes = self._run(pixels, [tokens[index] for index in group])
            scores = np.zeros((len(boxes), len(phrases)))
            start = 1
            for index in group:
                end = start + len(tokens[index])
                if end > start:
                    scores[:, index] = probabilities[:, start:end].max(axis=1)
                start = end + 1
            all_scores.append(scores)
            all_boxes.append(boxes)
        return np.concatenate(all_scores), np.concatenate(all_boxes)

    def _groups(self, tokens: Sequence[Sequence[int]], phrases: Sequence[str]) -> Iterator[list[int]]:
        """Indices of phrases that fit together into one text."""
        room = self.model.config.max_text_len - 2
        group: list[int] = []
        filled = 0
        for index, ids in enumerate(tokens):
            if len(ids) >= room:
                raise SkillError(f"{phrases[index][:60]!r} is too long to look for; name each thing in a few words")
            if filled + len(ids) + 1 > room:
                yield group
                group, filled = [], 0
            group.append(index)
            filled += len(ids) + 1
        yield group

    def _run(self, pixels: Any, tokens: Sequence[Sequence[int]]) -> tuple[_Array, _Array]:
        """Probabilities (boxes x tokens) and boxes for the text that joins the phrases by full stops."""
        import torch

        stop = self.tokenizer.convert_tokens_to_ids(".")
        words = [token for phrase in tokens for token in (*phrase, stop)]
        text = [self.tokenizer.cls_token_id, *words, self.tokenizer.sep_token_id]
        ids = torch.tensor([text], device=self.model.device)
        with torch.inference_mode():
            output = self.model(
                pixel_values=pixels["pixel_values"].to(self.model.device, self.model.dtype),
                pixel_mask=pixels["pixel_mask"].to(self.model.device),
                input_ids=ids,
                token_type_ids=torch.zeros_like(ids),
                attention_mask=torch.ones_like(ids),
            )
        return _probabilities(output.logits[0]), corners(_numbers(output.pred_boxes[0]))


@dataclass(frozen=True, slots=True)
class _Contrasted:
    """OWLv2 compares every box with every phrase, as CLIP compares pictures with texts."""

    model: Any  # as all from transformers
    processor: Any
    tokenizer: Any

    def score(self, picture: Image.Image, phrases: Sequence[str]) -> tuple[_Array, _Array]:
        """Scores (boxes x phrases) and boxes, shares of the picture."""
        import torch

        device = self.model.device
        text = self.tokenizer(
            list(phrases),
            padding="max_length",
            max_length=self.model.config.text_config.max_position_embeddings,
            truncation=True,
            return_tensors="pt",
        )
        pixels = self.processor(images=picture, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            output = self.model(
                pixel_values=pixels.to(device, self.model.dtype),
                input_ids=text["input_ids"].to(device),
                attention_mask=text["attention_mask"].to(device),
            )
        boxes = corners(_numbers(output.pred_boxes[0]))
        if self.model.config.model_type == "owlv2":  # which sees the picture on a square canvas
            boxes *= np.tile(max(picture.size) / np.array(picture.size), 2)
        return _probabilities(output.logits[0]), boxes


def corners(boxes: _Array) -> _Array:
    """Boxes given as centre, width and height (n x 4) as x1, y1, x2, y2."""
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def _unpunctuated(phrase: str) -> str:
    # Full stops and question marks separate phrases in the text that Grounding DINO reads.
    return phrase.replace(".", " ").replace("?", " ")


def _probabilities(logits: Any) -> _Array:
    # In single precision very sure scores would all be 1.
    probabilities: _Array = logits.float().cpu().double().sigmoid().numpy()
    return probabilities


def _numbers(tensor: Any) -> _Array:
    numbers: _Array = tensor.float().cpu().numpy().astype(np.float64)
    return numbers
