from pathlib import Path

import pytest

from llavaplus_tools import segmenters
from llavaplus_tools._backends.offline import GrabCutSegmenter
from llavaplus_tools._backends.sam import SamSegmenter
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.segmenters import best_segmenter, sam_segmenter


def test_without_weights_the_best_segmenter_is_grabcut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenters, "SEGMENTER", "no/sam")
    assert isinstance(best_segmenter("segment_region"), GrabCutSegmenter)


def test_where_the_usual_weights_are_the_best_segmenter_is_sam(sam2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenters, "SEGMENTER", str(sam2))
    segmenter = best_segmenter("segment_region")
    assert isinstance(segmenter, SamSegmenter)
    assert segmenter.weights.id == str(sam2)


def test_weights_that_are_asked_for_or_may_be_fetched_are_used() -> None:
    for segmenter in (
        best_segmenter("segment_region", "no/sam"),
        best_segmenter("segment_region", allow_download=True),
    ):
        assert isinstance(segmenter, SamSegmenter)


def test_sam_works_in_single_precision_unless_told_otherwise() -> None:
    half = sam_segmenter("no/sam", dtype="bfloat16")
    assert isinstance(half, SamSegmenter)
    assert half.weights == Weights("no/sam", dtype="bfloat16")
    usual = sam_segmenter("no/sam")
    assert isinstance(usual, SamSegmenter)
    assert usual.weights.dtype == "float32"
