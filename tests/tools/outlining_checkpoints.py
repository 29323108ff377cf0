"""Checkpoints of the classes that find and outline: tiny and random, saved as the hub has them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools.tokenizers import letter_tokenizer, saved, word_tokenizer

Home = pytest.TempPathFactory
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 2}
SCALED = {"do_resize": True, "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255, **IMAGENET}
SCENE_CLASSES = {0: "wall", 1: "building, edifice", 2: "sky", 3: "floor, flooring"}


def with_processor(home: Path, **settings: Any) -> Path:
    """Writes an image processor's settings whose class needs torchvision."""
    (home / "preprocessor_config.json").write_text(json.dumps({**SCALED, **settings}))
    return home


def swin(*stages: int) -> Any:
    from transformers import SwinConfig

    sizes: dict[str, Any] = {"embed_dim": 8, "depths": [1] * 4, "num_heads": [1, 1, 2, 2], "window_size": 4}
    names: dict[str, Any] = {"out_features": [f"stage{stage}" for stage in stages]}
    return SwinConfig(**sizes, **names, image_size=64)


def dino_sizes() -> dict[str, Any]:
    from transformers import BertConfig

    text: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    layers = {"encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_n_points": 1, "decoder_n_points": 1}
    return {
        "backbone_config": swin(2, 3, 4),
        "text_config": BertConfig(vocab_size=1100, max_position_embeddings=64, **text),
        "d_model": 32,
        "num_queries": 20,
        "max_text_len": 64,
        **layers,
        **heads,
    }


