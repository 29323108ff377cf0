import importlib.util
import os
import shutil
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


# --- trained again in the same place ------------------------------------------------------------------------------


def test_a_checkpoint_that_was_trained_anew_is_opened_anew(checkpoint: Path, taught: Path) -> None:
    def opened() -> ChatLlavaPlus:
        return ChatLlavaPlus(model=str(checkpoint), max_tokens=80)

    old = opened()
    said, known = old.invoke("Hello.").text, dict(old._identifying_params)
    shutil.copy(taught / "model.safetensors", checkpoint / "model.safetensors")
    assert opened().invoke("Hello.").text == "Hello, what is in your picture?" != said
    assert dict(opened()._identifying_params) != known
    # What was opened before stays what it was, and says so: a cache must not mix the two.
    assert (old.invoke("Hello.").text, dict(old._identifying_params)) == (said, known)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "generation_config.json"])
def test_every_file_of_a_checkpoint_tells_it_from_what_it_was(checkpoint: Path, file: str) -> None:
    before = dict(ChatLlavaPlus(model=str(checkpoint))._identifying_params)
    assert dict(ChatLlavaPlus(model=str(checkpoint))._identifying_params) == before
    os.utime(checkpoint / file, ns=(1, 1))
    assert dict(ChatLlavaPlus(model=str(checkpoint))._identifying_params) != before


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json"])
def test_so_do_the_files_of_an_adapter(ignorant: Path, tmp_path: Path, file: str) -> None:
    def told() -> dict[str, Any]:
        return dict(ChatLlavaPlus(model=str(ignorant), adapter=str(tmp_path))._identifying_params)

    (tmp_path / file).write_bytes(b"one")
    before = told()
    (tmp_path / file).write_bytes(b"another")
    assert told() != before
