import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.chat_model.checkpoints import bundled, check_directory, open_checkpoint
from llavaplus_graph.errors import CheckpointError


def change(directory: Path, file: str, **values: Any) -> None:
    path = directory / file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_complete_checkpoint_opens_offline(ignorant: Path) -> None:
    opened = open_checkpoint(str(ignorant))
    assert opened.name == "ignorant"
    assert opened.dialect.names == "skills"
    assert not opened.model.training
    assert {weight.dtype for weight in opened.model.parameters()} == {torch.float32}
    assert opened.processor.tokenizer.convert_tokens_to_ids("<image>") == opened.model.config.image_token_index


def test_the_dtype_can_be_named(ignorant: Path) -> None:
    opened = open_checkpoint(str(ignorant), dtype="bfloat16")
    assert {weight.dtype for weight in opened.model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("dtype", ["float33", "Tensor", "nn", ""])
def test_an_unknown_dtype_is_named(ignorant: Path, dtype: str) -> None:
    with pytest.raises(CheckpointError, match="use float32, bfloat16, float16 or auto"):
        open_checkpoint(str(ignorant), dtype=dtype)


def test_the_bundled_checkpoint_lies_in_the_package() -> None:
    assert bundled().parent.name == "llavaplus_graph"


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no model directory '.*nowhere'; give the path of one"):
        open_checkpoint(str(tmp_path / "nowhere"))


def test_a_file_is_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("{}")
    with pytest.raises(CheckpointError, match="no model directory"):
        check_directory(tmp_path / "model")


@pytest.mark.parametrize("config", [None, "not json", "[1]"])
def test_a_directory_without_a_config_is_not_a_model(tmp_path: Path, config: str | None) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(CheckpointError, match=r"config\.json|of type None"):
        check_directory(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llava", "architectures": ["LlavaLlamaForCausalLM"]},
        {"model_type": "llava", "mm_vision_tower": "openai/clip-vit-large-patch14"},
        {"model_type": "llava", "architectures": ["LlavaMptForCausalLM"], "mm_hidden_size": 1024},
    ],
)
def test_the_layout_of_the_original_code_is_refused_with_the_remedy(checkpoint: Path, config: dict[str, Any]) -> None:
    change(checkpoint, "config.json", **config)
    with pytest.raises(
        CheckpointError,
        match=r"open with random weights; convert it with: llavaplus convert .*checkpoint checkpoint-hf$",
    ):
        open_checkpoint(str(checkpoint))


@pytest.mark.parametrize("kind", ["llama", "llava_next", None])
def test_a_model_of_another_kind_is_refused(checkpoint: Path, kind: str | None) -> None:
    change(checkpoint, "config.json", model_type=kind)
    with pytest.raises(CheckpointError, match=f"a model of type {kind!r}; a LLaVA checkpoint"):
        open_checkpoint(str(checkpoint))


def test_weights_in_a_format_that_can_run_code_are_refused(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"no \.safetensors weights"):
        open_checkpoint(str(checkpoint))


@pytest.mark.parametrize("part", ["embed_tokens", "multi_modal_projector", "vision_tower", "layers.1"])
def test_missing_weights_are_refused_not_drawn_at_random(checkpoint: Path, part: str) -> None:
    weights = load_file(checkpoint / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if part not in name}
    assert len(kept) < len(weights)
    save_file(kept, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        CheckpointError, match=rf"lacks \d+ weights, for example '.*({part}|lm_head).*; it is not a complete"
    ):
        open_checkpoint(str(checkpoint))


def test_weights_of_another_size_are_refused(checkpoint: Path) -> None:
    weights = load_file(checkpoint / "model.safetensors")
    name = next(name for name in weights if "multi_modal_projector.linear_1.weight" in name)
    weights[name] = weights[name][:-1].contiguous()
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="cannot be opened as a LLaVA checkpoint"):
        open_checkpoint(str(checkpoint))


@pytest.mark.parametrize("share", [0, 8, 0.5])
def test_weights_that_were_cut_off_are_refused(checkpoint: Path, share: float) -> None:
    path = checkpoint / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share) if share < 1 else int(share)])
    with pytest.raises(CheckpointError, match="cannot be opened as a LLaVA checkpoint"):
        open_checkpoint(str(checkpoint))


@pytest.mark.parametrize("file", ["tokenizer.json", "processor_config.json"])
@pytest.mark.parametrize("damage", ["missing", "not json"])
def test_a_broken_tokenizer_or_processor_is_refused(checkpoint: Path, file: str, damage: str) -> None:
    if damage == "missing":
        (checkpoint / file).unlink()
    else:
        (checkpoint / file).write_text("{")
    with pytest.raises(CheckpointError, match="no usable tokenizer or processor"):
        open_checkpoint(str(checkpoint))


def test_image_settings_may_lie_in_a_file_of_their_own_as_in_older_directories(checkpoint: Path) -> None:
    settings = json.loads((checkpoint / "processor_config.json").read_text())
    images = settings.pop("image_processor")
    (checkpoint / "processor_config.json").write_text(json.dumps(settings))
    (checkpoint / "preprocessor_config.json").write_text(json.dumps(images))
    processor = open_checkpoint(str(checkpoint)).processor
    assert (processor.image_processor.size["height"], processor.image_processor.do_center_crop) == (32, False)


def test_a_patch_size_that_older_directories_leave_out_is_that_of_the_vision_tower(checkpoint: Path) -> None:
    change(checkpoint, "processor_config.json", patch_size=None, vision_feature_select_strategy=None)
    processor = open_checkpoint(str(checkpoint)).processor
    assert (processor.patch_size, processor.vision_feature_select_strategy) == (16, "default")


def test_the_chat_model_says_the_same(tmp_path: Path) -> None:
    lmm = ChatLlavaPlus(model=str(tmp_path / "nowhere"))
    for use in (
        lmm.load,
        lambda: lmm.invoke("Hello."),
        lambda: lmm.get_num_tokens("Hello."),
        lambda: list(lmm.stream("Hi")),
    ):
        with pytest.raises(CheckpointError, match="no model directory"):
            use()
