import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from llavaplus_graph.data.results import draw_content, draw_failure
from llavaplus_graph.errors import DataError
from llavaplus_graph.skills import CATALOGUE
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
)

ARGS = {"query": "red cup . fork", "boxes": [[0.1, 0.2, 0.3, 0.4]]}
BOX = (0.0, 0.0, 1.0, 1.0)
MADE = ("generate_image", "generate_from_layout", "edit_image", "inpaint_region", "transform_image")
Content = Mapping[str, Any]


def drawn(skill: str, count: int = 40, **fields: Any) -> list[dict[str, Any]]:
    return [draw_content(skill, ARGS, random.Random(seed), **fields) for seed in range(count)]


def mask(share: float = 0.5) -> Mask:
    return Mask.from_array((np.arange(100) < round(100 * share)).reshape(10, 10))


def detections(c: Content) -> Detections:
    tags = tuple(c["tags"].split(", ")) if "tags" in c else None
    return Detections(boxes=c["boxes"], scores=c["logits"], labels=c["phrases"], caption=c.get("caption"), tags=tags)


def masks(c: Content) -> Masks:
    pieces = tuple(mask() for _ in c["boxes"])
    return Masks(masks=pieces, boxes=c["boxes"], labels=c.get("phrases", ()), scores=c.get("logits", ()))


def texts(c: Content) -> Texts:
    return Texts(
        texts=c["texts"], boxes=[BOX] * len(c["texts"]), scores=[0.9] * len(c["texts"]), formats=c.get("formats")
    )


def scene(c: Content) -> SceneMap:
    return SceneMap(classes=c["classes"], masks=tuple(map(mask, c["areas"])))


def knowledge(c: Content) -> Knowledge:
    return Knowledge(entries=tuple(KnowledgeEntry(**entry) for entry in c["retrieval_results"]))


TYPED: dict[str, Callable[[Content], SkillResult]] = {
    "detect_objects": detections,
    "caption_and_detect": detections,
    "tag_and_detect": detections,
    "segment_objects": masks,
    "segment_region": masks,
    "segment_at_granularities": masks,
    "segment_by_example": masks,
    "segment_scene": scene,
    "caption_image": lambda c: Caption(caption=c["caption"]),
    "tag_image": lambda c: Tags(tags=c["tags"].split(", "), scores=[0.5] * (c["tags"].count(", ") + 1)),
    "read_text": texts,
    "read_codes": texts,
    "retrieve_knowledge": knowledge,
    **{name: lambda c: Pictures(handles=("img_0123456789abcdef",), message=c["message"]) for name in MADE},
}


@pytest.mark.parametrize("skill", [info.name for info in CATALOGUE])
def test_contents_are_written_just_as_the_skills_return_them(skill: str) -> None:
    added_later = {"pictures", "omitted"}  # by the graph, and where a long result is cut for the LMM
    for content in drawn(skill):
        told = {key: value for key, value in content.items() if key not in added_later}
        assert str(told) == str(TYPED[skill](content).content())


def test_what_was_asked_for_is_what_is_found() -> None:
    for skill in ("detect_objects", "segment_objects"):
        contents = drawn(skill)
        assert {name for content in contents for name in content.get("phrases", ())} == {"red cup", "fork"}
        assert any(not content["boxes"] for content in contents)
        assert all(len(content["boxes"]) <= 8 for content in contents)


def test_a_region_is_found_where_it_was_boxed() -> None:
    assert all(content == {"boxes": ARGS["boxes"]} for content in drawn("segment_region"))
    point = draw_content("segment_region", {"points": [[0.5, 0.5]]}, random.Random(0))
    assert len(point["boxes"]) == 1


def test_what_is_printed_on_the_picture_is_what_is_read() -> None:
    printed = ["WET FLOOR", "Gate 7"]
    assert all(content == {"texts": printed} for content in drawn("read_text", texts=printed))
    codes = drawn("read_codes", texts=printed)
    assert all(content["texts"] == printed and len(content["formats"]) == 2 for content in codes)


def test_a_long_page_is_cut_and_what_is_left_out_is_counted() -> None:
    page = [f"line {number} " + "x" * 60 for number in range(9)]
    content = draw_content("read_text", {}, random.Random(0), texts=page)
    assert content == {"texts": page[:3], "omitted": 6}
    assert draw_content("read_text", {}, random.Random(0), texts=["y" * 999])["texts"] == ["y" * 260]


def test_now_and_then_there_is_nothing_to_read() -> None:
    assert any(content["texts"] == [] for content in drawn("read_text", 100))


def test_the_areas_of_a_scene_are_shares_of_the_whole() -> None:
    assert all(sum(content["areas"]) == pytest.approx(1) for content in drawn("segment_scene"))


def test_knowledge_comes_most_similar_first() -> None:
    for content in drawn("retrieve_knowledge"):
        similarities = [entry["similarity"] for entry in content["retrieval_results"]]
        assert similarities == sorted(similarities, reverse=True)
        assert similarities


@pytest.mark.parametrize("skill", MADE)
def test_a_new_picture_gets_the_next_number(skill: str) -> None:
    assert all(content["pictures"] == ["image_4"] for content in drawn(skill, 3, next_picture=4))


def test_failures_are_one_varied_sentence() -> None:
    failures = [draw_failure("detect_objects", random.Random(seed)) for seed in range(60)]
    assert len({str(failure) for failure in failures}) > 20
    for failure in failures:
        assert failure == SkillFailure(skill="detect_objects", error=failure["error"]).content()
        assert "\n" not in failure["error"]


def test_the_same_seed_draws_the_same() -> None:
    assert drawn("tag_and_detect") == drawn("tag_and_detect")


def test_a_skill_without_a_known_result_is_refused() -> None:
    with pytest.raises(DataError, match="the skill 'fly'; known are detect_objects"):
        draw_content("fly", {}, random.Random(0))
