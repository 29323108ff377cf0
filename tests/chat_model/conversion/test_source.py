import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from llavaplus_graph.chat_model.conversion.source import checkpoint_shards, read_config, tower_shards
from llavaplus_graph.errors import CheckpointError


def write(path: Path, **config: Any) -> Path:
    (path / "config.json").write_text(json.dumps(config))
    return path


@pytest.mark.parametrize(
    "config",
    [
        {"architectures": ["LlavaLlamaForCausalLM"], "model_type": "llava"},
        {"model_type": "llava_llama", "mm_vision_tower": "openai/clip-vit-large-patch14"},
        {"architectures": ["LlavaLlamaForCausalLM"], "mm_vision_tower": "x"},
    ],
)
def test_a_llava_on_a_llama_is_taken(tmp_path: Path, config: dict[str, Any]) -> None:
    assert read_config(write(tmp_path, **config)) == config


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"architectures": ["LlavaMptForCausalLM"], "mm_vision_tower": "x"}, "holds a LlavaMptForCausalLM; only"),
        (
            {"architectures": ["LlavaMistralForCausalLM"], "model_type": "llava_mistral"},
            "LlavaMistralForCausalLM; only",
        ),
        ({"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava"}, "Hugging Face already; open it"),
        ({"model_type": "llava", "text_config": {}}, "Hugging Face already; open it"),
        ({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}, "holds a LlamaForCausalLM, not a LLaVA"),
        ({"model_type": "gpt2"}, "holds a gpt2, not a LLaVA"),
        ({}, "holds a None, not a LLaVA"),
    ],
)
def test_everything_else_is_refused_by_name(tmp_path: Path, config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        read_config(write(tmp_path, **config))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "has no config.json"), ("{", "cannot be read as JSON"), ("[1]", "not a JSON object")],
)
def test_a_missing_or_broken_config_is_named(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=sentence):
        read_config(tmp_path)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"There is no directory '.*nowhere'"):
        read_config(tmp_path / "nowhere")


def test_a_lora_of_the_original_code_is_told_from_a_checkpoint(tmp_path: Path) -> None:
    write(tmp_path, architectures=["LlavaLlamaForCausalLM"])
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="a LoRA adapter, not a whole checkpoint; merge it"):
        read_config(tmp_path)


@pytest.mark.parametrize("storage", ["bin", "old bin", "safetensors"])
@pytest.mark.parametrize("shards", [1, 3])
def test_all_weights_of_all_files_are_found_but_computed_constants(make: Any, storage: str, shards: int) -> None:
    original = make(storage=storage, shards=shards)
    found = checkpoint_shards(original.path, None)
    assert len(found) == shards
    names = {old for part in found for old in part.names.values()}
    tower = {f"model.vision_tower.vision_tower.{name}" for name in original.tower}
    assert names == {*original.weights, *tower}
    assert sum(part.bytes for part in found) == sum(
        weight.nbytes for weight in [*original.weights.values(), *original.tower.values()]
    )


def test_safetensors_count_where_both_formats_are(make: Any) -> None:
    path = make(storage="safetensors", shards=1).path
    (path / "pytorch_model.bin").write_text("not read")
    assert [part.file.name for part in checkpoint_shards(path, None)] == ["model.safetensors"]


def test_a_missing_shard_is_named(make: Any) -> None:
    path = make().path
    (path / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(CheckpointError, match=r"'.*pytorch_model-00002-of-00002.bin' are missing; fetch"):
        checkpoint_shards(path, None)


def test_a_weight_that_the_index_promises_has_to_be_there(make: Any) -> None:
    path = make().path
    index = path / "pytorch_model.bin.index.json"
    listed = json.loads(index.read_text())
    listed["weight_map"]["model.layers.9.mlp.up_proj.weight"] = "pytorch_model-00001-of-00002.bin"
    index.write_text(json.dumps(listed))
    with pytest.raises(CheckpointError, match=r"lacks 'model.layers.9.mlp.up_proj.weight', which its index promises"):
        checkpoint_shards(path, None)


@pytest.mark.parametrize(
    "index",
    [
        "{",
        "[]",
        "{}",
        '{"weight_map": {}}',
        '{"weight_map": ["a"]}',
        '{"weight_map": {"a": 3}}',
        '{"weight_map": {"a": "../../secret.bin"}}',
        '{"weight_map": {"a": "/etc/passwd"}}',
        '{"weight_map": {"a": ".."}}',
    ],
)
def test_a_corrupt_index_is_refused_and_leads_nowhere_else(make: Any, index: str) -> None:
    path = make().path
    (path / "pytorch_model.bin.index.json").write_text(index)
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin.index.json"):
        checkpoint_shards(path, None)


def test_a_weight_without_a_place_is_named(make: Any) -> None:
    path = make(storage="safetensors", shards=1).path
    save_file({"model.image_newline": torch.ones(3)}, path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"holds 'model.image_newline', which no LLaVA 1 or 1.5"):
        checkpoint_shards(path, None)


def test_no_weights_at_all(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no weights \(model.safetensors"):
        checkpoint_shards(tmp_path, None)


def test_a_projector_alone_asks_for_its_language_model(tmp_path: Path) -> None:
    torch.save({"model.mm_projector.weight": torch.ones(2, 3)}, tmp_path / "mm_projector.bin")
    with pytest.raises(CheckpointError, match=r"holds a projector only; .* --base"):
        checkpoint_shards(tmp_path, None)


def test_a_projector_beside_whole_weights_is_not_read(make: Any) -> None:
    path = make().path
    (path / "mm_projector.bin").write_text("not read")
    assert len(checkpoint_shards(path, None)) == 2


def test_of_a_clip_only_what_sees_is_found(clip: Path) -> None:
    (part,) = tower_shards(clip)
    assert all(name.startswith("vision_tower.vision_model.") for name in part.names)
    assert len(part.names) == 55


def test_a_directory_without_a_tower_is_refused(tmp_path: Path) -> None:
    save_file({"text_model.x": torch.ones(1)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="no weights of a CLIP vision tower"):
        tower_shards(tmp_path)
