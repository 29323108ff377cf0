"""Tiny checkpoints in the layout of the original code, and what the original computes with them, in plain torch."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

PIECES = 420
WIDTH, HEADS, KEYS, LAYERS, INNER = 32, 4, 2, 2, 48
EYE, EYE_HEADS, EYE_LAYERS, EYE_INNER, PATCH, SIDE = 128, 2, 3, 96, 8, 32
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SENTENCES = [
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful answers.",
    '###Human: What does the sign say?###Assistant: "thoughts" I need easyocr. "actions" [] "value" It says STOP.\n',
    "USER: find the red cup ASSISTANT: The cup is red, it stands at 12 34.",
] * 6


@dataclass
class Original:
    """A checkpoint of the original code that was made here: where it lies, and all that went into it."""

    path: Path
    config: dict[str, Any]
    weights: dict[str, Tensor]
    tower: dict[str, Tensor]
    pieces: sentencepiece.SentencePieceProcessor
    added: dict[str, int] = field(default_factory=dict)


Make = Callable[..., Original]


@pytest.fixture(scope="session")
def sentencepiece_model() -> bytes:
    """A model of the kind of LLaMA's: byte pairs, bytes for the unknown, digits alone, nothing normalised."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=out,
        vocab_size=PIECES,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    return out.getvalue()


