from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llavaplus_tools._backends.contrastive import HubEmbedder, HubTagger, _load, among, each
from llavaplus_tools._backends.weights import Weights

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))


def test_probabilities_that_stand_for_themselves() -> None:
    assert each(np.array([0.0, 0.1, 0.2]), 10.0, -1.0) == pytest.approx([0.268941, 0.5, 0.731059], abs=1e-6)


def test_probabilities_that_add_up_to_1() -> None:
    assert among(np.array([0.1, 0.1, 0.1 + np.log(2) / 100]), 100.0) == pytest.approx([0.25, 0.25, 0.5])


@pytest.mark.parametrize("weights", ["siglip", "clip"])
def test_a_picture_fits_words_as_transformers_own_model_says(request: pytest.FixtureRequest, weights: str) -> None:
    import torch

    pair: Any = _load("tiny", Weights(str(request.getfixturevalue(weights)), device="cpu", dtype="float32"))
    words = ("cat", "red cup")
    fit = pair.fit(PICTURE, words)
    length = pair.model.config.text_config.max_position_embeddings
    texts = [f"this is a photo of {word}." for word in words]
    style = "max_length" if weights == "siglip" else True
    tokens = pair.tokenizer(texts, padding=style, max_length=length, truncation=True, return_tensors="pt")
    given = {"input_ids": tokens["input_ids"]} if weights == "siglip" else dict(tokens)
    pixels = pair.processor(images=PICTURE, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        logits = pair.model(pixel_values=pixels, **given).logits_per_image[0]
    theirs = logits.sigmoid() if weights == "siglip" else logits.softmax(dim=0)
    assert fit == pytest.approx(theirs.numpy(), abs=1e-5)


def test_vectors_have_length_1_and_many_pictures_are_embedded_in_turns(siglip: Path) -> None:
    embedder = HubEmbedder(Weights(str(siglip)))
    vectors = embedder([PICTURE.rotate(90 * (number % 2)) for number in range(70)])
    assert vectors.shape == (70, 16)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(70), abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[68], abs=1e-5)
    assert vectors[0] != pytest.approx(vectors[1], abs=1e-5)


def test_a_vocabulary_has_each_word_once_in_its_order(siglip: Path) -> None:
    assert HubTagger(Weights(str(siglip)), ["dog", " cat ", "", "dog", "red  cup"]).vocabulary == (
        "dog",
        "cat",
        "red cup",
    )
