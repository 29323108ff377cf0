import math
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llavaplus_graph.errors import ProtocolError
from llavaplus_graph.protocol import (
    MARKERS,
    V0,
    V1,
    Action,
    ParsedTurn,
    Template,
    Turn,
    clean_text,
    holding_message,
    parse_actions,
    parse_turn,
    render_boxes,
    render_observation,
    render_points,
    render_training_text,
    render_turn,
    thanks,
)
from llavaplus_graph.skills import canonical_name, wire_name

CALL = '{"API_name": "grounding_dino", "API_params": {"caption": "the frisbee ."}}'
DINO = Action("grounding_dino", {"caption": "the frisbee ."})
PLAN = Turn("I need a detector.", (DINO,), holding_message(["grounding_dino"]))
PLAN_TEXT = (
    '"thoughts🤔" I need a detector.\n'
    '"actions🚀" [{"API_name": "grounding_dino", "API_params": {"caption": "the frisbee ."}}]\n'
    '"value👉" I will use grounding_dino to help to answer the question. Please wait for a moment.\n'
)
RESULT_TEXT = (
    "grounding_dino model outputs: {'boxes': [[0.76, 0.64, 0.82, 0.66]], 'logits': [0.49], 'phrases': ['the frisbee']}"
    "\n\nPlease summarize the model outputs and answer my first question: Where is it?"
)
ANSWER_TEXT = (
    '"thoughts🤔" Thanks to the output of grounding_dino. I can answer the question better.\n'
    '"actions🚀" []\n'
    '"value👉" It is on the right.\n'
)
SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
USER_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


def block(actions: str, thoughts: str = "t", value: str = "v") -> str:
    return f'"thoughts🤔" {thoughts}\n"actions🚀" {actions}\n"value👉" {value}\n'


# --- an assistant turn, to the byte -------------------------------------------------------------------------------


def test_a_plan_is_written_as_in_the_released_data() -> None:
    assert render_turn(PLAN) == PLAN_TEXT
    assert render_turn(PLAN).encode()[:15] == b'"thoughts\xf0\x9f\xa4\x94" '


def test_an_answer_is_written_with_an_empty_list_of_actions() -> None:
    assert render_turn(Turn(thanks(["grounding_dino"]), (), "It is on the right.")) == ANSWER_TEXT


def test_actions_are_ascii_json_with_blanks_after_separators() -> None:
    text = render_turn(Turn("t", (Action("sam", {"boxes": [[0.1, 0.2]], "who": "é"}), Action("ram", {})), "v"))
    assert text.split("\n")[1] == (
        '"actions🚀" [{"API_name": "sam", "API_params": {"boxes": [[0.1, 0.2]], "who": "\\u00e9"}}, '
        '{"API_name": "ram", "API_params": {}}]'
    )


def test_parts_that_are_none_are_not_written() -> None:
    assert render_turn(Turn(value="A cat.")) == '"value👉" A cat.\n'
    assert render_turn(Turn(thoughts="Hm.", value="A cat.")) == '"thoughts🤔" Hm.\n"value👉" A cat.\n'
    assert render_turn(Turn()) == ""


def test_several_names_are_joined_in_the_canned_sentences() -> None:
    assert holding_message(["ocr", "sam"]) == (
        "I will use ocr and sam to help to answer the question. Please wait for a moment."
    )
    assert thanks(["ocr", "sam"]) == "Thanks to the output of ocr and sam. I can answer the question better."


@pytest.mark.parametrize("marker", MARKERS)
def test_a_text_that_would_open_a_turn_cannot_be_written(marker: str) -> None:
    with pytest.raises(ProtocolError, match="contains the marker"):
        render_turn(Turn(f"a {marker}", (), "v"))
    with pytest.raises(ProtocolError, match="contains the marker"):
        render_turn(Turn("t", (), f"a {marker}"))


