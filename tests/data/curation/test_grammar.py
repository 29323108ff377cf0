import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llavaplus_graph.data.curation.grammar import GrammarLabeller
from llavaplus_graph.data.curation.labelling import Brief, Marks, Spent, Wish
from llavaplus_graph.data.curation.plan import Part
from llavaplus_graph.data.curation.spec import Task
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.errors import DataError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.protocol import Action
from llavaplus_graph.skills import CATALOGUE, load_skills

CUP = {"name": "cup", "box": [0.1, 0.2, 0.5, 0.6]}
CONTEXT = ImageContext.model_validate({"image": "a.png", "objects": [CUP]})
TOOLS = {tool.name: tool for tool in load_skills(store=ImageStore("memory://grammar"))}


def asked(kind: Any, *skills: str, context: ImageContext = CONTEXT, **fields: Any) -> list[Wish]:
    """Every family of phrasings once."""
    task = Task(name="t", kind=kind, skills=skills)
    labeller = GrammarLabeller(TOOLS)
    tools = tuple(TOOLS[name] for name in skills)
    ways = random.Random(7).sample(list(labeller.intentions(task)), min(12, len(labeller.intentions(task))))
    briefs = [Brief(Part(task, way, 0), context, tools, f"seed/{way}", **fields) for way in ways]
    return [labeller.ask(brief, Spent()) for brief in briefs]


@pytest.mark.parametrize("skill", [row.name for row in CATALOGUE if row.name not in ("segment_by_example",)])
def test_every_skill_of_the_catalogue_can_be_asked_for(skill: str) -> None:
    kind = "visual_prompt" if skill in ("segment_region", "segment_at_granularities") else "arguments"
    marks = Marks(points=((0.3, 0.4),)) if kind == "visual_prompt" else None
    for wish in asked(kind, skill, marks=marks):
        assert wish.text.strip()
        assert len(wish.arguments) == 1


def test_things_of_the_picture_are_asked_for() -> None:
    wishes = asked("arguments", "detect_objects")
    assert sum("cup" in str(wish.arguments).lower() for wish in wishes) >= len(wishes) / 2


def test_an_absent_thing_is_the_only_one_asked_for() -> None:
    for wish in asked("absent", "detect_objects", absent="zeppelin"):
        assert str(wish.arguments[0]["query"]).lower().startswith("zeppelin")


def test_a_long_description_becomes_a_short_wish() -> None:
    context = ImageContext(prompt="a castle on a hill above a silent grey sea at night, oil on canvas, muted colours")
    for wish in asked("generation", "generate_image", context=context):
        assert wish.arguments[0]["prompt"] == context.prompt
        assert "muted colours" not in wish.text.lower()


def test_an_edit_that_is_known_is_asked_for_in_its_own_words() -> None:
    context = ImageContext(image="a.png", instruction="make the sky green")
    assert asked("editing", "edit_image", context=context)[0] == Wish(
        "make the sky green", ({"instruction": "make the sky green"},)
    )


@pytest.mark.parametrize(
    "skills",
    [("segment_objects", "inpaint_region"), ("segment_region", "inpaint_region"), ("read_text", "detect_objects")],
)
def test_several_skills_are_asked_for_in_one_message(skills: Sequence[str]) -> None:
    for wish in asked("composition", *skills):
        assert len(wish.arguments) == 2


def test_small_talk_brings_its_answers() -> None:
    assert all(wish.answers and not wish.arguments for wish in asked("chat"))


def test_the_same_brief_gives_the_same_words() -> None:
    assert asked("arguments", "detect_objects") == asked("arguments", "detect_objects")


def test_a_skill_without_phrasings_says_so() -> None:
    with pytest.raises(
        DataError, match=r"no phrasings for the task 't' \(composition: read_codes, tag_image\); name a file"
    ):
        asked("composition", "read_codes", "tag_image")


def test_an_authored_answer_is_filled_from_the_result(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("families: [{name: a, answers: ['I see {tags}.', ], phrasings: ['name it']}]", "utf-8")
    task = Task.model_validate({"name": "t", "kind": "plain", "skills": ("tag_image",), "phrasings": path})
    labeller = GrammarLabeller(TOOLS)
    brief = Brief(Part(task, "own/a", 0), CONTEXT, (TOOLS["tag_image"],), "seed")
    wish = labeller.ask(brief, Spent())
    assert labeller.tell(brief, wish, [(Action("tag_image", {}), {"tags": "cup"})], Spent()) == "I see cup."
    failed = labeller.tell(brief, wish, [(Action("tag_image", {}), {"error": "no weights"})], Spent())
    assert failed == "That did not work: no weights"
    with pytest.raises(DataError, match=r"'I see \{tags\}\.' cannot be filled from the results; they have \{boxes\}"):
        labeller.tell(brief, wish, [(Action("tag_image", {}), {"boxes": [[0, 0, 1, 1]]})], Spent())
