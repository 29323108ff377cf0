"""Answers are held to what skills returned: numbers and quotations, nothing else."""

from collections.abc import Sequence
from typing import Any

import pytest
from transformers import AutoTokenizer

from llavaplus_graph.chat_model.checkpoints import bundled
from llavaplus_graph.chat_model.decoding import Guide
from llavaplus_graph.chat_model.grammar import turn_grammar, turn_grammars
from llavaplus_graph.chat_model.grounding import answer_rules, held_arguments


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(bundled(), local_files_only=True)


def allowed(tokenizer: Any, answer: str, results: list[dict[str, Any]], said: str = "") -> bool:
    """Tell whether the grammar lets an answer through, to its end."""
    rules = answer_rules("answer", results, said)
    verdicts = [follows(tokenizer, [turn_grammar([], answer=rules)], answer)]
    verdicts.append(follows(tokenizer, turn_grammars([], answer=rules), answer))
    assert verdicts[0] == verdicts[1]
    return verdicts[0]


def follows(tokenizer: Any, grammars: Sequence[str], answer: str) -> bool:
    guide = Guide(tokenizer, *grammars)
    text = f' "thoughts🤔" I know.\n"actions🚀" []\n"value👉" {answer}'
    for token in [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]:
        if not guide.take(token):
            return False
    return True


SIGN = [{"texts": ["OPEN 9-5", 'the "Old" Mill', "café"]}]
BOXES = [{"boxes": [[0.1, 0.25, 0.3, 0.4]], "logits": [0.91], "phrases": ["red cup"]}]


@pytest.mark.parametrize(
    "answer",
    [
        'It says: "OPEN 9-5".',
        'It says: "OPEN 9-5", "the "Old" Mill", "café".',
        "There are 3 lines, and one says 9-5.",
        "Nothing to report",
        "",
    ],
)
def test_whole_texts_and_counts_of_a_result_may_be_said(tokenizer: Any, answer: str) -> None:
    assert allowed(tokenizer, answer, SIGN)


@pytest.mark.parametrize("answer", ['It says: "OPEN 9-6".', 'It says: "OPEN".', 'It says: "open 9-5".', "There are 4."])
def test_a_changed_quotation_or_an_invented_number_may_not(tokenizer: Any, answer: str) -> None:
    assert not allowed(tokenizer, answer, SIGN)


def test_coordinates_are_those_of_the_result(tokenizer: Any) -> None:
    assert allowed(tokenizer, "I found 1: red cup [0.1, 0.25, 0.3, 0.4].", BOXES)
    assert not allowed(tokenizer, "I found 1: red cup [0.1, 0.26, 0.3, 0.4].", BOXES)


def test_two_numbers_never_join_to_a_third(tokenizer: Any) -> None:
    assert not allowed(tokenizer, "It took 11 goes.", [{"boxes": [[0.5, 0.5, 0.6, 0.6]], "n": 1}])
    assert not allowed(tokenizer, "It took 1.1 goes.", [{"n": 1}])


def test_numbers_of_the_user_may_be_repeated(tokenizer: Any) -> None:
    assert allowed(tokenizer, "Turned by 37 degrees.", [{"message": "done"}], said="turn it by 37 degrees")
    assert not allowed(tokenizer, "Turned by 38 degrees.", [{"message": "done"}], said="turn it by 37 degrees")


def test_names_with_numbers_from_a_failure_may_be_repeated(tokenizer: Any) -> None:
    failure = "edit_image needs the weights stable-diffusion-v1-5/stable-diffusion-v1-5, which are not here."
    assert allowed(tokenizer, f"That did not work: {failure}", [{"error": failure}])


# --- arguments ----------------------------------------------------------------------------------------------------

INTEGER, NUMBER = {"type": "integer"}, {"type": "number"}


@pytest.mark.parametrize(
    ("schema", "said", "numbers"),
    [
        (INTEGER, "magic_function(3)", [3]),
        (INTEGER, "from 1,250 to 7", [7, 1250]),
        (INTEGER, "2.5 of 10", [10]),
        (NUMBER, "2.5 of 10", [10, 2.5]),
        (NUMBER, "it is -4, not 5-6", [6, 5, -4]),
        ({**INTEGER, "minimum": 3, "maximum": 5}, "2 3 5 6", [5, 3]),
        ({**INTEGER, "exclusiveMinimum": 3, "exclusiveMaximum": 5}, "2 3 4 5 6", [4]),
    ],
)
def test_a_number_is_called_with_what_was_said(schema: dict[str, Any], said: str, numbers: list[float]) -> None:
    held = held_arguments({"type": "object", "properties": {"n": schema}}, [], said)
    assert held["properties"] == {"n": {"type": schema["type"], "enum": numbers}}


def test_a_text_ends_where_its_schema_says_nothing_about_it() -> None:
    held = held_arguments({"properties": {"text": {"type": "string", "title": "Text"}}}, [], "Tell me a joke.")
    assert held["properties"]["text"] == {"type": "string", "title": "Text", "maxLength": 160}


def test_a_number_may_come_from_a_result() -> None:
    held = held_arguments({"properties": {"n": INTEGER}}, [{"total": 12}], "Add 1.")
    assert held["properties"]["n"]["enum"] == [1, 12]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (INTEGER, "three"),
        (INTEGER, "2.5"),
        ({**INTEGER, "maximum": 2}, "3"),
        ({**INTEGER, "enum": [1, 2]}, "3"),
        ({**INTEGER, "multipleOf": 2}, "3"),
        ({"type": "string", "enum": ["one", "two"]}, "3"),
        ({"type": "string", "maxLength": 500}, "3"),
        ({"type": "array", "items": INTEGER}, "3"),
        (True, "3"),
    ],
)
def test_what_nobody_said_or_what_has_its_own_rules_stays_free(schema: Any, said: str) -> None:
    described = {"type": "object", "properties": {"n": schema}}
    assert held_arguments(described, [], said) == described
