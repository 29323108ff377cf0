"""Compares pictures with words and with each other, with CLIP or SigLIP. Knows vectors and tensors, no skill.

What tags pictures and what looks them up share one loaded model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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

Vectors = npt.NDArray[np.float32]
_KIND: Final = "pictures and words"
_SIGMOID: Final = ("siglip", "siglip2")
_SOFTMAX: Final = ("clip",)
_AT_ONCE: Final = 64  # texts or pictures in one forward pass
_LEAST_COSINE: Final = {"siglip": 0.6, "siglip2": 0.6, "clip": 0.7}


class HubTagger:
    """A `Tagger` that compares a picture with every word of a vocabulary.

    SigLIP says of each word by itself how well it fits; CLIP only how much better than the others.

    Args:
        weights: a SigLIP, SigLIP 2 or CLIP.
        vocabulary: the words; each is asked for as a photo of it.
        pool: where loaded models are kept; by default that of the process.
    """

    def __init__(self, weights: Weights, vocabulary: Sequence[str], pool: ModelPool | None = None) -> None:
        self.weights = weights
        self.vocabulary = tuple(dict.fromkeys(" ".join(word.split()) for word in vocabulary if word.strip()))
        self._pool = pool if pool is not None else default_pool()

    def __call__(self, picture: Image.Image) -> list[tuple[str, float]]:
        """Give every word with its confidence, most confident first."""
        scores = self._pool.use(
            self.weights,
            _KIND,
            partial(_load, self.weights.id),
            lambda pair: pair.fit(picture, self.vocabulary),
        )
        order = np.argsort(-scores, kind="stable")
        return [(self.vocabulary[int(index)], float(scores[index])) for index in order]


class HubEmbedder:
    """An `Embedder` that understands pictures: alike are those that show alike things.

    Args:
        weights: a SigLIP, SigLIP 2 or CLIP.
        pool: where loaded models are kept; by default that of the process.
    """

    def __init__(self, weights: Weights, pool: ModelPool | None = None) -> None:
        self.weights = weights
        self.name = weights.id if weights.revision is None else f"{weights.id}@{weights.revision}"
        self._pool = pool if pool is not None else default_pool()

    def __call__(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Give an array of shape (pictures, dimensions) with rows of length 1."""
        if not pictures:
            return np.zeros((0, 0), np.float32)
        groups = [pictures[start : start + _AT_ONCE] for start in range(0, len(pictures), _AT_ONCE)]
        return np.concatenate([self._embedded(group) for group in groups])

    def _embedded(self, pictures: Sequence[Image.Image]) -> Vectors:
        vectors: Vectors = self._pool.use(
            self.weights, _KIND, partial(_load, self.weights.id), lambda pair: pair.pictures(pictures)
        )
        return vectors


@dataclass(frozen=True, slots=True)
class _Pair:
    """One encoder for pictures and one for texts."""

    model: Any  # as all from transformers
    processor: Any
    tokenizer: Any
    known: dict[tuple[str, ...], Vectors] = field(default_factory=dict)

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """Vectors of length 1, one a row."""
        import torch

        given = self.processor(images=[framed(picture) for picture in pictures], return_tensors="pt")
        inputs = {name: self._placed(value) for name, value in given.items()}
        with torch.inference_mode():
            return _of_length_1(self.model.get_image_features(**inputs))

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length 1, one a row."""
        import torch

        length = self.model.config.text_config.max_position_embeddings
        # SigLIP has learned with all texts filled up to the same length, and in small letters.
        style = "max_length" if self.model.config.model_type in _SIGMOID else True
        rows = []
        for start in range(0, len(texts), _AT_ONCE):
            group = [text.lower() for text in texts[start : start + _AT_ONCE]]
            tokens = self.tokenizer(group, padding=style, max_length=length, truncation=True, return_tensors="pt")
            names = ("input_ids",) if style == "max_length" else ("input_ids", "attention_mask")
            with torch.inference_mode():
                found = self.model.get_text_features(**{name: self._placed(tokens[name]) for name in names})
            rows.append(_of_length_1(found))
        return np.concatenate(rows)

    def fit(self, picture: Image.Image, words: tuple[str, ...]) -> npt.NDArray[np.float64]:
        """How well each word fits, 0 to 1."""
        if words not in self.known:
            self.known.clear()  # one vocabulary is used over and over; two skills with two are rare
            self.known[words] = self.texts([f"This is a photo of {word}." for word in words])
        cosines = (self.known[words] @ self.pictures([picture])[0]).astype(np.float64)
        scale = float(self.model.logit_scale.detach().float().exp())
        if self.model.config.model_type in _SIGMOID:
            return each(cosines, scale, float(self.model.logit_bias.detach()))
        return among(cosines, scale)

    def _placed(self, value: Any) -> Any:
        placed = value.to(self.model.device)
        return placed.to(self.model.dtype) if placed.is_floating_point() else placed


def each(cosines: npt.NDArray[np.float64], scale: float, bias: float) -> npt.NDArray[np.float64]:
    """Probabilities that each stand for themselves, as SigLIP has learned them (Zhai et al., 2023)."""
    probabilities: npt.NDArray[np.float64] = 1 / (1 + np.exp(-(cosines * scale + bias)))
    return probabilities


def among(cosines: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.float64]:
    """Probabilities that add up to 1, as CLIP has learned them (Radford et al., 2021)."""
    powers = np.exp((cosines - cosines.max()) * scale)
    probabilities: npt.NDArray[np.float64] = powers / powers.sum()
    return probabilities


def least_cosine(weights: Weights) -> float:
    """The cosine from which on two pictures may show the same kind of thing; a rule of thumb of the family."""
    name = weights.id.casefold()
    return _LEAST_COSINE["siglip" if "siglip" in name else "clip"]


def _of_length_1(features: Any) -> Vectors:
    # Newer versions of transformers give the vectors in an output, older ones alone.
    vectors = getattr(features, "pooler_output", features).float().cpu().numpy()
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    rows: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return rows


def _load(name: str, weights: Weights) -> _Pair:
    family = load_configuration(weights).model_type
    if family not in (*_SIGMOID, *_SOFTMAX):
        raise SkillError(
            f"the weights {name} belong to a {family}, which compares no pictures with words; choose a SigLIP or a CLIP"
        )
    return _Pair(load_model(weights, "AutoModel"), load_image_processor(weights), load_tokenizer(weights))
