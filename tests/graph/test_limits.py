import pytest

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph.limits import Limits
from llavaplus_graph.graph.state import State


def state(rounds: int, calls: int) -> State:
    return State(messages=[], images=[], results={f"c{n}": {} for n in range(calls)}, rounds=rounds, edits={})


@pytest.mark.parametrize(
    ("rounds", "calls", "left", "may_act"), [(0, 0, 4, True), (1, 3, 1, True), (1, 4, 0, False), (2, 0, 4, False)]
)
def test_a_turn_ends_with_its_rounds_or_its_calls(rounds: int, calls: int, left: int, may_act: bool) -> None:
    limits = Limits(rounds=2, calls=4)
    assert (limits.calls_left(state(rounds, calls)), limits.may_act(state(rounds, calls))) == (left, may_act)


@pytest.mark.parametrize(("rounds", "calls", "named"), [(0, 1, "max_rounds"), (1, -1, "max_calls")])
def test_a_limit_below_one_is_refused(rounds: int, calls: int, named: str) -> None:
    with pytest.raises(ConfigError, match=f"{named} must be at least 1"):
        Limits(rounds=rounds, calls=calls)
