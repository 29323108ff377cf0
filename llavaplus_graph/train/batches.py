"""Which samples make a batch, in which order, and which process gets it. Knows lengths only."""

from __future__ import annotations

import random
from collections.abc import Sequence

from llavaplus_graph.data.collate import Sample

_WINDOW = 3_000  # samples within which batches of similar length are formed
Batches = list[list[int]]
"""Indices of samples, batch by batch."""


def plan(samples: Sequence[Sample], *, positions: int, size: int, epochs: int, seed: int) -> Batches:
    """Plan every batch of a stage.

    Args:
        samples: The samples of the stage.
        positions: Most positions of a batch, padding included; 0 to count samples.
        size: Samples of a batch, where positions are not counted.
        epochs: How often every sample is seen, each time in another order.
        seed: Seeds the order.
    """
    batches: Batches = []
    for epoch in range(epochs):
        own = seed + 1_000_003 * epoch
        batches += plan_batches(samples, positions, own) if positions else plan_even(samples, size, own)
    return batches


def plan_batches(samples: Sequence[Sample], tokens: int, seed: int) -> Batches:
    """Group samples of similar length so that a padded batch holds at most `tokens` positions; gives their indices.

    Args:
        samples: The samples of a stage.
        tokens: Positions a batch, padding included; a longer sample makes a batch of its own.
        seed: Seeds the order.
    """
    rng = random.Random(seed)
    batches: Batches = []
    for window in _windows(samples, rng):
        batches += _group([(index, len(samples[index].ids)) for index in window], tokens)
    rng.shuffle(batches)
    return batches


def plan_even(samples: Sequence[Sample], size: int, seed: int) -> Batches:
    """Group samples of similar length, `size` at a time; only the last batch may hold fewer."""
    rng = random.Random(seed)
    order = [index for window in _windows(samples, rng) for index in window]
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def share(batches: Batches, rank: int, count: int) -> Batches:
    """Give the batches of one of `count` processes; the first ones come twice where they cannot be shared evenly."""
    even = [batches[index % len(batches)] for index in range(-(-len(batches) // count) * count)]
    return even[rank::count]


def _windows(samples: Sequence[Sample], rng: random.Random) -> list[list[int]]:
    """Shuffle the samples and order them by length within windows."""
    order = list(range(len(samples)))
    rng.shuffle(order)
    return [
        sorted(order[start : start + _WINDOW], key=lambda index: len(samples[index].ids))
        for start in range(0, len(order), _WINDOW)
    ]


def _group(sized: Sequence[tuple[int, int]], tokens: int) -> Batches:
    grouped: Batches = [[]]
    for index, length in sized:
        if grouped[-1] and (len(grouped[-1]) + 1) * length > tokens:
            grouped.append([])
        grouped[-1].append(index)
    return grouped
