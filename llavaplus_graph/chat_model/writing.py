"""Tokens become text as they come; a text that is to end it ends it. Knows tokenizers and the marks of a turn."""

from collections.abc import Sequence
from typing import Any

from llavaplus_graph.protocol import THOUGHTS, VALUE

_BROKEN = "\ufffd"


class Stops:
    """Ends a text before the first of certain texts, and holds back what might become one of them.

    Args:
        anywhere: Texts that end it wherever they come.
        in_answer: Texts that end it only in what is said to the user: behind the value marker, or anywhere in a text
            that is no turn. A plan that was cut off there could be read as another one.
    """

    def __init__(self, anywhere: Sequence[str], in_answer: Sequence[str] = ()) -> None:
        self._anywhere = [stop for stop in anywhere if stop]
        self._in_answer = [stop for stop in in_answer if stop]
        self._text = ""
        self._given = 0
        self.reached = False

    def add(self, fresh: str) -> str:
        """Take what has been written since; gives what certainly belongs to the text."""
        self._text += fresh
        ends = [*self._found(self._anywhere, self._given), *self._found(self._in_answer, self._answer())]
        if ends:
            self.reached = True
            self._text = self._text[: min(ends)[1]]
            return self.rest()
        return self._give(len(self._text) - self._held())

    def rest(self) -> str:
        """Give what was held back; nothing more will come."""
        return self._give(len(self._text))

    def _give(self, end: int) -> str:
        given, self._given = self._text[self._given : end], max(end, self._given)
        return given

    def _found(self, stops: Sequence[str], start: int) -> list[tuple[int, int]]:
        """Give where texts that end it are complete, and where they begin."""
        return [(at + len(stop), at) for stop in stops if (at := self._text.find(stop, start)) >= 0]

    def _answer(self) -> int:
        """Find where what is said to the user begins; the end of the text while that has not come."""
        opening = self._text.lstrip()
        if not (opening.startswith(THOUGHTS) or THOUGHTS.startswith(opening)):
            return 0
        found = self._text.find(VALUE)
        return len(self._text) if found < 0 else found + len(VALUE)

    def _held(self) -> int:
        if self._in_answer and THOUGHTS.startswith(self._text.lstrip()):
            return len(self._text) - self._given  # it is not decided yet whether this is a turn
        stops = [*self._anywhere, *self._in_answer]
        longest = max((len(stop) for stop in stops), default=1) - 1
        for size in range(min(longest, len(self._text) - self._given), 0, -1):
            if any(stop.startswith(self._text[-size:]) for stop in stops):
                return size
        return 0


class Writer:
    """Turns tokens into text; a character is given out once all of its tokens have come.

    Args:
        tokenizer: A tokenizer of transformers.
        stops: What ends the text.
    """

    def __init__(self, tokenizer: Any, stops: Stops) -> None:
        self._tokenizer = tokenizer
        self._stops = stops
        self._tokens: list[int] = []
        self._known, self._read = 0, 0  # what stands between them is decoded again, for the spaces at its borders
        self.count = 0

    @property
    def stopped(self) -> bool:
        """Whether a text that ends it has come."""
        return self._stops.reached

    def add(self, token: int) -> str:
        """Take a token; gives the text that is certain by it."""
        self._tokens.append(token)
        self.count += 1
        fresh = self._decoded(self._known)[len(self._decoded(self._known, self._read)) :]
        if not fresh or fresh.endswith(_BROKEN):
            return ""
        self._known, self._read = self._read, len(self._tokens)
        return self._stops.add(fresh)

    def rest(self) -> str:
        """Give what was held back; a character that was cut off is left out."""
        if self.stopped:
            return ""
        fresh = self._decoded(self._known)[len(self._decoded(self._known, self._read)) :]
        return self._stops.add(fresh.rstrip(_BROKEN)) + self._stops.rest()

    def _decoded(self, start: int, end: int | None = None) -> str:
        text = self._tokenizer.decode(self._tokens[start:end], skip_special_tokens=True)
        return str(text)