@pytest.fixture
def make(tmp_path: Path, sentencepiece_model: bytes) -> Make:
    """Makes original directories; every argument is one way in which they differ."""

    def made(
        name: str = "llava_plus_v0_7b",
        *,
        projector: str = "linear",
        storage: str = "bin",
        shards: int = 2,
        inside: bool = True,
        added: tuple[str, ...] = ("[PAD]",),
        rows: int | None = None,
        dtype: torch.dtype = torch.float32,
        tie: bool = False,
        width: int = WIDTH,
        inner: int = INNER,
        layers: int = LAYERS,
        config: dict[str, Any] | None = None,
        **more: Any,
    ) -> Original:
        path = tmp_path / name
        path.mkdir()
        pieces = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model)
        tokens = {token: PIECES + index for index, token in enumerate(added)}
        vocabulary = rows or PIECES + len(tokens)
        settings = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers}
        settings |= _config(projector, vocabulary, tie) | (config or {}) | more
        shapes = _shapes(projector, vocabulary, tie, width, inner, layers)
        draw = torch.Generator().manual_seed(1)
        weights = {key: _drawn(key, shape, draw).to(dtype) for key, shape in shapes.items()}
        tower = _tower_weights(dtype)
        stored = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)} | weights
        if inside:
            stored |= {f"model.vision_tower.vision_tower.{key}": value for key, value in tower.items()}
        _save(stored, path, storage, shards)
        (path / "config.json").write_text(json.dumps(settings))
        (path / "tokenizer.model").write_bytes(sentencepiece_model)
        (path / "added_tokens.json").write_text(json.dumps(tokens))
        padding = "[PAD]" if "[PAD]" in tokens else "<unk>"
        (path / "special_tokens_map.json").write_text(
            json.dumps({"bos_token": {"content": "<s>", "lstrip": False}, "eos_token": "</s>", "pad_token": padding})
        )
        (path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 2048, "padding_side": "right"}))
        return Original(path, settings, weights, tower, pieces, tokens)

    return made


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The directory of a vision tower beside a checkpoint: a whole CLIP, text side included."""
    path = tmp_path / "clip"
    path.mkdir()
    vision = {
        "hidden_size": EYE,
        "intermediate_size": EYE_INNER,
        "num_hidden_layers": EYE_LAYERS,
        "num_attention_heads": EYE_HEADS,
        "image_size": SIDE,
        "patch_size": PATCH,
        "hidden_act": "quick_gelu",
    }
    (path / "config.json").write_text(json.dumps({"model_type": "clip", "vision_config": vision}))
    (path / "preprocessor_config.json").write_text(json.dumps({"size": SIDE, "crop_size": SIDE, "resample": 3}))
    other = {"text_model.embeddings.token_embedding.weight": torch.ones(3, 4), "logit_scale": torch.ones(())}
    save_file(_tower_weights(torch.float32) | other, path / "model.safetensors")
    return path


@pytest.fixture
def original_logits() -> Callable[[Original, str, Image.Image], Tensor]:
    """Computes what the original code does: tokens in chunks, features of the last but one layer, splice, LLaMA."""

    def compute(original: Original, prompt: str, picture: Image.Image) -> Tensor:
        config = {name: weight.float() for name, weight in original.weights.items()}
        tower = {name: weight.float() for name, weight in original.tower.items()}
        pixels = _pixels(picture, original.config.get("image_aspect_ratio", "square"))
        features = _project(config, _see(tower, pixels))
        before, after = prompt.split("<image>")
        embed = config["model.embed_tokens.weight"]
        parts = [embed[[1, *_encode(original, before)]], features, embed[_encode(original, after)]]
        return _speak(config, torch.cat(parts))

    return compute


def _config(projector: str, vocabulary: int, tie: bool) -> dict[str, Any]:
    return {
        "architectures": ["LlavaLlamaForCausalLM"],
        "model_type": "llava",
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEYS,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "vocab_size": vocabulary,
        "pad_token_id": 0,
        "tie_word_embeddings": tie,
        "mm_vision_tower": "openai/clip-vit-large-patch14",
        "mm_projector_type": projector,
        "mm_hidden_size": EYE,
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False,
        "torch_dtype": "bfloat16",
    }


def _shapes(
    projector: str, vocabulary: int, tie: bool, width: int, inner: int, layers: int
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocabulary, width),
        "model.norm.weight": (width,),
    }
    keys = width // HEADS * KEYS
    for layer in range(layers):
        at = f"model.layers.{layer}."
        for name, rows in (("q", width), ("k", keys), ("v", keys), ("o", width)):
            shapes[f"{at}self_attn.{name}_proj.weight"] = (rows, width)
        shapes |= {f"{at}mlp.{name}_proj.weight": (inner, width) for name in ("gate", "up")}
        shapes[f"{at}mlp.down_proj.weight"] = (width, inner)
        shapes |= {f"{at}{name}_layernorm.weight": (width,) for name in ("input", "post_attention")}
    for name, seen in ({"": EYE} if projector == "linear" else {"0.": EYE, "2.": width}).items():
        shapes |= {f"model.mm_projector.{name}weight": (width, seen), f"model.mm_projector.{name}bias": (width,)}
    if not tie:
        shapes["lm_head.weight"] = (vocabulary, width)
    return shapes


def _tower_weights(dtype: torch.dtype) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(2)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.class_embedding": (EYE,),
        "embeddings.patch_embedding.weight": (EYE, 3, PATCH, PATCH),
        "embeddings.position_embedding.weight": ((SIDE // PATCH) ** 2 + 1, EYE),
    }
    for norm in ("pre_layrnorm", "post_layernorm"):
        shapes |= {f"{norm}.weight": (EYE,), f"{norm}.bias": (EYE,)}
    for layer in range(EYE_LAYERS):
        at = f"encoder.layers.{layer}."
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= {f"{at}self_attn.{name}.weight": (EYE, EYE), f"{at}self_attn.{name}.bias": (EYE,)}
        for name in ("layer_norm1", "layer_norm2"):
            shapes |= {f"{at}{name}.weight": (EYE,), f"{at}{name}.bias": (EYE,)}
        shapes |= {f"{at}mlp.fc1.weight": (EYE_INNER, EYE), f"{at}mlp.fc1.bias": (EYE_INNER,)}
        shapes |= {f"{at}mlp.fc2.weight": (EYE, EYE_INNER), f"{at}mlp.fc2.bias": (EYE,)}
    return {f"vision_model.{name}": _drawn(name, shape, draw).to(dtype) for name, shape in shapes.items()}


def _drawn(name: str, shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    about = 1.0 if "norm" in name and name.endswith("weight") else 0.0
    return about + torch.randn(shape, generator=draw) * (0.1 if len(shape) == 1 else 0.15)


def _save(weights: dict[str, Tensor], path: Path, storage: str, shards: int) -> None:
    stem, suffix = ("pytorch_model", "bin") if storage != "safetensors" else ("model", "safetensors")
    names = (
        [f"{stem}-{n + 1:05}-of-{shards:05}.{suffix}" for n in range(shards)] if shards > 1 else [f"{stem}.{suffix}"]
    )
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in names}
    for index, (key, weight) in enumerate(weights.items()):
        parts[names[index * shards // len(weights)]][key] = weight
    for name, part in parts.items():
        if storage == "safetensors":
            save_file(part, path / name)
        else:
            torch.save(part, path / name, _use_new_zipfile_serialization=storage == "bin")
    if shards > 1:
        listed = {key: name for name, part in parts.items() for key in part}
        (path / f"{stem}.{suffix}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": listed}))


def _encode(original: Original, text: str) -> list[int]:
    """Encode a chunk as the slow tokenizer did: added tokens and `</s>` cut it, and added ones eat white space."""
    for token, index in {**original.added, "</s>": 2}.items():
        if token in text:
            left, right = text.split(token, 1)
            if token in original.added:
                left, right = left.rstrip(), right.lstrip()
            return [*_encode(original, left), index, *_encode(original, right)]
    return list(original.pieces.encode(text))


def _pixels(picture: Image.Image, aspect: str) -> Tensor:
    if aspect == "pad":
        square = Image.new("RGB", (max(picture.size),) * 2, (122, 116, 104))
        square.paste(picture, ((square.width - picture.width) // 2, (square.height - picture.height) // 2))
        picture = square
    short = min(picture.size)
    width, height = (int(SIDE * side / short) for side in picture.size)
    resized = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    cropped = torch.tensor(resized[top : top + SIDE, left : left + SIDE] / 255)
    return ((cropped - torch.tensor(MEAN)) / torch.tensor(STD)).permute(2, 0, 1)[None]


def _see(weights: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """Features (patches, EYE) of the last layer but one, without the class token."""

    def get(name: str) -> Tensor:
        return weights[f"vision_model.{name}"]

    def norm(name: str, x: Tensor) -> Tensor:
        return functional.layer_norm(x, (EYE,), get(f"{name}.weight"), get(f"{name}.bias"), 1e-5)

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ get(f"{name}.weight").T + get(f"{name}.bias")

    patches = functional.conv2d(pixels, get("embeddings.patch_embedding.weight"), stride=PATCH).flatten(2)[0].T
    x = torch.cat([get("embeddings.class_embedding")[None], patches]) + get("embeddings.position_embedding.weight")
    x = norm("pre_layrnorm", x)
    for layer in range(EYE_LAYERS - 1):
        at = f"encoder.layers.{layer}."
        inner = norm(f"{at}layer_norm1", x)
        q, k, v = (
            linear(f"{at}self_attn.{name}_proj", inner).view(-1, EYE_HEADS, EYE // EYE_HEADS).transpose(0, 1)
            for name in "qkv"
        )
        scores = torch.softmax(q @ k.transpose(1, 2) / (EYE // EYE_HEADS) ** 0.5, -1)
        x = x + linear(f"{at}self_attn.out_proj", (scores @ v).transpose(0, 1).reshape(-1, EYE))
        inner = linear(f"{at}mlp.fc1", norm(f"{at}layer_norm2", x))
        x = x + linear(f"{at}mlp.fc2", inner * torch.sigmoid(1.702 * inner))
    return x[1:]


def _project(weights: dict[str, Tensor], features: Tensor) -> Tensor:
    def linear(name: str, x: Tensor) -> Tensor:
        return x @ weights[f"model.mm_projector.{name}weight"].T + weights[f"model.mm_projector.{name}bias"]

    if "model.mm_projector.weight" in weights:
        return linear("", features)
    return linear("2.", functional.gelu(linear("0.", features)))


def _speak(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """Logits (positions, vocabulary) of a LLaMA for embedded positions."""
    size, positions = WIDTH // HEADS, torch.arange(len(x)).float()
    angles = positions[:, None] * 10_000.0 ** (-torch.arange(0, size, 2).float() / size)
    cos, sin = torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1)
    causal = torch.full((len(x), len(x)), float("-inf")).triu(1)

    def norm(name: str, x: Tensor) -> Tensor:
        return weights[name] * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

    def turned(x: Tensor) -> Tensor:
        half = torch.cat([-x[..., size // 2 :], x[..., : size // 2]], -1)
        return x * cos + half * sin

    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        inner = norm(f"{at}input_layernorm.weight", x)
        q, k, v = (
            (inner @ weights[f"{at}self_attn.{name}_proj.weight"].T).view(len(x), -1, size).transpose(0, 1)
            for name in "qkv"
        )
        k, v = (part.repeat_interleave(HEADS // KEYS, 0) for part in (k, v))
        scores = torch.softmax(turned(q) @ turned(k).transpose(1, 2) / size**0.5 + causal, -1)
        x = x + (scores @ v).transpose(0, 1).reshape(len(x), WIDTH) @ weights[f"{at}self_attn.o_proj.weight"].T
        inner = norm(f"{at}post_attention_layernorm.weight", x)
        gate = functional.silu(inner @ weights[f"{at}mlp.gate_proj.weight"].T)
        x = x + (gate * (inner @ weights[f"{at}mlp.up_proj.weight"].T)) @ weights[f"{at}mlp.down_proj.weight"].T
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    return norm("model.norm.weight", x) @ head.T
