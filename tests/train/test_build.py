import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.data.recipe import Shape
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.protocol import IMAGE
from llavaplus_graph.train import build
from llavaplus_graph.train.build import build_model, build_processor, export, image_tokens
from llavaplus_graph.train.vocabulary import SPACE, train_tokenizer

TINY = Shape(
    vocabulary=300,
    width=32,
    layers=1,
    heads=2,
    feed_forward=48,
    picture=32,
    patch=16,
    vision_width=16,
    vision_layers=1,
    vision_heads=2,
    vision_feed_forward=24,
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(["USER: find the red cup and the red sign ASSISTANT:"] * 8, ["read_text"], 300)


def rows(model: LlavaForConditionalGeneration) -> torch.Tensor:
    embeddings: Any = model.get_input_embeddings()
    weight: torch.Tensor = embeddings.weight.detach()
    return weight.clone()


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    return build_model(TINY, tokenizer, 1)


def test_a_picture_takes_as_many_tokens_as_the_tower_gives_features(
    model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert image_tokens(TINY) == 4
    picture = Image.effect_noise((50, 20), 60).convert("RGB")
    inputs = build_processor(TINY, tokenizer)(images=picture, text=f"USER: {IMAGE}\nfind", return_tensors="pt")
    assert (inputs["input_ids"] == tokenizer.convert_tokens_to_ids(IMAGE)).sum() == 4
    assert inputs["pixel_values"].shape == (1, 3, 32, 32)
    with torch.inference_mode():
        logits = model(**inputs).logits
    assert logits.shape == (1, inputs["input_ids"].shape[1], len(tokenizer))


def test_what_is_seen_changes_what_is_said(
    model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    processor = build_processor(TINY, tokenizer)
    with torch.inference_mode():
        seen = [
            model(**processor(images=Image.new("RGB", (32, 32), colour), text=IMAGE, return_tensors="pt")).logits
            for colour in ("white", "red")
        ]
    assert not torch.allclose(*seen)


def test_nothing_at_the_edges_of_a_picture_is_lost(tokenizer: PreTrainedTokenizerFast) -> None:
    wide = Image.new("RGB", (320, 32), "black")
    wide.paste("white", (0, 0, 32, 32))
    wide.paste("white", (288, 0, 320, 32))
    pixels = build_processor(TINY, tokenizer)(images=wide, text=IMAGE, return_tensors="pt")["pixel_values"][0, 0, 16]
    assert pixels[0] > pixels[16] < pixels[31]


def test_the_same_seed_gives_the_same_weights(
    model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    same, other = (build_model(TINY, tokenizer, seed).state_dict() for seed in (1, 2))
    assert all(torch.equal(weight, same[name]) for name, weight in model.state_dict().items())
    assert any(not torch.equal(weight, other[name]) for name, weight in model.state_dict().items())


def test_a_word_starts_near_its_spaced_twin(
    model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    row, tokens = rows(model), tokenizer.get_vocab()
    near = torch.cosine_similarity(row[tokens["red"]], row[tokens[f"{SPACE}red"]], dim=0)
    assert near > 0.6 > torch.cosine_similarity(row[tokens["red"]], row[tokens[f"{SPACE}the"]], dim=0)


def test_word_vectors_make_words_alike_that_mean_the_same(
    tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanings = torch.nn.functional.one_hot(torch.arange(2), TINY.width).float()
    asked: list[str] = []

    def vectors(package: str, words: list[str], width: int) -> torch.Tensor:
        asked.extend(words)
        return torch.stack([width * meanings[int(word in ("red", "cup"))] for word in words])

    monkeypatch.setattr(build, "word_vectors", vectors)
    row = rows(build_model(replace(TINY, word_vectors="some_encoder"), tokenizer, 1))
    tokens = tokenizer.get_vocab()
    alike, apart = (torch.cosine_similarity(row[tokens["red"]], row[tokens[w]], dim=0) for w in ("cup", "sign"))
    assert {"red", "cup", "sign", "the"} <= set(asked)
    assert alike > 0.8 > 0.5 > apart


def test_word_vectors_that_are_not_installed_are_named(tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(ConfigError, match="no_such_encoder"):
        build_model(replace(TINY, word_vectors="no_such_encoder"), tokenizer, 1)


def test_an_export_opens_with_the_weights_it_was_made_of(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = build_model(TINY, tokenizer, 1)
    wanted = rows(model)
    export(model, build_processor(TINY, tokenizer), tmp_path)
    opened = open_checkpoint(str(tmp_path))
    assert torch.allclose(rows(opened.model), wanted, atol=1e-2)
    assert opened.processor.tokenizer.encode("find the cup") == tokenizer.encode("find the cup")
    generation = json.loads((tmp_path / "generation_config.json").read_text("utf-8"))
    assert generation["eos_token_id"] == tokenizer.eos_token_id
    assert list(tmp_path.glob("*.safetensors"))
