"""What the program is doing, for the one who waits: lines on stderr with the time each step took. Knows no step."""

from __future__ import annotations

import time

from rich.console import Console


class Progress:
    """Tells step after step on stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._step = ""
        self._since = time.perf_counter()

    def begin(self, step: str) -> None:
        """Ends the step before and begins another one."""
        self.end()
        self._step, self._since = step, time.perf_counter()
        self._console.print(f"… {step}", style="dim")

    def end(self) -> None:
        """Ends the running step, if there is one, and says how long it took."""
        if self._step:
            self._console.print(f"  {time.perf_counter() - self._since:.1f} s", style="dim")
        self._step = ""

    def note(self, sentence: str) -> None:
        """Says something that is not a step."""
        self._console.print(sentence, style="yellow")
