"""The Hugging Face configuration and processor of an original checkpoint. Knows settings and shapes, no numbers.

What the original configuration leaves out, the sizes of a vision tower inside the checkpoint, is read from the shapes
of its weights.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaImageProcessorPil,
    LlavaProcessor,
)

from llavaplus_graph.chat_model.conversion.names import EMBEDDINGS, HEAD, PROJECTOR, TOWER, stored
from llavaplus_graph.chat_model.conversion.shards import Entry
from llavaplus_graph.chat_model.conversion.source import read_json, understood
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.errors import CheckpointError
from llavaplus_graph.protocol import IMAGE

# All of OpenAI's have heads of 64 and quick GELU; other towers differ, and their weights do not tell.
_OPENAI = re.compile(r"clip-vit-(base|large)-patch\d+(-336)?$")
_OPENAI_HEAD = 64
_TEXT = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_act",
    "max_position_embeddings",
    "initializer_range",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "attention_bias",
    "mlp_bias",
    "head_dim",
    "tie_word_embeddings",
)
_PROJECTORS = (None, "linear", "mlp2x_gelu")
_EYE_LAYER = re.compile(re.escape(TOWER) + r"encoder\.layers\.(\d+)\.")
_LAYER = re.compile(r"language_model\.model\.layers\.(\d+)\.")


def vision_config(name: str, directory: Path | None, weights: Mapping[str, Entry]) -> CLIPVisionConfig:
    """Describe the vision tower.

    Args:
        name: What the original configuration calls it.
        directory: The CLIP directory that was named for it, if one was.
        weights: New names and shapes of all weights.

    Raises:
        CheckpointError: If it is no CLIP, or nothing says how it is built.
    """
    if directory is not None:
        found = read_json(directory / "config.json")
        settings = found.get("vision_config", found)
        kind = str(found.get("model_type"))
        if not kind.startswith("clip"):
            raise CheckpointError(f"{str(directory)!r} holds a {kind}; a CLIP vision tower is needed.")
        return understood(lambda: CLIPVisionConfig.from_dict({**settings, "model_type": "clip_vision_model"}))
    if not _OPENAI.search(name.rstrip("/")):
        raise CheckpointError(
            f"The checkpoint sees with {name!r}, and its weights do not tell how that is built; "
            "name its directory with --vision-tower."
        )
    width, _, _, patch = _shape(weights, f"{TOWER}embeddings.patch_embedding.weight", 4)
    positions, _ = _shape(weights, f"{TOWER}embeddings.position_embedding.weight", 2)
    inner, _ = _shape(weights, f"{TOWER}encoder.layers.0.mlp.fc1.weight", 2)
    return understood(
        lambda: CLIPVisionConfig(
            hidden_size=width,
            intermediate_size=inner,
            num_hidden_layers=_count(_EYE_LAYER, weights),
            num_attention_heads=max(width // _OPENAI_HEAD, 1),
            image_size=math.isqrt(max(positions - 1, 0)) * patch,
            patch_size=patch,
        )
    )


def llava_config(
    config: Mapping[str, Any], vision: CLIPVisionConfig, weights: Mapping[str, Entry], tokenizer: Any
) -> LlavaConfig:
    """Describe the converted model.

    Args:
        config: The original config.json.
        vision: Its vision tower.
        weights: New names and shapes of all weights.
        tokenizer: The converted tokenizer, with `<image>` in it.

    Raises:
        CheckpointError: If a setting has no counterpart.
    """
    kind = config.get("mm_projector_type")
    if kind not in _PROJECTORS:
        raise CheckpointError(f"The checkpoint has a projector of type {kind!r}; linear and mlp2x_gelu are known.")
    feature = config.get("mm_vision_select_feature", "patch")
    if feature not in ("patch", "cls_patch"):
        raise CheckpointError(f"The checkpoint selects {feature!r} of the vision tower; patch and cls_patch are known.")
    rows, _ = _shape(weights, EMBEDDINGS, 2)
    text: Any = understood(
        lambda: LlamaConfig(
            **{key: config[key] for key in _TEXT if config.get(key) is not None},
            vocab_size=max(rows, len(tokenizer)),
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    eye: Any = vision
    _check_layers("language model", text.num_hidden_layers, _count(_LAYER, weights))
    _check_layers("vision tower", eye.num_hidden_layers, _count(_EYE_LAYER, weights))
    layer = _selected_layer(config.get("mm_vision_select_layer", -2), eye.num_hidden_layers)
    return understood(
        lambda: LlavaConfig(
            text_config=text,
            vision_config=eye,
            image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
            image_seq_length=(eye.image_size // eye.patch_size) ** 2 + (feature == "cls_patch"),
            # A linear projector is two linear maps with nothing between, of which the second changes nothing.
            projector_hidden_act="gelu" if f"{PROJECTOR}linear_2.weight" in weights else "linear",
            vision_feature_layer=layer,
            vision_feature_select_strategy="default" if feature == "patch" else "full",
            tie_word_embeddings=text.tie_word_embeddings,
            architectures=["LlavaForConditionalGeneration"],
            dtype=weights[EMBEDDINGS].dtype,
        )
    )


def expected_weights(config: LlavaConfig) -> dict[str, tuple[int, ...]]:
    """Give the names and shapes of all weights that the converted model has, as they are written."""
    with torch.device("meta"):
        state = understood(lambda: LlavaForConditionalGeneration(config)).state_dict()
    names = stored(state)
    found = {names[name]: tuple(weight.shape) for name, weight in state.items()}
    if config.tie_word_embeddings:
        found.pop(HEAD, None)
    return found


def build_processor(
    config: LlavaConfig, original: Mapping[str, Any], tower: Path | None, tokenizer: Any, chat_template: str
) -> LlavaProcessor:
    """Make the processor; how it squares pictures is a setting of the original.

    Args:
        config: The converted model.
        original: The original config.json.
        tower: The CLIP directory, whose own settings for pictures count where it has them.
        tokenizer: The converted tokenizer.
        chat_template: Jinja.

    Raises:
        CheckpointError: If the original cuts pictures into tiles, as LLaVA-NeXT does.
    """
    aspect = original.get("image_aspect_ratio") or "square"
    if aspect not in ("square", "pad"):
        raise CheckpointError(f"The checkpoint prepares pictures as {aspect!r}; only square and pad can be converted.")
    vision: Any = config.vision_config
    side = int(vision.image_size)
    settings: dict[str, Any] = {"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}}
    if tower is not None and (tower / "preprocessor_config.json").exists():
        found = read_json(tower / "preprocessor_config.json")
        settings |= understood(lambda: _picture_settings(found), "preprocessor_config.json")
    images = understood(
        lambda: (
            LlavaImageProcessorPil(**settings, do_pad=True) if aspect == "pad" else CLIPImageProcessorPil(**settings)
        ),
        "preprocessor_config.json",
    )
    return LlavaProcessor(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=int(vision.patch_size),
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        num_additional_image_tokens=1,
        chat_template=chat_template,
    )


def generation_config(config: LlavaConfig, dialect: Dialect) -> GenerationConfig:
    """Say how to generate: greedily, to the end of a turn, and never a token that stands for a picture."""
    text: Any = config.text_config
    stop = dialect.conversation.stop
    return GenerationConfig(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        bos_token_id=text.bos_token_id,
        eos_token_id=text.eos_token_id,
        pad_token_id=text.pad_token_id,
        suppress_tokens=[config.image_token_index],
        # A v0 checkpoint ends its turn with this text; it never learnt to end it with a token.
        **({"stop_strings": [stop]} if dialect.template == "v0" else {}),
    )


def _picture_settings(found: Mapping[str, Any]) -> dict[str, Any]:
    known = ("size", "crop_size", "resample", "do_center_crop", "do_normalize", "do_resize", "image_mean", "image_std")
    settings = {key: found[key] for key in known if found.get(key) is not None}
    if "resample" in settings:
        settings["resample"] = int(settings["resample"])
    for key in ("size", "crop_size"):  # older directories write one number
        if isinstance(settings.get(key), int):
            side = settings[key]
            settings[key] = {"shortest_edge": side} if key == "size" else {"height": side, "width": side}
    return settings


def _shape(weights: Mapping[str, Entry], name: str, dimensions: int) -> tuple[int, ...]:
    if name not in weights:
        raise CheckpointError(f"The checkpoint lacks the weight for {name!r}; it is incomplete.")
    shape = weights[name].shape
    if len(shape) != dimensions or not all(shape):
        raise CheckpointError(f"The weight for {name!r} has the shape {shape}; it is damaged.")
    return shape


def _count(layer: re.Pattern[str], weights: Mapping[str, Entry]) -> int:
    return len({match[1] for match in map(layer.match, weights) if match})


def _check_layers(part: str, described: int, found: int) -> None:
    # Before anything is built as described: a description costs nothing, a million layers cost hours.
    if described != found:
        raise CheckpointError(
            f"config.json describes a {part} of {described} layers and the weights have {found}; "
            "the two are not of one model, or files are missing."
        )


def _selected_layer(layer: Any, layers: int) -> int:
    if not isinstance(layer, int) or not -layers - 1 <= layer <= layers:
        raise CheckpointError(
            f"The checkpoint selects layer {layer!r} of a vision tower of {layers} layers; it has none."
        )
    return layer
