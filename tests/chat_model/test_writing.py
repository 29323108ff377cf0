from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from llavaplus_graph.chat_model.checkpoints import bundled
from llavaplus_graph.chat_model.writing import Stops, Writer
from llavaplus_graph.protocol import Action, Turn, render_turn

PLAN = render_turn(Turn("I stop here.", (Action("stop", {"image": "stop"}),), "Wait, stop it."))


def cut(text: str, anywhere: list[str], in_answer: list[str], size: int = 3) -> tuple[list[str], bool]:
    """The pieces that are given out, and whether the text was ended."""
    stops = Stops(anywhere, in_answer)
    pieces = []
    for at in range(0, len(text), size):
        pieces.append(stops.add(text[at : at + size]))
        if stops.reached:
            return pieces, True
    return [*pieces, stops.rest()], False


@pytest.mark.parametrize("size", [1, 3, 200])
@pytest.mark.parametrize(
    ("text", "anywhere", "in_answer", "given_out"),
    [
        ("one ### two", ["###"], [], "one "),
        ("one ### two", [], ["###"], "one "),
        ("one two three", [], ["three", "two"], "one "),
        ("one ## two", ["###"], ["x"], "one ## two"),
        ('"thoughts are free" stop', [], ["stop"], '"thoughts are free" '),
        (PLAN, [], ["stop"], PLAN[: PLAN.rindex("stop")]),
        (PLAN, [], ["stop", "Wait"], PLAN[: PLAN.rindex("Wait")]),
        (PLAN, [], ["\n"], PLAN[:-1]),
        (PLAN, ["stop"], [], PLAN[: PLAN.index("stop")]),
        (f" {PLAN}", [], ["I stop", "API_params"], f" {PLAN}"),
        (PLAN[:30], [], ["stop"], PLAN[:30]),
        ("", ["x"], ["y"], ""),
    ],
)
def test_a_text_ends_where_it_should(
    text: str, anywhere: list[str], in_answer: list[str], given_out: str, size: int
) -> None:
    pieces, ended = cut(text, anywhere, in_answer, size)
    assert "".join(pieces) == given_out
    assert ended == (given_out != text)


@given(st.text("ab#\n", max_size=20), st.lists(st.text("ab#", min_size=1, max_size=3), max_size=3), st.integers(1, 5))
def test_however_a_text_comes_in_it_is_cut_at_the_first_complete_end(text: str, stop: list[str], size: int) -> None:
    complete = [(at + len(each), at) for each in stop if (at := text.find(each)) >= 0]
    expected = text[: min(complete)[1]] if complete else text
    for pieces, _ in (cut(text, stop, [], size), cut(text, [], stop, size)):
        assert "".join(pieces) == expected


def test_what_cannot_become_an_end_is_given_out_at_once() -> None:
    pieces, _ = cut("abc##d###", ["###"], [], 1)
    assert pieces == ["a", "b", "c", "", "", "##d", "", "", ""]


@cache
def mini() -> Any:
    return AutoTokenizer.from_pretrained(bundled(), local_files_only=True)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_tokens_become_the_text_they_came_from(text: str) -> None:
    tokenizer = mini()
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    writer = Writer(tokenizer, Stops(()))
    pieces = [writer.add(token) for token in tokens]
    whole = tokenizer.decode(tokens, skip_special_tokens=True)
    assert "".join(pieces) + writer.rest() == whole
    assert writer.count == len(tokens)


def test_a_character_that_was_cut_off_is_left_out(tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = tokenizer("a😀", add_special_tokens=False)["input_ids"]
    writer = Writer(tokenizer, Stops(()))
    assert "".join(writer.add(token) for token in tokens[:-1]) + writer.rest() == "a"


def test_special_tokens_are_no_text(tokenizer: PreTrainedTokenizerFast) -> None:
    writer = Writer(tokenizer, Stops(()))
    tokens = tokenizer("a</s>b", add_special_tokens=False)["input_ids"]
    assert "".join(map(writer.add, tokens)) + writer.rest() == "ab"


def test_nothing_is_added_behind_the_end(tokenizer: PreTrainedTokenizerFast) -> None:
    writer = Writer(tokenizer, Stops(["b"]))
    tokens = tokenizer("a b a", add_special_tokens=False)["input_ids"]
    assert "".join(map(writer.add, tokens)).startswith("a ")
    assert (writer.stopped, writer.rest()) == (True, "")