@pytest.fixture(scope="session")
def grounding_dino(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import (
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessorPil,
        GroundingDinoProcessor,
    )

    torch.manual_seed(0)
    pictures = GroundingDinoImageProcessorPil(size={"shortest_edge": 128, "longest_edge": 192})
    model = GroundingDinoForObjectDetection(GroundingDinoConfig(**dino_sizes()))
    return saved(tmp_path_factory.mktemp("dino"), model, GroundingDinoProcessor(pictures, word_tokenizer()))


@pytest.fixture(scope="session")
def mm_grounding_dino(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import GroundingDinoImageProcessorPil, MMGroundingDinoConfig, MMGroundingDinoForObjectDetection

    torch.manual_seed(0)
    pictures = GroundingDinoImageProcessorPil(size={"shortest_edge": 128, "longest_edge": 192})
    model = MMGroundingDinoForObjectDetection(MMGroundingDinoConfig(**dino_sizes()))
    return saved(tmp_path_factory.mktemp("mm-dino"), model, pictures, word_tokenizer())


@pytest.fixture(scope="session")
def owlv2(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessorPil

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    marks = {"bos_token_id": 53, "eos_token_id": 54, "pad_token_id": 54}
    config = Owlv2Config(
        text_config={"vocab_size": 55, "max_position_embeddings": 16, **sizes, **marks},
        vision_config={"image_size": 96, "patch_size": 16, **sizes},
        projection_dim=16,
    )
    model = Owlv2ForObjectDetection(config)
    torch.nn.init.zeros_(model.box_head.dense2.weight)  # every box stays where its patch is
    pictures = Owlv2ImageProcessorPil(size={"height": 96, "width": 96})
    return saved(tmp_path_factory.mktemp("owl"), model, pictures, letter_tokenizer())


@pytest.fixture(scope="session")
def sam(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import SamConfig, SamImageProcessorPil, SamModel, SamProcessor

    torch.manual_seed(0)
    square = {"image_size": 128, "patch_size": 16}
    layers = {"mlp_dim": 16, "num_attention_heads": 2}
    vision = {"hidden_size": 16, "output_channels": 16, "num_hidden_layers": 1, "window_size": 2, "num_pos_feats": 8}
    config = SamConfig(
        vision_config={**vision, **square, **layers, "global_attn_indexes": [0]},
        prompt_encoder_config={"hidden_size": 16, **square},
        mask_decoder_config={"hidden_size": 16, "num_hidden_layers": 2, "iou_head_hidden_dim": 16, **layers},
    )
    pictures = SamImageProcessorPil(
        size={"longest_edge": 128},
        pad_size={"height": 128, "width": 128},
        mask_size={"longest_edge": 32},
        mask_pad_size={"height": 32, "width": 32},
    )
    return saved(tmp_path_factory.mktemp("sam"), SamModel(config), SamProcessor(pictures))


def sam2_sizes() -> dict[str, Any]:
    hiera = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [128, 128],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1] * 4,
        "window_size_per_stage": [4] * 4,
        "global_attention_blocks": [3],
    }
    vision = {
        "backbone_config": hiera,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        "fpn_hidden_size": 32,
    }
    decoder = {"hidden_size": 32, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
    prompts = {"hidden_size": 32, "image_size": 128, "patch_size": 16}
    return {"vision_config": vision, "prompt_encoder_config": prompts, "mask_decoder_config": decoder}


SAM2_PICTURES: dict[str, Any] = {
    "image_processor_type": "Sam2ImageProcessorFast",
    "size": {"height": 128, "width": 128},
    "mask_size": {"height": 32, "width": 32},
    "processor_class": "Sam2Processor",
}


@pytest.fixture(scope="session")
def sam2(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import Sam2Config, Sam2Model

    torch.manual_seed(0)
    home = saved(tmp_path_factory.mktemp("sam2"), Sam2Model(Sam2Config(**sam2_sizes())))
    return with_processor(home, **SAM2_PICTURES)


@pytest.fixture(scope="session")
def sam2_of_the_hub(tmp_path_factory: Home) -> Path:
    """The hub keeps SAM 2 together with the parts that follow things through films."""
    import torch
    from transformers import Sam2VideoConfig, Sam2VideoModel

    torch.manual_seed(0)
    memory: dict[str, Any] = {
        "memory_attention_hidden_size": 32,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 16,
        "memory_attention_rope_feat_sizes": [8, 8],
        "memory_encoder_hidden_size": 32,
        "memory_encoder_output_channels": 8,
        "memory_fuser_num_layers": 1,
        "memory_fuser_embed_dim": 32,
        "memory_fuser_intermediate_dim": 16,
        "mask_downsampler_embed_dim": 32,
    }
    model = Sam2VideoModel(Sam2VideoConfig(**sam2_sizes(), image_size=128, **memory))
    return with_processor(saved(tmp_path_factory.mktemp("sam2-video"), model), **SAM2_PICTURES)


def named_classes() -> dict[str, Any]:
    return {"id2label": SCENE_CLASSES, "label2id": {name: number for number, name in SCENE_CLASSES.items()}}


@pytest.fixture(scope="session")
def upernet(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import ConvNextConfig, SegformerImageProcessorPil, UperNetConfig, UperNetForSemanticSegmentation

    torch.manual_seed(0)
    stages: dict[str, Any] = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}
    backbone = ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, **stages)
    heads: dict[str, Any] = {"hidden_size": 16, "pool_scales": [1, 2], "use_auxiliary_head": False}
    model = UperNetForSemanticSegmentation(UperNetConfig(backbone_config=backbone, **heads, **named_classes()))
    pictures = SegformerImageProcessorPil(size={"height": 64, "width": 64}, do_reduce_labels=True)
    return saved(tmp_path_factory.mktemp("upernet"), model, pictures)


def mask_former_sizes() -> dict[str, Any]:
    sizes = {"hidden_dim": 32, "encoder_feedforward_dim": 16, "encoder_layers": 1, "decoder_layers": 2}
    return {**sizes, "num_attention_heads": 2, "dim_feedforward": 16, "num_queries": 5, **named_classes()}


@pytest.fixture(scope="session")
def mask2former(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import (
        Mask2FormerConfig,
        Mask2FormerForUniversalSegmentation,
        Mask2FormerImageProcessorPil,
    )

    torch.manual_seed(0)
    features: dict[str, Any] = {"feature_size": 32, "mask_feature_size": 32}
    config = Mask2FormerConfig(backbone_config=swin(1, 2, 3, 4), **features, **mask_former_sizes())
    pictures = Mask2FormerImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 128}, size_divisor=32)
    return saved(tmp_path_factory.mktemp("mask2former"), Mask2FormerForUniversalSegmentation(config), pictures)


@pytest.fixture(scope="session")
def oneformer(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation

    torch.manual_seed(0)
    text: dict[str, Any] = {"text_encoder_width": 16, "text_encoder_num_layers": 1, "text_encoder_context_length": 30}
    dimensions: dict[str, Any] = {"conv_dim": 32, "mask_dim": 32, "query_dec_layers": 1, "task_seq_len": 30}
    config = OneFormerConfig(
        backbone_config=swin(1, 2, 3, 4), text_encoder_vocab_size=55, **text, **dimensions, **mask_former_sizes()
    )
    home = saved(tmp_path_factory.mktemp("oneformer"), OneFormerForUniversalSegmentation(config), letter_tokenizer())
    return with_processor(
        home,
        image_processor_type="OneFormerImageProcessor",
        class_info_file="ade20k_panoptic.json",  # which only the hub has
        repo_path="shi-labs/oneformer_demo",
        size={"shortest_edge": 64, "longest_edge": 128},
    )


@pytest.fixture(scope="session")
def eomt(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import EomtConfig, EomtForUniversalSegmentation, EomtImageProcessorPil

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_blocks": 1}
    queries: dict[str, Any] = {"num_queries": 5, "num_upscale_blocks": 1, "image_size": 64, "patch_size": 16}
    model = EomtForUniversalSegmentation(EomtConfig(**sizes, **queries, **named_classes()))
    size: Any = {"shortest_edge": 64, "longest_edge": None}
    pictures = EomtImageProcessorPil(size=size, do_split_image=True, do_pad=False)
    return saved(tmp_path_factory.mktemp("eomt"), model, pictures)


DINO_SIZES: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture(scope="session")
def dinov2(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import BitImageProcessorPil, Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    model = Dinov2Model(Dinov2Config(**DINO_SIZES, image_size=70, patch_size=14, mlp_ratio=1))
    pictures = BitImageProcessorPil(size={"shortest_edge": 70}, crop_size={"height": 70, "width": 70})
    return saved(tmp_path_factory.mktemp("dinov2"), model, pictures)


@pytest.fixture(scope="session")
def dinov2_with_registers(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import BitImageProcessorPil, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    torch.manual_seed(0)
    model = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**DINO_SIZES, image_size=70, patch_size=14, mlp_ratio=1))
    pictures = BitImageProcessorPil(size={"shortest_edge": 70}, crop_size={"height": 70, "width": 70})
    return saved(tmp_path_factory.mktemp("dinov2-registers"), model, pictures)


@pytest.fixture(scope="session")
def dinov3(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    torch.manual_seed(0)
    more: dict[str, Any] = {"intermediate_size": 64, "image_size": 64, "patch_size": 16, "num_register_tokens": 4}
    home = saved(tmp_path_factory.mktemp("dinov3"), DINOv3ViTModel(DINOv3ViTConfig(**DINO_SIZES, **more)))
    return with_processor(home, image_processor_type="DINOv3ViTImageProcessorFast", size={"height": 224, "width": 224})
