from collections import defaultdict
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from typing import Any, get_args

import pytest

from llavaplus_graph.data.curate import training_phrasings
from llavaplus_graph.data.heldout import Part, Question, held_out_questions, is_held_out, plain_words
from llavaplus_graph.skills import CATALOGUE

Complaint = Callable[[str, Mapping[str, Any]], str]
EVERY: tuple[Question, ...] = tuple(question for part in get_args(Part) for question in held_out_questions(part))


def test_no_held_out_text_is_trained_on() -> None:
    trained = {plain_words(phrasing.text) for phrasing in training_phrasings()}
    assert not trained & {plain_words(question.text) for question in EVERY}


def test_no_held_out_text_is_trained_on_with_a_word_more_or_less() -> None:
    by_length = defaultdict(set)
    for phrasing in training_phrasings():
        by_length[len(plain_words(phrasing.text))].add(plain_words(phrasing.text))
    for asked in (plain_words(question.text) for question in EVERY):
        near = {words for length in range(len(asked) - 1, len(asked) + 2) for words in by_length[length]}
        alike = [words for words in near if len({*words} & {*asked}) > 0.85 * len({*words, *asked})]
        assert not [words for words in alike if SequenceMatcher(None, asked, words).ratio() > 0.92], asked


def test_every_expected_call_fits_the_schema_of_the_installed_skill(complaint: Complaint) -> None:
    for question in EVERY:
        assert [complaint(name, args) for name, args in question.calls if complaint(name, args)] == [], question.text


def test_every_quoted_argument_stands_in_the_text() -> None:
    for question in EVERY:
        for _, args in question.calls:
            for key in args.keys() & {"query", "prompt", "instruction"}:
                assert all(part.lower() in question.text.lower() for part in args[key].split(" . ")), question.text


def test_the_marks_of_a_question_are_those_of_its_calls() -> None:
    for question in EVERY:
        expected = [
            *(box for _, args in question.calls for box in args.get("boxes", [])),
            *(point for _, args in question.calls for point in args.get("points", [])),
            *(args[key] for _, args in question.calls for key in ("point", "reference_region") if key in args),
        ]
        assert [*question.boxes, *question.points] == expected, question.text
        assert len(question.labels) == len(question.points), question.text


@pytest.mark.parametrize(("part", "least"), [("test", 8), ("unseen", 8), ("development", 16)])
@pytest.mark.parametrize("skill", [info.name for info in CATALOGUE])
def test_every_skill_is_asked_for_several_times(skill: str, part: Part, least: int) -> None:
    asked = [question for question in held_out_questions(part) if [name for name, _ in question.calls] == [skill]]
    assert len(asked) >= least


@pytest.mark.parametrize("part", get_args(Part))
def test_there_are_questions_without_a_skill_with_two_and_about_what_came_before(part: Part) -> None:
    questions = held_out_questions(part)
    assert sum(not question.calls for question in questions) >= 20
    assert sum(len(question.calls) == 2 for question in questions) >= 10
    assert {question.after for question in questions} == {None, "segmented"}
    assert {question.pictures for question in questions} == {0, 1, 2}


def test_no_question_is_asked_twice() -> None:
    texts = [question.text for question in EVERY]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(("text", "held_out"), [("HI, there!!", True), ("hi there", True), ("hi over there", False)])
def test_case_and_punctuation_do_not_make_another_question(text: str, held_out: bool) -> None:
    assert is_held_out(text) is held_out


def test_words_are_plain_and_slots_count_as_words() -> None:
    assert plain_words("Where's the [{thing2}], please?") == ("where", "s", "the", "{thing2}", "please")
