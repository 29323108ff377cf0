"""How much memory devices have and models take. Knows tensors and files, no pool and no skill."""

from __future__ import annotations

import gc
import json
import os
import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from pydantic import ByteSize, TypeAdapter, ValidationError

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.weights import weight_files
from llavaplus_tools._backends.weights import Weights

_SETTING = "LLAVAPLUS_MODEL_BYTES"
_UNKNOWN = 8_000_000_000
"""What a machine is taken to have where it does not say."""

_FLOATS = ("F64", "F32", "F16", "BF16")
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def budget_of_device(device: str) -> int:
    """Bytes that models may take on a device: ``$LLAVAPLUS_MODEL_BYTES``, or half of its memory.

    Raises:
        ConfigError: the variable holds no number of bytes.
    """
    told = os.environ.get(_SETTING)
    if not told:
        return _memory_of(device) // 2
    try:
        return TypeAdapter(ByteSize).validate_python(told)
    except ValidationError:
        raise ConfigError(f"{_SETTING}={told!r} is no number of bytes; write for example 6GB") from None


@cache
def _memory_of(device: str) -> int:
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        whole = _UNKNOWN
    told = _CGROUP.read_text().strip() if _CGROUP.is_file() else ""
    return min(whole, int(told)) if told.isdigit() else whole


def bytes_of(model: Any) -> int:
    """Bytes that the parameters and buffers of a model take, shared ones counted once.

    Args:
        model: a torch module; a pipeline that names its parts in ``components``; or a tuple, list, mapping or plain
            object of such things. What has no parameters counts nothing.
    """
    seen: dict[int, int] = {}
    for module in modules_of(model):
        for tensor in (*module.parameters(), *module.buffers()):
            storage = tensor.untyped_storage()
            seen[storage.data_ptr()] = storage.nbytes()
    return sum(seen.values())


def modules_of(thing: Any, depth: int = 3) -> Iterator[Any]:
    """The torch modules in a model: itself, or what it holds up to so many steps inside."""
    if callable(getattr(thing, "parameters", None)) and callable(getattr(thing, "buffers", None)):
        yield thing
    elif depth:
        for part in _parts(thing):
            yield from modules_of(part, depth - 1)


def _parts(thing: Any) -> Iterable[Any]:
    if isinstance(thing, Mapping):
        return thing.values()
    if isinstance(thing, tuple | list):
        return thing
    components = getattr(thing, "components", None)
    if isinstance(components, Mapping):
        return components.values()
    slots = (name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ()))
    return [*getattr(thing, "__dict__", {}).values(), *(getattr(thing, name, None) for name in slots)]


def bytes_wanted(weights: Weights) -> int:
    """Bytes that weights will take in their number type, from the headers of their files; 0 where they are not here."""
    folder = weights.folder()
    if folder is None:
        return 0
    wide = weights.torch_dtype().itemsize
    inside = [part for part in folder.iterdir() if part.is_dir()] if (folder / "model_index.json").is_file() else []
    return sum(_wanted(path, wide) for part in inside or [folder] for path in weight_files(part))


def _wanted(path: Path, wide: int) -> int:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    tensors = [entry for name, entry in header.items() if name != "__metadata__"]
    return sum(
        prod(tensor["shape"]) * wide
        if tensor["dtype"] in _FLOATS
        else tensor["data_offsets"][1] - tensor["data_offsets"][0]
        for tensor in tensors
    )


def is_out_of_memory(err: BaseException) -> bool:
    """Whether a device, or the machine itself, had no memory left."""
    torch = sys.modules.get("torch")
    if isinstance(err, MemoryError) or (torch is not None and isinstance(err, torch.OutOfMemoryError)):
        return True
    return isinstance(err, RuntimeError) and "DefaultCPUAllocator" in str(err)


def release(device: str, dropped: Iterable[weakref.ref[Any]]) -> None:
    """Gives the memory of what was dropped back to the device.

    Args:
        device: where it was.
        dropped: what should be gone. Collecting cycles takes long, hence it is done only where something is left.
    """
    if any(one() is not None for one in dropped):
        gc.collect()
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
