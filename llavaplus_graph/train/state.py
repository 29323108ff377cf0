"""The state of a training as files that hold no code: tensors in safetensors, everything else in JSON.

Knows parameters, AdamW, the schedule and the random generators; works the same for a model whose parameters are sharded
over processes, whose parts are gathered when written and cut out when read. What is not trained is not written.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor, distribute_tensor

from llavaplus_graph.errors import CheckpointError

WEIGHTS = "model.safetensors"
_MOMENTS = "optimizer.safetensors"
_REST = "optimizer.json"


def trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Give the parameters that are trained by name; what is tied has one name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def write_weights(model: torch.nn.Module, path: Path, *, here: bool = True) -> None:
    """Write the trained parameters; the file is either whole or not there.

    Args:
        model: The model; every process has to call this when it is sharded.
        path: The file.
        here: Whether this process writes.
    """
    _write({name: _whole(weight) for name, weight in trained(model).items()}, path, here=here)


def read_weights(model: torch.nn.Module, path: Path) -> None:
    """Put written parameters into a model whose same parameters are to be trained.

    Raises:
        CheckpointError: If the file is broken or was written by another model; names a parameter.
    """
    own = dict(model.named_parameters(remove_duplicate=False))
    filled: set[int] = set()
    with torch.no_grad():
        for name, tensor in _tensors(path).items():
            weight = own.get(name)
            if weight is None or weight.shape != tensor.shape:
                kind = "no such parameter" if weight is None else f"{tuple(weight.shape)} there"
                raise CheckpointError(
                    f"{str(path)!r} was written by another model: {name} {tuple(tensor.shape)}, {kind}; "
                    "remove its folder to train the stage anew."
                )
            _fill(weight, tensor)
            filled.add(id(weight))
    lacking = [name for name, weight in trained(model).items() if id(weight) not in filled]
    if lacking:
        raise CheckpointError(
            f"{str(path)!r} lacks {len(lacking)} trained parameters, for example {lacking[0]}; "
            "remove its folder to train the stage anew."
        )


def write_optimizer(
    optimizer: torch.optim.Optimizer, schedule: Any, model: torch.nn.Module, folder: Path, *, here: bool = True
) -> None:
    """Write what AdamW and the schedule know into a folder."""
    names = {id(weight): name for name, weight in trained(model).items()}
    moments = {
        f"{names[id(weight)]}|{key}": _whole(value)
        for weight, state in optimizer.state.items()
        for key, value in state.items()
    }
    _write(moments, folder / _MOMENTS, here=here)
    if here:
        groups = [
            {key: value for key, value in group.items() if key != "params"}
            | {"params": [names[id(weight)] for weight in group["params"]]}
            for group in optimizer.param_groups
        ]
        (folder / _REST).write_text(json.dumps({"groups": groups, "schedule": schedule.state_dict()}), "utf-8")


def read_optimizer(optimizer: torch.optim.Optimizer, schedule: Any, model: torch.nn.Module, folder: Path) -> None:
    """Give AdamW and the schedule back what they knew, to the bit.

    Raises:
        CheckpointError: If the files are broken or belong to another model.
    """
    weights = trained(model)
    try:
        rest = json.loads((folder / _REST).read_text("utf-8"))
        for name, tensor in _tensors(folder / _MOMENTS).items():
            owner, _, key = name.rpartition("|")
            weight = weights[owner]
            optimizer.state[weight][key] = _like(weight, tensor) if tensor.shape else tensor.to(weight.device)
        for group, saved in zip(optimizer.param_groups, rest["groups"], strict=True):
            group |= {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in saved.items()
                if key != "params"
            }
        schedule.load_state_dict(rest["schedule"])
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{str(folder)!r} holds no state of this training ({error}); remove it.") from error


def complete(folder: Path) -> bool:
    """Say whether a folder holds all that a training needs to go on."""
    return all((folder / name).exists() for name in (WEIGHTS, _MOMENTS, _REST, "trainer_state.json"))


def random_state() -> dict[str, Any]:
    """Give the state of every random generator as plain JSON."""
    version, words, gauss = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": [version, list(words), gauss],
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "torch": _hex(torch.get_rng_state()),
        "cuda": [_hex(state) for state in cuda],
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Put every random generator back to where it was."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(_bytes(state["torch"]))
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([_bytes(each) for each in state["cuda"]])


def _hex(state: torch.Tensor) -> str:
    return bytes(state.tolist()).hex()


def _bytes(text: str) -> torch.Tensor:
    return torch.tensor(list(bytes.fromhex(text)), dtype=torch.uint8)


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """Gather a tensor, where it is sharded, and bring it to the CPU."""
    found = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return found.detach().cpu().contiguous()


def _like(weight: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """Bring a whole tensor to where a weight is, cut up as the weight is."""
    moved = tensor.to(weight.device)
    if isinstance(weight, DTensor):
        return distribute_tensor(moved, weight.device_mesh, weight.placements, src_data_rank=None)
    return moved


def _fill(weight: torch.Tensor, tensor: torch.Tensor) -> None:
    if isinstance(weight, DTensor):
        cut: Any = _like(weight, tensor.to(weight.dtype))
        weight.to_local().copy_(cut.to_local())
    else:
        weight.copy_(tensor)


def _write(tensors: Mapping[str, torch.Tensor], path: Path, *, here: bool) -> None:
    if here:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        save_file(dict(tensors), partial)
        partial.replace(path)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is not a mapping
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read ({error}); remove its folder.") from error
