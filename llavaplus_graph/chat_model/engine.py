"""The engine: a LLaVA model of transformers that turns text and pictures into text, token by token.

Knows tokens and tensors; does not know messages, tools or what the text means.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from PIL import Image
from torch import Tensor

from llavaplus_graph.chat_model.batching import Batcher, Row, Sight
from llavaplus_graph.chat_model.decoding import Chooser, Guide
from llavaplus_graph.chat_model.generation import Piece, Sampling
from llavaplus_graph.chat_model.prefix_cache import Mark
from llavaplus_graph.chat_model.writing import Stops, Writer
from llavaplus_graph.errors import ProtocolError
from llavaplus_graph.protocol import IMAGE

PREFIX_BYTES: Final = 512 * 2**20
"""What beginnings of prompts may take unless somebody says otherwise: a thousand positions of a 7B model in 16 bits."""

_LEAST_ROOM = 16  # tokens that must be left for an answer


class TransformersEngine:
    """Generates with a local LLaVA model; safe to call from several threads, whose generations share every step.

    Nothing is held while a caller looks at a piece: a stream that waits must not block the next one, and an async
    caller may take every piece in another thread. What was computed for the beginning of a prompt, and for its
    pictures, is kept for the next one that begins alike.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.processor = processor
        self._places = _places(processor)
        self._batcher = Batcher(model, _end_tokens(model, processor.tokenizer), self._places)
        self._lock = threading.Lock()

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text; nothing is fetched."""
        return len(self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def generate(
        self,
        prompt: str,
        pictures: Sequence[Image.Image],
        sampling: Sampling,
        grammar: str | Sequence[str] | None = None,
        *,
        whole: bool = False,
        prefix_bytes: int = PREFIX_BYTES,
    ) -> Iterator[Piece]:
        """Generate a continuation of a prompt.

        Args:
            prompt: The rendered conversation with one `<image>` a picture.
            pictures: RGB pictures in the order of their image tokens.
            sampling: How tokens are chosen and when to stop.
            grammar: Lark grammar that the text must follow; of several, all.
            whole: Whether nobody looks at the pieces before the end; saves waking whoever waits for each.
            prefix_bytes: Most bytes that the beginnings of prompts may take after this one; 0 neither uses nor keeps
                any.

        Yields:
            Pieces of text; text that might still become a stop string is held back.

        Raises:
            ProtocolError: If the prompt is longer than the context of the model or has not one place a picture.
            ConfigError: If the grammar cannot be followed.
        """
        if (places := prompt.count(IMAGE)) != len(pictures):
            raise ProtocolError(
                f"The prompt has {places} places ({IMAGE}) for {len(pictures)} pictures; give every picture one."
            )
        tokens, marks, sights = self._read(prompt, pictures)
        length, room = len(tokens), self._context - len(tokens)
        if room < _LEAST_ROOM:
            raise ProtocolError(
                f"The conversation takes {length} tokens, more than the LMM's {self._context}; "
                "start a new one or drop old turns."
            )
        grammars = (grammar,) if isinstance(grammar, str) else grammar
        guide = Guide(self.processor.tokenizer, *grammars) if grammars else None
        writer = Writer(self.processor.tokenizer, Stops(sampling.stop, sampling.answer_stop))
        row = Row(
            tokens=tokens,
            marks=marks,
            sights=sights,
            chooser=Chooser(sampling, guide),
            writer=writer,
            limit=min(sampling.max_tokens, room),
            whole=whole,
            prefix_bytes=prefix_bytes,
        )
        for text in self._batcher.run(row):
            yield Piece(text)
        yield Piece(writer.rest(), row.reason, length, writer.count, row.reused)

    def _read(self, prompt: str, pictures: Sequence[Image.Image]) -> tuple[list[int], list[Mark], list[Sight]]:
        """Turn a prompt into tokens, what stands at every position, and the pictures to be looked at."""
        places = self._places if pictures else 0
        with self._lock:  # a tokenizer of transformers is not safe to call from several threads
            tokens = self.processor.tokenizer(prompt.replace(IMAGE, IMAGE * places))["input_ids"]
        marks: list[Mark] = list(tokens)
        seats = [at for at, token in enumerate(tokens) if token == self.processor.image_token_id]
        sights = []
        for index, picture in enumerate(pictures):
            name = _hash(picture)
            seen = self._batcher.knows(name)
            pixels = partial(self._pixels, picture) if seen else partial(_same, self._pixels(picture))
            sights.append(Sight(name, pixels, seats[index * places]))
            for seat in seats[index * places : (index + 1) * places]:
                marks[seat] = name
        return tokens, marks, sights

    def _pixels(self, picture: Image.Image) -> Tensor:
        return self.processor.image_processor(picture, return_tensors="pt")["pixel_values"][0]  # type: ignore[no-any-return]

    @property
    def _context(self) -> int:
        """Positions of the longest conversation."""
        config = self.model.config.get_text_config()
        window = getattr(config, "sliding_window", None) or config.max_position_embeddings
        return int(min(config.max_position_embeddings, window))


def _places(processor: Any) -> int:
    """Count the positions a picture takes; all pictures are brought to one size."""
    tokens = processor(images=[Image.new("RGB", (8, 8))], text=IMAGE)["input_ids"][0]
    return list(tokens).count(processor.image_token_id)


def _hash(picture: Image.Image) -> bytes:
    return hashlib.sha256(repr((picture.mode, picture.size)).encode() + picture.tobytes()).digest()


def _same(pixels: Tensor) -> Tensor:
    return pixels


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    ends = model.generation_config.eos_token_id
    listed = ends if isinstance(ends, list) else [ends]
    return frozenset(int(end) for end in (*listed, tokenizer.eos_token_id) if end is not None)
