"""Loads models, image processors and tokenizers of Hugging Face when they are first needed. Knows no skill.

Image processors are always the PIL ones: they need no torchvision and give the same pixels on every machine.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from llavaplus_tools._backends.weights import Weights

_LOUDNESS = threading.Lock()
_MOST_LACKING = 0.1  # some checkpoints leave out what only training needs
# Everything below gives Any: transformers decides by the weights' configuration what it returns.


def load_model(weights: Weights, auto: str, **options: Any) -> Any:
    """A model, ready to run on its device.

    Args:
        weights: which, where and how.
        auto: the class of transformers that chooses the model's class, for example
            ``"AutoModelForZeroShotObjectDetection"``.
        options: more for ``from_pretrained``.

    Raises:
        ValueError: the files hold the weights of something else; transformers would start with random numbers.
    """
    import transformers

    with quiet(weights):
        model, told = getattr(transformers, auto).from_pretrained(
            weights.id, dtype=weights.torch_dtype(), output_loading_info=True, **options, **weights.options()
        )
    _check_complete(model, told["missing_keys"])
    return model.to(weights.device_name()).eval()


def load_configuration(weights: Weights) -> Any:
    """The model's configuration; ``model_type`` says which family it belongs to."""
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(weights.id, **weights.processor_options())


def load_image_processor(weights: Weights, kind: str | None = None, **options: Any) -> Any:
    """An image processor.

    Args:
        weights: whose.
        kind: a class of transformers that reads the settings in place of the one they name, for models whose own
            class needs torchvision.
        options: settings that override those of the weights.
    """
    import transformers

    # The PIL classes know no other backend.
    backend = {} if kind else {"backend": "pil"}
    with quiet(weights):
        return getattr(transformers, kind or "AutoImageProcessor").from_pretrained(
            weights.id, **backend, **options, **weights.processor_options()
        )


def load_tokenizer(weights: Weights) -> Any:
    """The tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(weights.id, **weights.processor_options())


def _check_complete(model: Any, absent: Collection[str]) -> None:
    names = {name for name, _ in model.named_parameters()}
    lacking = len(names & set(absent))
    if lacking > _MOST_LACKING * len(names):
        raise ValueError(f"{lacking} of the {len(names)} tensors of a {type(model).__name__} are not in the files")


@contextmanager
def quiet(weights: Weights) -> Iterator[None]:
    """Keeps bars and reports of transformers off the screen, unless there may be a download to wait for."""
    from transformers.utils import logging as transformers_logging

    logger = logging.getLogger("transformers")
    with _LOUDNESS:  # or two that load at once would restore what the other had set
        level, shown = logger.level, transformers_logging.is_progress_bar_enabled()
        logger.setLevel(logging.ERROR)
        if not weights.allow_download:
            transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # left untyped there
        try:
            yield
        finally:
            logger.setLevel(level)
            if shown:
                transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # left untyped there
