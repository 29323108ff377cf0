"""From records to tensors: the one place where conversations are rendered to tokens and labels are masked.

    ids     USER: <image>*36 What does it say? ASSISTANT:  "thoughts🤔" ... </s>  USER: read_text model ...
    labels  -100 .................................... -100  trained ........ trained  -100 .................

A record is rendered as it is served (`Template.render`): what is trained is what is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from llavaplus_graph.data.record import Record
from llavaplus_graph.protocol import IMAGE, Template

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Sample:
    """One record as tokens: ids, where they are trained, and its pictures by file."""

    ids: list[int]
    trained: list[bool]
    images: tuple[str, ...]


def tokenize(record: Record, tokenizer: Any, template: Template, image_tokens: int) -> Sample:
    """Render a record and mark the assistant's words, with their closing stop, as trained.

    Args:
        record: The conversation.
        tokenizer: A Hugging Face tokenizer that knows `<image>`.
        template: The conversation template of the checkpoint.
        image_tokens: How many positions a picture takes.
    """
    ids: list[int] = list(tokenizer(template.system, add_special_tokens=False)["input_ids"]) if template.system else []
    trained = [False] * len(ids)
    opening = replace(template, system="")
    for index, (speaker, text) in enumerate(record.turns()):
        if speaker == "human":
            rendered = opening.render([("human", text)])
            rendered = f" {rendered}" if index == 0 and template.system and template.name == "v1" else rendered
            # v0 has one mark between turns, and the assistant's words before have been closed with it
            rendered = rendered.removeprefix(template.stop) if index else rendered
            piece = tokenizer(rendered.replace(IMAGE, IMAGE * image_tokens), add_special_tokens=False)["input_ids"]
        else:
            piece = tokenizer(f" {text.strip()}{template.stop}", add_special_tokens=False)["input_ids"]
        ids += piece
        trained += [speaker == "gpt"] * len(piece)
    return Sample(ids, trained, record.images)


class Collator:
    """Pads samples on the right to the longest of the batch; pictures are stacked in the order of their tokens.

    Attention needs no mask: a causal decoder never looks at padding on the right, and padding is never trained.
    """

    def __init__(self, pixels: Mapping[str, torch.Tensor], padding: int) -> None:
        self._pixels = pixels
        self._padding = padding

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Build one batch.

        Args:
            samples: Samples of similar length.

        Returns:
            `input_ids` and `labels` of shape (batch, longest), and `pixel_values` (pictures, 3, height, width) if any.
        """
        longest = max(len(sample.ids) for sample in samples)
        ids = torch.full((len(samples), longest), self._padding)
        labels = torch.full((len(samples), longest), IGNORED)
        for row, sample in enumerate(samples):
            tokens = torch.tensor(sample.ids)
            ids[row, : len(tokens)] = tokens
            labels[row, : len(tokens)] = tokens.masked_fill(~torch.tensor(sample.trained), IGNORED)
        batch = {"input_ids": ids, "labels": labels}
        files = [file for sample in samples for file in sample.images]
        if files:
            batch["pixel_values"] = torch.stack([self._pixels[file] for file in files])
        return batch
