"""Carries out ``llavaplus convert``: tells every step on stderr and the directory on stdout. Knows no format."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from llavaplus_graph.chat_model.conversion import convert
from llavaplus_graph.cli.progress import Progress


def run_convert(
    source: Path,
    destination: Path,
    *,
    vision_tower: Path | None,
    base: Path | None,
    template: Literal["v0", "v1"] | None,
) -> None:
    """Converts an original LLaVA directory and prints where the result is.

    Raises:
        CheckpointError: it cannot be converted, or the result not be written.
        MissingExtraError: the extra `convert` is not installed and the tokenizer needs it.
    """
    progress = Progress()
    made = convert(source, destination, vision_tower=vision_tower, base=base, template=template, report=progress.begin)
    progress.end()
    print(made)
