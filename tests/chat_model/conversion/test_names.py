import pytest

from llavaplus_graph.chat_model.conversion.names import from_checkpoint, from_tower, stored


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lm_head.weight", "language_model.lm_head.weight"),
        ("model.embed_tokens.weight", "language_model.model.embed_tokens.weight"),
        ("model.norm.weight", "language_model.model.norm.weight"),
        ("model.layers.31.mlp.up_proj.weight", "language_model.model.layers.31.mlp.up_proj.weight"),
        ("model.mm_projector.weight", "multi_modal_projector.linear_1.weight"),
        ("mm_projector.bias", "multi_modal_projector.linear_1.bias"),
        ("model.mm_projector.0.bias", "multi_modal_projector.linear_1.bias"),
        ("model.mm_projector.2.weight", "multi_modal_projector.linear_2.weight"),
        (
            "model.vision_tower.vision_tower.vision_model.pre_layrnorm.bias",
            "vision_tower.vision_model.pre_layrnorm.bias",
        ),
        ("model.layers.0.self_attn.rotary_emb.inv_freq", None),
        ("model.vision_tower.vision_tower.vision_model.embeddings.position_ids", None),
    ],
)
def test_every_weight_of_the_original_has_its_place(old: str, new: str | None) -> None:
    assert from_checkpoint(old) == new


@pytest.mark.parametrize(
    "name",
    ["model.mm_projector.4.weight", "model.image_newline", "transformer.wte.weight", "model.vision_resampler.x", "x"],
)
def test_a_weight_of_another_architecture_has_none(name: str) -> None:
    with pytest.raises(KeyError):
        from_checkpoint(name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("vision_model.post_layernorm.weight", "vision_tower.vision_model.post_layernorm.weight"),
        ("vision_model.embeddings.position_ids", None),
        ("text_model.final_layer_norm.weight", None),
        ("visual_projection.weight", None),
        ("logit_scale", None),
    ],
)
def test_of_a_clip_only_the_side_that_sees_is_taken(old: str, new: str | None) -> None:
    assert from_tower(old) == new


@pytest.mark.parametrize("level", ["", "vision_model."])
def test_names_in_memory_lead_to_the_same_names_on_disk_in_every_version(level: str) -> None:
    names = {
        f"model.vision_tower.{level}pre_layrnorm.bias": "vision_tower.vision_model.pre_layrnorm.bias",
        "model.language_model.norm.weight": "language_model.model.norm.weight",
        "model.multi_modal_projector.linear_2.bias": "multi_modal_projector.linear_2.bias",
        "lm_head.weight": "language_model.lm_head.weight",
    }
    assert stored(names) == names
