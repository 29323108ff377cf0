import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from llavaplus_graph.data.pictures import PICTURE_KINDS
from llavaplus_graph.data.results import draw_content, draw_failure
from llavaplus_graph.data.wording import (
    KIND_NAMES,
    answer,
    answer_thought,
    next_thought,
    plan_thought,
    sight,
    sight_answer,
)
from llavaplus_graph.skills import CATALOGUE

ARGS = {"query": "red cup . fork", "boxes": [[0.1, 0.2, 0.3, 0.4]]}
SKILLS = [info.name for info in CATALOGUE]
OWN_WORDS = set(
    re.findall(
        r"\w+",
        "I It The Done That a and code consists contains could did find found is lines more new not of or outlined "
        "picture probably region says scene see shows similarity text any can be read that work",
    )
)


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from leaves(inner)
    else:
        yield str(value)


def words(text: str) -> list[str]:
    return re.findall(r"[^\s\"\[\]():,.;]+|\d+\.\d+", text)


@pytest.mark.parametrize("skill", SKILLS)
def test_every_number_and_text_of_an_answer_stands_in_the_result_or_the_call(skill: str) -> None:
    for seed in range(60):
        content = draw_content(skill, ARGS, random.Random(seed))
        known = {word for leaf in leaves([content, ARGS]) for word in words(leaf)}
        count = {str(len(content["boxes"]))} if "boxes" in content else set()
        assert set(words(answer(skill, content, ARGS))) <= known | count | OWN_WORDS, content


@pytest.mark.parametrize("skill", SKILLS)
def test_a_failure_is_passed_on_in_its_own_words(skill: str) -> None:
    failure = draw_failure(skill, random.Random(3))
    assert answer(skill, failure, {}) == f"That did not work: {failure['error']}"


@pytest.mark.parametrize(
    ("skill", "content", "said"),
    [
        ("read_text", {"texts": ["WET FLOOR", 'Say "hi"']}, 'It says: "WET FLOOR", "Say "hi"".'),
        ("read_text", {"texts": ["a"], "omitted": 3}, 'It says: "a" and 3 more lines.'),
        ("read_text", {"texts": []}, "I could not find any text."),
        ("read_codes", {"texts": ["42"], "formats": ["EAN_13"]}, 'The code contains: "42".'),
        ("read_codes", {"texts": [], "formats": []}, "I could not find a code that can be read."),
        (
            "detect_objects",
            {"boxes": [[0.1, 0.2, 0.3, 0.4]], "logits": [0.5], "phrases": ["fork"]},
            "I found 1: fork [0.1, 0.2, 0.3, 0.4].",
        ),
        ("detect_objects", {"boxes": [], "logits": [], "phrases": []}, "I could not find red cup or fork."),
        ("segment_objects", {"boxes": [], "logits": [], "phrases": []}, "I could not find red cup or fork."),
        ("segment_region", {"boxes": [[0.0, 0.0, 1.0, 1.0]]}, "I found 1: region [0.0, 0.0, 1.0, 1.0]."),
        (
            "segment_scene",
            {"classes": ["sky", "sea"], "areas": [0.4, 0.6]},
            "The scene consists of sky (0.4), sea (0.6).",
        ),
        ("transform_image", {"message": "Done.", "pictures": ["image_2"]}, "Done. The new picture is image_2."),
    ],
)
def test_answers_repeat_results_to_the_letter(skill: str, content: Mapping[str, Any], said: str) -> None:
    assert answer(skill, content, ARGS) == said


def test_nothing_was_found_and_nothing_was_named() -> None:
    assert answer("segment_by_example", {"boxes": []}, {}) == "I could not find it."


@pytest.mark.parametrize(
    ("thought", "expected"),
    [
        (plan_thought([]), "No skill is needed."),
        (plan_thought(["read_text"]), "I need read_text."),
        (plan_thought(["a", "b"], kinds=["sign"]), "I see a sign. I need a and b."),
        (plan_thought(["a"], then="b"), "I need a first, then b."),
        (sight(["page", "blank"]), "I see a page of text and a blank picture. "),
        (sight([]), ""),
        (next_thought("a", "b"), "Thanks to the output of a. Now I need b."),
        (answer_thought(["a", "b"]), "Thanks to the output of a and b. I can answer the question better."),
    ],
)
def test_thoughts_are_of_one_form(thought: str, expected: str) -> None:
    assert thought == expected


def test_every_kind_of_picture_has_a_name_and_an_answer_of_its_own() -> None:
    assert KIND_NAMES.keys() == set(PICTURE_KINDS)
    assert len({sight_answer(kind) for kind in PICTURE_KINDS}) == len(PICTURE_KINDS)
