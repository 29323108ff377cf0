"""Which parts of an LMM a stage trains, and adapters in place of whole weights. Knows parameters and peft, no data."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from typing import Any

import torch

from llavaplus_graph.errors import CheckpointError, ConfigError, MissingExtraError
from llavaplus_graph.train.config import Lora, Part, TunedRecipe, TunedStage

_WEIGHTS: dict[Part, tuple[str, ...]] = {
    "projector": ("model.multi_modal_projector.",),
    "language": ("model.language_model.", "lm_head."),
    "vision": ("model.vision_tower.",),
}


def sharded() -> bool:
    """Say whether processes share the weights among them (FSDP), as `accelerate launch` announces it."""
    return os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def check_machine(recipe: TunedRecipe) -> None:
    """Refuse what this machine cannot do, before a large checkpoint is opened.

    Raises:
        MissingExtraError: If adapters or quantization need a package that is not installed.
        ConfigError: If quantization is asked for without an NVIDIA GPU or together with FSDP.
    """
    if any(stage.lora for stage in recipe.stages) and find_spec("peft") is None:
        raise MissingExtraError("'lora' in a recipe", extra="train")
    bits = recipe.tuning.quantization
    if bits is None:
        return
    if find_spec("bitsandbytes") is None:
        raise MissingExtraError(f"quantization: {bits}", extra="quantized")
    if not torch.cuda.is_available():
        raise ConfigError(
            f"quantization: {bits} trains on an NVIDIA GPU and there is none here; leave 'quantization' out."
        )
    if sharded():
        raise ConfigError(f"quantization: {bits} cannot be combined with FSDP; leave one of them out.")


def stored_as(recipe: TunedRecipe, stage: TunedStage) -> str:
    """Name the dtype in which a base is opened for a stage.

    Weights that will be trained have to arrive in full; FSDP wants one dtype for all.
    """
    whole = "language" in stage.trains and stage.lora is None
    return "float32" if whole or sharded() else recipe.tuning.precision


def prepare(lmm: Any, stage: TunedStage, *, quantized: bool = False) -> Any:
    """Mark the weights that a stage trains and add its adapters.

    Args:
        lmm: A `LlavaForConditionalGeneration`.
        stage: Says which.
        quantized: Whether the language model is held in few bits.

    Returns:
        What `merged` takes: the same LMM, or peft's wrapper around it.

    Raises:
        CheckpointError: If a part that is to be trained is not in it.
        ConfigError: If no layer has the name of an adapter's target.
    """
    parts = [part for part in stage.trains if not (part == "language" and stage.lora)]
    if quantized:
        import peft

        held: Any = peft.prepare_model_for_kbit_training  # which peft leaves untyped
        lmm = held(lmm, use_gradient_checkpointing=False)
    wrapped = lmm if stage.lora is None else _adapted(lmm, stage.lora)
    for name, weight in lmm.named_parameters():
        adapter = "lora_" in name
        chosen = adapter or any(name.startswith(_WEIGHTS[part]) for part in parts)
        weight.requires_grad_(chosen and not _fixed(name, lmm))
        if weight.requires_grad:
            weight.data = weight.data.float()
    for part in parts:
        if not any(w.requires_grad and name.startswith(_WEIGHTS[part]) for name, w in lmm.named_parameters()):
            raise CheckpointError(f"This checkpoint has no {part} that stage {stage.name!r} could train.")
    return wrapped


def trainee(wrapped: Any) -> Any:
    """Give the LMM itself, adapters in it."""
    return wrapped.get_base_model() if hasattr(wrapped, "get_base_model") else wrapped


def merged(wrapped: Any) -> Any:
    """Add adapters to the weights they belong to."""
    if not hasattr(wrapped, "merge_and_unload"):
        return wrapped
    lmm = wrapped.merge_and_unload()
    lmm._hf_peft_config_loaded = False  # or it would be saved as an adapter that it no longer has
    return lmm


def _fixed(name: str, lmm: Any) -> bool:
    """Say whether a weight only stands for the second layer that a linear projector does not have."""
    linear = lmm.config.projector_hidden_act == "linear"
    return linear and ".multi_modal_projector.linear_2." in name


def _adapted(lmm: Any, lora: Lora) -> Any:
    import peft

    names = "|".join(lora.targets)
    settings = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=rf".*language_model\..*\.({names})",
        task_type="CAUSAL_LM",
    )
    try:
        with warnings.catch_warnings():  # peft still asks transformers for something by an old name
            warnings.simplefilter("ignore", FutureWarning)
            wrapped: Any = peft.get_peft_model(lmm, settings)
    except ValueError as error:
        raise ConfigError(f"'targets' of lora: no layer of the language model is called {names}.") from error
    # The Trainer refuses to tune a quantized model that does not say that its weights are in adapters.
    wrapped.get_base_model()._hf_peft_config_loaded = True
    return wrapped
