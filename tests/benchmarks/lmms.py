"""LMMs with random weights, large enough for times to mean something; knows sizes, not what is measured with them."""

from dataclasses import replace
from typing import Any

import torch
from transformers import AutoTokenizer

from llavaplus_graph.chat_model.checkpoints import bundled, open_checkpoint
from llavaplus_graph.chat_model.engine import TransformersEngine
from llavaplus_graph.data.recipe import Shape
from llavaplus_graph.train.build import build_model, build_processor

SHAPES = {
    "small": Shape(
        width=512,
        layers=8,
        heads=8,
        feed_forward=1_408,
        patch=14,
        vision_width=384,
        vision_layers=6,
        vision_heads=6,
        vision_feed_forward=1_536,
    ),
    "7b": Shape(
        width=4_096,
        layers=32,
        heads=32,
        feed_forward=11_008,
        patch=14,
        vision_width=1_024,
        vision_layers=24,
        vision_heads=16,
        vision_feed_forward=4_096,
    ),
}
"""`small` has 30 million weights and suits two CPU cores; `7b` has the sizes of LLaVA-1.5-7B."""


def random_engine(shape: str, *, places: int = 256, device: str = "cpu") -> TransformersEngine:
    """Build an engine around random weights, with the vocabulary of the bundled LMM.

    Args:
        shape: A name in `SHAPES`.
        places: How many positions a picture takes: 256 for a side of 224 pixels, 576 for 336.
        device: Where it runs; bfloat16 anywhere but on a CPU.
    """
    tokenizer: Any = AutoTokenizer.from_pretrained(bundled(), local_files_only=True)
    sizes = replace(SHAPES[shape], picture=round(places**0.5) * 14)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = build_model(sizes, tokenizer, seed=1)
    finally:
        torch.set_default_dtype(before)
    return TransformersEngine(model.eval().to(device, dtype), build_processor(sizes, tokenizer))


def bundled_engine() -> TransformersEngine:
    """Open the LMM that comes with the package."""
    opened = open_checkpoint(None)
    return TransformersEngine(opened.model, opened.processor)
