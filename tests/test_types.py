import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from llavaplus_graph.types import (
    Caption,
    Detections,
    Knowledge,
    KnowledgeEntry,
    Mask,
    Masks,
    Pictures,
    SceneMap,
    SkillFailure,
    SkillResult,
    Tags,
    Texts,
    parse_result,
)

BOX = (0.111, 0.2, 0.5, 0.987)
MASK = Mask.from_array(np.eye(4, dtype=bool))

RESULTS = [
    (
        Detections(image="img_1", boxes=(BOX,), scores=(0.487,), labels=("dog",)),
        {"boxes": [[0.11, 0.2, 0.5, 0.99]], "logits": [0.49], "phrases": ["dog"]},
    ),
    (
        Detections(boxes=(), scores=(), labels=(), caption="A dog.", tags=("dog", "grass")),
        {"boxes": [], "logits": [], "phrases": [], "caption": "A dog.", "tags": "dog, grass"},
    ),
    (Masks(masks=(MASK,), boxes=(BOX,)), {"boxes": [[0.11, 0.2, 0.5, 0.99]]}),
    (
        Masks(masks=(MASK,), boxes=(BOX,), labels=("dog",), scores=(0.5,)),
        {"boxes": [[0.11, 0.2, 0.5, 0.99]], "phrases": ["dog"], "logits": [0.5]},
    ),
    (SceneMap(classes=("sky",), masks=(MASK,)), {"classes": ["sky"], "areas": [0.25]}),
    (Texts(texts=("STOP",), boxes=(BOX,), scores=(0.9,)), {"texts": ["STOP"]}),
    (
        Texts(texts=("42",), boxes=(BOX,), scores=(1,), formats=("QR_CODE",)),
        {"texts": ["42"], "formats": ["QR_CODE"]},
    ),
    (Texts(texts=(), boxes=(), scores=(), formats=()), {"texts": [], "formats": []}),
    (Tags(tags=("dog", "grass"), scores=(0.9, 0.5)), {"tags": "dog, grass"}),
    (Caption(caption="A dog."), {"caption": "A dog."}),
    (
        Knowledge(entries=(KnowledgeEntry(caption="Rex", similarity=0.123),)),
        {"retrieval_results": [{"caption": "Rex", "similarity": 0.12}]},
    ),
    (
        Knowledge(entries=(KnowledgeEntry(caption="Rex", similarity=0.9, source="rex.txt"),)),
        {"retrieval_results": [{"caption": "Rex", "similarity": 0.9, "source": "rex.txt"}]},
    ),
    (Pictures(handles=("img_2",), message="Done."), {"message": "Done."}),
    (SkillFailure(skill="read_text", error="No."), {"error": "No."}),
]
each_result = pytest.mark.parametrize(
    "result", [result for result, _ in RESULTS], ids=[f"{result.kind}-{i}" for i, (result, _) in enumerate(RESULTS)]
)


@pytest.mark.parametrize(("result", "content"), RESULTS, ids=lambda value: getattr(value, "kind", ""))
def test_the_lmm_reads_llava_plus_keys_and_two_decimals(result: SkillResult, content: dict[str, Any]) -> None:
    assert result.content() == content


@each_result
def test_a_result_comes_back_from_plain_json(result: SkillResult) -> None:
    artifact = json.loads(json.dumps(result.model_dump(mode="json"), allow_nan=False))
    assert parse_result(artifact) == result


@each_result
def test_a_result_draws_itself_on_any_picture(result: SkillResult) -> None:
    picture = Image.new("L", (300, 260), 90)
    drawn = result.draw(picture)
    assert drawn.width == 300
    assert picture.getextrema() == (90, 90)


@each_result
def test_a_result_is_frozen(result: SkillResult) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(result, "image", "img_3")  # noqa: B010  mypy knows that it is read-only


def test_a_bound_result_finds_its_picture_and_stays_equal() -> None:
    result = Texts(image="img_1", texts=("a",), boxes=(BOX,), scores=(1,))
    picture = Image.new("RGB", (400, 300), "red")
    bound = result.bound_to({"img_1": picture}.__getitem__)
    assert bound.draw() == result.draw(picture)
    assert bound == result
    assert hash(bound) == hash(result)
    assert "_load" not in bound.model_dump()


def test_a_result_that_knows_no_picture_says_what_to_pass() -> None:
    with pytest.raises(ValueError, match=r"pass one to draw\(\)"):
        Caption(caption="A dog.").draw()


def test_a_notebook_shows_a_bound_result_and_the_text_of_an_unbound_one() -> None:
    result = Caption(image="img_1", caption="A dog.")
    assert result._repr_png_() is None
    shown = result.bound_to(lambda _: Image.new("RGB", (300, 300)))._repr_png_()
    assert shown is not None
    assert Image.open(io.BytesIO(shown)).size > (300, 300)


def test_pictures_draw_the_new_pictures_side_by_side() -> None:
    made = {"img_2": Image.new("RGB", (50, 40), "red"), "img_3": Image.new("RGB", (20, 80), "blue")}
    result = Pictures(image="img_1", handles=("img_2", "img_3"), message="Done.")
    sheet = result.bound_to(made.__getitem__).draw()
    assert (sheet.height, sheet.getpixel((0, 0)), sheet.getpixel((sheet.width - 1, 0))) == (
        40,
        (255, 0, 0),
        (0, 0, 255),
    )
    assert result.pictures == ("img_2", "img_3")


def test_numbers_of_numpy_become_plain_numbers() -> None:
    result = Detections(boxes=(np.array(BOX, np.float32),), scores=(np.float64(0.5),), labels=("dog",))
    assert {type(value) for value in (*result.boxes[0], *result.scores)} == {float}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "detections", "boxes": [BOX], "scores": [], "labels": ["dog"]},
        {"kind": "detections", "boxes": [BOX], "scores": [float("nan")], "labels": ["dog"]},
        {"kind": "masks", "masks": [], "boxes": [BOX]},
        {"kind": "scene_map", "classes": ["sky"], "masks": []},
        {"kind": "texts", "texts": ["a"], "boxes": [BOX], "scores": [1], "formats": []},
        {"kind": "tags", "tags": ["a"], "scores": []},
        {"kind": "pictures", "handles": [], "message": "Done."},
        {"kind": "caption", "caption": "A dog.", "more": 1},
        {"kind": "hologram"},
        {},
    ],
    ids=str,
)
def test_what_is_no_result_is_refused_in_one_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not the plain form of a skill result") as caught:
        parse_result(wrong)
    assert "\n" not in str(caught.value)


def test_a_failure_that_names_its_skill_is_drawn_with_the_name_once() -> None:
    picture = Image.new("RGB", (600, 200))
    named, bare = SkillFailure(skill="read_text", error="read_text: no."), SkillFailure(skill="read_text", error="no.")
    assert named.draw(picture).tobytes() == bare.draw(picture).tobytes()
