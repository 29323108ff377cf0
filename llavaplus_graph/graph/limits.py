"""How much may happen in one turn. Knows the state, no node."""

from __future__ import annotations

from dataclasses import dataclass

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph.state import State


@dataclass(frozen=True, slots=True)
class Limits:
    """What one turn may take; LangGraph's own limit of steps is far too wide for an LMM that calls and calls.

    Attributes:
        rounds: how many times skills may be run, at least 1.
        calls: how many calls they may have together, at least 1.

    Raises:
        ConfigError: one of them is below 1.
    """

    rounds: int
    calls: int

    def __post_init__(self) -> None:
        for name, value in (("max_rounds", self.rounds), ("max_calls", self.calls)):
            if value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}: below that no skill could ever run")

    def calls_left(self, state: State) -> int:
        """How many calls may still be run in this turn."""
        return max(0, self.calls - len(state["results"]))

    def may_act(self, state: State) -> bool:
        """Whether the LMM may have skills run once more."""
        return state["rounds"] < self.rounds and self.calls_left(state) > 0