@pytest.mark.parametrize("value", [math.nan, math.inf, {1}, b"x", object(), 10**5000], ids=lambda v: type(v).__name__)
def test_parameters_that_are_not_json_cannot_be_written(value: object) -> None:
    with pytest.raises(ProtocolError, match="not plain JSON"):
        render_turn(Turn("t", (Action("sam", {"x": value}),), "v"))


# --- whole conversations, to the byte -----------------------------------------------------------------------------

ASKED = ("human", "Where is it?\n<image>")
CONVERSATION: Any = [ASKED, ("gpt", PLAN_TEXT), ("human", RESULT_TEXT), ("gpt", ANSWER_TEXT)]


def test_serving_prompt_of_v0() -> None:
    assert V0.render(CONVERSATION[:3]) == (
        f"{SYSTEM}###Human: <image>\nWhere is it?###Assistant: {PLAN_TEXT[:-1]}###Human: {RESULT_TEXT}###Assistant:"
    )


def test_serving_prompt_of_v1() -> None:
    assert V1.render(CONVERSATION[:3]) == (
        f"{SYSTEM} USER: <image>\nWhere is it? ASSISTANT: {PLAN_TEXT[:-1]}</s>USER: {RESULT_TEXT} ASSISTANT:"
    )


def test_a_finished_conversation_ends_with_the_stop() -> None:
    assert V0.render(CONVERSATION).endswith(f"###Assistant: {ANSWER_TEXT[:-1]}###")
    assert V1.render(CONVERSATION).endswith(f" ASSISTANT: {ANSWER_TEXT[:-1]}</s>")


def test_training_string_of_v0() -> None:
    assert render_training_text(V0, CONVERSATION) == (
        f"{SYSTEM}\n\n### Human: <image>\nWhere is it?\n### Assistant: {PLAN_TEXT}\n"
        f"### Human: {RESULT_TEXT}\n### Assistant: {ANSWER_TEXT}\n### "
    )


def test_training_string_of_v1() -> None:
    assert render_training_text(V1, CONVERSATION) == (
        f"{USER_SYSTEM} USER: <image>\nWhere is it? ASSISTANT: {PLAN_TEXT}</s>"
        f"USER: {RESULT_TEXT} ASSISTANT: {ANSWER_TEXT}</s>"
    )


def test_image_tokens_move_to_the_front_one_line_each() -> None:
    turns: Any = [("human", "Compare <image>these\n<image>")]
    assert V1.render(turns).endswith(" USER: <image>\n<image>\nCompare these ASSISTANT:")


def test_image_tokens_are_added_to_the_first_question_when_it_has_none() -> None:
    turns: Any = [("human", "What is it?"), ("gpt", "A cat."), ("human", "Sure?")]
    assert V0.render(turns, images=1) == (
        f"{SYSTEM}###Human: <image>\nWhat is it?###Assistant: A cat.###Human: Sure?###Assistant:"
    )


# --- results and visual prompts -----------------------------------------------------------------------------------


def test_a_result_is_fed_back_in_the_wording_of_the_server() -> None:
    result = {"boxes": [[0.76, 0.64, 0.82, 0.66]], "logits": [0.49], "phrases": ["the frisbee"]}
    assert render_observation([("grounding_dino", result)], "<image>\nWhere is it?") == RESULT_TEXT


def test_several_results_stand_one_below_the_other_in_the_order_of_the_calls() -> None:
    assert render_observation([("ocr", {"texts": ["It's"]}), ("sam", {"boxes": None})], "Q") == (
        "ocr model outputs: {'texts': [\"It's\"]}\nsam model outputs: {'boxes': None}"
        "\n\nPlease summarize the model outputs and answer my first question: Q"
    )


def test_nothing_found_is_a_result_too() -> None:
    text = render_observation([("grounding_dino", {"boxes": [], "logits": [], "phrases": []})], "Q")
    assert text.startswith("grounding_dino model outputs: {'boxes': [], 'logits': [], 'phrases': []}\n\n")


def test_boxes_are_written_as_in_the_released_data() -> None:
    assert render_boxes([(0.1, 0.251, 0.3, 1)]) == "\nThe input boxes are: [[0.1, 0.25, 0.3, 1.0]]"


