"""Skills with tiny weights, called as an LMM calls them, by the names and in the forms of the original."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
from PIL import Image, ImageDraw

from llavaplus_graph.chat_model.user import user_message
from llavaplus_graph.graph import create_llavaplus_graph, results_of
from llavaplus_graph.images import ImageStore
from llavaplus_graph.testing import ScriptedLmm, call
from llavaplus_graph.types import Detections, Knowledge, Masks, Pictures, SceneMap, SkillFailure, SkillResult
from llavaplus_tools import (
    detect_objects,
    inpaint_region,
    retrieve_knowledge,
    segment_at_granularities,
    segment_by_example,
    segment_objects,
    segment_region,
    segment_scene,
)
from llavaplus_tools._backends.diffusion import Painting
from llavaplus_tools.detection import zero_shot_detector
from llavaplus_tools.examples import dino_features
from llavaplus_tools.knowledge import build_collection
from llavaplus_tools.protocols import Found
from llavaplus_tools.segmenters import grabcut_segmenter, sam_segmenter


def table() -> Image.Image:
    picture = Image.new("RGB", (320, 240), (200, 195, 180))
    ImageDraw.Draw(picture).ellipse((40, 60, 140, 160), fill=(190, 40, 40))
    return picture


def answered(store: ImageStore, skill: BaseTool, plan: AIMessage, pictures: int = 1) -> SkillResult:
    """What a call in a conversation about pictures of the table gives."""
    lmm = ScriptedLmm([plan, "Done."])
    graph = create_llavaplus_graph(lmm, [skill], store=store).compile()
    images = [table().rotate(180 * number) for number in range(pictures)]
    out = graph.invoke({"messages": [user_message("Please do.", images=images, store=store)]})
    assert out["messages"][-1].text == "Done."
    (result,) = results_of(out, store)
    return result


def test_a_fused_call_finds_and_cuts_out(store: ImageStore, grounding_dino: Path, sam2: Path) -> None:
    detector = zero_shot_detector(str(grounding_dino))

    def lenient(picture: Image.Image, phrases: Sequence[str], *, box_threshold: float, text_threshold: float) -> Found:
        return detector(picture, phrases, box_threshold=0, text_threshold=0)

    skill = segment_objects(store=store, detector=lenient, segmenter=sam_segmenter(str(sam2)))
    result = answered(store, skill, call("grounding_dino+sam", caption="red cup . cat"))
    assert isinstance(result, Masks)
    assert set(result.labels) <= {"red cup", "cat"}
    assert len(result.masks) == len(result.boxes) > 0
    assert min(result.draw().size) >= 240


def test_a_detector_hears_the_originals_words(store: ImageStore, grounding_dino: Path) -> None:
    skill = detect_objects(store=store, model=str(grounding_dino))
    plan = call("grounding_dino", caption="red cup .", box_threshold=0, text_threshold=0, image="latest")
    result = answered(store, skill, plan)
    assert isinstance(result, Detections)
    assert set(result.labels) == {"red cup"}


def test_a_scribble_marks_what_it_is_drawn_over(store: ImageStore) -> None:
    skill = segment_region(store=store, segmenter=grabcut_segmenter(isolated=False))
    result = answered(store, skill, call("sam", scribbles=[[[0.2, 0.4], [0.35, 0.5]]]))
    assert isinstance(result, Masks)
    assert result.boxes[0] == pytest.approx((40 / 320, 60 / 240, 141 / 320, 161 / 240), abs=0.02)


def test_a_scribble_is_cut_out_by_sam(store: ImageStore, sam2: Path) -> None:
    skill = segment_region(store=store, model=str(sam2))
    result = answered(store, skill, call("sam", scribbles=[[[0.2, 0.4], [0.35, 0.5]]]))
    assert isinstance(result, Masks)
    assert result.draw().size == (320, 240)


def test_what_a_picture_shows_is_looked_up_with_its_source(store: ImageStore, siglip: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name, picture in {"cup": table(), "night": Image.new("RGB", (320, 240))}.items():
        picture.save(shelf / f"{name}.png")
        (shelf / f"{name}.txt").write_text(f"This is my {name}.")
    build_collection(shelf, tmp_path / "index", model=str(siglip))
    skill = retrieve_knowledge(store=store, collection=tmp_path / "index", most=1)
    result = answered(store, skill, call("clip"))
    assert isinstance(result, Knowledge)
    (entry,) = result.entries
    assert (entry.caption, entry.source) == ("This is my cup.", "cup.txt")
    assert entry.similarity == pytest.approx(1, abs=1e-3)


def test_what_was_segmented_last_is_painted_anew(store: ImageStore, sam2: Path, inpainting: Path) -> None:
    cut = segment_region(store=store, model=str(sam2))
    painting = Painting(steps=2, side=64)
    fill = inpaint_region(store=store, model=str(inpainting), painting=painting)
    plans = [call("sam", boxes=[[0.12, 0.24, 0.45, 0.68]]), call("inpainting", prompt={"caption": "a bowl"})]
    graph = create_llavaplus_graph(ScriptedLmm([*plans, "Done."]), [cut, fill], store=store).compile()
    out = graph.invoke({"messages": [user_message("Replace it.", images=[table()], store=store)]})
    assert out["messages"][-1].text == "Done."
    region, painted = results_of(out, store)
    assert isinstance(region, Masks)
    assert isinstance(painted, Pictures)
    before, after = np.asarray(table()), np.asarray(store.get(painted.handles[0]))
    changed = (before != after).any(axis=2)
    assert changed.any()
    assert not (changed & ~region.masks[0].array()).any()


def test_points_nested_as_the_originals_mark_regions(store: ImageStore, sam: Path) -> None:
    skill = segment_region(store=store, model=str(sam))
    plan = call("sam", points=[[[0.3, 0.4]], [[0.8, 0.8], [0.3, 0.4]]], point_labels=[[1], [1, 0]])
    assert isinstance(answered(store, skill, plan), Masks)


def test_a_point_nested_as_the_originals_marks_levels(store: ImageStore) -> None:
    skill = segment_at_granularities(store=store, segmenter=grabcut_segmenter(isolated=False))
    result = answered(store, skill, call("semantic-sam", point=[[0.28, 0.45]]))
    assert isinstance(result, Masks)
    assert result.masks[0].array()[108, 90]


def test_an_example_in_the_first_picture_is_found_in_the_second(store: ImageStore, dinov2: Path) -> None:
    features, segmenter = dino_features(str(dinov2)), grabcut_segmenter(isolated=False)
    skill = segment_by_example(store=store, features=features, segmenter=segmenter)
    plan = call("seem", reference_image="image_1", reference_region=[0.12, 0.24, 0.45, 0.68])
    result = answered(store, skill, plan, pictures=2)
    assert isinstance(result, Masks)
    assert result.boxes[0] == pytest.approx((179 / 320, 79 / 240, 280 / 320, 180 / 240), abs=0.05)


def test_a_scene_is_named(store: ImageStore, upernet: Path) -> None:
    result = answered(store, segment_scene(store=store, model=str(upernet)), call("openseed"))
    assert isinstance(result, SceneMap)


def test_missing_weights_end_no_conversation(store: ImageStore) -> None:
    result = answered(store, detect_objects(store=store, model="no/dino"), call("detect_objects", query="cup"))
    assert isinstance(result, SkillFailure)
    assert "detect_objects needs the weights no/dino, which are not on this machine" in result.error
