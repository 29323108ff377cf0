"""Generations that are wanted at the same time share every step of the LMM: whoever waits for a token steps for all.

There is no thread behind this. The first caller that needs a token leads: it reads the prompts of whoever has come
since, or adds a token to every generation, until its own has something to give; the others find theirs done, or lead
next. Knows rows of tokens and pictures; does not know prompts, messages or what a text means.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from llavaplus_graph.chat_model.decoding import Chooser
from llavaplus_graph.chat_model.prefix_cache import Layers, Mark, PrefixCache
from llavaplus_graph.chat_model.rows import Rows
from llavaplus_graph.chat_model.writing import Writer

_MOST_ROWS = 16
_PADDING = 2.0  # prompts are read together when the longest is at most so many times the shortest
_PADDED = ("sdpa", "eager")  # attention implementations that take a mask with gaps


@dataclass(frozen=True, slots=True)
class Sight:
    """A picture of a prompt: its hash, its pixels (channels, height, width), and the position of its first place."""

    hash: bytes
    pixels: Callable[[], Tensor]
    start: int


@dataclass(slots=True, eq=False)
class Row:
    """One generation.

    Attributes:
        tokens: The prompt; the tokens that were chosen are added to it.
        marks: What stands at its positions, for the cache of beginnings.
        sights: Its pictures.
        chooser: Chooses its tokens.
        writer: Writes them.
        limit: Most tokens to choose.
        whole: Whether the caller waits for the end instead of every piece.
        prefix_bytes: Most bytes that the cache of beginnings may take after it; 0 leaves that cache alone.
        reused: How many positions of the prompt had been computed before.
        reason: Why it ended.
        error: What went wrong.
    """

    tokens: list[int]
    marks: list[Mark]
    sights: Sequence[Sight]
    chooser: Chooser
    writer: Writer
    limit: int
    whole: bool = False
    prefix_bytes: int = 0
    reused: int = 0
    reason: Literal["stop", "length"] | None = None
    error: BaseException | None = None
    given_up: bool = False
    texts: deque[str] = field(default_factory=deque)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.reason is not None or self.error is not None

    @property
    def ready(self) -> bool:
        """Whether the caller need not wait any longer."""
        return self.over or (bool(self.texts) and not self.whole)

    def take(self, logits: Tensor, likeliest: int, ends: frozenset[int]) -> None:
        """Choose what comes next from logits (vocabulary,)."""
        chosen = self.chooser.choose(logits, likeliest)
        room = self.limit - self.writer.count
        for token in chosen[:room]:
            if token in ends:
                self.reason = "stop"
                return
            self.tokens.append(token)
            self.marks.append(token)
            if text := self.writer.add(token):
                self.texts.append(text)
            if self.writer.stopped:
                self.reason = "stop"
                return
        if self.chooser.finished and len(chosen) <= room:
            self.reason = "stop"
        elif len(chosen) >= room:
            self.reason = "length"


class Batcher:
    """Steps an LMM for all generations that are under way; safe to call from several threads.

    Args:
        model: A `LlavaForConditionalGeneration`.
        ends: Tokens that end a text.
        places: How many positions a picture takes.
    """

    def __init__(self, model: Any, ends: frozenset[int], places: int) -> None:
        self._model = model
        self._ends = ends
        self._places = places
        padded = model.config.get_text_config()._attn_implementation in _PADDED
        self._most = _MOST_ROWS if padded else 1
        self._prefixes = PrefixCache()
        self._rows = Rows()
        self._seated: list[Row] = []  # row i of the cache belongs to the i-th
        self._waiting: deque[Row] = deque()
        self._turn = threading.Condition()
        self._led = False

    def run(self, row: Row) -> Iterator[str]:
        """Generate; gives pieces of text, all of it at once where the caller wants the whole.

        Raises:
            BaseException: What went wrong in a step, whoever made it.
        """
        self._waiting.append(row)
        try:
            while not row.over:
                self._go_on(row)
                while row.texts:
                    yield row.texts.popleft()
            if row.error is not None:
                raise row.error
        finally:
            row.given_up = True
            self._tidy()

    def knows(self, picture: bytes) -> bool:
        """Tell whether a picture, by its hash, need not be looked at again."""
        return self._prefixes.features(picture) is not None

    def _go_on(self, row: Row) -> None:
        """Lead until a row has something to give, or wait for whoever leads."""
        with self._turn:
            self._turn.wait_for(lambda: row.ready or not self._led)
            if row.ready:
                return
            self._led = True
        try:
            while not row.ready:
                if any(stepped.ready for stepped in self._step() if stepped is not row):
                    with self._turn:
                        self._turn.notify_all()
        finally:
            self._retire()

    def _tidy(self) -> None:
        """Take out what was given up, unless somebody leads, who will. Never waits: it may run in a finaliser."""
        with self._turn:
            if self._led:
                return
            self._led = True
        try:
            with torch.inference_mode():
                self._clear()
        finally:
            self._retire()

    def _retire(self) -> None:
        with self._turn:
            self._led = False
            self._turn.notify_all()

    def _step(self) -> list[Row]:
        """Read the prompts of newcomers, or else add a token to every generation; gives the rows that went on."""
        newcomers: list[tuple[Row, list[Layers]]] = []
        try:
            with torch.inference_mode():
                self._clear()
                newcomers = self._newcomers()
                if not newcomers:
                    return self._advance(0)
                for group in _alike(newcomers):
                    first = len(self._seated)
                    for row, known in group:
                        self._rows.add(known)
                        self._seated.append(row)
                    self._advance(first)
        # Such as no memory for another row: what the cache holds is not certain now.
        except BaseException as error:  # noqa: BLE001
            for row in [*self._seated, *(row for row, _ in newcomers)]:
                row.error = row.error or error
            self._rows, self._seated = Rows(), []
        return [row for row, _ in newcomers]

    def _newcomers(self) -> list[tuple[Row, list[Layers]]]:
        """Take those who wait, as many as there is room for, each with what is known of its prompt."""
        found: list[tuple[Row, list[Layers]]] = []
        while self._waiting and len(self._seated) + len(found) < self._most:
            row = self._waiting.popleft()
            if row.given_up:
                continue
            known = self._prefixes.longest(row.marks[:-1]) if row.prefix_bytes else []
            row.reused = sum(layers[0].shape[2] for layers in known)
            found.append((row, known))
        return found

    def _advance(self, first: int) -> list[Row]:
        """Take one forward pass with the rows from `first` on, and choose a token for each."""
        rows = self._seated[first:]
        try:
            logits = self._forward(first, rows)
        # Whatever it is belongs to those who wait for these rows.
        except BaseException as error:  # noqa: BLE001
            for row in rows:
                row.error = error
        else:
            for row, scores, likeliest in zip(rows, logits, logits.argmax(-1).tolist(), strict=True):
                try:
                    row.take(scores, likeliest, self._ends)
                except Exception as error:  # noqa: BLE001 - it is raised where the row was asked for
                    row.error = error
        self._clear()
        return rows

    def _clear(self) -> None:
        """Take out the rows that are over or given up; what they computed is kept for those who begin alike."""
        for index in reversed(range(len(self._seated))):
            row = self._seated[index]
            if not (row.over or row.given_up):
                continue
            length = self._rows.lengths[index]
            if row.prefix_bytes and row.error is None and length:
                copied = partial(self._rows.copied, index)
                self._prefixes.keep(row.marks[:length], copied, row.prefix_bytes)
            self._rows.remove(index)
            self._seated[index] = self._seated[-1]
            self._seated.pop()

    def _forward(self, first: int, rows: Sequence[Row]) -> Tensor:
        """Feed what is new of every row; gives what the LMM says about the next tokens (rows, vocabulary)."""
        counts = [len(row.tokens) - self._rows.lengths[first + at] for at, row in enumerate(rows)]
        longest, device = max(counts), self._model.device
        fresh = [[0] * (longest - count) + row.tokens[-count:] for row, count in zip(rows, counts, strict=True)]
        embeddings = self._model.get_input_embeddings()(torch.tensor(fresh, device=device))
        if longest > 1:
            self._show(rows, embeddings)
        with self._rows.feeding(first, counts, device) as feeding:
            output = self._model(
                inputs_embeds=embeddings,
                position_ids=feeding.positions,
                attention_mask=feeding.mask(embeddings.dtype),
                past_key_values=self._rows,
                use_cache=True,
                logits_to_keep=1,
            )
        return output.logits[:, -1].float()  # type: ignore[no-any-return]  # transformers' models are untyped

    def _show(self, rows: Sequence[Row], embeddings: Tensor) -> None:
        """Put the features of pictures into their places (rows, columns, width); the rows end on the right."""
        columns = embeddings.shape[1]
        wanted = [(at, row, sight) for at, row in enumerate(rows) for sight in row.sights]
        wanted = [seat for seat in wanted if seat[2].start + self._places > seat[1].reused]
        features = self._features([(row, sight) for _, row, sight in wanted])
        for at, row, sight in wanted:
            start = max(sight.start, row.reused)
            column = columns - len(row.tokens) + start
            end = columns - len(row.tokens) + sight.start + self._places
            embeddings[at, column:end] = features[sight.hash][start - sight.start :].to(embeddings)
        for row in rows:
            row.sights = ()

    def _features(self, wanted: Sequence[tuple[Row, Sight]]) -> dict[bytes, Tensor]:
        """Look at the pictures that are not known, all at once; gives features (places, width) by hash."""
        known = {sight.hash: self._prefixes.features(sight.hash) for row, sight in wanted if row.prefix_bytes}
        found = {name: features for name, features in known.items() if features is not None}
        new = {sight.hash: sight for _, sight in wanted if sight.hash not in found}
        if new:
            pixels = torch.stack([sight.pixels() for sight in new.values()])
            looked = self._model.get_image_features(pixel_values=pixels.to(self._model.device, self._model.dtype))
            found |= dict(zip(new, looked.pooler_output, strict=True))
        for row, sight in wanted:
            if row.prefix_bytes:
                self._prefixes.keep_features(sight.hash, found[sight.hash], row.prefix_bytes)
        return found


def _alike(newcomers: Sequence[tuple[Row, list[Layers]]]) -> Iterator[list[tuple[Row, list[Layers]]]]:
    """Put those together whose prompts are about equally long, so that little is read for nothing."""
    group: list[tuple[Row, list[Layers]]] = []
    for newcomer in sorted(newcomers, key=_unread):
        if group and _unread(newcomer) > _PADDING * _unread(group[0]):
            yield group
            group = []
        group.append(newcomer)
    yield group


def _unread(newcomer: tuple[Row, list[Layers]]) -> int:
    return len(newcomer[0].tokens) - newcomer[0].reused
