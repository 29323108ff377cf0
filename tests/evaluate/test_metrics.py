from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llavaplus_graph.data.heldout import held_out_questions
from llavaplus_graph.evaluate.metrics import Call, quotes_exactly, same_calls, same_skills

READ: Call = ("read_text", {})
COUNT: Call = ("detect_objects", {"query": "red bikes"})


def crop(*box: float) -> Call:
    return "transform_image", {"operation": "crop", "parameters": {"box": list(box)}}


def same(expected: Mapping[str, Any], planned: Mapping[str, Any]) -> bool:
    return same_calls([("skill", expected)], [("skill", planned)])


@pytest.mark.parametrize(
    ("planned", "right"),
    [([READ, COUNT], True), ([COUNT, READ], True), ([READ], False), ([READ, READ, COUNT], False), ([], False)],
)
def test_the_same_skills_may_come_in_any_order_but_as_often(planned: list[Call], right: bool) -> None:
    assert same_skills([READ, COUNT], planned) is right
    assert same_calls([READ, COUNT], planned) is right


def test_nothing_was_wanted_and_nothing_was_planned() -> None:
    assert same_skills([], [])
    assert same_calls([], [])
    assert not same_calls([], [READ])


def test_the_right_skill_with_a_wrong_argument_is_the_right_skill_alone() -> None:
    planned: list[Call] = [("detect_objects", {"query": "bikes"})]
    assert same_skills([COUNT], planned)
    assert not same_calls([COUNT], planned)


def test_two_calls_of_one_skill_are_matched_one_to_one() -> None:
    left, right = crop(0, 0, 0.5, 1), crop(0.5, 0, 1, 1)
    assert same_calls([left, right], [right, left])
    assert not same_calls([left, right], [left, left])


@pytest.mark.parametrize(
    ("planned", "right"),
    [
        ("red bikes", True),
        ("Red Bikes", True),
        ("the red bikes", True),
        ("red bikes.", True),
        ('"red bikes"', True),
        ("red bike", False),
        ("the the red bikes", False),
        ("red bikes . cars", False),
        (None, False),
        (["red bikes"], False),
    ],
)
def test_texts_are_the_same_without_case_article_and_outer_punctuation(planned: Any, right: bool) -> None:
    assert same({"query": "red bikes"}, {"query": planned}) is right


def test_every_phrase_of_a_query_may_have_its_article() -> None:
    assert same({"query": "sky . mountains"}, {"query": "the sky . the mountains"})
    assert not same({"query": "sky . mountains"}, {"query": "mountains . sky"})


@pytest.mark.parametrize(("planned", "right"), [(0.25, True), (0.254, True), (0.256, False), ("0.25", False)])
def test_numbers_are_the_same_to_two_decimals(planned: Any, right: bool) -> None:
    box = [0.25, 0, 1, 1]
    assert same({"box": box}, {"box": [planned, 0.0, 1.0, 1]}) is right
    assert not same({"box": box}, {"box": box[:3]})


def test_a_turn_to_the_left_is_not_one_to_the_right() -> None:
    assert not same({"degrees": -90}, {"degrees": 90})


@pytest.mark.parametrize(
    "default",
    [
        {"image": "latest"},
        {"mask": "latest"},
        {"prompt": ""},
        {"parameters": {}},
        {"point_labels": [1, 1]},
        {"point_labels": []},
        {"box_threshold": 0.3, "text_threshold": 0.25},
        {"boxes": None},
    ],
)
def test_a_default_that_is_written_is_one_that_is_left_out(default: Mapping[str, Any]) -> None:
    assert same({"points": [[0.1, 0.2]], **default}, {"points": [[0.1, 0.2]]})
    assert same({}, default)


def test_what_differs_from_the_default_counts() -> None:
    assert not same({}, {"image": "image_2"})
    assert not same({"points": [[0, 0], [1, 1]], "point_labels": [1, 0]}, {"points": [[0, 0], [1, 1]]})
    assert not same({"prompt": "a dog"}, {})


def test_null_parameters_are_left_out_within_parameters_too() -> None:
    assert same({"parameters": {"width": 64}}, {"parameters": {"width": 64, "height": None}})
    assert not same({"parameters": {"width": 64}}, {"parameters": 64})


@settings(deadline=None, derandomize=True)
@given(st.sampled_from(held_out_questions()))
def test_every_expected_plan_is_the_same_as_itself(question: Any) -> None:
    assert same_calls(question.calls, list(reversed(question.calls)))


@pytest.mark.parametrize(
    ("answer", "texts", "right"),
    [
        ('It says: "WET FLOOR", "Gate 7".', ["WET FLOOR", "Gate 7"], True),
        ('It says: "WET FLOOR".', ["WET FLOOR", "Gate 7"], False),
        ('It says: "wet floor".', ["WET FLOOR"], False),
        ("It says: WET FLOOR.", ["WET FLOOR"], False),
        ('It says: "WET FLOORS".', ["WET FLOOR"], False),
        ("I could not find any text.", [], True),
    ],
)
def test_quotations_are_exact_or_wrong(answer: str, texts: list[str], right: bool) -> None:
    assert quotes_exactly(answer, texts) is right
