import gc
import json
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from llavaplus_graph.errors import ConfigError, SkillError
from llavaplus_graph.held import held_models
from llavaplus_tools._backends.memory import budget_of_device, bytes_of, bytes_wanted
from llavaplus_tools._backends.pool import ModelPool, default_pool
from llavaplus_tools._backends.weights import MissingWeightsError, Weights

KILO = 1_000
A, B, C = Weights("one/a"), Weights("one/b"), Weights("one/c")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directories with the names of the weights: what is loaded from them is the loaders' affair."""
    for name in ("a", "b", "c", *map(str, range(12))):
        (tmp_path / "one" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


def linear(weights: Weights) -> torch.nn.Module:
    """A model of 1,000 bytes."""
    return torch.nn.Linear(10, 25, bias=False, device=weights.device_name())


def touch(pool: ModelPool, *borrowed: Weights) -> None:
    for weights in borrowed:
        with pool.borrow(weights, "linear", linear):
            pass


def ids(pool: ModelPool) -> list[str]:
    return [one.id for one in pool.loaded()]


def test_a_model_is_loaded_once_and_shared() -> None:
    pool = ModelPool()
    with pool.borrow(A, "linear", linear) as first, pool.borrow(A, "linear", linear) as second:
        assert first is second
    (loaded,) = pool.loaded()
    assert (loaded.kind, loaded.id, loaded.device, loaded.bytes, loaded.idle) == ("linear", "one/a", "cpu", KILO, True)


@pytest.mark.parametrize(
    "other", [Weights("one/a", revision="v2"), Weights("one/a", dtype="bfloat16"), Weights("one/b")], ids=str
)
def test_other_weights_are_another_model(other: Weights) -> None:
    pool = ModelPool()
    with pool.borrow(A, "linear", linear) as first, pool.borrow(other, "linear", linear) as second:
        assert first is not second
    with pool.borrow(A, "another kind", linear) as third:
        assert third is not first


def test_whether_weights_may_be_downloaded_makes_no_other_model() -> None:
    pool = ModelPool()
    with (
        pool.borrow(A, "linear", linear) as first,
        pool.borrow(Weights("one/a", device="cpu", allow_download=True), "linear", linear) as second,
    ):
        assert first is second


def test_the_least_recently_used_model_makes_room_and_its_memory_comes_back() -> None:
    pool = ModelPool(budget=2 * KILO)
    watched = {}
    for weights in (A, B):
        with pool.borrow(weights, "linear", linear) as model:
            watched[weights.id] = weakref.ref(model)
        del model
    touch(pool, A)
    touch(pool, C)
    assert ids(pool) == ["one/a", "one/c"]
    assert watched["one/a"]() is not None
    assert watched["one/b"]() is None
    assert sum(one.bytes for one in pool.loaded()) == 2 * KILO


def test_more_than_the_budget_goes_through_the_pool_and_never_stays() -> None:
    pool = ModelPool(budget=3 * KILO)
    alive: list[weakref.ref[torch.nn.Module]] = []
    for number in range(12):
        with pool.borrow(Weights(f"one/{number}"), "linear", linear) as model:
            alive.append(weakref.ref(model))
        del model
        assert sum(one.bytes for one in pool.loaded()) <= 3 * KILO
        assert sum(ref() is not None for ref in alive) <= 3


def test_a_model_in_use_is_never_unloaded_and_goes_when_it_is_given_back() -> None:
    pool = ModelPool(budget=KILO)
    with pool.borrow(A, "linear", linear) as held:
        with pool.borrow(B, "linear", linear):  # one thread that holds a model is not made to wait for itself
            assert ids(pool) == ["one/a", "one/b"]
        assert ids(pool) == ["one/a"]
        assert held(torch.zeros(10)).shape == (25,)


def test_a_model_larger_than_the_budget_is_refused_with_both_sizes() -> None:
    pool = ModelPool(budget={"cpu": KILO - 1})
    with pytest.raises(SkillError, match=r"one/a takes 0 MB on cpu.*LLAVAPLUS_MODEL_BYTES"):
        touch(pool, A)
    assert pool.loaded() == []


def test_a_model_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(10, 25, dtype=torch.float16)}, tmp_path / "model.safetensors")
    read: list[Weights] = []
    pool, weights = ModelPool(budget=999), Weights(str(tmp_path))
    with pytest.raises(SkillError, match="smaller weights"), pool.borrow(weights, "linear", read.append):
        pass
    assert read == []


