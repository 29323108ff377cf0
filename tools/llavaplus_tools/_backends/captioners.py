"""Describes pictures with Florence-2, BLIP or BLIP-2. Knows tokens and tensors, no skill."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.framing import framed
from llavaplus_tools._backends.hub import load_configuration, load_image_processor, load_model, load_tokenizer
from llavaplus_tools._backends.pool import ModelPool, default_pool
from llavaplus_tools._backends.weights import Weights

_FAMILIES: Final = ("florence2", "blip", "blip-2")
_SHORT: Final = "What does the image describe?"
_DETAILED: Final = "Describe in detail what is shown in the image."
"""The words that Florence-2 was trained to answer with a sentence, and with two or three."""

_MOST_TOKENS: Final = 50
_MOST_TOKENS_IN_DETAIL: Final = 200
_BEAMS: Final = 3
_SIGHT: Final = 577
"""Tokens that a picture takes in Florence-2, where its settings do not say."""


class HubCaptioner:
    """A `Captioner` with weights of Hugging Face, loaded at the first call and shared through a pool.

    Args:
        weights: a Florence-2, BLIP or BLIP-2.
        pool: where loaded models are kept; by default that of the process.
        detailed: let Florence-2 write two or three sentences; the others know one length only.
    """

    def __init__(self, weights: Weights, pool: ModelPool | None = None, *, detailed: bool = False) -> None:
        self.weights = weights
        self._pool = pool if pool is not None else default_pool()
        self._detailed = detailed

    def __call__(self, picture: Image.Image) -> str:
        """Describe the picture."""
        caption: str = self._pool.use(
            self.weights,
            "captioner",
            partial(_load, self.weights.id),
            lambda model: model.describe(framed(picture), self._detailed),
        )
        return caption


@dataclass(frozen=True, slots=True)
class _Describer:
    model: Any  # as all from transformers
    processor: Any
    tokenizer: Any

    def describe(self, picture: Image.Image, detailed: bool) -> str:
        """What the model says of a picture, without special tokens and line breaks."""
        import torch

        device, family = self.model.device, self.model.config.model_type
        pixels = self.processor(images=picture, return_tensors="pt")["pixel_values"].to(device, self.model.dtype)
        words = {}
        if family == "florence2":
            ids = torch.tensor([self._asked(_DETAILED if detailed else _SHORT)], device=device)
            words = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        most = _MOST_TOKENS_IN_DETAIL if detailed and family == "florence2" else _MOST_TOKENS
        with torch.inference_mode():
            tokens = self.model.generate(
                pixel_values=pixels, max_new_tokens=most, num_beams=_BEAMS, do_sample=False, **words
            )
        return " ".join(str(self.tokenizer.decode(tokens[0], skip_special_tokens=True)).split())

    def _asked(self, question: str) -> list[int]:
        """Florence-2's question as tokens, after the places that the picture takes."""
        places = getattr(self.processor, "image_seq_length", None) or _SIGHT
        sight = [self.model.config.image_token_id] * places
        text = f"{self.tokenizer.bos_token}{question}{self.tokenizer.eos_token}"
        return sight + list(self.tokenizer(text, add_special_tokens=False).input_ids)


def _load(name: str, weights: Weights) -> _Describer:
    family = load_configuration(weights).model_type
    if family not in _FAMILIES:
        raise SkillError(
            f"the weights {name} belong to a {family}, which describes no pictures; "
            "choose a Florence-2, a BLIP or a BLIP-2"
        )
    model = load_model(weights, "AutoModelForImageTextToText")
    return _Describer(model, load_image_processor(weights), load_tokenizer(weights))
