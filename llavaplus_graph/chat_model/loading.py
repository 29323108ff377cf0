"""How the weights of an LMM are loaded: precision, devices, quantization, attention. Knows no checkpoint."""

from importlib.util import find_spec
from typing import Any, Literal, get_args

from llavaplus_graph.errors import CheckpointError, MissingExtraError

Quantization = Literal["4bit", "8bit"]
Attention = Literal["sdpa", "eager", "flash_attention_2"]

# What the original keeps in full precision too: the pictures' side is small, and the head decides on tokens. Versions
# of transformers differ in whether a name is matched anywhere or from its beginning.
_FULL_PRECISION = [
    "vision_tower",
    "multi_modal_projector",
    "model.vision_tower",
    "model.multi_modal_projector",
    "lm_head",
]


def loading_arguments(
    *, dtype: str, device_map: Any, quantization: Quantization | None, attention: Attention | None
) -> dict[str, Any]:
    """Translate load options into arguments of `from_pretrained`.

    Args:
        dtype: Name of a torch dtype, or `auto` for float32 on a CPU and that of the weights elsewhere.
        device_map: Where the weights go; None is the CPU, or, quantized, the first GPU where there is one.
        quantization: Bits of the language model's weights.
        attention: Which implementation computes it.

    Raises:
        CheckpointError: If an option has no such value, or cannot be had on this machine.
        MissingExtraError: If accelerate or bitsandbytes is needed and not installed.
    """
    import torch

    everything_here = device_map is None and quantization is None
    chosen = (torch.float32 if everything_here else "auto") if dtype == "auto" else getattr(torch, dtype, None)
    if chosen != "auto" and not isinstance(chosen, torch.dtype):
        raise CheckpointError(f"There is no dtype {dtype!r}; use float32, bfloat16, float16 or auto.")
    arguments: dict[str, Any] = {"dtype": chosen}
    if attention is not None:
        arguments["attn_implementation"] = _attention(attention)
    if quantization is not None:
        arguments["quantization_config"] = _quantized(quantization, chosen)
        device_map = device_map or ("auto" if torch.cuda.is_available() else "cpu")
    if device_map is not None:
        _needs("accelerate", f"device_map={device_map!r}")
        arguments["device_map"] = device_map
    return arguments


def _attention(name: str) -> str:
    if name not in get_args(Attention):
        raise CheckpointError(f"There is no attention {name!r}; use {', '.join(get_args(Attention))}.")
    if name == "flash_attention_2" and find_spec("flash_attn") is None:
        raise CheckpointError(
            "attention='flash_attention_2' needs the package flash-attn and an NVIDIA GPU; sdpa needs neither."
        )
    return name


def _quantized(name: str, dtype: Any) -> Any:
    if name not in get_args(Quantization):
        raise CheckpointError(f"There is no quantization {name!r}; use 4bit or 8bit.")
    _needs("bitsandbytes", f"quantization={name!r}")
    import torch
    from transformers import BitsAndBytesConfig

    options: dict[str, Any] = {"load_in_8bit": True}
    if name == "4bit":
        options = {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": True,
            "bnb_4bit_compute_dtype": torch.bfloat16 if dtype == "auto" else dtype,
        }
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        **options, llm_int8_skip_modules=_FULL_PRECISION
    )


def _needs(package: str, option: str) -> None:
    if find_spec(package) is None:
        raise MissingExtraError(option, "quantized")