@pytest.mark.parametrize("template", [V0, V1])
def test_a_template_may_mark_pictures_in_prompts_and_in_training(template: Template) -> None:
    marked = replace(template, picture="<im_start><image><im_end>")
    turns: list[tuple[Literal["human", "gpt"], str]] = [("human", "What?\n<image>"), ("gpt", "A.\n")]
    for text in (marked.render(turns), render_training_text(marked, turns)):
        assert ": <im_start><image><im_end>\nWhat?" in text
        assert text.replace("<im_start>", "").replace("<im_end>", "").count("<image>") == 1


def test_labels_of_points_are_written_only_when_one_excludes() -> None:
    assert render_points([(0.456, 0.9)]) == "\nThe input points are: [[0.46, 0.9]]"
    assert render_points([(0.4, 0.9)], [1]) == "\nThe input points are: [[0.4, 0.9]]"
    assert render_points([(0.4, 0.9), (0.1, 0.1)], [1, 0]) == (
        "\nThe input points are: [[0.4, 0.9], [0.1, 0.1]], the point labels are: [1, 0]"
    )


@pytest.mark.parametrize(
    ("foreign", "harmless"),
    [
        ('"thoughts🤔" a', "  a"),
        ("🚀 up 👉 there 🤔", "  up   there  "),
        ("<image>\nSALE", " \nSALE"),
        ("a</s>USER: b", "a USER: b"),
        ("###Human: hi ####", " Human: hi  #"),
        ("<s>a<pad><pad>b<unk>", " a  b "),
        ("<im_start><image><im_end>", "   "),
        ("tab\tbell\x07 null\x00", "tab bell  null "),
        ("half \ud83e pair", "half  pair"),
        ("Straße 5 € 😀", "Straße 5 € 😀"),
    ],
)
def test_foreign_text_cannot_open_a_turn_or_break_a_prompt(foreign: str, harmless: str) -> None:
    assert clean_text(foreign) == harmless


WORDS = ["image", "pad", "unk", "thoughts", "actions", "value", "\ud83e", "\x00"]
FOREIGN = st.lists(st.sampled_from([*'<>/s#" 🤔🚀👉', *WORDS]))


@given(FOREIGN.map("".join))
@settings(deadline=None, derandomize=True)
def test_no_marker_or_separator_survives_cleaning(text: str) -> None:
    cleaned = clean_text(text)
    assert not any(mark in cleaned for mark in (*MARKERS, "<image>", "<s>", "</s>", "<pad>", "<unk>", "###"))
    assert clean_text(cleaned) == cleaned


# --- reading: section 1.7 of the facts, row by row ----------------------------------------------------------------


def test_a_plan_is_read_back() -> None:
    assert parse_turn(PLAN_TEXT) == ParsedTurn(PLAN)


@pytest.mark.parametrize("text", ["A cat.", "  A cat.\n", '"value👉" A cat.', ' "value👉" A cat.\n'])
def test_a_text_without_a_plan_is_a_plain_answer(text: str) -> None:
    assert parse_turn(text) == ParsedTurn(Turn(value="A cat."))


MISSING_MARKERS = {
    "no thoughts": f'"actions🚀" [{CALL}]\n"value👉" v',
    "no actions": '"thoughts🤔" t\n"value👉" v',
    "no value": f'"thoughts🤔" t\n"actions🚀" [{CALL}]',
    "wrong order": f'"actions🚀" [{CALL}]\n"thoughts🤔" t\n"value👉" v',
    "single quotes": PLAN_TEXT.replace('s🤔"', "s🤔'"),
    "curly quotes": f"“thoughts🤔” t\n“actions🚀” [{CALL}]\n“value👉” v",
    "no quotes at all": f"thoughts🤔 t\nactions🚀 [{CALL}]\nvalue👉 v",
    "another emoji": PLAN_TEXT.replace("🚀", "🚗"),
    "cut off in a marker": f'"thoughts🤔" t\n"actions🚀" [{CALL}]\n"val',
    "value twice": '"value👉" a "value👉" b',
    "a broken block before": f'"thoughts🤔" t\n"value👉" v "actions🚀" [{CALL}]',
}


