import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from llavaplus_graph.errors import CheckpointError
from llavaplus_graph.train.state import random_state, read_optimizer, read_weights, set_random_state, write_weights


def two_layers(width: int = 3) -> Any:
    return torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.Linear(width, 1))


def test_only_what_is_trained_is_written_and_only_that_is_asked_for(tmp_path: Path) -> None:
    written, read = two_layers(), two_layers()
    for model in (written, read):
        model[0].requires_grad_(False)
    kept = read[0].weight.clone()
    write_weights(written, tmp_path / "w.safetensors")
    read_weights(read, tmp_path / "w.safetensors")
    assert torch.equal(read[1].weight, written[1].weight)
    assert torch.equal(read[0].weight, kept)
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_weights_of_another_model_are_refused_with_the_parameter(tmp_path: Path) -> None:
    write_weights(two_layers(4), tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"another model: 0\.bias \(4,\), \(3,\) there"):
        read_weights(two_layers(3), tmp_path / "w.safetensors")


def test_a_file_that_lacks_trained_parameters_is_refused(tmp_path: Path) -> None:
    half = two_layers()
    half[0].requires_grad_(False)
    write_weights(half, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks 2 trained parameters, for example 0\."):
        read_weights(two_layers(), tmp_path / "w.safetensors")


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match=r"w\.safetensors' cannot be read"):
        read_weights(two_layers(), tmp_path / "w.safetensors")
    model = two_layers()
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(CheckpointError, match="holds no state of this training"):
        read_optimizer(optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer), model, tmp_path)


def test_every_random_generator_goes_on_where_it_was() -> None:
    before = random_state()
    drawn = (random.random(), random.gauss(), np.random.default_rng, np.random.rand(), torch.rand(2).tolist())
    set_random_state(before)
    assert (random.random(), random.gauss(), np.random.default_rng, np.random.rand(), torch.rand(2).tolist()) == drawn
