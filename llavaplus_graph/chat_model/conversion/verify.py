"""Whether a converted directory is complete and does what the original did. Changes nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import LlavaConfig

from llavaplus_graph.chat_model.checkpoints import check_directory, open_processor
from llavaplus_graph.chat_model.conversion.names import PROJECTOR
from llavaplus_graph.chat_model.conversion.shards import entries, one_tensor
from llavaplus_graph.chat_model.conversion.source import understood
from llavaplus_graph.chat_model.conversion.target import expected_weights
from llavaplus_graph.errors import CheckpointError
from llavaplus_graph.protocol import IMAGE

INDEX = "model.safetensors.index.json"


def check_weights(found: Mapping[str, tuple[int, ...]], config: LlavaConfig) -> None:
    """Compare weights with those that the model has.

    Args:
        found: Names and shapes.
        config: The converted model.

    Raises:
        CheckpointError: If one is missing, has no place or has another shape; the message names it.
    """
    expected = expected_weights(config)
    missing = sorted(expected.keys() - found.keys())
    if missing:
        raise CheckpointError(
            f"The checkpoint lacks {len(missing)} weights, for example that for {missing[0]!r}; fetch it again."
        )
    surplus = sorted(found.keys() - expected.keys())
    if surplus:
        raise CheckpointError(
            f"The checkpoint has {len(surplus)} weights more than its config.json describes, for example that for "
            f"{surplus[0]!r}; the two are not of one model."
        )
    for name, shape in expected.items():
        if found[name] != shape:
            raise CheckpointError(
                f"The weight for {name!r} has the shape {found[name]}, where config.json describes {shape}; "
                "the two are not of one model."
            )


def check_written(directory: Path) -> LlavaConfig:
    """Check what was written as if it came from elsewhere: weights, index, tokenizer and processor.

    Returns:
        The configuration as it is read back.

    Raises:
        CheckpointError: In one sentence.
    """
    check_directory(directory)
    config = LlavaConfig.from_pretrained(directory, local_files_only=True)
    found = {
        name: entry.shape for file in sorted(directory.glob("*.safetensors")) for name, entry in entries(file).items()
    }
    check_weights(found, config)
    check_places(open_processor(directory), config)
    return config


def check_places(processor: Any, config: LlavaConfig) -> None:
    """Let a picture through the processor and count its places in the prompt.

    Raises:
        CheckpointError: If they are not as many as the features that the model puts there.
    """
    picture = Image.new("RGB", (40, 30), "white")
    read = understood(lambda: processor(images=picture, text=IMAGE, return_tensors="pt"), "preprocessor_config.json")
    side: Any = config.vision_config
    places = read["input_ids"][0].tolist().count(config.image_token_index)
    if places != config.image_seq_length or tuple(read["pixel_values"].shape[2:]) != (side.image_size,) * 2:
        raise CheckpointError(
            f"A picture takes {places} places in a prompt and gives {config.image_seq_length} features; "
            "the settings for pictures do not fit the vision tower."
        )


def written_projector(directory: Path) -> dict[str, Any]:
    """Read the projector of a converted directory."""
    index = directory / INDEX
    files = json.loads(index.read_text("utf-8"))["weight_map"] if index.exists() else None
    names = files or dict.fromkeys(entries(directory / "model.safetensors"), "model.safetensors")
    return {name: one_tensor(directory / file, name) for name, file in names.items() if name.startswith(PROJECTOR)}