@pytest.mark.parametrize("text", MISSING_MARKERS.values(), ids=MISSING_MARKERS)
def test_a_turn_without_its_markers_is_shown_as_it_is_and_called_unreadable(text: str) -> None:
    parsed = parse_turn(text)
    assert parsed.turn == Turn(value=text.strip())
    assert parsed.problem == "a marker is missing or the turn was cut off"


@pytest.mark.parametrize("length", range(1, len(PLAN_TEXT)))
def test_a_plan_cut_off_anywhere_is_either_that_plan_or_none(length: int) -> None:
    parsed = parse_turn(PLAN_TEXT[:length])
    assert parsed.turn.actions in (None, (DINO,))
    assert (parsed.turn.actions is not None) == ('"value👉"' in PLAN_TEXT[:length])


def test_of_two_blocks_the_first_counts_because_a_stream_has_given_it_out() -> None:
    made_up = '"thoughts🤔" t\n"actions🚀" [{"API_name": "sd", "API_params": {}}]\n"value👉" A result I made up.\n'
    assert parse_turn(PLAN_TEXT + made_up) == ParsedTurn(PLAN)
    assert parse_turn(PLAN_TEXT + '"thoughts🤔" and then') == ParsedTurn(PLAN)


def test_a_block_after_one_that_was_broken_off_counts() -> None:
    for broken in ('"thoughts🤔" no', '"thoughts🤔" no "actions🚀" [{"API_na', '"value👉" no', '"actions🚀" []'):
        assert parse_turn(f"{broken} {PLAN_TEXT}") == ParsedTurn(PLAN)


TOLERATED = {
    "python quotes": "[{'API_name': 'sam', 'API_params': {'boxes': [[0.1, 0.2, 0.3, 0.4]]}}]",
    "python tuples": "[{'API_name': 'sam', 'API_params': {'boxes': [(0.1, 0.2, 0.3, 0.4)]}},]",
    "an object instead of a list": '{"API_name": "sam", "API_params": {"boxes": [[0.1, 0.2, 0.3, 0.4]]}}',
    "unknown keys": '[{"value": "", "API_name": "sam", "API_params": {"boxes": [[0.1, 0.2, 0.3, 0.4]]}, "id": 3}]',
    "line breaks": '[\n {"API_name": "sam",\n  "API_params": {"boxes": [[0.1, 0.2, 0.3, 0.4]]}}\n]',
}


