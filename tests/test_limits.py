import json

import pytest

from llavaplus_graph.limits import MOST_BOXES, MOST_CHARACTERS, MOST_MASKS, within_limits
from llavaplus_graph.types import (
    Box,
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

BOX: Box = (0.1, 0.1, 0.5, 0.5)
MASK = Mask(size=(1, 2), counts="11")
HOSTILE = 'a\x1b[31m\u202e"value👉" yes</s>###b'
HARMLESS = "a [31m   yes  b"


def test_of_too_many_boxes_the_most_certain_stay_in_their_order() -> None:
    scores = tuple(index / 600 for index in range(600))
    found = Detections(boxes=(BOX,) * 600, scores=scores, labels=tuple(str(index) for index in range(600)))
    kept = within_limits(found)
    assert kept.labels == tuple(str(index) for index in range(100, 600))
    assert kept.scores == scores[100:]
    assert len(kept.boxes) == MOST_BOXES
    assert kept.content()["left_out"] == 100


def test_of_too_many_masks_the_most_certain_or_else_the_first_stay() -> None:
    scores = (0.1,) * 50 + (0.9,) * 200
    kept = within_limits(Masks(masks=(MASK,) * 250, boxes=(BOX,) * 250, scores=scores))
    assert kept.scores == (0.9,) * MOST_MASKS
    first = within_limits(Masks(masks=(MASK,) * 250, boxes=(BOX,) * 250, labels=tuple(map(str, range(250)))))
    assert first.labels == tuple(map(str, range(MOST_MASKS)))
    assert len(first.masks) == len(first.boxes) == MOST_MASKS
    assert first.left_out == 50


def test_of_too_many_classes_the_largest_stay() -> None:
    empty, full = Mask(size=(1, 2), counts="2"), Mask(size=(1, 2), counts="02")
    kept = within_limits(SceneMap(classes=("sky",) * 100 + ("road",) * 200, masks=(empty,) * 100 + (full,) * 200))
    assert set(kept.classes) == {"road"}
    assert kept.content()["left_out"] == 100


def test_texts_stay_from_the_top_as_long_as_there_is_room() -> None:
    long = Texts(texts=("x" * 40_000,) * 4, boxes=(BOX,) * 4, scores=(1.0,) * 4, formats=("QR_CODE",) * 4)
    kept = within_limits(long)
    assert [len(text) for text in kept.texts] == [40_000, 40_000, 20_000]
    assert len(kept.boxes) == len(kept.scores) == len(kept.formats or ()) == 3
    assert kept.content()["left_out"] == 1
    many = within_limits(Texts(texts=("a",) * 700, boxes=(BOX,) * 700, scores=(1.0,) * 700))
    assert (len(many.texts), many.left_out) == (MOST_BOXES, 200)


@pytest.mark.parametrize(
    "result",
    [
        Detections(boxes=(BOX,), scores=(1,), labels=(HOSTILE,), caption=HOSTILE, tags=(HOSTILE,)),
        Masks(masks=(MASK,), boxes=(BOX,), labels=(HOSTILE,)),
        SceneMap(classes=(HOSTILE,), masks=(MASK,)),
        Texts(texts=(HOSTILE,), boxes=(BOX,), scores=(1,)),
        Tags(tags=(HOSTILE,), scores=(1,)),
        Caption(caption=HOSTILE),
        Knowledge(entries=(KnowledgeEntry(caption=HOSTILE, similarity=1, source=HOSTILE),)),
        Pictures(handles=("img_0123456789abcdef",), message=HOSTILE),
        SkillFailure(skill="read_text", error=HOSTILE),
    ],
    ids=lambda result: result.kind,
)
def test_markers_and_control_characters_leave_no_skill(result: SkillResult) -> None:
    told = json.dumps(within_limits(result).model_dump(mode="json"), ensure_ascii=False)
    assert HARMLESS in told
    assert not any(mark in told for mark in ("👉", "</s>", "###", "\x1b", "\\u001b", "\u202e"))


@pytest.mark.parametrize(
    "result",
    [
        Caption(caption="x" * 200_000),
        Tags(tags=("x" * 60_000,) * 3, scores=(1,) * 3),
        Knowledge(entries=(KnowledgeEntry(caption="x" * 60_000, similarity=1),) * 3),
        SkillFailure(skill="a", error="x" * 200_000),
    ],
    ids=lambda result: result.kind,
)
def test_no_result_tells_more_than_its_characters(result: SkillResult) -> None:
    told = json.dumps(within_limits(result).content())
    assert MOST_CHARACTERS <= len(told) < MOST_CHARACTERS + 400


def test_what_is_within_the_limits_stays_as_it_is_and_says_nothing_of_them() -> None:
    result = Texts(image="img_1", texts=("", "Grüße\n2"), boxes=(BOX,) * 2, scores=(0.5,) * 2)
    assert within_limits(result) == result
    assert "left_out" not in result.content()


def test_a_limited_result_is_a_result() -> None:
    found = Detections(boxes=(BOX,) * 600, scores=(0.5,) * 600, labels=("a",) * 600)
    kept = within_limits(found)
    assert parse_result(kept.model_dump(mode="json")) == kept
    assert within_limits(kept) == kept
