from typing import Any

from llavaplus_graph.data.curation.labelling import Brief, Marks
from llavaplus_graph.data.curation.plan import Part
from llavaplus_graph.data.curation.prompts import context_text, question_form, question_messages
from llavaplus_graph.data.curation.spec import Task
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills

STORE = ImageStore("memory://prompts")
CONTEXT = ImageContext.model_validate(
    {
        "image": "a.png",
        "captions": ["A cup.", "Another."],
        "objects": [{"name": "cup", "box": [0.123, 0.2, 0.3, 0.4]}],
        "texts": ["OPEN"],
    }
)


def told(kind: Any, *skills: str, context: ImageContext = CONTEXT, **fields: Any) -> tuple[str, str]:
    tools = tuple(load_skills(only=list(skills), store=STORE))
    brief = Brief(Part(Task(name="t", kind=kind, skills=skills), "as a shout", 0), context, tools, "seed", **fields)
    system, human = question_messages(brief, ())
    return system.text, human.text


def test_captions_come_first_then_names_with_corners_of_two_decimals() -> None:
    assert context_text(CONTEXT) == "A cup.\nAnother.\ncup: [0.12, 0.2, 0.3, 0.4]\nprinted: OPEN"
    assert context_text(ImageContext()) == "Nothing is known of the picture."


def test_the_labeller_learns_what_a_skill_does_and_not_what_it_is_called() -> None:
    system, _ = told("arguments", "detect_objects")
    assert "detect_objects" not in system
    assert "as a shout" in system


def test_only_arguments_that_words_decide_are_asked_for() -> None:
    (detect, segment) = load_skills(only=["detect_objects", "segment_region"], store=STORE)
    schema = question_form([detect, segment]).model_json_schema()
    assert list(schema["properties"]) == ["question", "first"]
    assert list(schema["$defs"]["FirstCall"]["properties"]) == ["query"]


def test_what_is_absent_marked_or_wanted_is_hinted_at() -> None:
    assert "asks for: horse. It is not in the picture" in told("absent", "detect_objects", absent="horse")[1]
    marks = Marks(boxes=((0.1, 0.2, 0.3, 0.4),), names=("cup",))
    assert "has drawn a box around cup" in told("visual_prompt", "segment_region", marks=marks)[1]
    castle = ImageContext(prompt="a castle, oil on canvas")
    assert "short wish" in told("generation", "generate_image", context=castle)[1]
    greyer = ImageContext(image="a.png", instruction="make it grey")
    assert "exactly this change" in told("editing", "edit_image", context=greyer)[1]
