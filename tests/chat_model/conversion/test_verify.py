import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from llavaplus_graph.chat_model.conversion import convert, verify
from llavaplus_graph.errors import CheckpointError


@pytest.fixture
def converted(make: Any, tmp_path: Path) -> Path:
    return convert(make(storage="safetensors", shards=1).path, tmp_path / "out")


def test_a_converted_directory_is_complete(converted: Path) -> None:
    assert verify.check_written(converted).image_seq_length == 16
    assert len(verify.written_projector(converted)) == 4


@pytest.mark.parametrize("shards", [1, 3])
def test_the_projector_is_found_in_whichever_file_it_is(make: Any, tmp_path: Path, shards: int) -> None:
    out = convert(make(shards=shards).path, tmp_path / "out")
    assert sorted(name.removeprefix("multi_modal_projector.") for name in verify.written_projector(out)) == [
        "linear_1.bias",
        "linear_1.weight",
        "linear_2.bias",
        "linear_2.weight",
    ]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("missing", "lacks 1 weights, for example that for 'language_model.model.norm.weight'"),
        ("surplus", "has 1 weights more than .* 'language_model.model.norm.extra'"),
        ("shape", r"'language_model.model.norm.weight' has the shape \(31,\)"),
    ],
)
def test_any_weight_too_few_too_many_or_of_another_shape_is_named(converted: Path, damage: str, sentence: str) -> None:
    weights = load_file(converted / "model.safetensors")
    norm = weights.pop("language_model.model.norm.weight")
    if damage == "surplus":
        weights |= {"language_model.model.norm.weight": norm, "language_model.model.norm.extra": norm.clone()}
    elif damage == "shape":
        weights["language_model.model.norm.weight"] = norm[:-1].contiguous()
    save_file(weights, converted / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=sentence):
        verify.check_written(converted)


def test_settings_that_give_a_picture_other_places_than_features_are_refused(converted: Path) -> None:
    path = converted / "processor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_additional_image_tokens": 0}))
    with pytest.raises(CheckpointError, match="takes 15 places in a prompt and gives 16 features"):
        verify.check_written(converted)
