"""How much of the context things take, from the small files of a checkpoint. Opens no weights and fetches nothing."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_PICTURE = 576  # tokens of one in LLaVA-1.5: 24 by 24 patches
_CHARACTERS = 4  # of a token, in English prose


def context_length(directory: Path) -> int | None:
    """Give how many tokens the LMM of a directory reads at most; None where no config.json says so."""
    length = (_config(directory).get("text_config") or {}).get("max_position_embeddings")
    return int(length) if length else None


def picture_length(directory: Path) -> int:
    """Give how many tokens a picture takes; that of LLaVA-1.5 where no config.json says so."""
    config = _config(directory)
    vision = config.get("vision_config") or {}
    if not vision.get("image_size") or not vision.get("patch_size"):
        return _PICTURE
    patches = (int(vision["image_size"]) // int(vision["patch_size"])) ** 2
    return patches + (config.get("vision_feature_select_strategy") == "full")


def text_length(directory: Path, text: str) -> int:
    """Count the tokens of a text; an estimate, four characters a token, where no tokenizer.json is at hand."""
    if not (directory / "tokenizer.json").is_file():
        return -(-len(text) // _CHARACTERS)
    return len(_tokenizer(directory / "tokenizer.json").encode(text, add_special_tokens=False).ids)


def _config(directory: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((directory / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, Mapping) else {}


@lru_cache(maxsize=4)
def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))
