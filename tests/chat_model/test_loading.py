import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch

from llavaplus_graph.chat_model import ChatLlavaPlus, loading
from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.chat_model.loading import loading_arguments
from llavaplus_graph.errors import CheckpointError, MissingExtraError

HELLO = torch.tensor([[1, 9, 30, 4, 7]])


def arguments(**options: Any) -> dict[str, Any]:
    return loading_arguments(
        **{"dtype": "auto", "device_map": None, "quantization": None, "attention": None, **options}
    )


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Takes packages away, as far as anybody can tell without importing them."""

    def hide(*packages: str) -> None:
        monkeypatch.setattr(
            loading, "find_spec", lambda name: None if name in packages else importlib.util.find_spec(name)
        )

    return hide


def test_by_default_a_cpu_computes_in_float32() -> None:
    assert arguments() == {"dtype": torch.float32}


def test_elsewhere_the_weights_keep_their_dtype_unless_one_is_named() -> None:
    assert arguments(device_map="cpu") == {"dtype": "auto", "device_map": "cpu"}
    assert arguments(device_map="cpu", dtype="float16")["dtype"] == torch.float16


def test_a_device_can_be_named(ignorant: Path) -> None:
    opened = open_checkpoint(str(ignorant), device_map="cpu", dtype="bfloat16")
    assert {(weight.device.type, weight.dtype) for weight in opened.model.parameters()} == {("cpu", torch.bfloat16)}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_an_implementation_of_attention_is_used_and_gives_the_same(ignorant: Path, attention: Any) -> None:
    plain, chosen = (open_checkpoint(str(ignorant), attention=name).model for name in (None, attention))
    assert chosen.config._attn_implementation == attention
    with torch.inference_mode():
        torch.testing.assert_close(chosen(input_ids=HELLO).logits, plain(input_ids=HELLO).logits, atol=1e-4, rtol=1e-4)


def test_flash_attention_that_is_not_installed_is_refused(without: Any) -> None:
    without("flash_attn")
    with pytest.raises(CheckpointError, match="flash_attention_2' needs the package flash-attn"):
        arguments(attention="flash_attention_2")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"attention": "magic"}, "no attention 'magic'; use sdpa, eager, flash_attention_2"),
        ({"quantization": "3bit"}, "no quantization '3bit'; use 4bit or 8bit"),
        ({"dtype": "float33"}, "no dtype 'float33'; use float32, bfloat16, float16 or auto"),
    ],
)
def test_a_value_that_no_option_has_is_named(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        arguments(**options)


@pytest.mark.parametrize(
    ("missing", "options", "what"),
    [
        ("bitsandbytes", {"quantization": "4bit"}, "quantization='4bit'"),
        ("bitsandbytes", {"quantization": "8bit"}, "quantization='8bit'"),
        ("accelerate", {"device_map": "auto"}, "device_map='auto'"),
    ],
)
def test_a_missing_package_names_its_extra(without: Any, missing: str, options: dict[str, Any], what: str) -> None:
    without(missing)
    with pytest.raises(MissingExtraError, match=rf"{what} needs .*llavaplus-graph\[quantized\]"):
        arguments(**options)


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="needs the extra quantized")
@pytest.mark.parametrize(("bits", "kind"), [("4bit", "Linear4bit"), ("8bit", "Linear8bitLt")])
def test_only_the_language_model_is_quantized(bits: Any, kind: str) -> None:
    quantized, plain = (open_checkpoint(None, quantization=name).model for name in (bits, None))
    kinds = [(name, type(module).__name__) for name, module in quantized.named_modules()]
    assert {found for name, found in kinds if "language_model" in name and "Linear" in found} == {kind}
    assert {found for name, found in kinds if "language_model" not in name and "Linear" in found} == {"Linear"}
    with torch.inference_mode():
        found, wanted = (model(input_ids=HELLO).logits.float().flatten() for model in (quantized, plain))
    assert torch.nn.functional.cosine_similarity(found, wanted, dim=0) > 0.9


def test_the_options_tell_chat_models_apart(ignorant: Path) -> None:
    options: list[dict[str, Any]] = [
        {},
        {"dtype": "bfloat16"},
        {"device_map": "cpu"},
        {"quantization": "4bit"},
        {"attention": "eager"},
    ]
    told = [str(dict(ChatLlavaPlus(model=str(ignorant), **option)._identifying_params)) for option in options]
    assert len(set(told)) == len(options)
    assert ChatLlavaPlus(model=str(ignorant), attention="eager", dtype="bfloat16").invoke("Hi").response_metadata
