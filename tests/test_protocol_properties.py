"""What holds for every turn, every text and every way to split it; the wire format itself is in test_protocol."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llavaplus_graph.protocol import (
    MARKERS,
    Action,
    ParsedTurn,
    StreamParser,
    Turn,
    TurnOpened,
    parse_actions,
    parse_turn,
    render_turn,
)

CALL = '{"API_name": "sam", "API_params": {}}'
PLAN_TEXT = f'"thoughts🤔" I need a mask.\n"actions🚀" [{CALL}]\n"value👉" I will use sam.\n'
ANSWER_TEXT = '"thoughts🤔" Thanks.\n"actions🚀" []\n"value👉" It is on the right.\n'
UNFINISHED = [PLAN_TEXT[:-30], PLAN_TEXT.replace('s🤔"', "s🤔'"), '"value👉" a "value👉" b', '"value👉" a', "A cat."]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
WORDS = st.text().map(str.strip).filter(lambda text: not any(marker in text for marker in MARKERS))
ACTIONS = st.builds(Action, st.text(min_size=1), st.dictionaries(st.text(), JSON, max_size=4))
TURNS = st.builds(Turn, WORDS, st.lists(ACTIONS, max_size=3).map(tuple), WORDS) | st.builds(Turn, value=WORDS)
SCRAPS = st.sampled_from([*MARKERS, *(marker.strip('"') for marker in MARKERS), '"', "'", "[]", f"[{CALL}]", " ", "\n"])
MESS = st.lists(SCRAPS | st.text(max_size=8), max_size=14).map("".join)


@given(TURNS)
@example(Turn('He said "thoughts', (Action("a", {"value👉": '"actions🚀"'}),), 'the "value'))
@settings(deadline=None, derandomize=True)
def test_what_is_written_is_read_back(turn: Turn) -> None:
    assert parse_turn(render_turn(turn)) == ParsedTurn(turn)


@given(TURNS, st.data())
@settings(deadline=None, derandomize=True)
def test_a_turn_cut_off_before_its_answer_has_no_call(turn: Turn, data: st.DataObject) -> None:
    text = render_turn(turn)
    end = data.draw(st.integers(0, text.index('"value👉"') + 7))
    assert not parse_turn(text[:end]).turn.actions


@given(ACTIONS, st.data())
@settings(deadline=None, derandomize=True)
def test_a_list_of_actions_that_was_cut_off_is_never_completed(action: Action, data: st.DataObject) -> None:
    for text in (json.dumps([{"API_name": action.name, "API_params": action.params}]), str([{"API_name": "a'b"}])):
        end = data.draw(st.integers(0, len(text) - 1))
        assert parse_actions(text[:end])[0] == ()


@given(st.text() | MESS)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_any_text_can_be_read(text: str) -> None:
    parsed = parse_turn(text)
    for action in parsed.turn.actions or ():
        json.dumps(action.params, allow_nan=False)
    if parsed.turn.actions is not None:
        assert not any(marker in f"{parsed.turn.thoughts}{parsed.turn.value}" for marker in MARKERS)


@given(st.text())
@settings(deadline=None, derandomize=True, max_examples=300)
def test_any_text_can_stand_for_the_actions(text: str) -> None:
    parse_actions(text)
    parse_actions(f'[{{"API_name": "a", "API_params": {text}}}]')


def pieces(text: str, cuts: Iterable[int]) -> list[str]:
    ends = [0, *sorted(cuts), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


def streamed(parts: Sequence[str]) -> tuple[list[TurnOpened | str], StreamParser]:
    parser = StreamParser()
    return [event for part in parts for event in parser.feed(part)], parser


def assert_equal_to_parse_turn(parts: Sequence[str]) -> None:
    events, parser = streamed(parts)
    whole = parse_turn("".join(parts))
    assert parser.close() == whole
    assert parser.opened == (whole.turn.actions is not None)
    if not parser.opened:
        assert events == []
        return
    opened, *answer = events
    assert opened == TurnOpened(whole.turn.thoughts or "", whole.turn.actions or (), whole.problem)
    said = "".join(part for part in answer if isinstance(part, str))
    assert len(said) == parser.given
    assert said + (whole.turn.value or "")[parser.given :] == whole.turn.value
    assert all(answer), "an empty piece says nothing"


@given(MESS | TURNS.map(render_turn), st.data())
@settings(deadline=None, derandomize=True, max_examples=300)
def test_a_stream_reads_what_the_whole_text_says_however_it_is_split(text: str, data: st.DataObject) -> None:
    assert_equal_to_parse_turn(pieces(text, data.draw(st.lists(st.integers(0, len(text)), max_size=6))))
    assert_equal_to_parse_turn(list(text))


@pytest.mark.parametrize("text", [PLAN_TEXT, ANSWER_TEXT, PLAN_TEXT + ANSWER_TEXT, *UNFINISHED])
def test_a_stream_of_single_characters_reads_the_same(text: str) -> None:
    assert_equal_to_parse_turn(list(text))


def test_a_stream_gives_the_plan_first_and_then_the_answer_as_it_comes() -> None:
    opening, rest = '"thoughts🤔" t\n"actions🚀" []\n"value👉" It is', [" on", " the", ' "right"', " side.\n"]
    events, parser = streamed([opening, *rest])
    assert events == [TurnOpened("t", (), None), "It is", " on", " the", ' "right', '" side.']
    assert parser.given == len('It is on the "right" side.')


def test_a_plan_that_was_cut_off_is_never_given_out() -> None:
    events, parser = streamed(list(PLAN_TEXT[: PLAN_TEXT.index('"value')]))
    assert events == []
    assert parser.close().turn.actions is None


def test_reading_takes_time_in_proportion_to_the_text() -> None:
    for scrap in ('"thoughts🤔"', '"thoughts🤔" "actions🚀"', '"', "a"):
        parsed = parse_turn('"thoughts🤔" "actions🚀"' + scrap * 20_000)
        assert parsed.problem is not None
