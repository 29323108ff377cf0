import json
from pathlib import Path
from typing import Any

import pytest
from transformers import CLIPVisionConfig

from llavaplus_graph.chat_model.conversion import convert, target
from llavaplus_graph.chat_model.conversion.shards import Entry
from llavaplus_graph.chat_model.conversion.source import checkpoint_shards
from llavaplus_graph.chat_model.conversion.tokens import build_tokenizer
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.errors import CheckpointError


def weights(original: Any) -> dict[str, Entry]:
    return {name: entry for part in checkpoint_shards(original.path, None) for name, entry in part.entries.items()}


def described(original: Any, **changes: Any) -> Any:
    tokenizer = build_tokenizer(original.path, original.config)
    vision = target.vision_config("openai/clip-vit-large-patch14", None, weights(original))
    return target.llava_config(original.config | changes, vision, weights(original), tokenizer)


@pytest.mark.parametrize("name", ["openai/clip-vit-large-patch14", "/data/clip-vit-large-patch14-336/"])
def test_the_sizes_of_a_tower_inside_are_read_from_its_weights(make: Any, name: str) -> None:
    vision = target.vision_config(name, None, weights(make()))
    assert (vision.hidden_size, vision.intermediate_size, vision.num_hidden_layers) == (128, 96, 3)
    assert (vision.image_size, vision.patch_size, vision.num_attention_heads) == (32, 8, 2)
    assert vision.hidden_act == "quick_gelu"


def test_how_another_tower_is_built_has_to_be_told(make: Any) -> None:
    with pytest.raises(CheckpointError, match=r"sees with 'laion/CLIP-ViT-H-14'.* --vision-tower"):
        target.vision_config("laion/CLIP-ViT-H-14", None, weights(make()))


def test_a_directory_says_how_its_tower_is_built(clip: Path) -> None:
    assert target.vision_config("any", clip, {}).num_attention_heads == 2


def test_a_tower_that_is_no_clip_is_refused(clip: Path) -> None:
    (clip / "config.json").write_text('{"model_type": "siglip"}')
    with pytest.raises(CheckpointError, match="holds a siglip; a CLIP"):
        target.vision_config("any", clip, {})


def test_the_settings_of_the_language_model_are_those_of_the_original(make: Any) -> None:
    config = described(make(rope_theta=5_000.0, rms_norm_eps=1e-4, max_position_embeddings=512, hidden_act="gelu"))
    text = config.text_config
    assert (text.rms_norm_eps, text.max_position_embeddings, text.hidden_act) == (1e-4, 512, "gelu")
    assert text.rope_parameters["rope_theta"] == 5_000.0
    assert (text.bos_token_id, text.eos_token_id, text.pad_token_id) == (1, 2, 420)
    assert (config.image_token_index, text.vocab_size) == (421, 422)


def test_a_scaled_position_encoding_is_kept(make: Any) -> None:
    scaled = described(make(rope_scaling={"type": "linear", "factor": 2.0})).text_config.rope_parameters
    assert (scaled["rope_type"], scaled["factor"]) == ("linear", 2.0)


@pytest.mark.parametrize(("feature", "strategy", "places"), [("patch", "default", 16), ("cls_patch", "full", 17)])
def test_the_class_feature_is_kept_or_dropped(make: Any, feature: str, strategy: str, places: int) -> None:
    config = described(make(mm_vision_select_feature=feature, mm_vision_select_layer=-1))
    assert (config.vision_feature_select_strategy, config.image_seq_length) == (strategy, places)
    assert config.vision_feature_layer == -1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mm_projector_type": "mlp3x_gelu"}, "projector of type 'mlp3x_gelu'"),
        ({"mm_projector_type": "identity"}, "projector of type 'identity'"),
        ({"mm_vision_select_feature": "cls"}, "selects 'cls' of the vision tower"),
    ],
)
def test_a_setting_without_counterpart_is_named(make: Any, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        described(make(), **change)


def test_a_tower_that_is_incomplete_or_damaged_is_refused_by_the_weight(make: Any) -> None:
    found = weights(make())
    name = "vision_tower.vision_model.embeddings.position_embedding.weight"
    for shape, sentence in (((17,), "has the shape"), (None, "lacks the weight for")):
        others = {key: entry for key, entry in found.items() if key != name}
        damaged = others | ({name: Entry(shape, "float32", 68)} if shape else {})
        with pytest.raises(CheckpointError, match=f"{sentence}|{name}"):
            target.vision_config("openai/clip-vit-large-patch14", None, damaged)


def test_pictures_are_cropped_or_padded_as_the_original_says(make: Any) -> None:
    original = make()
    config, tokenizer = described(original), build_tokenizer(original.path, original.config)
    for aspect, kind in (
        (None, "CLIPImageProcessorPil"),
        ("square", "CLIPImageProcessorPil"),
        ("pad", "LlavaImageProcessorPil"),
    ):
        processor: Any = target.build_processor(config, {"image_aspect_ratio": aspect}, None, tokenizer, "")
        assert type(processor.image_processor).__name__ == kind
        assert processor.image_processor.size["shortest_edge"] == 32
        assert (processor.image_processor.crop_size["height"], processor.patch_size) == (32, 8)
    with pytest.raises(CheckpointError, match="prepares pictures as 'anyres'"):
        target.build_processor(config, {"image_aspect_ratio": "anyres"}, None, tokenizer, "")


def test_the_directory_of_a_tower_has_the_last_word_on_its_pictures(make: Any, clip: Path) -> None:
    original = make()
    settings = {"size": 40, "crop_size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.5, 0.5], "feature": "x"}
    (clip / "preprocessor_config.json").write_text(json.dumps(settings))
    tokenizer = build_tokenizer(original.path, original.config)
    processor: Any = target.build_processor(described(original), {}, clip, tokenizer, "")
    assert processor.image_processor.size["shortest_edge"] == 40
    assert list(processor.image_processor.image_mean) == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("settings", [{"size": "x"}, {"crop_size": [3]}, {"image_mean": [1]}, {"resample": "bicubic!"}])
def test_damaged_settings_for_pictures_are_refused(make: Any, clip: Path, tmp_path: Path, settings: object) -> None:
    (clip / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=r"preprocessor_config.json has settings of no model|takes \d+ places"):
        convert(make().path, tmp_path / "out", vision_tower=clip)


def test_a_v0_checkpoint_stops_at_a_text_and_a_v1_at_a_token(make: Any) -> None:
    config = described(make())
    v0 = target.generation_config(config, Dialect(template="v0"))
    assert (v0.stop_strings, v0.suppress_tokens) == (["###"], [421])
    v1 = target.generation_config(config, Dialect(template="v1"))
    assert (v1.stop_strings, v1.eos_token_id) == (None, 2)


def test_all_weights_of_the_model_are_expected_and_a_tied_head_is_not(make: Any) -> None:
    expected = target.expected_weights(described(make()))
    assert expected["language_model.lm_head.weight"] == (422, 32)
    assert expected["multi_modal_projector.linear_2.weight"] == (32, 32)
    assert expected["vision_tower.vision_model.embeddings.position_embedding.weight"] == (17, 128)
    assert len(expected) == 80
    assert isinstance(
        target.vision_config("clip-vit-base-patch16", None, weights(make("tied", tie=True))), CLIPVisionConfig
    )
    assert "language_model.lm_head.weight" not in target.expected_weights(described(make("tied2", tie=True)))
