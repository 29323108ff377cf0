"""Shows which words of a sample are trained, for a person who checks data before hours are spent on them.

Knows samples and how to decode them; not how they came about.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from llavaplus_graph.data.collate import Sample

_OPEN, _CLOSE = "⟦", "⟧"


def stretches(sample: Sample, tokenizer: Any) -> list[tuple[str, bool]]:
    """Give the text of a sample in pieces that are trained or not; every run of picture positions is one `<image>*n`.

    Args:
        sample: Tokens and where they are trained.
        tokenizer: Decodes them.
    """
    image = tokenizer.convert_tokens_to_ids("<image>")
    found: list[tuple[str, bool]] = []
    for (trained, pictured), run in groupby(
        zip(sample.ids, sample.trained, strict=True), key=lambda pair: (bool(pair[1]), pair[0] == image)
    ):
        ids = [token for token, _ in run]
        text = f"<image>*{len(ids)}" if pictured else tokenizer.decode(ids)
        if found and found[-1][1] == trained:
            text = found.pop()[0] + text
        found.append((text, trained))
    return found


def drawn(sample: Sample, tokenizer: Any) -> str:
    """Write a sample with what is trained in brackets `⟦…⟧`."""
    pieces = (f"{_OPEN}{text}{_CLOSE}" if trained else text for text, trained in stretches(sample, tokenizer))
    return f"{sample.name}\n{''.join(pieces)}\n"
