"""What an engine is asked for and what it gives: plain values, the same for every engine. Knows no tensors, no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from llavaplus_graph.protocol import Template


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: temperature 0 is greedy; `top_p` in (0, 1]; `seed` makes sampling repeatable.

    Attributes:
        stop: Texts that end a generation wherever they come.
        answer_stop: Texts that end it only in what is said to the user, not in a plan.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    answer_stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A conversation to be continued.

    Attributes:
        template: How it becomes one text; its system text is that of this conversation.
        turns: Speaker and text in order, pictures as `<image>`.
        pictures: RGB pictures in the order of their places in the turns.
        sampling: How tokens are chosen and when to stop.
        grammars: Lark grammars that the continuation must follow, all of them; without any it is free.
    """

    template: Template
    turns: Sequence[tuple[Literal["human", "gpt"], str]]
    pictures: Sequence[Image.Image]
    sampling: Sampling
    grammars: Sequence[str] = ()

    @property
    def grammar(self) -> str | None:
        """The grammar, for an engine that takes one."""
        return self.grammars[0] if self.grammars else None

    @property
    def prompt(self) -> str:
        """The text that is continued."""
        return self.template.render(self.turns)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of generated text; the last piece of a generation says why it ended and how long both sides were.

    Attributes:
        reused_tokens: How many of the input tokens had been computed before; None where the engine does not say.
    """

    text: str
    finish_reason: Literal["stop", "length"] | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    reused_tokens: int | None = None
