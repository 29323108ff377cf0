"""Keeps loaded models for the skills that share them, within a budget of bytes. Knows no model and no skill."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from traceback import clear_frames
from typing import Any, NamedTuple, TypeVar

from llavaplus_graph.errors import SkillError
from llavaplus_graph.held import HeldModel, announce
from llavaplus_tools._backends.clock import running, watch
from llavaplus_tools._backends.memory import (
    budget_of_device,
    bytes_of,
    bytes_wanted,
    is_out_of_memory,
    modules_of,
    release,
)
from llavaplus_tools._backends.weights import Weights, loading_error

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
_PATIENCE = 60.0  # seconds that a skill waits for others to give their models back


@dataclass(frozen=True, slots=True)
class Loaded:
    """One model of a pool.

    Attributes:
        kind: what it was loaded as.
        id: its weights.
        device: where it is.
        bytes: what its parameters and buffers take there.
        idle: nobody uses it right now.
        last_used: when it was last borrowed or given back, in seconds since the epoch.
    """

    kind: str
    id: str
    device: str
    bytes: int
    idle: bool
    last_used: float


class _Key(NamedTuple):
    kind: str
    id: str
    revision: str | None
    device: str
    dtype: str


@dataclass(slots=True)
class _Slot:
    model: Any = None  # Any: whatever the skills' loaders make
    ready: bool = False
    urgent: bool = False  # one who holds another model waits for this one
    bytes: int = 0
    users: int = 0
    last_used: float = field(default_factory=time.time)


class ModelPool:
    """Models that are loaded when first needed, shared, and unloaded when their place is needed.

    A model that is in use is never unloaded. One who needs a model that does not fit beside those in use waits for
    them; only who holds a model already gets another one at once, even beyond the budget, because two that wait for
    each other would wait forever. Safe under threads.

    Args:
        budget: bytes that models may take on each device, or by device (``{"cpu": 2_000_000_000}``, where ``"cuda"``
            stands for every GPU); by default, and for a device that is not named, half of the device's memory.
        watch: is told what is loaded whenever that has changed.
    """

    def __init__(
        self, budget: int | Mapping[str, int] | None = None, *, watch: Callable[[list[Loaded]], None] | None = None
    ) -> None:
        self._budget = budget
        self._watch = watch
        self._slots: dict[_Key, _Slot] = {}
        self._holders: dict[int, int] = {}  # how many models each thread holds
        self._sizes: dict[_Key, int] = {}  # what was loaded once is known exactly
        self._dropped: list[weakref.ref[Any]] = []
        self._changed = threading.Condition()

    @contextmanager
    def borrow(self, weights: Weights, kind: str, load: Callable[[Weights], Any]) -> Iterator[Any]:
        """Lends a model, and loads it first where that has not been done.

        Args:
            weights: which weights, where and how.
            kind: what they are loaded as; two skills share a model when kind and weights are the same.
            load: makes the model out of weights whose id is a directory on this machine; it runs once, also where
                several threads ask at the same time.

        Raises:
            MissingWeightsError: the weights are not on this machine.
            SkillError: they cannot be loaded, or the device has not enough memory for them or for what is done with
                them.
        """
        key = _Key(kind, weights.id, weights.revision, weights.device_name(), str(weights.torch_dtype()))
        slot = self._borrowed(key, weights, load)
        exhausted = False
        try:
            yield slot.model
        except Exception as err:
            exhausted = is_out_of_memory(err)
            if not exhausted:
                raise
            clear_frames(err.__traceback__)  # they hold what the memory ran out with
        finally:
            self._given_back(key, slot)
        if exhausted:
            self._unload_idle(key.device, keep=slot)
            raise _too_little_memory(key)

    def use(self, weights: Weights, kind: str, load: Callable[[Weights], Any], work: Callable[[Any], _T]) -> _T:
        """Does some work with a borrowed model, and a second time when the device's memory ran out in the first.

        Where `clock.limited` stands around it, the model is stopped in the middle of its work when the time is up.

        Args:
            weights: as in `borrow`.
            kind: as in `borrow`.
            load: as in `borrow`.
            work: gets the model; must be repeatable.

        Raises:
            SkillError: as in `borrow`, or there is no time left.
        """
        with self.borrow(weights, kind, load) as model, running():
            try:
                return work(model)
            except Exception as err:
                if not is_out_of_memory(err):
                    raise
            # Outside the handler: the traceback would keep alive what the work had made.
            self._unload_idle(weights.device_name())
            return work(model)

    def loaded(self) -> list[Loaded]:
        """What is loaded, least recently used first."""
        with self._changed:
            ready = [(key, slot) for key, slot in self._slots.items() if slot.ready]
        return sorted(
            (Loaded(key.kind, key.id, key.device, slot.bytes, slot.users == 0, slot.last_used) for key, slot in ready),
            key=lambda one: one.last_used,
        )

    def unload(self) -> None:
        """Unloads every model that nobody uses."""
        with self._changed:
            devices = {key.device for key in self._slots}
        for device in devices:
            self._unload_idle(device)

    def _borrowed(self, key: _Key, weights: Weights, load: Callable[[Weights], Any]) -> _Slot:
        with self._changed:
            while (slot := self._slots.get(key)) is not None and not slot.ready:
                if self._holds_one():
                    slot.urgent = True
                    self._changed.notify_all()
                self._changed.wait()
            if slot is not None:
                self._count(slot, +1)
                return slot
            slot = self._slots[key] = _Slot(users=1)
        try:
            resolved = weights.resolved()
            self._reserve(key, slot, self._sizes.get(key) or bytes_wanted(resolved))
            self._sweep(key.device)
            model = self._made(key, resolved, load)
            self._keep(key, slot, model)
        except BaseException:
            with self._changed:
                del self._slots[key]
                self._changed.notify_all()
            raise
        return slot

    def _made(self, key: _Key, weights: Weights, load: Callable[[Weights], Any]) -> Any:
        for attempt in range(2):
            try:
                model = load(weights)
                watch(model)
                return model
            except Exception as err:
                if not is_out_of_memory(err):
                    raise loading_error(key.id, key.kind, err) from err
            if attempt == 0:
                self._unload_idle(key.device)
        raise _too_little_memory(key)

    def _reserve(self, key: _Key, slot: _Slot, wanted: int) -> None:
        """Unloads idle models until the wanted bytes fit beside the others, or waits for models in use."""
        limit = self._limit(key.device)
        _check_fits(key, wanted, limit)
        until = time.monotonic() + _PATIENCE
        with self._changed:
            while self._taken(key.device) + wanted > limit:
                if self._drop_oldest(key.device):
                    continue
                if slot.urgent or self._holds_one():
                    break
                if not self._changed.wait(until - time.monotonic()):
                    raise SkillError(
                        f"the models in use leave no room on {key.device} for {key.id}; try again when they are done"
                    )
            slot.bytes = wanted

    def _keep(self, key: _Key, slot: _Slot, model: Any) -> None:
        limit, size = self._limit(key.device), bytes_of(model)
        _check_fits(key, size, limit)
        with self._changed:
            slot.model, slot.bytes, slot.ready, slot.users = model, size, True, 0
            self._sizes[key] = size
            self._count(slot, +1)
            self._changed.notify_all()
        self._shrink(key.device)
        self._tell()

    def _given_back(self, key: _Key, slot: _Slot) -> None:
        with self._changed:
            self._count(slot, -1)
            self._changed.notify_all()
        self._shrink(key.device)

    def _shrink(self, device: str) -> None:
        """Unloads idle models until the others keep to the budget."""
        with self._changed:
            while self._taken(device) > self._limit(device) and self._drop_oldest(device):
                pass
        self._sweep(device)

    def _count(self, slot: _Slot, change: int) -> None:
        slot.users += change
        slot.last_used = time.time()
        thread = threading.get_ident()
        self._holders[thread] = self._holders.get(thread, 0) + change
        if self._holders[thread] <= 0:
            del self._holders[thread]

    def _taken(self, device: str) -> int:
        return sum(slot.bytes for key, slot in self._slots.items() if key.device == device)

    def _drop_oldest(self, device: str, keep: _Slot | None = None) -> bool:
        """Forgets the least recently used model that nobody uses; says whether there was one."""
        idle = [
            (slot.last_used, key)
            for key, slot in self._slots.items()
            if key.device == device and slot.ready and not slot.users and slot is not keep
        ]
        if not idle:
            return False
        _, key = min(idle)
        slot = self._slots.pop(key)
        self._dropped += map(weakref.ref, modules_of(slot.model))
        slot.model = None  # whoever still has the slot must not keep it alive
        _LOG.info("unloaded %s from %s", key.id, device)
        return True

    def _unload_idle(self, device: str, keep: _Slot | None = None) -> None:
        with self._changed:
            while self._drop_oldest(device, keep):
                pass
            self._changed.notify_all()
        self._sweep(device)

    def _sweep(self, device: str) -> None:
        """Makes the memory of dropped models come back; outside the lock, because it may take a while."""
        with self._changed:
            dropped, self._dropped = self._dropped, []
        if dropped:
            release(device, dropped)
            self._tell()

    def _tell(self) -> None:
        if self._watch is not None:
            self._watch(self.loaded())

    def _holds_one(self) -> bool:
        return threading.get_ident() in self._holders

    def _limit(self, device: str) -> int:
        if isinstance(self._budget, int):
            return self._budget
        named = self._budget or {}
        found = named.get(device, named.get(device.partition(":")[0]))
        return budget_of_device(device) if found is None else found


@cache
def default_pool() -> ModelPool:
    """The pool of this process; ``$LLAVAPLUS_MODEL_BYTES`` (``6GB``) sets its budget for each device."""
    return ModelPool(watch=_announce)


def _announce(loaded: list[Loaded]) -> None:
    announce([HeldModel(one.kind, one.id, one.device, one.bytes) for one in loaded])


def _check_fits(key: _Key, size: int, limit: int) -> None:
    if size > limit:
        raise SkillError(
            f"{key.id} takes {size / 1e6:,.0f} MB on {key.device}, where models may take {limit / 1e6:,.0f} MB; "
            "choose smaller weights, or raise the limit with LLAVAPLUS_MODEL_BYTES"
        )


def _too_little_memory(key: _Key) -> SkillError:
    return SkillError(
        f"{key.device} has too little memory free for {key.id}; choose a smaller picture or smaller weights"
    )
