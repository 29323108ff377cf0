"""The engine: a LLaVA model of transformers that turns text and pictures into text, token by token.

Knows tokens and tensors; does not know messages, tools or what the text means.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from PIL import Image
from transformers import DynamicCache

from llavaplus_graph.chat_model.decoding import Guide
from llavaplus_graph.errors import ProtocolError
from llavaplus_graph.protocol import IMAGE


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: temperature 0 is greedy; `top_p` in (0, 1]; `seed` makes sampling repeatable."""

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of generated text; the last piece of a generation says why it ended and how long both sides were."""

    text: str
    finish_reason: Literal["stop", "length"] | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class TransformersEngine:
    """Generates with a local LLaVA model, one step at a time under a lock; safe to call from several threads.

    Neither the lock nor torch's inference mode is held while a caller looks at a piece: a stream that waits must not
    block the next one, and an async caller may take every piece in another thread.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.processor = processor
        self._lock = threading.Lock()
        self._ends = _end_tokens(model, processor.tokenizer)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text; nothing is fetched."""
        return len(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def generate(
        self, prompt: str, pictures: Sequence[Image.Image], sampling: Sampling, grammar: str | None = None
    ) -> Iterator[Piece]:
        """Generate a continuation of a prompt.

        Args:
            prompt: The rendered conversation with one `<image>` a picture.
            pictures: RGB pictures in the order of their image tokens.
            sampling: How tokens are chosen and when to stop.
            grammar: Lark grammar that the text must follow.

        Yields:
            Pieces of text; text that might still become a stop string is held back.

        Raises:
            ProtocolError: If the prompt is longer than the context of the model or has not one place a picture.
        """
        if (places := prompt.count(IMAGE)) != len(pictures):
            raise ProtocolError(
                f"The prompt has {places} places ({IMAGE}) for {len(pictures)} pictures; give every picture one."
            )
        inputs = self._inputs(prompt, pictures)
        length = inputs["input_ids"].shape[1]
        room = int(self.model.config.text_config.max_position_embeddings) - length
        if room < 16:
            raise ProtocolError(
                f"The conversation takes {length} tokens, more than the LMM's {length + room}; "
                "start a new one or drop old turns."
            )
        guide = Guide(self.processor.tokenizer, grammar) if grammar else None
        generator = torch.Generator().manual_seed(sampling.seed) if sampling.seed is not None else None
        writer = _Writer(self.processor.tokenizer, sampling.stop)
        limit = min(sampling.max_tokens, room)
        reason: Literal["stop", "length"] = "length"
        cache = DynamicCache(config=self.model.config.text_config)
        for _ in range(limit):
            token = self._next_token(inputs, cache, guide, sampling, generator)
            if token in self._ends:
                reason = "stop"
                break
            if guide:
                guide.accept(token)
            text = writer.add(token)
            if text:
                yield Piece(text)
            if writer.stopped or (guide and guide.finished):
                reason = "stop"
                break
            inputs = {"input_ids": torch.tensor([[token]], device=self.model.device)}
        yield Piece(writer.rest(), reason, length, writer.count)

    def _next_token(
        self,
        inputs: dict[str, Any],
        cache: DynamicCache,
        guide: Guide | None,
        sampling: Sampling,
        generator: torch.Generator | None,
    ) -> int:
        with self._lock, torch.inference_mode():
            logits = self.model(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[0, -1].float()
            return _choose(guide.mask(logits) if guide else logits, sampling, generator)

    def _inputs(self, prompt: str, pictures: Sequence[Image.Image]) -> dict[str, Any]:
        with self._lock:
            batch = self.processor(images=list(pictures) or None, text=prompt, return_tensors="pt")
        inputs = {"input_ids": batch["input_ids"].to(self.model.device)}
        if "pixel_values" in batch:
            inputs["pixel_values"] = batch["pixel_values"].to(self.model.device, self.model.dtype)
        return inputs


class _Writer:
    """Turns tokens into text as they come; holds back broken characters and what might open a stop string."""

    def __init__(self, tokenizer: Any, stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stop = [text for text in stop if text]
        self._tokens: list[int] = []
        self._given = 0
        self._text = ""
        self.stopped = False

    @property
    def count(self) -> int:
        return len(self._tokens)

    def add(self, token: int) -> str:
        self._tokens.append(token)
        self._text = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        found = [at for at in (self._text.find(stop) for stop in self._stop) if at >= 0]
        if found:
            self.stopped = True
            self._text = self._text[: min(found)]
            return self.rest()
        whole = self._text.rstrip("\ufffd")
        safe = len(whole) - self._held(whole)
        fresh, self._given = self._text[self._given : safe], max(safe, self._given)
        return fresh

    def rest(self) -> str:
        fresh, self._given = self._text[self._given :], len(self._text)
        return fresh

    def _held(self, text: str) -> int:
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        for size in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stop):
                return size
        return 0


def _choose(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator | None) -> int:
    if sampling.temperature <= 0:
        return int(logits.argmax())
    probabilities = torch.softmax(logits / sampling.temperature, -1).cpu()
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        ordered[ordered.cumsum(-1) - ordered >= sampling.top_p] = 0
        return int(order[torch.multinomial(ordered, 1, generator=generator)])
    return int(torch.multinomial(probabilities, 1, generator=generator))


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    ends = model.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return frozenset(int(end) for end in (*listed, tokenizer.eos_token_id) if end is not None)
