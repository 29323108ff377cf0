"""From records to tensors: the one place where conversations are rendered to tokens and labels are masked.

    ids     USER: <image>*64 What does it say? ASSISTANT:  "thoughts🤔" ... </s>  USER: read_text model ...
    labels  -100 .................................... -100  trained ........ trained  -100 .................

A record is rendered as it is served (`Template.render`): what is trained is what is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from llavaplus_graph.data.record import Record
from llavaplus_graph.protocol import IMAGE, Template

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Sample:
    """One record as tokens: ids, where they are trained, its pictures by file, and the record's name."""

    ids: Sequence[int]
    trained: Sequence[bool | int]
    images: tuple[str, ...]
    name: str = ""


def tokenize(record: Record, tokenizer: Any, template: Template, image_tokens: int) -> Sample:
    """Render a record and mark the assistant's words, with their closing stop, as trained.

    The conversation is tokenized as a whole, as it is when it is served.

    Args:
        record: The conversation.
        tokenizer: A fast Hugging Face tokenizer that knows `<image>`.
        template: The conversation template of the checkpoint.
        image_tokens: How many positions a picture takes.
    """
    turns = record.turns()
    seats = IMAGE * image_tokens
    spans = []
    for index, (speaker, text) in enumerate(turns):
        if speaker == "gpt":
            end = len(template.render(turns[: index + 1]).replace(IMAGE, seats))
            spans.append((end - len(_answer(text, template).replace(IMAGE, seats)), end))
    return _sample(template.render(turns).replace(IMAGE, seats), spans, record, tokenizer)


def tokenize_caption(record: Record, tokenizer: Any, image_tokens: int) -> Sample:
    """Render only picture and answer, without roles or question: what the projector is aligned on (LLaVA, stage 1).

    Args:
        record: A conversation of one question and one answer.
        tokenizer: A fast Hugging Face tokenizer that knows `<image>`.
        image_tokens: How many positions a picture takes.
    """
    caption = next((str(turn.get("value") or "") for turn in record.conversations if turn["from"] == "gpt"), "")
    picture = IMAGE * image_tokens * len(record.images)
    text = f"{picture}{caption.strip()}\n"
    return _sample(text, [(len(picture), len(text))], record, tokenizer)


def _answer(text: str, template: Template) -> str:
    return f" {text.strip()}{template.stop}"


def _sample(text: str, spans: Sequence[tuple[int, int]], record: Record, tokenizer: Any) -> Sample:
    """Tokenize a text; a token is trained when it begins within one of the stretches of characters."""
    encoded = tokenizer(text, return_offsets_mapping=True)
    offsets = encoded["offset_mapping"]
    trained = [end > begin and any(first <= begin < last for first, last in spans) for begin, end in offsets]
    return Sample(encoded["input_ids"], trained, record.images, record.unique_id)


@dataclass(frozen=True, slots=True)
class Spare:
    """A blank picture for batches of text alone: its token's id, its positions and its pixels (3, height, width)."""

    token: int
    positions: int
    pixels: torch.Tensor


class Collator:
    """Pads samples on the right to the longest of the batch; pictures are stacked in the order of their tokens.

    Attention needs no mask: a causal decoder never looks at padding on the right, and padding is never trained.

    Args:
        pixels: Pictures by file.
        padding: The id of the padding token.
        spare: What a batch without any picture gets behind its first sample, where nothing looks at it: processes that
            share a model must all run its vision tower, or they wait for each other for ever.
    """

    def __init__(self, pixels: Mapping[str, torch.Tensor], padding: int, spare: Spare | None = None) -> None:
        self._pixels = pixels
        self._padding = padding
        self._spare = spare

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Build one batch.

        Args:
            samples: Samples of similar length.

        Returns:
            `input_ids` and `labels` of shape (batch, longest), and `pixel_values` (pictures, 3, height, width) if any.
        """
        files = [file for sample in samples for file in sample.images]
        spare = None if files else self._spare
        text = max(len(sample.ids) for sample in samples)
        longest = text + (spare.positions if spare else 0)
        ids = torch.full((len(samples), longest), self._padding)
        labels = torch.full((len(samples), longest), IGNORED)
        for row, sample in enumerate(samples):
            tokens = torch.tensor(sample.ids)
            ids[row, : len(tokens)] = tokens
            labels[row, : len(tokens)] = tokens.masked_fill(~torch.tensor(sample.trained, dtype=torch.bool), IGNORED)
        batch = {"input_ids": ids, "labels": labels}
        if files:
            batch["pixel_values"] = torch.stack([self._pixels[file] for file in files])
        elif spare:
            ids[0, text:] = spare.token
            batch["pixel_values"] = spare.pixels[None]
        return batch
