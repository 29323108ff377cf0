"""Files of weights, one at a time: what is in them, their tensors, and writing them. Knows no model and no names.

Tensors are mapped from the disk where the format allows it (safetensors, and `.bin` files since PyTorch 1.6), so that a
file in work costs no more than its own size; older `.bin` files are read whole.
"""

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from llavaplus_graph.errors import CheckpointError

_BROKEN = (OSError, RuntimeError, ValueError, KeyError, EOFError, SafetensorError)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a file: its shape, the name of its dtype (`bfloat16`) and its size."""

    shape: tuple[int, ...]
    dtype: str
    bytes: int


def entries(file: Path) -> dict[str, Entry]:
    """Tell what a file of weights holds, without reading the numbers of a mapped one.

    Raises:
        CheckpointError: If it cannot be read or is not safe to read.
    """
    return {name: _entry(tensor) for name, tensor in tensors(file).items()}


def tensors(file: Path) -> dict[str, torch.Tensor]:
    """Give the tensors of a `.safetensors` or `.bin` file, on the CPU, in their own dtypes.

    Raises:
        CheckpointError: If the file is missing, damaged, not a mapping of names to tensors, or a pickle with anything
            but tensors in it, which could run code.
    """
    if not file.is_file():
        raise CheckpointError(f"The weights {str(file)!r} are missing; fetch the file again, the rest may stay.")
    if file.suffix == ".safetensors":
        try:
            return dict(load_file(file))
        except _BROKEN as error:
            raise _damaged(file, error) from error
    return _checked(file, _unpickled(file))


def one_tensor(file: Path, name: str) -> torch.Tensor:
    """Give a single tensor of a file; see `tensors` for what it raises."""
    if file.suffix == ".safetensors":
        try:
            with safe_open(file, framework="pt") as opened:
                tensor: torch.Tensor = opened.get_tensor(name)
                return tensor
        except _BROKEN as error:
            raise _damaged(file, error) from error
    return tensors(file)[name]


def write(weights: Mapping[str, torch.Tensor], file: Path) -> None:
    """Write tensors as safetensors; each is stored on its own, whatever memory the originals shared.

    Raises:
        OSError: If the disk does not take them.
    """
    taken: set[int] = set()
    alone = {}
    for name, tensor in weights.items():
        tied = tensor.data_ptr() in taken  # two names of one tensor, which safetensors refuses
        taken.add(tensor.data_ptr())
        alone[name] = tensor.clone(memory_format=torch.contiguous_format) if tied else tensor.contiguous()
    try:
        save_file(alone, file, metadata={"format": "pt"})
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _unpickled(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{str(file)!r} holds more than tensors, or is damaged; such a file can run code and is not opened."
        ) from error
    except (*_BROKEN, AttributeError, TypeError, IndexError) as error:  # a damaged pickle fails in any of these ways
        raise _damaged(file, error) from error


def _checked(file: Path, found: Any) -> dict[str, torch.Tensor]:
    weights = list(found.values()) if isinstance(found, Mapping) else []
    if not weights or not all(isinstance(weight, torch.Tensor) for weight in weights):
        raise CheckpointError(f"{str(file)!r} is not a mapping of names to tensors, as files of weights are.")
    return {str(name): value.detach() for name, value in found.items()}


def _entry(tensor: torch.Tensor) -> Entry:
    return Entry(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), tensor.nbytes)


def _damaged(file: Path, error: Exception) -> CheckpointError:
    reason = str(error).strip().split("\n")[0][:200]
    return CheckpointError(f"{str(file)!r} is damaged or cut off ({reason}); fetch the file again.")
