"""Rows of different lengths in one cache, against one cache a row: attention must not tell them apart."""

import random

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from llavaplus_graph.chat_model.rows import Rows

HEADS, WIDTH = 2, 4
CPU = torch.device("cpu")


class Alone:
    """The keys and values of one row, by themselves (heads, positions, width)."""

    def __init__(self) -> None:
        self.keys, self.values = torch.zeros(2, HEADS, 0, WIDTH)

    def add(self, keys: Tensor, values: Tensor) -> None:
        self.keys, self.values = torch.cat([self.keys, keys], 1), torch.cat([self.values, values], 1)

    @property
    def seen(self) -> Tensor:
        """What its last position makes of all of them (heads, width)."""
        return scaled_dot_product_attention(self.keys[:, -1:], self.keys, self.values)[:, 0]


def feed(cache: Rows, rows: list[Alone], first: int, counts: list[int], seed: int = 0) -> None:
    """Take one forward pass through one layer, together and alone, and compare what the last columns see."""
    fed = rows[first : first + len(counts)]
    keys, values = torch.randn(2, len(counts), HEADS, max(counts), WIDTH, generator=torch.Generator().manual_seed(seed))
    with cache.feeding(first, counts, CPU) as feeding:
        past = cache.get_seq_length()
        all_keys, all_values = cache.update(keys, values, 0)
        mask = feeding.mask(torch.float32)
        if mask is None:
            mask = torch.ones(max(counts), past + max(counts)).tril(past).log()
        seen = scaled_dot_product_attention(keys, all_keys, all_values, attn_mask=mask)
    assert seen.isfinite().all()
    for index, (row, count) in enumerate(zip(fed, counts, strict=True)):
        row.add(keys[index, :, -count:], values[index, :, -count:])
        assert torch.allclose(seen[index, :, -1], row.seen, atol=1e-5)
        assert feeding.positions[index, -count:].tolist() == list(range(row.keys.shape[1] - count, row.keys.shape[1]))
    assert cache.lengths == [row.keys.shape[1] for row in rows]


def seat(cache: Rows, rows: list[Alone], count: int) -> None:
    for _ in range(count):
        cache.add([])
        rows.append(Alone())


def test_one_row_needs_no_mask() -> None:
    cache, rows = Rows(), list[Alone]()
    seat(cache, rows, 1)
    feed(cache, rows, 0, [5])
    feed(cache, rows, 0, [1])
    feed(cache, rows, 0, [3])
    with cache.feeding(0, [1], CPU) as feeding:
        assert feeding.mask(torch.float32) is None


def test_rows_of_different_lengths_do_not_see_each_other_or_the_padding() -> None:
    cache, rows = Rows(), list[Alone]()
    seat(cache, rows, 3)
    feed(cache, rows, 0, [5, 2, 1])
    feed(cache, rows, 0, [1, 1, 1], seed=1)
    feed(cache, rows, 0, [1, 4, 2], seed=2)


def test_newcomers_are_read_beside_those_who_are_there() -> None:
    cache, rows = Rows(), list[Alone]()
    seat(cache, rows, 2)
    feed(cache, rows, 0, [3, 6])
    seat(cache, rows, 2)
    feed(cache, rows, 2, [2, 4], seed=1)
    feed(cache, rows, 0, [1, 1, 1, 1], seed=2)


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_the_last_row_takes_the_place_of_one_that_leaves(gone: int) -> None:
    cache, rows = Rows(), list[Alone]()
    seat(cache, rows, 3)
    feed(cache, rows, 0, [4, 2, 3])
    cache.remove(gone)
    rows[gone] = rows[-1]
    rows.pop()
    feed(cache, rows, 0, [1, 2], seed=1)


def test_a_row_may_begin_with_what_another_computed_and_neither_changes_the_other() -> None:
    cache, rows = Rows(), list[Alone]()
    seat(cache, rows, 1)
    feed(cache, rows, 0, [6])
    known = cache.copied(0, 0)
    before = [layer.clone() for layer in known]
    cache.add([[layer[:, :, :2] for layer in known], [layer[:, :, 2:4] for layer in known]])
    rows.append(Alone())
    rows[1].add(rows[0].keys[:, :4], rows[0].values[:, :4])
    feed(cache, rows, 1, [2], seed=1)
    feed(cache, rows, 0, [1, 1], seed=2)
    assert all(torch.equal(layer, same) for layer, same in zip(known, before, strict=True))
    (copied,) = cache.copied(1, 4)
    assert torch.equal(copied[0], rows[1].keys[:, 4:])


def test_room_grows_beyond_its_first_size() -> None:
    cache, rows = Rows(), list[Alone]()
    seat(cache, rows, 1)
    feed(cache, rows, 0, [250])
    feed(cache, rows, 0, [10], seed=1)
    seat(cache, rows, 4)
    feed(cache, rows, 1, [600, 1, 2, 3], seed=2)
    feed(cache, rows, 0, [1] * 5, seed=3)


def test_nothing_is_left_when_the_last_one_has_gone() -> None:
    cache, rows = Rows(), list[Alone]()
    seat(cache, rows, 1)
    feed(cache, rows, 0, [3])
    cache.remove(0)
    assert (cache.lengths, cache._stored) == ([], {})


@pytest.mark.parametrize("seed", range(4))
def test_whoever_comes_and_goes_everyone_sees_only_their_own(seed: int) -> None:
    rng = random.Random(seed)
    cache, rows = Rows(), list[Alone]()
    for step in range(25):
        if rows and rng.random() < 0.3:
            gone = rng.randrange(len(rows))
            cache.remove(gone)
            rows[gone] = rows[-1]
            rows.pop()
        elif not rows or rng.random() < 0.4:
            first, count = len(rows), rng.randint(1, 3)
            seat(cache, rows, count)
            feed(cache, rows, first, [rng.randint(1, 9) for _ in range(count)], seed=100 * seed + step)
        else:
            feed(cache, rows, 0, [rng.choice([1, 1, 1, 3]) for _ in rows], seed=100 * seed + step)
