"""Opens a checkpoint directory as model, processor and dialect, or refuses it; never with random weights."""

import json
import logging
import shlex
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from llavaplus_graph.chat_model.adapters import adapted
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.hub import located
from llavaplus_graph.chat_model.loading import Attention, Quantization, loading_arguments
from llavaplus_graph.errors import CheckpointError

_ORIGINAL = ("LlavaLlamaForCausalLM", "LlavaMptForCausalLM", "LlavaMistralForCausalLM")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An opened checkpoint: a `LlavaForConditionalGeneration`, its `LlavaProcessor`, its dialect and its name."""

    model: Any
    processor: Any
    dialect: Dialect
    name: str


def bundled() -> Path:
    """Give the directory of the LMM that comes with this package."""
    return Path(str(files("llavaplus_graph") / "mini"))


def check_directory(directory: Path) -> None:
    """Refuse, before anything is loaded, whatever is not a Hugging Face LLaVA checkpoint with safetensors.

    Raises:
        CheckpointError: With the reason and the remedy.
    """
    if not directory.is_dir():
        raise CheckpointError(
            f"There is no model directory {str(directory)!r}; "
            "give the path of one, or leave it out for the bundled LMM."
        )
    config = _config(directory)
    architectures = config.get("architectures") or []
    if any(name in _ORIGINAL for name in architectures) or "mm_vision_tower" in config:
        raise CheckpointError(
            f"{str(directory)!r} is in the layout of the original LLaVA code, which would open with random weights; "
            f"convert it with: llavaplus convert {shlex.quote(str(directory))} {shlex.quote(f'{directory.name}-hf')}"
        )
    if config.get("model_type") != "llava":
        raise CheckpointError(
            f"{str(directory)!r} holds a model of type {config.get('model_type')!r}; "
            "a LLaVA checkpoint (type 'llava') is needed."
        )
    if not list(directory.glob("*.safetensors")):
        raise CheckpointError(
            f"{str(directory)!r} has no .safetensors weights; other formats can run code and are not opened."
        )


def open_checkpoint(
    model: str | None,
    *,
    dtype: str = "auto",
    device_map: Any = None,
    quantization: Quantization | None = None,
    attention: Attention | None = None,
    adapter: str | None = None,
) -> Checkpoint:
    """Load a checkpoint, offline.

    Args:
        model: A directory, or the hub id of one in the local cache; None means the bundled LMM.
        dtype: Name of a torch dtype, or `auto` for float32 on a CPU and that of the weights elsewhere.
        device_map: Where the weights go, as transformers takes it, for example `auto` or `cuda:0`.
        quantization: Load the language model in 4 or 8 bits.
        attention: Which implementation of attention computes; None leaves it to transformers.
        adapter: A directory with a LoRA adapter for this checkpoint.

    Raises:
        CheckpointError: If the directory cannot be opened, any weight is missing in it, or the adapter does not fit.
        MissingExtraError: If an option needs an extra that is not installed.
    """
    directory = directory_of(model)
    check_directory(directory)
    dialect = Dialect.load(directory)
    arguments = loading_arguments(dtype=dtype, device_map=device_map, quantization=quantization, attention=attention)
    lmm = _loaded(directory, arguments)
    if adapter is not None:
        lmm = adapted(lmm, adapter, merge=quantization is None)
    name = directory.name if model is not None else "llavaplus-mini"
    return Checkpoint(lmm.eval(), open_processor(directory), dialect, name)


def directory_of(model: str | None) -> Path:
    """Give the directory of a model that was named, or of the bundled LMM.

    Raises:
        CheckpointError: If it is not on this machine.
    """
    return bundled() if model is None else located(model)


def _loaded(directory: Path, arguments: dict[str, Any]) -> Any:
    from safetensors import SafetensorError
    from transformers import LlavaForConditionalGeneration
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        loaded: Any = LlavaForConditionalGeneration.from_pretrained(
            directory, local_files_only=True, use_safetensors=True, output_loading_info=True, **arguments
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise CheckpointError(
            f"{str(directory)!r} cannot be opened as a LLaVA checkpoint: {_first_line(error)}"
        ) from error
    lmm, info = loaded  # a pair, because the loading info was asked for
    missing = sorted(info["missing_keys"])
    if missing:
        raise CheckpointError(
            f"{str(directory)!r} lacks {len(missing)} weights, for example {missing[0]!r}; "
            "it is not a complete LLaVA checkpoint."
        )
    return lmm


def open_processor(directory: Path) -> Any:
    """Load tokenizer and image processor; the PIL one, which needs no torchvision and follows the original numerics.

    Raises:
        CheckpointError: If either is missing or broken.
    """
    from transformers import AutoTokenizer, CLIPImageProcessorPil, LlavaImageProcessorPil, LlavaProcessor

    try:
        settings = _processor_settings(directory)
        pads = str(settings["image_processor"].pop("image_processor_type", "")).startswith("LlavaImageProcessor")
        images = (LlavaImageProcessorPil if pads else CLIPImageProcessorPil)(**settings["image_processor"])
        return LlavaProcessor(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
            image_processor=images,
            tokenizer=AutoTokenizer.from_pretrained(directory, local_files_only=True),
            patch_size=settings["patch_size"],
            vision_feature_select_strategy=settings["vision_feature_select_strategy"],
            num_additional_image_tokens=settings.get("num_additional_image_tokens", 1),
        )
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{str(directory)!r} has no usable tokenizer or processor: {_first_line(error)}"
        ) from error


def _processor_settings(directory: Path) -> dict[str, Any]:
    """Read processor_config.json, with what older directories keep in other files: image settings and patch size."""
    config = _config(directory)
    settings: dict[str, Any] = {
        "patch_size": (config.get("vision_config") or {}).get("patch_size"),
        "vision_feature_select_strategy": config.get("vision_feature_select_strategy", "default"),
    }
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (directory / name).exists():
            found = dict(json.loads((directory / name).read_text("utf-8")))
            if name == "preprocessor_config.json":
                found = {"image_processor": found}
            settings |= {key: value for key, value in found.items() if value is not None}
    if "image_processor" not in settings:
        raise ValueError("neither processor_config.json nor preprocessor_config.json says how pictures are prepared")
    images = {key: value for key, value in settings["image_processor"].items() if key != "processor_class"}
    return {**settings, "image_processor": images}


def _config(directory: Path) -> dict[str, Any]:
    path = directory / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{str(directory)!r} has no readable config.json; it is not a model directory."
        ) from error
    return config if isinstance(config, dict) else {}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
