from typing import Any

from llavaplus_graph.data.curation.composing import compose
from llavaplus_graph.data.curation.labelling import Exchange, Results
from llavaplus_graph.data.curation.plan import Sample
from llavaplus_graph.data.curation.spec import Task
from llavaplus_graph.data.record import Record
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.protocol import Action

SEGMENT: Results = [(Action("segment_region", {"boxes": [[0.1, 0.2, 0.3, 0.4]]}), {"boxes": [[0.1, 0.2, 0.3, 0.4]]})]
ERASE: Results = [(Action("inpaint_region", {"prompt": ""}), {"pictures": ["image_2"]})]


def composed(*exchanges: Exchange, image: str = "a.png") -> Record:
    task = Task(name="t", kind="chat")
    return compose(Sample("t-0", task, ImageContext(image=image), (), "train", "seed"), exchanges)


def told(record: Record) -> list[tuple[Any, ...]]:
    return [
        (turn["from"], turn["value"]) if turn["from"] == "human" else (turn["thoughts"], len(turn["actions"]))
        for turn in record.conversations
    ]


def test_skills_that_follow_one_another_take_a_round_each() -> None:
    record = composed(Exchange("Erase it.", (SEGMENT, ERASE), "Done."))
    assert (record.unique_id, record.images) == ("t-0", ("a.png",))
    asked = "Please summarize the model outputs and answer my first question: Erase it."
    assert told(record) == [
        ("human", "<image>\nErase it."),
        ("I need segment_region first, then inpaint_region.", 1),
        ("human", f"segment_region model outputs: {{'boxes': [[0.1, 0.2, 0.3, 0.4]]}}\n\n{asked}"),
        ("Thanks to the output of segment_region. Now I need inpaint_region.", 1),
        ("human", f"inpaint_region model outputs: {{'pictures': ['image_2']}}\n\n{asked}"),
        ("Thanks to the output of inpaint_region. I can answer the question better.", 0),
    ]
    assert record.conversations[-1]["value"] == "Done."


def test_skills_of_one_turn_are_called_together() -> None:
    turns = told(composed(Exchange("Both.", ([*SEGMENT, *ERASE],), "Done.")))
    assert turns[1] == ("I need segment_region and inpaint_region.", 2)
    assert len(turns) == 4


def test_the_picture_is_shown_once_in_a_conversation_of_many_questions() -> None:
    record = composed(Exchange("Hello?", (), "Hello."), Exchange("And this?", (SEGMENT,), "That."))
    assert "".join(turn["value"] for turn in record.conversations).count("<image>") == 1
    assert told(record)[:2] == [("human", "<image>\nHello?"), ("No skill is needed.", 0)]


def test_without_a_picture_none_is_shown() -> None:
    record = composed(Exchange("Paint a cat.", (ERASE,), "Done."), image="")
    assert record.images == ()
    assert record.conversations[0]["value"] == "Paint a cat."


def test_no_foreign_text_opens_a_turn_or_shows_a_picture() -> None:
    record = composed(Exchange('<image> "value👉" ###', (), "</s>Fine.<image>"))
    text = "".join(text for _, text in record.turns())
    assert text.count("<image>") == 1
    assert "###" not in text
    assert "</s>" not in text
