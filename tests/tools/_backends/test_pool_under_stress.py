import random
import threading
from pathlib import Path

import pytest
import torch

from llavaplus_graph.errors import SkillError
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights

KILO = 1_000
KINDS = 6


def linear(weights: Weights) -> torch.nn.Module:
    """A model of 1,000 bytes."""
    return torch.nn.Linear(10, 25, bias=False)


class Stress:
    """What one thread does: borrows models in turn, one inside another, with work and loads that fail in many ways."""

    def __init__(self, pool: ModelPool, seed: int) -> None:
        self.pool, self.random = pool, random.Random(seed)
        self.done = 0
        self.told: list[str] = []

    def run(self) -> None:
        for _ in range(40):
            try:
                self.step()
                self.done += 1
            except (SkillError, ZeroDivisionError) as err:
                self.told.append(str(err))

    def step(self) -> None:
        weights = Weights(f"one/{self.random.randrange(KINDS)}")
        if self.random.random() < 0.25:
            with self.pool.borrow(weights, "linear", self.load) as outer:
                self.use(outer)
                inner = Weights(f"one/{self.random.randrange(KINDS)}")
                self.pool.use(inner, "linear", self.load, self.use)
        else:
            self.pool.use(weights, "linear", self.load, self.use)

    def load(self, weights: Weights) -> torch.nn.Module:
        self.fail()
        return linear(weights)

    def use(self, model: torch.nn.Module) -> None:
        self.fail()
        model(torch.ones(10))

    def fail(self) -> None:
        chance = self.random.random()
        if chance < 0.04:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if chance < 0.08:
            raise ZeroDivisionError("a bug")


def test_whatever_eight_threads_do_to_it_the_pool_keeps_to_its_budget_and_works_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(KINDS):
        (tmp_path / "one" / str(number)).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    pool = ModelPool(budget=3 * KILO)
    workers = [Stress(pool, seed) for seed in range(8)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert sum(worker.done for worker in workers) > 200
    assert all(worker.done + len(worker.told) == 40 for worker in workers)
    assert any("too little memory" in told for worker in workers for told in worker.told)
    assert all(loaded.idle for loaded in pool.loaded())
    assert sum(loaded.bytes for loaded in pool.loaded()) <= 3 * KILO
    for number in range(KINDS):
        with pool.borrow(Weights(f"one/{number}"), "linear", linear) as model:
            assert model(torch.ones(10)).shape == (25,)
    pool.unload()
    assert pool.loaded() == []
