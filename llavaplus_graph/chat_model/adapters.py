"""LoRA adapters: added to an opened LMM when they fit it to the last weight. Knows peft and no checkpoint."""

import warnings
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from llavaplus_graph.errors import CheckpointError, MissingExtraError

_WEIGHTS = "adapter_model.safetensors"
_SETTINGS = "adapter_config.json"


def adapted(lmm: Any, directory: str, *, merge: bool) -> Any:
    """Add a LoRA adapter to an LMM.

    Args:
        lmm: A `LlavaForConditionalGeneration`.
        directory: Where `adapter_config.json` and `adapter_model.safetensors` lie.
        merge: Add its weights to those of the LMM, so that decoding costs nothing more; impossible when quantized.

    Returns:
        The LMM with the adapter.

    Raises:
        CheckpointError: If there is no adapter in the directory, or it was made for another model.
        MissingExtraError: If peft is not installed.
    """
    try:
        import peft
    except ImportError as error:
        raise MissingExtraError(f"adapter={directory!r}", "train") from error
    folder = Path(directory).expanduser()
    for name in (_SETTINGS, _WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{directory!r} has no {name}; give the directory of a LoRA adapter in safetensors.")
    try:
        settings = peft.PeftConfig.from_pretrained(str(folder))
        settings.inference_mode = True
        with warnings.catch_warnings():  # peft still asks transformers for something by an old name
            warnings.simplefilter("ignore", FutureWarning)
            wrapped: Any = peft.get_peft_model(lmm, settings)
        result: Any = peft.set_peft_model_state_dict(wrapped, peft.utils.load_peft_weights(str(folder), device="cpu"))
    except (ValueError, KeyError, TypeError, RuntimeError, OSError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0][:300]
        raise CheckpointError(f"The adapter {directory!r} does not fit this LMM: {reason}") from error
    strange = sorted([*result.unexpected_keys, *(name for name in result.missing_keys if ".default." in name)])
    if strange:
        raise CheckpointError(
            f"The adapter {directory!r} was made for another model: {len(strange)} of its weights do not match, "
            f"for example {strange[0]!r}."
        )
    return wrapped.merge_and_unload() if merge else wrapped.get_base_model()
