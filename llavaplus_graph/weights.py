"""The weights that skills use by default, and where weights lie on this machine.

Knows licences, sizes and the names of files; asks no network, opens no weights and knows no skill.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """What the catalogue tells of weights.

    Attributes:
        id: the hub id.
        licence: SPDX identifier, or the hub's name for it.
        megabytes: what fetching them downloads, about.
    """

    id: str
    licence: str
    megabytes: int


WEIGHTS: Final[tuple[WeightsInfo, ...]] = (
    WeightsInfo("IDEA-Research/grounding-dino-tiny", "Apache-2.0", 690),
    WeightsInfo("facebook/sam2.1-hiera-small", "Apache-2.0", 185),
    WeightsInfo("facebook/dinov2-small", "Apache-2.0", 88),
    WeightsInfo("openmmlab/upernet-convnext-tiny", "MIT", 241),
    WeightsInfo("florence-community/Florence-2-base", "MIT", 540),
    WeightsInfo("google/siglip2-base-patch16-224", "Apache-2.0", 1_500),
    WeightsInfo("stable-diffusion-v1-5/stable-diffusion-v1-5", "CreativeML-OpenRAIL-M", 5_500),
    WeightsInfo("lllyasviel/sd-controlnet-seg", "OpenRAIL", 1_450),
    WeightsInfo("timbrooks/instruct-pix2pix", "MIT", 5_500),
)
"""The default weights of the catalogue's skills."""

_BY_ID = {info.id: info for info in WEIGHTS}
_MARKS = ("config.json", "model_index.json")
_WHOLE = ("model.safetensors", "diffusion_pytorch_model.safetensors")
_SHARDS = ("model-*-of-*.safetensors", "diffusion_pytorch_model-*-of-*.safetensors")


def weights_info(id_: str) -> WeightsInfo | None:
    """What the catalogue tells of weights; None of weights that no skill uses by default."""
    return _BY_ID.get(id_)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that a model in this folder is loaded from, not the variants beside them."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return [folder / name for name in loaded_from(names)]


def folder_of(id_: str, revision: str | None = None, *, cache: Path | None = None) -> Path | None:
    """Where weights lie on this machine, all of them; None where something is missing. Asks no network.

    Args:
        id_: a hub id, or the path of a directory, which is taken as it is.
        revision: a branch, tag or commit; by default the main branch.
        cache: where the hub's files are kept; by default Hugging Face's cache.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    local = Path(id_).expanduser()
    if id_ and local.is_dir():
        return local
    try:
        marks = [try_to_load_from_cache(id_, mark, cache_dir=cache, revision=revision) for mark in _MARKS]
    except HFValidationError:  # neither a directory nor a hub id
        return None
    folder = next((Path(mark).parent for mark in marks if isinstance(mark, str)), None)
    return folder if folder is not None and _is_whole(folder) else None


def loaded_from(names: Sequence[str]) -> list[str]:
    """Of the files in a folder those that ``from_pretrained`` reads: one with everything, or else all shards."""
    whole = [name for name in _WHOLE if name in names]
    return whole or sorted(name for name in names if any(fnmatch(name, pattern) for pattern in _SHARDS))


def _is_whole(folder: Path) -> bool:
    """Whether every part that has a configuration has its weights, and no shard is missing."""
    parts = [folder, *(part for part in folder.iterdir() if part.is_dir())]
    models = [part for part in parts if (part / "config.json").is_file()]
    return bool(models) and all(_has_weights(part) for part in models)


def _has_weights(part: Path) -> bool:
    files = weight_files(part)
    if not files or files[0].name in _WHOLE:
        return bool(files)
    indices = list(part.glob("*.safetensors.index.json"))
    named = {name for index in indices for name in json.loads(index.read_text("utf-8"))["weight_map"].values()}
    return bool(named) and named <= {path.name for path in files}
