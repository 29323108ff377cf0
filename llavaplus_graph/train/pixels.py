"""Pictures as the vision tower takes them, and batches that hold them. Knows files and the processor, no records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import LlavaProcessor

from llavaplus_graph.data.collate import Collator, Spare
from llavaplus_graph.train import ranks

_KEPT = 2**31  # bytes of decoded pictures that are kept


class Pixels(Mapping[str, torch.Tensor]):
    """Pictures by file: decoded and resized once and kept as bytes, as many as there is room for.

    Args:
        root: The folder of the files; absolute ones need none.
        processor: Says how a picture is prepared.
        most_bytes: What the kept pictures may take; the ones beyond it are decoded each time.
    """

    def __init__(self, root: Path, processor: LlavaProcessor, *, most_bytes: int = _KEPT) -> None:
        self._root = root
        self._images = processor.image_processor
        self._kept: dict[str, torch.Tensor] = {}
        self._room = most_bytes
        self._mean = torch.tensor(self._images.image_mean).view(3, 1, 1)
        self._std = torch.tensor(self._images.image_std).view(3, 1, 1)

    def __getitem__(self, file: str) -> torch.Tensor:
        """Give one picture, float32 of shape (3, height, width), normalised as the processor does."""
        plain = self._kept.get(file)
        if plain is None:
            plain = self._decoded(file)
            self._room -= plain.numel()
            if self._room >= 0:
                self._kept[file] = plain
        return (plain.float() / 255 - self._mean) / self._std

    def _decoded(self, file: str) -> torch.Tensor:
        with Image.open(self._root / file) as picture:
            plain = self._images(picture.convert("RGB"), do_rescale=False, do_normalize=False, return_tensors="pt")
        pixels: torch.Tensor = plain["pixel_values"][0].round().clamp(0, 255).to(torch.uint8)
        return pixels

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


def make_collator(processor: Any, pixels: Pixels, seats: int) -> Collator:
    """Make what puts samples into batches.

    Args:
        processor: The LMM's.
        pixels: The pictures.
        seats: How many positions a picture takes.
    """
    tokenizer = processor.tokenizer
    padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    if ranks.count() == 1:
        return Collator(pixels, int(padding))
    blank = processor.image_processor(Image.new("RGB", (8, 8)), return_tensors="pt")["pixel_values"][0]
    return Collator(pixels, int(padding), Spare(int(processor.image_token_id), seats, blank))
