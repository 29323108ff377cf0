"""Builds a new, untrained LMM of the class the released 7B loads into, only smaller. Knows sizes, not data."""

import logging
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from llavaplus_graph.data.recipe import Shape
from llavaplus_graph.train.vocabulary import SPACE
from llavaplus_graph.train.word_vectors import word_vectors

_log = logging.getLogger(__name__)


def image_tokens(shape: Shape) -> int:
    """Give the number of positions a picture takes."""
    return int((shape.picture // shape.patch) ** 2)


def build_processor(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """Make the processor: pictures are squashed to a square, so that nothing at their edges is lost."""
    side = {"height": shape.picture, "width": shape.picture}
    images = CLIPImageProcessorPil(size=side, do_center_crop=False, crop_size=side)
    return LlavaProcessor(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=shape.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )


def build_model(shape: Shape, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlavaForConditionalGeneration:
    """Make the LMM with random weights and, where the recipe names a source, token embeddings that know words.

    Args:
        shape: The sizes.
        tokenizer: Its vocabulary; `<image>`, `<s>`, `</s>` and `<pad>` must be in it.
        seed: Seeds the weights.
    """
    torch.manual_seed(seed)
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = CLIPVisionConfig(
        hidden_size=shape.vision_width,
        intermediate_size=shape.vision_feed_forward,
        num_hidden_layers=shape.vision_layers,
        num_attention_heads=shape.vision_heads,
        image_size=shape.picture,
        patch_size=shape.patch,
        projection_dim=shape.vision_width,
    )
    config = LlavaConfig(
        text_config=text,
        vision_config=vision,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),  # type: ignore[arg-type]  # one token, one id
        image_seq_length=image_tokens(shape),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    _know_words(model, tokenizer, shape)
    return model


def _know_words(model: Any, tokenizer: PreTrainedTokenizerFast, shape: Shape) -> None:
    """Start tokens from word vectors, and a word with a space before it from the same vector as without."""
    weights = model.get_input_embeddings().weight.data
    vocabulary = tokenizer.get_vocab()
    if shape.word_vectors is not None:
        words = sorted(
            {
                piece.removeprefix(SPACE)
                for piece in vocabulary
                if (piece.removeprefix(SPACE).isalpha() and piece.isascii()) or piece.startswith(SPACE)
            }
        )
        words = [word for word in words if len(word) > 2 and word.isascii() and word.isalpha() and word in vocabulary]
        vectors = word_vectors(shape.word_vectors, words, shape.width) * weights.std() * 1.2
        for word, vector in zip(words, vectors, strict=True):
            weights[vocabulary[word]] = 0.35 * weights[vocabulary[word]] + vector
        _log.info("%d of %d token embeddings start from %s", len(words), len(vocabulary), shape.word_vectors)
    space = weights[vocabulary[SPACE]].clone()
    for piece, index in vocabulary.items():
        twin = vocabulary.get(piece.removeprefix(SPACE)) if piece.startswith(SPACE) and len(piece) > 1 else None
        if twin is not None:
            weights[index] = weights[twin] + 0.5 * space + 0.1 * weights[index]


def export(model: LlavaForConditionalGeneration, processor: LlavaProcessor, target: Path) -> None:
    """Write a directory that `ChatLlavaPlus` opens: bfloat16 safetensors, tokenizer, processor, generation settings."""
    text: Any = model.config.text_config
    model.generation_config.pad_token_id = text.pad_token_id
    model.generation_config.eos_token_id = text.eos_token_id
    model.to(torch.bfloat16).save_pretrained(target)  # type: ignore[arg-type]  # its decorator hides `self`
    processor.save_pretrained(target)
