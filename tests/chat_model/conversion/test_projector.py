from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

from llavaplus_graph.chat_model.conversion import projector
from llavaplus_graph.errors import CheckpointError

FIRST, SECOND = "multi_modal_projector.linear_1.", "multi_modal_projector.linear_2."


def config(act: str) -> LlavaConfig:
    text: Any = LlamaConfig(hidden_size=24, num_attention_heads=2, num_hidden_layers=1, vocab_size=9)
    vision: Any = CLIPVisionConfig(hidden_size=16, num_attention_heads=2, num_hidden_layers=1)
    return LlavaConfig(text_config=text, vision_config=vision, projector_hidden_act=act)


def linear(dtype: torch.dtype) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {
        f"{FIRST}weight": torch.randn(24, 16, generator=draw).to(dtype),
        f"{FIRST}bias": torch.randn(24, generator=draw).to(dtype),
    }


def two(dtype: torch.dtype) -> dict[str, Tensor]:
    return linear(dtype) | {f"{SECOND}weight": torch.randn(24, 24).to(dtype), f"{SECOND}bias": torch.ones(24).to(dtype)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_linear_projector_gets_a_second_map_that_changes_no_bit(dtype: torch.dtype) -> None:
    completed = projector.completed(linear(dtype))
    assert {weight.dtype for weight in completed.values()} == {dtype}
    projector.check(linear(dtype), completed, config("linear"))


def test_two_maps_stay_as_they_are() -> None:
    weights = two(torch.float32)
    assert projector.completed(weights) == weights
    projector.check(weights, weights, config("gelu"))


def test_a_file_without_the_projector_stays_as_it_is() -> None:
    assert projector.completed({"a": torch.ones(1)}) == {"a": torch.ones(1)}


@pytest.mark.parametrize("damage", ["last bit", "activation", "bias", "not a number"])
def test_any_difference_is_found(damage: str) -> None:
    original, act = linear(torch.float32), "linear"
    converted = {name: weight.clone() for name, weight in projector.completed(original).items()}
    if damage == "last bit":
        converted[f"{SECOND}weight"][0, 0] += 1e-6
    elif damage == "bias":
        converted[f"{FIRST}bias"][3] += 1e-5
    elif damage == "not a number":
        converted[f"{SECOND}bias"][0] = float("nan")
    else:
        act = "gelu"
    with pytest.raises(CheckpointError, match="gives other numbers than the original"):
        projector.check(original, converted, config(act))
