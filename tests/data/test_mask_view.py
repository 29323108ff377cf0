from typing import Any

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from llavaplus_graph.chat_model.checkpoints import bundled
from llavaplus_graph.data.collate import tokenize
from llavaplus_graph.data.mask_view import drawn, stretches
from llavaplus_graph.data.record import Record, gpt, human
from llavaplus_graph.protocol import IMAGE, V0, V1, Action

QUESTION = f"{IMAGE}\nWhere is the cup?"
RESULT = "detect_objects model outputs: {'boxes': [[0.1, 0.25, 0.5, 1.0]]}\n\nWhere is the cup?"
RECORD = Record(
    "cup-1",
    ("cup.jpg",),
    (
        human(QUESTION),
        gpt("I need detect_objects.", [Action("detect_objects", {"query": "cup"})], "Please wait."),
        human(RESULT),
        gpt("Thanks.", [], "It is on the left."),
    ),
)
PLAN = (
    ' "thoughts🤔" I need detect_objects.\n'
    '"actions🚀" [{"API_name": "detect_objects", "API_params": {"query": "cup"}}]\n'
    '"value👉" Please wait.'
)
ANSWER = ' "thoughts🤔" Thanks.\n"actions🚀" []\n"value👉" It is on the left.'
SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    found: Any = AutoTokenizer.from_pretrained(bundled())
    return found  # type: ignore[no-any-return]


def test_of_a_v1_record_both_answers_and_their_stops_are_trained_and_nothing_else(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    asked = f"{SYSTEM} USER: <image>*36\nWhere is the cup? ASSISTANT:"
    assert stretches(tokenize(RECORD, tokenizer, V1, 36), tokenizer) == [
        (asked, False),
        (f"{PLAN}</s>", True),
        (f"USER: {RESULT} ASSISTANT:", False),
        (f"{ANSWER}</s>", True),
    ]


def test_of_a_v0_record_the_marks_that_close_answers_are_trained_and_those_that_open_them_not(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    asked = f"{SYSTEM}###Human: <image>*36\nWhere is the cup?###Assistant:"
    assert stretches(tokenize(RECORD, tokenizer, V0, 36), tokenizer) == [
        (asked, False),
        (f"{PLAN}###", True),
        (f"Human: {RESULT}###Assistant:", False),
        (f"{ANSWER}###", True),
    ]


def test_a_drawn_sample_has_what_is_trained_in_brackets(tokenizer: PreTrainedTokenizerFast) -> None:
    text = drawn(tokenize(RECORD, tokenizer, V1, 36), tokenizer)
    assert text.startswith(f"cup-1\n{SYSTEM} USER: <image>*36\nWhere")
    assert f"ASSISTANT:⟦{ANSWER}</s>⟧\n" in text
    assert text.count("⟦") == text.count("⟧") == 2
