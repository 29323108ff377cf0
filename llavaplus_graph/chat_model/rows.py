"""Keys and values of several generations that go on together: a row each, every row as long as its text has become.

Knows shapes and positions; does not know tokens, pictures or the model. Rows are written in place, one position behind
the other, so that a step copies nothing; what a shorter row lacks at its end is masked.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from llavaplus_graph.chat_model.prefix_cache import Layers

_STEP = 256  # positions by which the room for rows grows


class Rows(Cache):
    """The cache that a transformers model reads and fills.

    Attributes:
        lengths: How many positions every row has.
    """

    def __init__(self) -> None:
        super().__init__(layers=[])
        self.lengths: list[int] = []
        self._stored: dict[int, Tensor] = {}  # for every layer (2, rows, heads, positions, width)
        self._feeding = _Feeding(0, [0], [0], torch.device("cpu"))

    def add(self, stretches: Sequence[Layers]) -> None:
        """Add a row that begins with known keys and values; they are copied."""
        at, row = 0, len(self.lengths)
        for layers in stretches:
            count = layers[0].shape[2]
            for index, known in enumerate(layers):
                self._room(index, known, row + 1, at + count)[:, row, :, at : at + count] = known
            at += count
        self.lengths.append(at)

    def remove(self, row: int) -> None:
        """Take a row out; the last one moves into its place."""
        length = self.lengths.pop()
        last = len(self.lengths)
        if row != last:
            for stored in self._stored.values():
                stored[:, row, :, :length] = stored[:, last, :, :length]
            self.lengths[row] = length
        if not self.lengths:
            self._stored = {}

    def copied(self, row: int, start: int) -> Layers:
        """Copy the keys and values of a row from a position to its end."""
        end = self.lengths[row]
        return [self._stored[layer][:, row, :, start:end].clone() for layer in sorted(self._stored)]

    @contextmanager
    def feeding(self, first: int, counts: Sequence[int], device: torch.device) -> Iterator["_Feeding"]:
        """Let one forward pass add positions to the rows from `first` on, as many as `counts` says.

        What is new stands at the right end of the batch: row i has max(counts) - counts[i] columns of padding.
        """
        self._feeding = _Feeding(first, self.lengths[first : first + len(counts)], counts, device)
        yield self._feeding
        for row, count in enumerate(counts, start=first):
            self.lengths[row] += count

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write the keys and values (rows, heads, columns, width) of a layer; give all of these rows' so far."""
        del args, kwargs
        feeding, rows = self._feeding, len(key_states)
        stored = self._room(layer_idx, key_states, feeding.first + rows, feeding.longest)
        seats = stored[:, feeding.first : feeding.first + rows, :, : feeding.longest]
        for seat, states in zip(seats, (key_states, value_states), strict=True):
            if rows == 1:
                seat[0, :, feeding.past :] = states[0]
            else:
                row, column, position = (index.to(states.device) for index in feeding.places)
                seat[row, :, position] = states[row, :, column]
        return seats[0], seats[1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Give the length of the longest row that is fed, before it is fed."""
        del layer_idx
        return self._feeding.past

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """Give the length and the offset of what a query sees."""
        return self.get_seq_length(layer_idx) + query_length, 0

    def _room(self, layer: int, like: Tensor, rows: int, positions: int) -> Tensor:
        """Give the storage of a layer for keys such as `like` (…, heads, …, width), for so many rows and positions."""
        stored = self._stored.get(layer)
        had = (0, 0) if stored is None else (stored.shape[1], stored.shape[3])
        if stored is not None and had[0] >= rows and had[1] >= positions:
            return stored
        seats = rows if rows <= had[0] else 1 << (rows - 1).bit_length()
        length = max(had[1], -(-positions // _STEP) * _STEP)
        # Zeros, because what is masked is still multiplied, and whatever lies in fresh memory may not be a number.
        grown = like.new_zeros(2, max(seats, had[0]), like.shape[1], length, like.shape[3])
        if stored is not None:
            grown[:, : had[0], :, : had[1]] = stored
        self._stored[layer] = grown
        return grown


class _Feeding:
    """What one forward pass adds to which rows.

    Attributes:
        positions: Where in its row every column stands (rows, columns); padding stands at 0.
    """

    def __init__(self, first: int, lengths: Sequence[int], counts: Sequence[int], device: torch.device) -> None:
        ends = [length + count for length, count in zip(lengths, counts, strict=True)]
        self.first = first
        self.past = max(lengths)
        self.longest = max(ends)
        at = torch.tensor(ends, device=device)[:, None] + torch.arange(-max(counts), 0, device=device)
        self._new = at >= torch.tensor(lengths, device=device)[:, None]
        self.positions = at.where(self._new, 0)
        self._places: tuple[Tensor, Tensor, Tensor] | None = None

    @property
    def places(self) -> tuple[Tensor, Tensor, Tensor]:
        """Row, column and position of everything that is new."""
        if self._places is None:
            row, column = self._new.nonzero(as_tuple=True)
            self._places = row, column, self.positions[row, column]
        return self._places

    def mask(self, dtype: torch.dtype) -> Tensor | None:
        """Give what is added to the attention (rows, 1, columns, positions): none for one row, which has no gaps.

        Every column sees the positions of its row up to its own; padding sees position 0, so that it stays finite.
        """
        if len(self.positions) == 1:
            return None
        seen = torch.arange(self.longest, device=self.positions.device) <= self.positions[:, None, :, None]
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)