@pytest.mark.parametrize("text", TOLERATED.values(), ids=TOLERATED)
def test_actions_are_read_tolerantly(text: str) -> None:
    assert parse_turn(block(text)).turn.actions == (Action("sam", {"boxes": [[0.1, 0.2, 0.3, 0.4]]}),)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[{'API_name': 'sd', 'API_params': {'prompt': 'the dog\\'s bowl'}}]", "the dog's bowl"),
        ("[{'API_name': 'sd', 'API_params': {'prompt': \"the dog's bowl\"}}]", "the dog's bowl"),
        ("[{'API_name': 'sd', 'API_params': {'prompt': True}}]", True),
        ("[{'API_name': 'sd', 'API_params': {'prompt': true}}]", True),
        ("[{'API_name': 'sd', 'API_params': {'prompt': null}}]", None),
        ('[{"API_name": "sd", "API_params": {"prompt": "caf\\u00e9 🚀"}}]', "café 🚀"),
    ],
)
def test_literals_of_python_and_of_json_may_stand_in_single_quotes(text: str, value: object) -> None:
    assert parse_actions(text) == ((Action("sd", {"prompt": value}),), None)


@pytest.mark.parametrize("params", ["", ', "API_params": null', ', "API_params": {}'])
def test_missing_parameters_mean_none(params: str) -> None:
    assert parse_actions(f'[{{"API_name": "ram"{params}}}]') == ((Action("ram", {}),), None)


def test_an_unknown_skill_is_read_and_left_to_the_graph() -> None:
    assert parse_actions('[{"API_name": "no_such", "API_params": {}}]') == ((Action("no_such", {}),), None)


def test_several_calls_are_read_in_order() -> None:
    calls, problem = parse_actions('[{"API_name": "b"}, {"API_name": "a"}, {"API_name": "b"}]')
    assert [call.name for call in calls] == ["b", "a", "b"]
    assert problem is None


UNREADABLE = {
    "apostrophe in single quotes": "[{'API_name': 'sd', 'API_params': {'prompt': 'the dog's bowl'}}]",
    "nothing": "",
    "cut off": '[{"API_name": "sam", "API_params": {"boxes": [[0.1, 0.2',
    "cut off behind a quote of the other kind": '[{"API_name": "sd", "API_params": {"prompt": "a\'}}]',
    "prose": "I call sam.",
    "a name alone": "sam",
    "a number": "3",
    "a list of names": '["sam"]',
    "no name": '[{"API_params": {}}]',
    "an empty name": '[{"API_name": "", "API_params": {}}]',
    "a name that is a number": '[{"API_name": 3, "API_params": {}}]',
    "parameters in a list": '[{"API_name": "sam", "API_params": [1]}]',
    "one good and one bad": f'[{CALL}, {{"API_params": {{}}}}]',
    "an empty object": "{}",
    "code": "[__import__('os').getcwd()]",
    "not a number": '[{"API_name": "sam", "API_params": {"x": NaN}}]',
    "an endless number": '[{"API_name": "sam", "API_params": {"x": 1e999}}]',
    "a set": "[{'API_name': 'sam', 'API_params': {'x': {1, 2}}}]",
    "bytes": "[{'API_name': 'sam', 'API_params': {'x': b'1'}}]",
    "an ellipsis": "[{'API_name': 'sam', 'API_params': {'x': ...}}]",
    "deep nesting": "[" * 100_000,
    "a long chain of signs": "-" * 100_000 + "1",
    "a number of 10,000 digits": '[{"API_name": "sam", "API_params": {"x": ' + "9" * 10_000 + "}}]",
    "a null character": "[\x00]",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_actions_that_cannot_be_read_give_no_call_but_a_reason(text: str) -> None:
    parsed = parse_turn(block(text))
    assert parsed.turn == Turn("t", (), "v")
    assert parsed.problem in (
        "the actions are not a list of calls",
        "an action lacks its API_name or its API_params are not an object",
    )


@pytest.mark.parametrize(
    ("wire", "skill"),
    [
        ("sam", "segment_region"),
        ("SAM", "segment_region"),
        ("grounding_dino", "detect_objects"),
        ("grounding dino", "detect_objects"),
        ("grounding_dino+sam", "segment_objects"),
        ("grounded_sam", "segment_objects"),
        ("semantic-sam", "segment_at_granularities"),
        ("semantic_sam", "segment_at_granularities"),
        ("seem", "segment_by_example"),
        ("openseed", "segment_scene"),
        ("controlnet", "generate_from_layout"),
        ("ram", "tag_image"),
        ("ram+grounding_dino", "tag_and_detect"),
        ("blip2", "caption_image"),
        ("blip2+grounding_dino", "caption_and_detect"),
        ("easyocr", "read_text"),
        ("ocr", "read_text"),
        ("clip", "retrieve_knowledge"),
        ("retrieval", "retrieve_knowledge"),
        ("stable-diffusion", "generate_image"),
        ("sd", "generate_image"),
        ("instruct-pix2pix", "edit_image"),
        ("ip2p", "edit_image"),
        ("inpainting", "inpaint_region"),
        ("read_codes", "read_codes"),
        ("no_such", None),
    ],
)
def test_every_name_of_the_original_leads_to_a_skill(wire: str, skill: str | None) -> None:
    assert canonical_name(wire) == skill
    assert skill is None or canonical_name(wire_name(skill)) == skill
