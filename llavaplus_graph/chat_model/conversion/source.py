"""What a directory in the layout of the original LLaVA code holds. Reads configurations and lists; changes nothing."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub.errors import StrictDataclassError

from llavaplus_graph.chat_model.conversion.names import PROJECTOR, Rename, from_checkpoint, from_tower
from llavaplus_graph.chat_model.conversion.shards import Entry, entries
from llavaplus_graph.errors import CheckpointError

ARCHITECTURE = "LlavaLlamaForCausalLM"
_STEMS = (("model", "safetensors"), ("pytorch_model", "bin"))
_T = TypeVar("_T")
_PROJECTORS = ("mm_projector.safetensors", "mm_projector.bin")


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of weights: the weights in it that are needed, under their new names, and their old ones.

    Attributes:
        file: Where it is.
        names: New name to old name.
        entries: New name to shape, dtype and size.
    """

    file: Path
    names: Mapping[str, str]
    entries: Mapping[str, Entry]

    @property
    def bytes(self) -> int:
        """Size of what is needed of it."""
        return sum(entry.bytes for entry in self.entries.values())


def read_config(directory: Path) -> dict[str, Any]:
    """Read config.json and refuse, with the reason, what is not an original LLaVA checkpoint of a LLaMA.

    Raises:
        CheckpointError: In one sentence.
    """
    if not directory.is_dir():
        raise CheckpointError(f"There is no directory {str(directory)!r}; give that of an original LLaVA checkpoint.")
    if (directory / "adapter_config.json").exists():
        raise CheckpointError(
            f"{str(directory)!r} holds a LoRA adapter, not a whole checkpoint; merge it into its base with the code it "
            "was trained with, then convert the result."
        )
    config = read_json(directory / "config.json")
    architecture = _architecture(config)
    if architecture == "LlavaForConditionalGeneration" or "text_config" in config:
        raise CheckpointError(f"{str(directory)!r} is in the layout of Hugging Face already; open it as it is.")
    if "mm_vision_tower" not in config and not architecture.startswith("Llava"):
        raise CheckpointError(f"{str(directory)!r} holds a {architecture}, not a LLaVA checkpoint.")
    if architecture != ARCHITECTURE:
        raise CheckpointError(
            f"{str(directory)!r} holds a {architecture}; only LLaVA on a LLaMA ({ARCHITECTURE}) can be converted."
        )
    return config


def understood(read: Callable[[], _T], what: str = "config.json") -> _T:
    """Make something of settings that come from a file, or refuse them.

    Args:
        read: Makes it.
        what: The file, for the message.

    Raises:
        CheckpointError: If a value is of the wrong kind or out of range.
    """
    try:
        return read()
    except CheckpointError:
        raise
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
        StrictDataclassError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{what} has settings of no model ({reason}); fetch the file again.") from error


def _architecture(config: Mapping[str, Any]) -> str:
    named = config.get("architectures")
    if isinstance(named, list) and named:
        return str(named[0])
    kind = str(config.get("model_type"))
    return ARCHITECTURE if kind in ("llava", "llava_llama") else kind


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: If the file is missing or holds anything else.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{str(path.parent)!r} has no {path.name}; it is not a model directory.") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read as JSON; fetch the file again.") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{str(path)!r} is not a JSON object; fetch the file again.")
    return found


def checkpoint_shards(directory: Path, base: Path | None) -> list[Shard]:
    """Find the weights of a checkpoint: its own files, else those of its base with its projector.

    Args:
        directory: The checkpoint.
        base: A LLaMA directory, for a checkpoint that holds a projector only.

    Raises:
        CheckpointError: If files or listed weights are missing, or a weight has no place in the converted model.
    """
    projector = next((directory / name for name in _PROJECTORS if (directory / name).exists()), None)
    shards = _shards(directory, from_checkpoint)
    if not shards and projector is not None:
        if base is None:
            raise CheckpointError(
                f"{str(directory)!r} holds a projector only; name the directory of its language model with --base."
            )
        shards = _shards(base, from_checkpoint)
    if not shards:
        raise CheckpointError(
            f"{str(base or directory)!r} has no weights (model.safetensors, pytorch_model.bin or shards of either)."
        )
    if projector is not None and not any(name.startswith(PROJECTOR) for part in shards for name in part.names):
        shards.append(_shard(projector, from_checkpoint))
    return shards


def tower_shards(directory: Path) -> list[Shard]:
    """Find the weights of the vision side of a CLIP directory.

    Raises:
        CheckpointError: If there are none, or their files cannot be read.
    """
    found = [part for part in _shards(directory, from_tower) if part.names]
    if not found:
        raise CheckpointError(f"{str(directory)!r} has no weights of a CLIP vision tower.")
    return found


def _shards(directory: Path, rename: Rename) -> list[Shard]:
    """Find the weights of a directory, safetensors before `.bin`; none if there are no such files."""
    for stem, suffix in _STEMS:
        index = directory / f"{stem}.{suffix}.index.json"
        if index.exists():
            return [_shard(directory / file, rename, promised) for file, promised in _indexed(index).items()]
        whole = directory / f"{stem}.{suffix}"
        if whole.exists():
            return [_shard(whole, rename)]
    return []


def _shard(file: Path, rename: Rename, promised: Collection[str] = ()) -> Shard:
    found = entries(file)
    lost = sorted(set(promised) - set(found))
    if lost:
        raise CheckpointError(f"{str(file)!r} lacks {lost[0]!r}, which its index promises; fetch both files again.")
    names: dict[str, str] = {}
    for old in found:
        try:
            new = rename(old)
        except KeyError as error:
            raise CheckpointError(
                f"{str(file)!r} holds {old!r}, which no LLaVA 1 or 1.5 on a LLaMA has; it cannot be converted."
            ) from error
        if new in names:
            raise CheckpointError(f"{str(file)!r} holds both {names[new]!r} and {old!r}, which are the same weight.")
        if new is not None:
            names[new] = old
    return Shard(file, names, {new: found[old] for new, old in names.items()})


def _indexed(index: Path) -> dict[str, list[str]]:
    """Read which file of a directory holds which weights."""
    listed = read_json(index).get("weight_map")
    if not isinstance(listed, dict) or not listed or not all(_plain(file) for file in listed.values()):
        raise CheckpointError(f"{str(index)!r} does not say which file holds which weight; fetch the file again.")
    files: dict[str, list[str]] = {}
    for name, file in listed.items():
        files.setdefault(file, []).append(name)
    return files


def _plain(name: Any) -> bool:
    """Whether the name of a file stays inside its directory and is one of weights."""
    return isinstance(name, str) and Path(name).name == name and Path(name).suffix in (".bin", ".safetensors")
