import numpy as np
import pytest

from llavaplus_graph.graph.merging import merged_contents, overlap
from llavaplus_graph.types import Box, Detections, Mask, Masks

CUP: Box = (0.1, 0.1, 0.5, 0.5)
NEAR: Box = (0.1, 0.1, 0.5, 0.52)
FAR: Box = (0.6, 0.6, 0.9, 0.9)


def found(*rows: tuple[Box, str, float], image: str | None = "img_00000000000000a1") -> Detections:
    boxes, labels, scores = zip(*rows, strict=True)
    return Detections(boxes=boxes, labels=labels, scores=scores, image=image)


def test_one_thing_that_two_skills_found_is_told_once_with_both_names() -> None:
    one, other = found((CUP, "cup", 0.9), (FAR, "dog", 0.8)), found((NEAR, "Cup", 0.7))
    first, second = merged_contents([("detect_objects", one), ("segment_objects", other)])
    assert first["phrases"] == ["cup", "dog"]
    assert first["found_by"] == [["detect_objects", "segment_objects"], ["detect_objects"]]
    assert "merged" not in first
    assert second == {"boxes": [], "logits": [], "phrases": [], "merged": 1}


def test_the_more_certain_find_stays() -> None:
    first, second = merged_contents([("a", found((CUP, "cup", 0.3))), ("b", found((NEAR, "cup", 0.8)))])
    assert first == {"boxes": [], "logits": [], "phrases": [], "merged": 1}
    assert second["boxes"] == [[0.1, 0.1, 0.5, 0.52]]
    assert second["found_by"] == [["a", "b"]]


def test_regions_count_as_finds() -> None:
    array = np.zeros((10, 10), dtype=bool)
    array[1:5, 1:5] = True
    region = Masks(masks=(Mask.from_array(array),), boxes=(CUP,), labels=("cup",), image="img_00000000000000a1")
    _, second = merged_contents([("detect_objects", found((CUP, "cup", 0.9))), ("segment_objects", region)])
    assert second == {"boxes": [], "phrases": [], "merged": 1}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(found((CUP, "cup", 0.9)), found((NEAR, "bowl", 0.9)), id="other-label"),
        pytest.param(found((CUP, "cup", 0.9)), found((FAR, "cup", 0.9)), id="elsewhere"),
        pytest.param(found((CUP, "cup", 0.9)), found((CUP, "cup", 0.9), image="img_00000000000000b2"), id="picture"),
        pytest.param(found((CUP, "cup", 0.9), image=None), found((CUP, "cup", 0.9), image=None), id="no-picture"),
    ],
)
def test_different_things_stay_apart(one: Detections, other: Detections) -> None:
    assert merged_contents([("a", one), ("b", other)]) == [one.content(), other.content()]


def test_two_things_of_one_skill_are_never_one() -> None:
    twins = found((CUP, "cup", 0.9), (NEAR, "cup", 0.8))
    assert merged_contents([("a", twins)]) == [twins.content()]
    first, second = merged_contents([("a", found((CUP, "cup", 0.95))), ("b", twins)])
    assert first["found_by"] == [["a", "b"]]
    assert (second["logits"], second["merged"]) == ([0.8], 1)


def test_overlap_is_the_common_share_of_both() -> None:
    assert overlap((0, 0, 0.5, 1), (0.25, 0, 0.75, 1)) == pytest.approx(1 / 3)
    assert overlap(CUP, FAR) == 0
