"""The projector from pictures to the language model: in the original one linear map or two with GELU between.

Hugging Face's class always has two linear maps, so a single one gets a second that changes nothing. Knows no files.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import LlavaConfig
from transformers.models.llava.modeling_llava import LlavaMultiModalProjector

from llavaplus_graph.chat_model.conversion.names import PROJECTOR
from llavaplus_graph.errors import CheckpointError

_FIRST, _SECOND = f"{PROJECTOR}linear_1.", f"{PROJECTOR}linear_2."


def completed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add to the weights of a file the second map of a linear projector, if that projector is in the file."""
    first = weights.get(f"{_FIRST}weight")
    if first is None or f"{_SECOND}weight" in weights:
        return dict(weights)
    identity = torch.eye(first.shape[0], dtype=first.dtype)
    nothing = torch.zeros(first.shape[0], dtype=first.dtype)
    return {**weights, f"{_SECOND}weight": identity, f"{_SECOND}bias": nothing}


def check(original: Mapping[str, Tensor], converted: Mapping[str, Tensor], config: LlavaConfig) -> None:
    """Feed random features through the original formula and through the converted projector.

    Args:
        original: Weights of the original under their new names.
        converted: Weights that were written, under the same names.
        config: The converted model.

    Raises:
        CheckpointError: If any number differs, in float32 or in the dtype of the weights.
    """
    features = torch.randn(64, original[f"{_FIRST}weight"].shape[1], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for dtype in {torch.float32, original[f"{_FIRST}weight"].dtype}:
            wanted = _formula({name: weight.to(dtype) for name, weight in original.items()}, features.to(dtype))
            got = _module(converted, config, dtype)(features.to(dtype))
            if not torch.equal(wanted, got):
                raise CheckpointError(
                    f"The converted projector gives other numbers than the original one in {dtype} "
                    f"(by {float((wanted - got).abs().max()):.2g}); the weights or the conversion are broken."
                )


def _formula(weights: Mapping[str, Tensor], features: Tensor) -> Tensor:
    linear = nn.functional.linear
    projected = linear(features, weights[f"{_FIRST}weight"], weights[f"{_FIRST}bias"])
    if f"{_SECOND}weight" not in weights:
        return projected
    return linear(nn.functional.gelu(projected), weights[f"{_SECOND}weight"], weights[f"{_SECOND}bias"])


def _module(weights: Mapping[str, Tensor], config: LlavaConfig, dtype: torch.dtype) -> LlavaMultiModalProjector:
    module = LlavaMultiModalProjector(config).to(dtype)
    module.load_state_dict({name.removeprefix(PROJECTOR): weight for name, weight in weights.items()})
    return module
