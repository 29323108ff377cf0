import pytest

from llavaplus_graph.errors import SkillError
from llavaplus_graph.skills import catalogued
from llavaplus_tools._backends.sam import SamSegmenter
from llavaplus_tools._backends.weights import MissingWeightsError, Weights
from llavaplus_tools.backed import row_with, spoken_for, weights_of
from llavaplus_tools.detection import zero_shot_detector
from llavaplus_tools.segmenters import grabcut_segmenter, sam_segmenter


def test_with_its_usual_backends_a_skill_has_the_row_of_the_catalogue() -> None:
    row = row_with("segment_objects", zero_shot_detector(), sam_segmenter())
    assert row == catalogued("segment_objects")


def test_other_weights_make_another_version() -> None:
    usual, tiny = (
        row_with("detect_objects", zero_shot_detector()),
        row_with("detect_objects", zero_shot_detector("one/a")),
    )
    pinned = row_with("detect_objects", zero_shot_detector("one/a", revision="v2"))
    assert (tiny.weights, pinned.weights) == (("one/a",), ("one/a",))
    assert len({usual.version, tiny.version, pinned.version}) == 3


def test_a_backend_without_weights_makes_another_version_too() -> None:
    row = row_with("segment_objects", zero_shot_detector(), grabcut_segmenter())
    assert row.weights == ("IDEA-Research/grounding-dino-tiny",)
    assert row.version != catalogued("segment_objects").version


def test_a_skill_that_works_offline_is_the_catalogues_when_it_does() -> None:
    assert row_with("segment_region", grabcut_segmenter(), instead=True) == catalogued("segment_region")
    usual, other = sam_segmenter(), sam_segmenter("one/a")
    versions = {row_with("segment_region", one, instead=True).version for one in (grabcut_segmenter(), usual, other)}
    assert len(versions) == 3


def test_a_backend_of_ones_own_makes_another_version_of_an_offline_skill() -> None:
    class Own:
        """Cuts somehow."""

    row = row_with("segment_region", Own(), instead=True)
    assert row.version != catalogued("segment_region").version
    assert row.weights == catalogued("segment_region").weights


def test_weights_are_named_once() -> None:
    segmenter = SamSegmenter(Weights("one/a"))
    assert weights_of(segmenter, len, segmenter) == (Weights("one/a"),)


def test_missing_weights_are_told_in_the_name_of_the_skill_that_runs() -> None:
    with (
        pytest.raises(SkillError, match=r"^segment_objects needs the weights one/a and one/b, which are not on this"),
        spoken_for("segment_objects", zero_shot_detector("one/a"), sam_segmenter("one/b")),
    ):
        raise MissingWeightsError("one/b")
