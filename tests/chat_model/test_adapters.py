import json
import sys
import warnings
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.chat_model.adapters import adapted
from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.errors import CheckpointError, MissingExtraError

ASKED = torch.tensor([[1, 9, 30, 4, 7]])


def say(lmm: Any) -> torch.Tensor:
    with torch.inference_mode():
        return torch.as_tensor(lmm(input_ids=ASKED).logits)


def save_lora(checkpoint: Path, folder: Path, **settings: Any) -> torch.Tensor:
    """Save a LoRA with random weights; gives what the LMM says with it."""
    torch.manual_seed(3)
    targets: dict[str, Any] = {
        "r": 2,
        "target_modules": r".*language_model.*\.(q|v)_proj",
        "init_lora_weights": False,
    } | settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of transformers, about what peft does
        wrapped = peft.get_peft_model(open_checkpoint(str(checkpoint)).model, peft.LoraConfig(**targets))
    wrapped.save_pretrained(str(folder))
    return say(wrapped.eval())


def test_an_adapter_changes_what_is_said_as_where_it_was_trained(ignorant: Path, tmp_path: Path) -> None:
    wanted = save_lora(ignorant, tmp_path / "lora")
    opened = open_checkpoint(str(ignorant), adapter=str(tmp_path / "lora"))
    torch.testing.assert_close(say(opened.model), wanted, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(say(open_checkpoint(str(ignorant)).model), wanted, atol=1e-2)
    assert not any("lora" in name for name, _ in opened.model.named_modules())  # merged: it costs nothing


def test_the_chat_model_takes_it_and_tells_it_apart(ignorant: Path, tmp_path: Path) -> None:
    save_lora(ignorant, tmp_path / "one")
    save_lora(ignorant, tmp_path / "two", r=3)
    plain, one, two = (
        ChatLlavaPlus(model=str(ignorant), adapter=adapter, max_tokens=8)
        for adapter in (None, str(tmp_path / "one"), str(tmp_path / "two"))
    )
    assert one._identifying_params != two._identifying_params != plain._identifying_params
    assert one.invoke("Hello.").content != plain.invoke("Hello.").content


def test_beside_weights_that_cannot_take_it_in_an_adapter_says_the_same(ignorant: Path, tmp_path: Path) -> None:
    wanted = save_lora(ignorant, tmp_path / "lora")
    beside = adapted(open_checkpoint(str(ignorant)).model, str(tmp_path / "lora"), merge=False).eval()
    assert isinstance(beside, LlavaForConditionalGeneration)
    torch.testing.assert_close(say(beside), wanted, atol=1e-5, rtol=1e-5)
    assert any("lora" in name for name, _ in beside.named_modules())


def test_an_adapter_for_other_sizes_is_refused(ignorant: Path, tmp_path: Path) -> None:
    save_lora(ignorant, tmp_path / "lora")
    path = tmp_path / "lora" / "adapter_model.safetensors"
    save_file({name: torch.ones(5, 5) for name in load_file(path)}, path)
    with pytest.raises(CheckpointError, match=r"lora' does not fit this LMM"):
        open_checkpoint(str(ignorant), adapter=str(tmp_path / "lora"))


@pytest.mark.parametrize("change", ["more layers", "fewer weights"])
def test_an_adapter_with_other_weights_is_refused(ignorant: Path, tmp_path: Path, change: str) -> None:
    save_lora(ignorant, tmp_path / "lora")
    path = tmp_path / "lora" / "adapter_model.safetensors"
    weights = load_file(path)
    name = next(iter(weights))
    if change == "more layers":
        weights[name.replace("layers.0", "layers.7")] = weights[name].clone()
    else:
        del weights[name]
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=r"was made for another model: 1 of its weights do not match"):
        open_checkpoint(str(ignorant), adapter=str(tmp_path / "lora"))


def test_an_adapter_for_modules_that_are_not_there_is_refused(ignorant: Path, tmp_path: Path) -> None:
    save_lora(ignorant, tmp_path / "lora")
    path = tmp_path / "lora" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"target_modules": ["c_attn"]}))
    with pytest.raises(CheckpointError, match=r"does not fit this LMM: .*c_attn"):
        open_checkpoint(str(ignorant), adapter=str(tmp_path / "lora"))


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_directory_without_an_adapter_is_refused(ignorant: Path, tmp_path: Path, file: str) -> None:
    save_lora(ignorant, tmp_path / "lora")
    (tmp_path / "lora" / file).unlink()
    with pytest.raises(CheckpointError, match=rf"has no {file}; give the directory of a LoRA adapter in safetensors"):
        open_checkpoint(str(ignorant), adapter=str(tmp_path / "lora"))


def test_a_damaged_adapter_is_refused(ignorant: Path, tmp_path: Path) -> None:
    save_lora(ignorant, tmp_path / "lora")
    (tmp_path / "lora" / "adapter_model.safetensors").write_bytes(b"junk")
    with pytest.raises(CheckpointError, match=r"does not fit this LMM"):
        open_checkpoint(str(ignorant), adapter=str(tmp_path / "lora"))


def test_without_peft_the_extra_is_named(ignorant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"adapter='mine' needs .*llavaplus-graph\[train\]"):
        open_checkpoint(str(ignorant), adapter="mine")
