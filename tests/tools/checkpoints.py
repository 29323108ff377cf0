"""Checkpoints of the classes that describe, tag, compare and paint: tiny and random, saved as the hub has them."""

from pathlib import Path
from typing import Any

import pytest

from tests.tools.tokenizers import bart_tokenizer, letter_tokenizer, qwen_tokenizer, saved, word_tokenizer

Home = pytest.TempPathFactory


@pytest.fixture(scope="session")
def florence(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import CLIPImageProcessorPil, Florence2Config, Florence2ForConditionalGeneration

    torch.manual_seed(0)
    stage = {"patch_size": [7, 3], "patch_stride": [4, 2], "patch_padding": [3, 1], "patch_prenorm": [False, True]}
    heads = {"num_heads": [1, 1], "num_groups": [1, 1], "depths": [1, 1], "embed_dim": [8, 16], "window_size": 4}
    places = {"max_temporal_embeddings": 4, "max_position_embeddings": 8, "projection_dim": 16}
    text = {"model_type": "bart", "vocab_size": 64, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1}
    more = {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    marks = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
    config = Florence2Config(
        vision_config={**stage, **heads, **places}, text_config={**text, **more, **marks}, image_token_id=5
    )
    pictures = CLIPImageProcessorPil(
        size={"height": 32, "width": 32},
        do_center_crop=False,
        image_seq_length=17,
        crop_size={"height": 32, "width": 32},
    )
    model = Florence2ForConditionalGeneration(config)
    return saved(tmp_path_factory.mktemp("florence"), model, pictures, bart_tokenizer())


@pytest.fixture(scope="session")
def blip(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessorPil

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    marks = {"bos_token_id": 101, "sep_token_id": 102, "eos_token_id": 102, "pad_token_id": 0}
    text = {"vocab_size": 1100, "encoder_hidden_size": 16, "max_position_embeddings": 64, **sizes, **marks}
    config = BlipConfig(
        text_config=text, vision_config={"image_size": 32, "patch_size": 16, **sizes}, projection_dim=16
    )
    pictures = BlipImageProcessorPil(size={"height": 32, "width": 32})
    return saved(tmp_path_factory.mktemp("blip"), BlipForConditionalGeneration(config), pictures, word_tokenizer())


@pytest.fixture(scope="session")
def blip2(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import Blip2Config, Blip2ForConditionalGeneration, BlipImageProcessorPil

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {"model_type": "opt", "vocab_size": 64, "hidden_size": 16, "ffn_dim": 16, "num_hidden_layers": 1}
    marks = {
        "num_attention_heads": 2,
        "word_embed_proj_dim": 16,
        "bos_token_id": 2,
        "eos_token_id": 2,
        "pad_token_id": 1,
    }
    config = Blip2Config(
        vision_config={"image_size": 32, "patch_size": 16, **sizes},
        qformer_config={"vocab_size": 64, "encoder_hidden_size": 16, "cross_attention_frequency": 1, **sizes},
        text_config={**text, **marks},
        num_query_tokens=2,
        image_token_index=5,
    )
    model, pictures = Blip2ForConditionalGeneration(config), BlipImageProcessorPil(size={"height": 32, "width": 32})
    return saved(tmp_path_factory.mktemp("blip2"), model, pictures, bart_tokenizer())


PAIR_SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


@pytest.fixture(scope="session")
def siglip(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    torch.manual_seed(0)
    text = {
        "vocab_size": 1100,
        "max_position_embeddings": 32,
        "pad_token_id": 0,
        "bos_token_id": 101,
        "eos_token_id": 102,
    }
    config = SiglipConfig(
        text_config={**text, **PAIR_SIZES}, vision_config={"image_size": 32, "patch_size": 16, **PAIR_SIZES}
    )
    model = SiglipModel(config)
    torch.nn.init.constant_(model.logit_bias, -1.0)
    torch.nn.init.constant_(model.logit_scale, 1.0)
    pictures = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    return saved(tmp_path_factory.mktemp("siglip"), model, pictures, word_tokenizer())


@pytest.fixture(scope="session")
def siglip2_of_any_shape(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import Siglip2Config, Siglip2ImageProcessorPil, Siglip2Model

    torch.manual_seed(0)
    text = {
        "vocab_size": 1100,
        "max_position_embeddings": 32,
        "pad_token_id": 0,
        "bos_token_id": 101,
        "eos_token_id": 102,
    }
    config = Siglip2Config(
        text_config={**text, **PAIR_SIZES}, vision_config={"patch_size": 16, "num_patches": 16, **PAIR_SIZES}
    )
    pictures = Siglip2ImageProcessorPil(patch_size=16, max_num_patches=16)
    return saved(tmp_path_factory.mktemp("siglip2"), Siglip2Model(config), pictures, word_tokenizer())


@pytest.fixture(scope="session")
def clip(tmp_path_factory: Home) -> Path:
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    torch.manual_seed(0)
    text = {"vocab_size": 55, "max_position_embeddings": 77, "bos_token_id": 53, "eos_token_id": 54, "pad_token_id": 54}
    config = CLIPConfig(
        text_config={**text, **PAIR_SIZES},
        vision_config={"image_size": 32, "patch_size": 16, **PAIR_SIZES},
        projection_dim=16,
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return saved(tmp_path_factory.mktemp("clip"), CLIPModel(config), pictures, letter_tokenizer())


def diffusion_parts(channels: int = 4) -> dict[str, Any]:
    """Stable Diffusion's parts, tiny: pictures of 32 x 32 pixels."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    blocks: dict[str, Any] = {"block_out_channels": (8, 8), "norm_num_groups": 4}
    return {
        "unet": UNet2DConditionModel(
            sample_size=16,
            in_channels=channels,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            **blocks,
        ),
        "vae": AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            sample_size=32,
            **blocks,
        ),
        "scheduler": DDIMScheduler(
            steps_offset=1, clip_sample=False, set_alpha_to_one=False, beta_schedule="scaled_linear"
        ),
        "text_encoder": CLIPTextModel(
            CLIPTextConfig(vocab_size=55, bos_token_id=53, eos_token_id=54, pad_token_id=54, **PAIR_SIZES)
        ),
        "tokenizer": letter_tokenizer(),
        "safety_checker": None,
        "feature_extractor": None,
        "image_encoder": None,
    }


@pytest.fixture(scope="session")
def stable_diffusion(tmp_path_factory: Home) -> Path:
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(**diffusion_parts(), requires_safety_checker=False)
    return saved(tmp_path_factory.mktemp("sd"), pipeline)


@pytest.fixture(scope="session")
def inpainting(tmp_path_factory: Home) -> Path:
    from diffusers import StableDiffusionInpaintPipeline

    pipeline = StableDiffusionInpaintPipeline(**diffusion_parts(channels=9), requires_safety_checker=False)
    return saved(tmp_path_factory.mktemp("sd-inpainting"), pipeline)


@pytest.fixture(scope="session")
def pix2pix(tmp_path_factory: Home) -> Path:
    from diffusers import StableDiffusionInstructPix2PixPipeline

    pipeline = StableDiffusionInstructPix2PixPipeline(**diffusion_parts(channels=8), requires_safety_checker=False)
    return saved(tmp_path_factory.mktemp("pix2pix"), pipeline)


@pytest.fixture(scope="session")
def control_net(tmp_path_factory: Home) -> Path:
    import torch
    from diffusers import ControlNetModel

    torch.manual_seed(0)
    control = ControlNetModel.from_unet(diffusion_parts()["unet"], conditioning_embedding_out_channels=(8, 16))
    for zero in (*control.controlnet_down_blocks, control.controlnet_mid_block):
        torch.nn.init.normal_(zero.weight, std=0.5)  # or it would have no say before it is trained
    torch.nn.init.normal_(control.controlnet_cond_embedding.conv_out.weight, std=0.5)
    return saved(tmp_path_factory.mktemp("controlnet"), control)


@pytest.fixture(scope="session")
def flux2_klein(tmp_path_factory: Home) -> Path:
    import torch
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    heads: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4}
    words = Qwen3Config(vocab_size=64, hidden_size=8, intermediate_size=8, num_hidden_layers=28, **heads)
    pipeline = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLFlux2(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 8),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
        ),
        text_encoder=Qwen3ForCausalLM(words),  # its layers 9, 18 and 27 are read
        tokenizer=qwen_tokenizer(),
        transformer=Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=24,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        is_distilled=True,
    )
    return saved(tmp_path_factory.mktemp("flux2-klein"), pipeline)
