"""Trains the eye alone: the vision tower learns to tell kinds of picture apart before words are joined to it.

Knows pictures and their kinds; of questions and skills it knows nothing. What it is trained with beyond the tower, a
linear layer over the kinds, is thrown away.
"""

import logging
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model

from llavaplus_graph.data.conversations import PictureFact
from llavaplus_graph.data.recipe import Eye
from llavaplus_graph.errors import DataError

_log = logging.getLogger(__name__)
_EXAMINED = 0.05  # share of the pictures that is only looked at to see how good the eye is
_MOST_EXAMINED = 1_000
_LOGGED = 50  # steps


def teach_eye(
    tower: Any, pictures: Mapping[str, torch.Tensor], facts: Sequence[PictureFact], eye: Eye, seed: int, finished: Path
) -> None:
    """Train a vision tower in place; one that is done before is only loaded.

    Args:
        tower: A `CLIPVisionModel`.
        pictures: By file, float32 of shape (3, height, width), normalised as the processor does.
        facts: The pictures to look at.
        eye: How long and how fast.
        seed: Seeds order, distortions and the layer on top.
        finished: The safetensors file of the trained tower.

    Raises:
        DataError: If the pictures are all of one kind.
    """
    if finished.exists():
        load_model(tower, finished)
        _log.info("eye: done before")
        return
    kinds = sorted({fact.kind for fact in facts})
    if len(kinds) < 2:
        raise DataError(f"An eye needs pictures of at least two kinds to tell apart, not {', '.join(kinds) or 'none'}.")
    torch.manual_seed(seed)
    rng = random.Random(f"{seed}/eye")
    shuffled = rng.sample(list(facts), len(facts))
    examined = min(_MOST_EXAMINED, math.ceil(_EXAMINED * len(shuffled)))
    head = torch.nn.Linear(tower.config.hidden_size, len(kinds))
    seen = _Seen(pictures, kinds)
    _train(tower, head, seen, shuffled[examined:], eye, rng)
    _log.info("eye: %.1f%% of %d unseen pictures named", 100 * _right(tower, head, seen, shuffled[:examined]), examined)
    finished.parent.mkdir(parents=True, exist_ok=True)
    partial = finished.with_suffix(".partial")
    save_model(tower, str(partial))
    partial.replace(finished)


class _Seen:
    """Makes batches of pictures and the numbers of their kinds."""

    def __init__(self, pictures: Mapping[str, torch.Tensor], kinds: Sequence[str]) -> None:
        self._pictures = pictures
        self._number = {kind: number for number, kind in enumerate(kinds)}

    def batch(self, facts: Sequence[PictureFact]) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the pixels, float32 of shape (batch, 3, height, width), and the kinds, int64 of shape (batch,)."""
        pixels = torch.stack([self._pictures[fact.file] for fact in facts])
        return pixels, torch.tensor([self._number[fact.kind] for fact in facts])


def _train(tower: Any, head: Any, seen: _Seen, facts: Sequence[PictureFact], eye: Eye, rng: random.Random) -> None:
    parameters = [*tower.parameters(), *head.parameters()]
    steps = max(1, eye.epochs * len(facts) // eye.batch)
    optimizer = torch.optim.AdamW(parameters, eye.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, eye.learning_rate, total_steps=steps + 1, pct_start=0.1)
    for step, chosen in enumerate(islice(_batches(facts, eye.batch, rng), steps), start=1):
        pixels, kinds = seen.batch(chosen)
        logits = _named(tower, head, distort(pixels))
        loss = torch.nn.functional.cross_entropy(logits, kinds, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % _LOGGED == 0:
            _log.info("eye: step %d/%d loss %.4f", step, steps, loss.item())


def _batches(facts: Sequence[PictureFact], size: int, rng: random.Random) -> Iterator[Sequence[PictureFact]]:
    while True:
        order = rng.sample(list(facts), len(facts))
        for start in range(0, max(1, len(order) - size + 1), size):
            yield order[start : start + size]


def distort(pixels: torch.Tensor) -> torch.Tensor:
    """Mirror, turn, zoom, shift and tint every picture a little, each by its own chance.

    Args:
        pixels: Float32 of shape (batch, 3, height, width).

    Returns:
        The same shape; what comes in from outside repeats the border.
    """
    count = len(pixels)
    angle = (torch.rand(count) - 0.5) * 0.3
    zoom = 0.75 + torch.rand(count) * 0.4
    mirror = torch.where(torch.rand(count) < 0.3, -1.0, 1.0)
    shift = (torch.rand(count, 2) - 0.5) * 0.2
    rows = torch.stack(
        [
            torch.stack([zoom * mirror * angle.cos(), -zoom * angle.sin(), shift[:, 0]], dim=1),
            torch.stack([zoom * mirror * angle.sin(), zoom * angle.cos(), shift[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = torch.nn.functional.affine_grid(rows, list(pixels.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    contrast = 0.7 + 0.6 * torch.rand(count, 1, 1, 1)
    tint = (torch.rand(count, 3, 1, 1) - 0.5) * 0.4
    return moved * contrast + tint


def _named(tower: Any, head: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Logits over the kinds, from the mean of what the LMM will see: the tower's last layer without its class token."""
    with torch.autocast("cpu", torch.bfloat16):
        patches = tower(pixel_values=pixels).last_hidden_state[:, 1:]
        logits: torch.Tensor = head(torch.nn.functional.layer_norm(patches, patches.shape[-1:]).mean(dim=1))
    return logits.float()


@torch.no_grad()
def _right(tower: Any, head: Any, seen: _Seen, facts: Sequence[PictureFact]) -> float:
    right = 0
    for start in range(0, len(facts), 50):
        pixels, kinds = seen.batch(facts[start : start + 50])
        right += int((_named(tower, head, pixels).argmax(dim=1) == kinds).sum())
    return right / len(facts)