def test_what_weights_will_take_follows_from_the_number_type_they_are_loaded_in(tmp_path: Path) -> None:
    save_file(
        {"weight": torch.zeros(10, 25, dtype=torch.float16), "ids": torch.zeros(4, dtype=torch.int64)},
        tmp_path / "model.safetensors",
    )
    save_file({"weight": torch.zeros(10, 25)}, tmp_path / "model.fp16.safetensors")
    assert bytes_wanted(Weights(str(tmp_path), device="cpu")) == 250 * 4 + 32
    assert bytes_wanted(Weights(str(tmp_path), dtype="bfloat16")) == 250 * 2 + 32
    assert bytes_wanted(Weights("no/where")) == 0


def test_the_parts_of_a_pipeline_count_and_single_files_beside_them_do_not(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    save_file({"weight": torch.zeros(1000)}, tmp_path / "everything.safetensors")
    for part, name in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        (tmp_path / part).mkdir()
        save_file({"weight": torch.zeros(10)}, tmp_path / part / f"{name}.safetensors")
    assert bytes_wanted(Weights(str(tmp_path))) == 80


def test_shards_count_once_each(tmp_path: Path) -> None:
    for number in (1, 2):
        save_file({"weight": torch.zeros(10)}, tmp_path / f"model-0000{number}-of-00002.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({}))
    assert bytes_wanted(Weights(str(tmp_path))) == 80


def test_a_tied_weight_counts_once_wherever_it_is() -> None:
    layer = torch.nn.Linear(10, 25, bias=False)

    class Pipeline:
        def __init__(self) -> None:
            self.components = {"unet": layer, "head": torch.nn.Sequential(layer), "scheduler": object(), "none": None}

    assert bytes_of(layer) == bytes_of(Pipeline()) == bytes_of(("processor", {"model": layer})) == KILO


def test_eight_threads_load_each_model_once_and_all_get_it() -> None:
    pool, lock = ModelPool(budget=4 * KILO), threading.Lock()
    loads: list[str] = []
    wrong: list[object] = []

    def load(weights: Weights) -> tuple[str, torch.nn.Module]:
        with lock:
            loads.append(weights.id)
        time.sleep(0.02)
        return weights.id, linear(weights)

    def work(number: int) -> None:
        for turn in range(20):
            weights = Weights(f"one/{(number + turn) % 4}")
            with pool.borrow(weights, "pair", load) as (id_, model):
                if id_ != weights.id or model(torch.zeros(10)).shape != (25,):
                    wrong.append(weights)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sorted(loads) == [f"one/{number}" for number in range(4)]
    assert all(one.idle for one in pool.loaded())


def test_threads_that_ask_for_more_than_fits_wait_for_each_other_and_all_finish() -> None:
    pool = ModelPool(budget=2 * KILO)
    most: list[int] = []
    for number in range(8):
        save_file({"weight": torch.zeros(25, 10)}, f"one/{number}/model.safetensors")

    def work(number: int) -> None:
        for turn in range(6):
            with pool.borrow(Weights(f"one/{(number * 3 + turn) % 8}"), "linear", linear) as model:
                model(torch.zeros(10))
                del model  # what a thread still holds is not gone
                most.append(sum(one.bytes for one in pool.loaded()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 8 * 6
    assert max(most) <= 2 * KILO


def test_two_threads_that_each_hold_a_model_and_want_the_others_do_not_wait_forever() -> None:
    pool, both = ModelPool(budget=KILO), threading.Barrier(2)
    got: list[str] = []

    def work(mine: Weights, other: Weights) -> None:
        with pool.borrow(mine, "linear", linear), pool.borrow(other, "linear", linear):
            got.append(other.id)

    def first(mine: Weights, other: Weights) -> None:
        both.wait()
        work(mine, other)

    threads = [threading.Thread(target=first, args=pair) for pair in ((A, B), (B, A))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(got) == ["one/a", "one/b"]


def test_an_error_of_the_borrower_leaves_the_pool_healthy() -> None:
    pool = ModelPool()
    with pytest.raises(ZeroDivisionError), pool.borrow(A, "linear", linear):
        1 / 0  # noqa: B018
    assert [one.idle for one in pool.loaded()] == [True]
    touch(pool, A)


def raising(err: BaseException) -> Callable[[Weights], torch.nn.Module]:
    def load(weights: Weights) -> torch.nn.Module:
        raise err

    return load


@pytest.mark.parametrize(
    ("err", "sentence"),
    [
        (ValueError("size mismatch"), r"one/a could not be loaded as linear \(ValueError\)"),
        (PermissionError(13, "no"), "could not be loaded as linear"),
        (SkillError("my own words"), "my own words"),
    ],
    ids=["error", "system", "own"],
)
def test_what_goes_wrong_while_loading_is_a_sentence_and_the_next_one_may_load(err: Exception, sentence: str) -> None:
    pool = ModelPool()
    with pytest.raises(SkillError, match=sentence), pool.borrow(A, "linear", raising(err)):
        pass
    assert pool.loaded() == []
    touch(pool, A)


def test_weights_that_are_not_here_are_not_even_tried() -> None:
    pool = ModelPool()
    with pytest.raises(MissingWeightsError), pool.borrow(Weights("nobody/has-this"), "linear", linear):
        pass
    with pytest.raises(SkillError, match="no directory '/no/such/directory'"):
        touch(pool, Weights("/no/such/directory"))
    assert pool.loaded() == []


def test_an_interrupted_load_does_not_block_the_next_one() -> None:
    pool = ModelPool()
    with pytest.raises(KeyboardInterrupt), pool.borrow(A, "linear", raising(KeyboardInterrupt())):
        pass
    touch(pool, A)


def test_a_load_that_runs_out_of_memory_is_tried_again_without_the_idle_models() -> None:
    pool = ModelPool()
    touch(pool, A, B)
    seen: list[list[str]] = []

    def load(weights: Weights) -> torch.nn.Module:
        seen.append(ids(pool))
        if len(seen) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return linear(weights)

    with pool.borrow(C, "linear", load):
        pass
    assert seen == [["one/a", "one/b"], []]
    assert ids(pool) == ["one/c"]


def test_memory_that_does_not_even_suffice_then_is_a_sentence() -> None:
    pool = ModelPool()
    load = raising(torch.OutOfMemoryError("out of memory"))
    with pytest.raises(SkillError, match="cpu has too little memory free for one/a"), pool.borrow(A, "linear", load):
        pass
    touch(pool, A)


def test_work_that_runs_out_of_memory_is_done_again_without_the_idle_models() -> None:
    pool = ModelPool()
    touch(pool, A, B)
    seen: list[list[str]] = []

    def work(model: torch.nn.Module) -> int:
        seen.append(ids(pool))
        if len(seen) == 1:
            raise MemoryError
        return 7

    assert pool.use(C, "linear", linear, work) == 7
    assert seen == [["one/a", "one/b", "one/c"], ["one/c"]]


def test_work_for_which_there_is_never_enough_memory_is_a_sentence_and_lets_go_of_what_it_made() -> None:
    pool = ModelPool()
    made: list[weakref.ref[torch.Tensor]] = []

    def work(model: torch.nn.Module) -> None:
        grown = torch.zeros(10)
        made.append(weakref.ref(grown))
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(SkillError, match="choose a smaller picture"):
        pool.use(A, "linear", linear, work)
    gc.collect()
    assert [ref() for ref in made] == [None, None]
    assert [one.idle for one in pool.loaded()] == [True]


def test_memory_that_runs_out_while_a_model_is_borrowed_is_a_sentence_and_frees_the_idle_ones() -> None:
    pool = ModelPool()
    touch(pool, A)
    with pytest.raises(SkillError, match="too little memory"), pool.borrow(B, "linear", linear):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
    assert ids(pool) == ["one/b"]


def test_a_model_that_refers_to_itself_is_gone_too() -> None:
    pool = ModelPool(budget=KILO)

    def load(weights: Weights) -> tuple[str, torch.nn.Module]:
        model = linear(weights)
        model.me = [model]  # type: ignore[assignment]
        return "processor", model

    with pool.borrow(A, "linear", load) as (_, model):
        alive = weakref.ref(model)
    del model
    touch(pool, B)
    assert alive() is None


def test_everything_idle_can_be_unloaded() -> None:
    pool = ModelPool()
    touch(pool, A)
    with pool.borrow(B, "linear", linear):
        pool.unload()
        assert ids(pool) == ["one/b"]
    pool.unload()
    assert pool.loaded() == []


def test_the_environment_sets_the_budget_of_each_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAVAPLUS_MODEL_BYTES", "6GB")
    assert budget_of_device("cpu") == 6_000_000_000
    monkeypatch.setenv("LLAVAPLUS_MODEL_BYTES", "many")
    with pytest.raises(ConfigError, match="'many' is no number of bytes"):
        budget_of_device("cpu")
    monkeypatch.delenv("LLAVAPLUS_MODEL_BYTES")
    assert 10**8 < budget_of_device("cpu") < 10**14


def test_the_process_has_one_pool_and_other_processes_can_see_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_pool() is default_pool()
    default_pool().unload()
    touch(default_pool(), A)
    assert [(held.kind, held.id, held.bytes) for held in held_models()] == [("linear", "one/a", KILO)]
    default_pool().unload()
    assert held_models() == []
