import json
from typing import Any

import pytest
from langchain_core.tools import BaseTool

from llavaplus_graph.data.curation.filters import (
    check_answer,
    check_question,
    mentioned_skill,
    revealed_context,
    unknown_numbers,
)
from llavaplus_graph.data.curation.labelling import Brief, DroppedError, Exchange
from llavaplus_graph.data.curation.plan import Part
from llavaplus_graph.data.curation.spec import Filters, Task
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.protocol import Action
from llavaplus_graph.testing import scripted_skill
from llavaplus_graph.types import Tags

CAPTION = "Three brown dogs are running after a yellow ball on the long beach."
FOUND = {"boxes": [[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.9, 0.9]], "logits": [0.87, 0.5], "phrases": ["cup", "cup"]}


def skill(name: str) -> BaseTool:
    return scripted_skill(name, Tags(tags=(), scores=()))


def brief(name: str = "detect_objects", **fields: Any) -> Brief:
    task = Task(name="t", kind="arguments", skills=(name,))
    context = ImageContext(image="a.png", captions=(CAPTION,))
    return Brief(Part(task, "way", 0), context, (skill(name),), "seed", **fields)


def exchange(answer: str, content: dict[str, Any] = FOUND, question: str = "Where is the cup?") -> Exchange:
    return Exchange(question, ([(Action("detect_objects", {"query": "cup"}), content)],), answer)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Use detect_objects on it.", "detect_objects"),
        ("Use DetectObjects on it.", "detect_objects"),
        ("Run grounding dino for the cup", "detect_objects"),
        ("Run Grounding-DINO for the cup", "detect_objects"),
        ("GroundingDINO shows two.", "detect_objects"),
        ("SAM has outlined it.", "segment_region"),
        ("I used semantic-sam.", "segment_at_granularities"),
        ("I asked BLIP2.", "caption_image"),
        ("I asked CLIP.", "retrieve_knowledge"),
        ("an instruct pix2pix edit", "edit_image"),
    ],
)
def test_a_skill_that_is_named_is_found_however_it_is_written(text: str, name: str) -> None:
    assert mentioned_skill(text, [skill(name)])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Please detect objects in it.", "detect_objects"),
        ("My friend Sam wants the same.", "segment_region"),
        ("They seem to clip the hedge.", "retrieve_knowledge"),
        ("Edit image two, please.", "edit_image"),
        ("Could you segment the region I marked?", "segment_region"),
    ],
)
def test_plain_english_names_no_skill(text: str, name: str) -> None:
    assert mentioned_skill(text, [skill(name)]) == ""


def test_further_words_can_be_forbidden() -> None:
    assert mentioned_skill("The API says so.", [], ["API"]) == "API"
    assert mentioned_skill("Rapid ideas.", [], ["API"]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "As described in the caption, it runs.",
        "According to the description, there are dogs.",
        "The bounding box list has two.",
        "Based on the given context I see one.",
        "It is a COCO dataset picture.",
        "I see that three brown dogs are running after a yellow ball today.",
    ],
)
def test_what_shows_that_the_writer_read_instead_of_seeing_is_found(text: str) -> None:
    assert revealed_context(text, brief())


@pytest.mark.parametrize("text", ["Three dogs play on the beach.", "The text on the sign is given below."])
def test_what_anybody_would_say_of_a_picture_reveals_nothing(text: str) -> None:
    assert revealed_context(text, brief()) == ""


def test_a_skill_that_writes_captions_may_be_asked_for_one_and_repeated() -> None:
    assert revealed_context("Give me a caption for it.", brief("caption_image")) == ""
    assert (
        revealed_context(f"It shows this: {CAPTION}", brief("caption_image"), [json.dumps({"caption": CAPTION})]) == ""
    )


@pytest.mark.parametrize(
    "answer",
    [
        "There are 2 cups.",
        "There are two cups, the second at [0.5, 0.5, 0.9, 0.9].",
        "It starts at 0.10 and I am 87% sure.",
        "One of the three dogs has a cup.",
        "No idea.",
    ],
)
def test_numbers_of_the_result_their_counts_and_those_of_the_captions_may_be_said(answer: str) -> None:
    assert unknown_numbers(exchange(answer), brief()) == ""


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("There are 4 cups.", "4"),
        ("There are five cups.", "5"),
        ("At [0.1, 0.2, 0.35, 0.4].", "0.35"),
        ("In 1999.", "1999"),
    ],
)
def test_numbers_that_nothing_gives_are_found(answer: str, number: str) -> None:
    assert unknown_numbers(exchange(answer), brief()) == number


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("  ", "it is empty"),
        ('Fine. "value👉" Better.', "it holds a marker of the wire format"),
        ("grounding_dino found it.", "it names the skill"),
        ("The caption speaks of a cup.", "it reveals what the labeller was shown"),
        ("There are 7 of them.", "it cites numbers that are not in the result"),
        ("Die Tasse steht ganz rechts auf dem Tisch.", "it is in another language"),
    ],
)
def test_an_answer_is_refused_with_its_reason(answer: str, reason: str) -> None:
    with pytest.raises(DroppedError, match=reason):
        check_answer(exchange(answer), brief(), Filters())


def test_an_absent_thing_must_be_denied() -> None:
    nothing: dict[str, Any] = {"boxes": [], "logits": [], "phrases": []}
    with pytest.raises(DroppedError, match="it does not say that nothing was found"):
        check_answer(exchange("It is on the left.", nothing), brief(absent="cup"), Filters())
    check_answer(exchange("I couldn’t find a cup.", nothing), brief(absent="cup"), Filters())


def test_a_failed_skill_may_be_named_with_its_numbers() -> None:
    failed = {"error": "detect_objects took longer than 60 s and was stopped."}
    check_answer(exchange(f"That did not work: {failed['error']}", failed), brief(), Filters())


def test_a_good_question_passes() -> None:
    check_question("Where did I leave my cup?", brief(), Filters())
    check_question("Wo habe ich meine rote Tasse gelassen?", brief(), Filters(language=None))
