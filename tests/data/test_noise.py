import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llavaplus_graph.data.noise import as_typed
from llavaplus_graph.data.phrasing import Filled, Segment

QUOTE = "Red Tea-Pot No. 3"


def asked() -> Filled:
    segments = [Segment("Could you find the "), Segment(QUOTE, quoted=True), Segment(" on the shelf, and mark it?")]
    return Filled(segments, {"thing": QUOTE})


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0))
def test_quoted_stretches_keep_their_letters(seed: int) -> None:
    typed = as_typed(asked(), random.Random(seed))
    assert typed.quotes in ([QUOTE], [QUOTE.lower()], [QUOTE.upper()])
    assert typed.quotes[0] in typed.text


@settings(deadline=None, derandomize=True)
@given(
    seed=st.integers(min_value=0), lines=st.lists(st.sampled_from(["?", "....", "a", "", "I see.", "X!"]), min_size=1)
)
def test_something_is_left_of_whatever_somebody_types(seed: int, lines: list[str]) -> None:
    filled = Filled([Segment(line) for line in lines])
    assert bool(as_typed(filled, random.Random(seed)).text) >= bool(filled.text)


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0))
def test_numbers_stay_as_they_are(seed: int) -> None:
    typed = as_typed(Filled([Segment("resize it to 640x480px, then x1.25")]), random.Random(seed))
    assert re.findall(r"\d+(?:\.\d+)?", typed.text) == ["640", "480", "1.25"]


def test_people_type_in_many_ways() -> None:
    typed = {as_typed(asked(), random.Random(seed)).text for seed in range(300)}
    assert len(typed) > 100
    assert asked().text in typed


def test_the_same_seed_types_the_same() -> None:
    assert as_typed(asked(), random.Random(3)) == as_typed(asked(), random.Random(3))


def test_without_strength_the_text_stays() -> None:
    assert {as_typed(asked(), random.Random(seed), strength=0).text for seed in range(50)} == {asked().text}


def test_the_instruction_that_was_given_stays_and_its_values_are_kept() -> None:
    given_one = asked()
    typed = [as_typed(given_one, random.Random(seed)) for seed in range(50)]
    assert given_one == asked()
    assert all(one.values == {"thing": QUOTE} for one in typed)


@pytest.mark.parametrize("text", ["?", "....", "!"])
def test_a_line_of_marks_alone_is_not_emptied(text: str) -> None:
    assert all(as_typed(Filled([Segment(text)]), random.Random(seed)).text for seed in range(100))
