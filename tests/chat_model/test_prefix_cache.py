"""The tree of beginnings, filled with tensors that say by themselves which position of which prompt they are."""

import random

import pytest
import torch
from torch import Tensor

from llavaplus_graph.chat_model.prefix_cache import Layers, Mark, PrefixCache

LAYERS, HEADS, WIDTH = 2, 1, 3
POSITION = 2 * LAYERS * HEADS * WIDTH * 4  # bytes of one position
PICTURE = b"picture"


def computed(marks: list[Mark]) -> Layers:
    """Keys and values as a model would give them: every position depends on all before it."""
    seen = torch.tensor([hash(tuple(marks[: at + 1])) % 997 for at in range(len(marks))], dtype=torch.float32)
    return [(seen + layer).expand(2, HEADS, WIDTH, -1).transpose(2, 3).contiguous() for layer in range(LAYERS)]


def keep(cache: PrefixCache, marks: list[Mark], limit: int = 10**6) -> None:
    cache.keep(marks, lambda start: [layer[:, :, start:].clone() for layer in computed(marks)], limit)


def found(cache: PrefixCache, marks: list[Mark]) -> int:
    """How much of a prompt is known; what comes back must be what was computed for it."""
    stretches = cache.longest(marks)
    length = sum(layers[0].shape[2] for layers in stretches)
    for index in range(LAYERS if stretches else 0):
        whole = torch.cat([layers[index] for layers in stretches], 2)
        assert torch.equal(whole, computed(marks)[index][:, :, :length])
    return length


@pytest.mark.parametrize(
    ("asked", "length"),
    [
        ([1, 2, 3, 4], 4),
        ([1, 2, 3, 4, 5], 4),
        ([1, 2], 2),
        ([1, 2, 9], 2),
        ([9], 0),
        ([], 0),
        ([2, 3, 4], 0),
    ],
)
def test_the_longest_common_beginning_is_found_to_the_token(asked: list[Mark], length: int) -> None:
    cache = PrefixCache()
    keep(cache, [1, 2, 3, 4])
    assert found(cache, asked) == length


def test_a_place_is_the_same_only_for_the_same_picture() -> None:
    cache = PrefixCache()
    keep(cache, [1, PICTURE, PICTURE, 2])
    assert found(cache, [1, PICTURE, PICTURE, 2]) == 4
    assert found(cache, [1, b"another", b"another", 2]) == 1
    assert found(cache, [1, PICTURE, b"another", 2]) == 2


def test_prompts_that_part_share_what_they_have_in_common() -> None:
    cache = PrefixCache()
    keep(cache, [1, 2, 3, 4])
    keep(cache, [1, 2, 7, 8, 9])
    keep(cache, [1, 2, 3, 5])
    assert cache.bytes == (4 + 3 + 1) * POSITION
    assert [found(cache, [1, 2, *rest]) for rest in ([3, 4], [3, 5], [7, 8, 9], [7, 8], [])] == [4, 4, 5, 4, 2]


def test_a_prompt_that_goes_on_takes_only_what_is_new() -> None:
    cache = PrefixCache()
    keep(cache, [1, 2])
    keep(cache, [1, 2, 3])
    keep(cache, [1, 2])
    assert cache.bytes == 3 * POSITION
    assert found(cache, [1, 2, 3]) == 3


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = PrefixCache()
    keep(cache, [1, 1], 6 * POSITION)
    keep(cache, [2, 2], 6 * POSITION)
    keep(cache, [3, 3], 6 * POSITION)
    assert found(cache, [1, 1]) == 2
    keep(cache, [4, 4], 6 * POSITION)
    assert [found(cache, [number, number]) for number in (1, 2, 3, 4)] == [2, 0, 2, 2]
    assert cache.bytes == 6 * POSITION


def test_a_beginning_outlives_its_ends() -> None:
    cache = PrefixCache()
    keep(cache, [1, 2, 3, 3], 100 * POSITION)
    keep(cache, [1, 2, 4, 4], 4 * POSITION)
    assert found(cache, [1, 2, 4, 4]) == 4
    assert found(cache, [1, 2, 3, 3]) == 2


def test_a_prompt_that_is_too_long_is_kept_as_far_as_it_fits() -> None:
    cache = PrefixCache()
    keep(cache, [1, 2, 3, 4, 5], 3 * POSITION)
    assert found(cache, [1, 2, 3, 4, 5]) == 3
    keep(cache, [1, 2, 3, 4, 5], 4 * POSITION)
    assert found(cache, [1, 2, 3, 4, 5]) == 4


def test_nothing_fits_into_nothing() -> None:
    cache = PrefixCache()
    keep(cache, [1, 2, 3], 0)
    cache.keep_features(PICTURE, torch.ones(2, 3), 0)
    assert (cache.bytes, found(cache, [1]), cache.features(PICTURE)) == (0, 0, None)


def test_features_of_pictures_take_part_in_the_same_bytes() -> None:
    cache = PrefixCache()
    features = torch.ones(2, 3)
    cache.keep_features(PICTURE, features, 100)
    assert cache.bytes == features.nbytes
    kept = cache.features(PICTURE)
    assert kept is not None
    assert torch.equal(kept, features)
    features.zero_()
    assert torch.equal(kept, torch.ones(2, 3))
    keep(cache, [1, 2], 2 * POSITION)
    assert cache.features(PICTURE) is None
    assert found(cache, [1, 2]) == 2


def test_a_picture_that_was_just_used_stays() -> None:
    cache = PrefixCache()
    limit = 2 * torch.ones(2, 3).nbytes
    for name in (b"1", b"2"):
        cache.keep_features(name, torch.ones(2, 3), limit)
    assert cache.features(b"1") is not None
    cache.keep_features(b"3", torch.ones(2, 3), limit)
    assert [cache.features(name) is not None for name in (b"1", b"2", b"3")] == [True, False, True]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_kept_and_forgotten_what_is_found_is_right_and_the_limit_holds(seed: int) -> None:
    rng = random.Random(seed)
    cache, limit = PrefixCache(), 20 * POSITION
    for _ in range(150):
        marks: list[Mark] = [1, 2, PICTURE]
        prompt = [rng.choice(marks) for _ in range(rng.randint(1, 9))]
        before = found(cache, prompt)
        keep(cache, prompt, limit)
        assert cache.bytes <= limit
        assert before <= found(cache, prompt) == len(prompt)
    assert cache.bytes == sum(layer.nbytes for run in stretches(cache) for layer in run)


def stretches(cache: PrefixCache) -> list[list[Tensor]]:
    """Everything the tree holds."""
    open_runs, found_runs = [cache._root], []
    while open_runs:
        run = open_runs.pop()
        found_runs.append(run.layers)
        open_runs += run.after.values()
    return found_runs
