"""Keeps what was computed for the beginnings of prompts, and for pictures, as long as it fits into a number of bytes.

A tree: prompts that begin alike share the keys and values of what they have in common, token by token. Knows tensors
and what stands at a position; does not know the model. Not locked: one thread at a time may use it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

Mark = int | bytes
"""What stands at a position: a token, or the hash of the picture that a place belongs to."""

Layers = list[Tensor]
"""Keys and values of consecutive positions, for every layer (2, heads, positions, width)."""


@dataclass(slots=True, eq=False)
class _Run:
    """A stretch of positions that was always followed through to its end before prompts parted."""

    marks: tuple[Mark, ...]
    layers: Layers
    parent: "_Run | None"
    used: int
    after: dict[Mark, "_Run"] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return _size(self.layers)


@dataclass(slots=True)
class _Seen:
    features: Tensor
    used: int


class PrefixCache:
    """Remembers beginnings of prompts and features of pictures; what was used longest ago goes first.

    Attributes:
        bytes: What the tensors in it take.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._root = _Run((), [], None, 0)
        self._pictures: dict[bytes, _Seen] = {}
        self._clock = 0

    def longest(self, marks: Sequence[Mark]) -> list[Layers]:
        """Find the longest beginning of a prompt that is known.

        Returns:
            Its keys and values, stretch by stretch; views that must not be written to.
        """
        self._clock += 1
        found = []
        for run, shared in self._path(marks):
            run.used = self._clock
            found.append([layer[:, :, :shared] for layer in run.layers])
        return found

    def keep(self, marks: Sequence[Mark], layers: Callable[[int], Layers], limit: int) -> None:
        """Remember a prompt, then forget what was not used for longest until the limit is met.

        Args:
            marks: What stands at its positions.
            layers: Gives a copy of the keys and values from a position to the end.
            limit: Most bytes to take; a prompt that is too long for it is remembered as far as it fits.
        """
        self._clock += 1
        known, last = 0, self._root
        for run, shared in list(self._path(marks)):  # the last of them may be split
            last = run if shared == len(run.marks) else self._split(run, shared)
            last.used = self._clock
            known += shared
        if known < len(marks):
            self._append(last, tuple(marks[known:]), layers(known), limit - known * self._position_bytes())
        self._forget(limit)

    def features(self, picture: bytes) -> Tensor | None:
        """Give the features (places, width) of a picture, by its hash; None when they are not known."""
        seen = self._pictures.get(picture)
        if seen is None:
            return None
        self._clock += 1
        seen.used = self._clock
        return seen.features

    def keep_features(self, picture: bytes, features: Tensor, limit: int) -> None:
        """Remember the features (places, width) of a picture by its hash."""
        self._clock += 1
        if picture not in self._pictures:
            self._pictures[picture] = _Seen(features.clone(), self._clock)
            self.bytes += features.nbytes
        self._forget(limit)

    def _path(self, marks: Sequence[Mark]) -> Iterator[tuple[_Run, int]]:
        """Follow a prompt through the tree: stretches, and how much of each it shares."""
        at, run = 0, self._root
        while at < len(marks):
            following = run.after.get(marks[at])
            if following is None:
                return
            run = following
            shared = _shared(run.marks, marks[at : at + len(run.marks)])
            yield run, shared
            if shared < len(run.marks):
                return
            at += shared

    def _append(self, parent: _Run, marks: tuple[Mark, ...], layers: Layers, room: int) -> None:
        fits = min(len(marks), room * len(marks) // max(_size(layers), 1))
        if fits <= 0:
            return
        if fits < len(marks):
            layers = [layer[:, :, :fits].clone() for layer in layers]
        run = _Run(marks[:fits], layers, parent, self._clock)
        parent.after[marks[0]] = run
        self.bytes += run.bytes

    def _split(self, run: _Run, at: int) -> _Run:
        """Divide a stretch where prompts part; gives its front half. Both are copied, so that either can be freed."""
        front = _Run(run.marks[:at], [layer[:, :, :at].clone() for layer in run.layers], run.parent, run.used)
        front.after[run.marks[at]] = run
        if run.parent is not None:
            run.parent.after[run.marks[0]] = front
        run.marks, run.layers, run.parent = run.marks[at:], [layer[:, :, at:].clone() for layer in run.layers], front
        return front

    def _position_bytes(self) -> int:
        return next((run.bytes // len(run.marks) for run in self._root.after.values()), 0)

    def _forget(self, limit: int) -> None:
        while self.bytes > limit:
            leaf = min(self._leaves(self._root), key=lambda run: run.used, default=None)
            picture = min(self._pictures, key=lambda name: self._pictures[name].used, default=None)
            if picture is not None and (leaf is None or self._pictures[picture].used < leaf.used):
                self.bytes -= self._pictures.pop(picture).features.nbytes
            elif leaf is not None and leaf.parent is not None:
                del leaf.parent.after[leaf.marks[0]]
                self.bytes -= leaf.bytes

    def _leaves(self, run: _Run) -> Iterator[_Run]:
        for following in run.after.values():
            if following.after:
                yield from self._leaves(following)
            else:
                yield following


def _shared(one: Sequence[Mark], other: Sequence[Mark]) -> int:
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def _size(layers: Layers) -> int:
    return sum(layer.nbytes for layer in layers)
