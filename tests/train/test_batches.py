from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from llavaplus_graph.data.collate import Sample
from llavaplus_graph.train.batches import plan, plan_batches, plan_even, share


def sized(lengths: Sequence[int]) -> list[Sample]:
    return [Sample([0] * length, [True] * length, ()) for length in lengths]


@settings(deadline=None, derandomize=True)
@given(
    lengths=st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=80),
    tokens=st.integers(min_value=1, max_value=200),
)
def test_batches_hold_every_sample_once_and_no_more_positions_than_allowed(lengths: Sequence[int], tokens: int) -> None:
    samples = sized(lengths)
    batches = plan_batches(samples, tokens, 1)
    assert sorted(index for batch in batches for index in batch) == list(range(len(samples)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= tokens for batch in batches)
    assert batches == plan_batches(samples, tokens, 1)


def test_batches_come_in_another_order_with_another_seed() -> None:
    samples = sized([1] * 40)
    assert plan_batches(samples, 4, 1) != plan_batches(samples, 4, 2)


def test_batches_of_one_size_hold_every_sample_once_and_similar_lengths() -> None:
    lengths = [5, 50, 6, 51, 7, 52, 8, 53, 9]
    batches = plan_even(sized(lengths), 2, 1)
    assert sorted(index for batch in batches for index in batch) == list(range(9))
    assert sorted(map(len, batches)) == [1, 2, 2, 2, 2]
    assert all(abs(lengths[batch[0]] - lengths[batch[-1]]) <= 1 for batch in batches if lengths[batch[-1]] < 50)


def test_every_epoch_sees_every_sample_in_an_order_of_its_own() -> None:
    batches = plan(sized([1] * 8), positions=0, size=1, epochs=3, seed=1)
    orders = [[batch[0] for batch in batches[start : start + 8]] for start in (0, 8, 16)]
    assert [sorted(order) for order in orders] == [list(range(8))] * 3
    assert orders[0] != orders[1] != orders[2]


def test_processes_get_equally_many_batches_and_all_of_them() -> None:
    batches = [[0], [1], [2], [3], [4]]
    shares = [share(batches, rank, 2) for rank in range(2)]
    assert shares == [[[0], [2], [4]], [[1], [3], [0]]]
    assert share(batches, 0, 1) == batches
