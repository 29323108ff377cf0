from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from llavaplus_graph.images import ImageStore
from llavaplus_graph.limits import MOST_MASKS
from llavaplus_graph.types import Box, Mask, Masks, SkillFailure, SkillResult
from llavaplus_tools import segment_objects, segment_region, segmentation
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools.detection import zero_shot_detector
from llavaplus_tools.protocols import Found, Prompt, Region
from llavaplus_tools.segmentation import masks_of
from llavaplus_tools.segmenters import grabcut_segmenter, sam_segmenter

offline = partial(segment_region, segmenter=grabcut_segmenter(isolated=False))

DISC, BLOCK = (60, 80, 260, 280), (330, 120, 560, 330)
DISC_BOX, BLOCK_BOX = [0.05, 0.1, 0.45, 0.65], [0.48, 0.2, 0.92, 0.72]


def scene(scale: float = 1, blur: float = 0, noise: float = 0) -> Image.Image:
    """A red disc and a block that is yellow above and blue below, on grey."""
    picture = Image.new("RGB", (640, 480), (225, 225, 220))
    pen = ImageDraw.Draw(picture)
    pen.ellipse(DISC, fill=(200, 60, 40))
    pen.rectangle(BLOCK, fill=(50, 90, 190))
    pen.rectangle((*BLOCK[:3], 180), fill=(240, 200, 60))
    picture = picture.filter(ImageFilter.GaussianBlur(blur)).resize((round(640 * scale), round(480 * scale)))
    grain = np.random.default_rng(0).normal(0, noise, (picture.height, picture.width, 3))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def shape_of(kind: str, scale: float = 1) -> np.ndarray[Any, Any]:
    plane = Image.new("1", (640, 480))
    pen = ImageDraw.Draw(plane)
    pen.ellipse(DISC, fill=1) if kind == "disc" else pen.rectangle(BLOCK, fill=1)
    return np.asarray(plane.resize((round(640 * scale), round(480 * scale))))


def overlap(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Intersection over union."""
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize(
    ("scale", "blur", "noise", "least"),
    [(1, 0, 0, 0.98), (1, 1.5, 8, 0.95), (0.1, 0, 0, 0.9), (2.5, 0, 4, 0.98)],
    ids=["clean", "noisy", "64 px", "1600 px"],
)
def test_what_fills_each_box_is_cut_out(
    ask: Callable[..., SkillResult], scale: float, blur: float, noise: float, least: float
) -> None:
    result = ask(offline, image=scene(scale, blur, noise), boxes=[DISC_BOX, BLOCK_BOX])
    assert isinstance(result, Masks)
    disc, block = (mask.array() for mask in result.masks)
    assert overlap(disc, shape_of("disc", scale)) > least
    assert overlap(block, shape_of("block", scale)) > least
    assert result.content() == {"boxes": [DISC_BOX, BLOCK_BOX]}


def test_a_point_means_the_region_alike_in_colour(ask: Callable[..., SkillResult]) -> None:
    result = ask(offline, image=scene(noise=4), points=[[0.25, 0.4]])
    assert isinstance(result, Masks)
    assert overlap(result.masks[0].array(), shape_of("disc")) > 0.95
    assert result.boxes[0] == pytest.approx((60 / 640, 80 / 480, 261 / 640, 281 / 480), abs=0.02)


def test_several_points_mean_one_region(ask: Callable[..., SkillResult]) -> None:
    result = ask(offline, image=scene(), points=[[0.7, 0.55], [0.7, 0.3]])
    assert isinstance(result, Masks)
    assert overlap(result.masks[0].array(), shape_of("block")) > 0.95


def test_a_point_labelled_0_stays_outside(ask: Callable[..., SkillResult]) -> None:
    result = ask(offline, image=scene(), points=[[0.7, 0.55], [0.7, 0.3]], point_labels=[1, 0])
    assert isinstance(result, Masks)
    mask = result.masks[0].array()
    assert mask[264, 448]
    assert not mask[144, 448]


def test_a_point_labelled_0_is_left_out_of_a_box(ask: Callable[..., SkillResult]) -> None:
    result = ask(offline, image=scene(), boxes=[BLOCK_BOX], points=[[0.7, 0.3]], point_labels=[0])
    assert isinstance(result, Masks)
    assert not result.masks[0].array()[144, 448]
    assert result.masks[0].array()[264, 448]


def test_nested_points_mean_a_region_each(ask: Callable[..., SkillResult]) -> None:
    result = ask(offline, image=scene(), points=[[[0.25, 0.4]], [[0.7, 0.55], [0.7, 0.3]]], point_labels=[[1], [1, 0]])
    assert isinstance(result, Masks)
    disc, lower_block = (mask.array() for mask in result.masks)
    assert overlap(disc, shape_of("disc")) > 0.95
    assert lower_block[264, 448]
    assert not lower_block[144, 448]


def test_a_scribble_means_what_it_is_drawn_over(ask: Callable[..., SkillResult]) -> None:
    result = ask(offline, image=scene(noise=4), scribbles=[[[0.6, 0.27], [0.8, 0.35], [0.6, 0.6]]])
    assert isinstance(result, Masks)
    assert overlap(result.masks[0].array(), shape_of("block")) > 0.95


def test_a_point_labelled_0_limits_a_scribble(ask: Callable[..., SkillResult]) -> None:
    scribble = [[0.6, 0.5], [0.8, 0.6]]
    result = ask(offline, image=scene(), scribbles=[scribble], points=[[0.7, 0.3]], point_labels=[0])
    assert isinstance(result, Masks)
    assert not result.masks[0].array()[144, 448]


def test_a_rough_mask_is_refined(ask: Callable[..., SkillResult]) -> None:
    rough = np.zeros((480, 640), bool)
    rough[110:250, 90:230] = True
    result = ask(offline, image=scene(), mask=Mask.from_array(rough))
    assert isinstance(result, Masks)
    assert overlap(result.masks[0].array(), shape_of("disc")) > 0.95


def test_one_box_needs_no_list_around_it(ask: Callable[..., SkillResult]) -> None:
    assert ask(offline, image=scene(0.1), boxes=DISC_BOX) == ask(offline, image=scene(0.1), boxes=[DISC_BOX])


def test_the_model_is_told_of_points_as_a_flat_list_and_of_no_mask(tmp_path: Path) -> None:
    arguments = segment_region(store=ImageStore(tmp_path)).args
    assert list(arguments) == ["image", "boxes", "points", "point_labels", "scribbles"]
    assert arguments["points"]["anyOf"][0]["items"]["prefixItems"] == [{"type": "number"}] * 2


@pytest.mark.parametrize("weights", ["sam", "sam2"])
@pytest.mark.parametrize(
    "prompt",
    [
        {"boxes": [DISC_BOX, BLOCK_BOX]},
        {"points": [[0.25, 0.4], [0.9, 0.9]], "point_labels": [1, 0]},
        {"boxes": [BLOCK_BOX], "points": [[0.7, 0.3]]},
        {"scribbles": [[[0.2, 0.3], [0.3, 0.4]]]},
        {"mask": Mask.from_array(np.tri(48, 64))},
    ],
    ids=lambda prompt: "+".join(prompt),
)
def test_sam_runs_from_its_directory_to_the_drawing(
    ask: Callable[..., SkillResult], request: pytest.FixtureRequest, weights: str, prompt: dict[str, Any]
) -> None:
    model = str(request.getfixturevalue(weights))
    result = ask(partial(segment_region, model=model), image=scene(0.1), **prompt)
    assert isinstance(result, Masks)
    assert all(mask.size == (48, 64) for mask in result.masks)
    assert max(result.draw().size) >= 256
    if "boxes" in prompt:
        assert result.content() == {"boxes": prompt["boxes"]}


def test_the_same_question_gets_the_same_answer(ask: Callable[..., SkillResult]) -> None:
    arguments: dict[str, Any] = {"image": scene(blur=2, noise=20), "boxes": [[0.3, 0.1, 0.8, 0.9]]}
    assert ask(offline, **arguments) == ask(offline, **arguments)


def test_where_nothing_stands_out_the_mask_is_the_box(ask: Callable[..., SkillResult]) -> None:
    result = ask(offline, image=Image.new("RGB", (100, 50), "white"), boxes=[[0.2, 0.2, 0.5, 0.6]])
    assert isinstance(result, Masks)
    assert result.masks[0].box == (0.2, 0.2, 0.5, 0.6)
    assert result.masks[0].area == pytest.approx(0.12)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 300), (300, 1), (5, 4000)], ids=str)
@pytest.mark.parametrize(
    "prompt",
    [{"boxes": [[0, 0, 1, 1]]}, {"boxes": [[0.5, 0.5, 0.50001, 0.50001]]}, {"points": [[0, 0], [1, 1]]}],
    ids=["all", "a speck", "corners"],
)
def test_every_prompt_on_every_picture_gives_some_mask(
    ask: Callable[..., SkillResult], size: tuple[int, int], prompt: dict[str, Any]
) -> None:
    result = ask(offline, image=Image.new("RGB", size, "red"), **prompt)
    assert isinstance(result, Masks)
    assert result.masks[0].size == (size[1], size[0])
    assert result.masks[0].area > 0
    assert max(result.draw().size) >= 256


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "needs boxes, or points"),
        ({"boxes": []}, "needs boxes, or points"),
        ({"points": [[0.5, 0.5]], "point_labels": [0]}, "at least one lies on the region"),
        ({"points": [[0.5, 0.5]], "point_labels": [1, 0]}, "2 point_labels for 1 points"),
        ({"points": [[0.5, 0.5]], "point_labels": [2]}, "point_labels.0"),
        ({"boxes": [[0, 0, 0.4, 0.4]], "points": [[0.5, 0.5]]}, "point [0.5, 0.5] lies in none of the boxes"),
        ({"boxes": [[0.6, 0.1, 0.2, 0.5]]}, "x1 < x2 and y1 < y2"),
        ({"boxes": [[0.1, 0.1, 0.2, float("nan")]]}, "four numbers from 0 to 1"),
        ({"boxes": [[10, 20, 110, 220]]}, "four numbers from 0 to 1"),
        ({"boxes": [[0.1, 0.1, 0.2]]}, "boxes.0"),
        ({"boxes": [[0.1, 0.1, 0.2, 0.2]] * 33}, "at most 32"),
        ({"points": [[1.5, 0.5]]}, "two numbers from 0 to 1"),
        ({"points": "here"}, "points"),
        ({"points": [[[0.1, 0.1]], [[0.5, 0.5]]], "point_labels": [[1]]}, "1 point_labels for 2 points"),
        ({"points": [[[0.1, 0.1]], [[0.5, 0.5]]], "point_labels": [[1], [0]]}, "at least one lies on the region"),
        ({"points": [[[0.1, 0.1]], [[0.5, 0.5]]], "scribbles": [[[0.1, 0.1]]]}, "call segment_region twice"),
        ({"scribbles": [[[0.1, float("nan")]]]}, "two numbers from 0 to 1"),
        ({"scribbles": [[]]}, "needs boxes, or points"),
        ({"mask": Mask.from_array(np.ones((4, 4)))}, "4 x 4 pixels and this one has 64 x 48"),
        ({"mask": Mask.from_array(np.zeros((48, 64)))}, "the mask is empty"),
        ({"mask": "latest"}, "mask"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_prompt_that_means_nothing_is_told(
    ask: Callable[..., SkillResult], arguments: dict[str, Any], complaint: str
) -> None:
    result = ask(offline, image=scene(0.1), **arguments)
    assert isinstance(result, SkillFailure)
    assert complaint in result.error


class Boxes:
    """A segmenter of one's own: the upper half of every box, and nothing at points."""

    def from_boxes(self, picture: Image.Image, boxes: Sequence[Box]) -> list[Region]:
        return self.from_prompts(picture, [Prompt(box=box) for box in boxes])

    def from_points(self, picture: Image.Image, points: Any, labels: Any) -> list[Region]:
        return []

    def from_prompts(self, picture: Image.Image, prompts: Sequence[Prompt]) -> list[Region]:
        regions = []
        for prompt in prompts:
            region = np.zeros((picture.height, picture.width), bool)
            if prompt.box:
                x1, y1, x2, y2 = np.array(prompt.box) * (*picture.size, *picture.size)
                region[int(y1) : int((y1 + y2) / 2), int(x1) : int(x2)] = True
            regions.append(region)
        return regions


def finding(*boxes: Box) -> Any:
    """A detector of one's own that always finds the same, less and less certain."""
    found = Found(boxes, tuple(1 / (n + 1) for n in range(len(boxes))), tuple("cup" for _ in boxes))
    return lambda picture, phrases, **thresholds: found


def test_named_things_are_found_then_cut_out(ask: Callable[..., SkillResult]) -> None:
    detector = finding((0.05, 0.1, 0.45, 0.65), (0.48, 0.2, 0.92, 0.72))
    skill = partial(segment_objects, detector=detector, segmenter=grabcut_segmenter(isolated=False))
    result = ask(skill, image=scene(), query="cup")
    assert isinstance(result, Masks)
    assert result.content() == {"boxes": [DISC_BOX, BLOCK_BOX], "logits": [1.0, 0.5], "phrases": ["cup", "cup"]}
    assert overlap(result.masks[0].array(), shape_of("disc")) > 0.98
    assert result.draw().size == (640, 480)


def test_a_detector_and_a_segmenter_run_together_from_their_directories(
    ask: Callable[..., SkillResult], grounding_dino: Path, sam2: Path
) -> None:
    pool = ModelPool()
    skill = partial(
        segment_objects,
        detector=lambda *arguments, **thresholds: zero_shot_detector(str(grounding_dino), pool=pool)(
            *arguments, box_threshold=0, text_threshold=0
        ),
        segmenter=sam_segmenter(str(sam2), pool=pool),
    )
    result = ask(skill, image=scene(0.2), query="red cup . cat")
    assert isinstance(result, Masks)
    assert len(result.masks) == len(result.labels) == len(result.scores) > 0
    assert set(result.labels) <= {"red cup", "cat"}
    assert max(result.draw().size) >= 256
    assert [(one.kind, one.idle) for one in pool.loaded()] == [("detector", True), ("segmenter", True)]


def test_no_named_thing_is_no_error(ask: Callable[..., SkillResult]) -> None:
    result = ask(partial(segment_objects, detector=finding(), segmenter=Boxes()), image=scene(0.1), query="cup")
    assert result.content() == {"boxes": []}


def test_of_too_many_things_the_surest_are_cut_out_and_the_rest_is_counted(ask: Callable[..., SkillResult]) -> None:
    corners = [(column / 20, row / 16) for column in range(20) for row in range(16)]
    detector = finding(*((x, y, x + 1 / 21, y + 1 / 17) for x, y in corners))
    result = ask(partial(segment_objects, detector=detector, segmenter=Boxes()), image=scene(0.2), query="cup")
    assert isinstance(result, Masks)
    assert (len(result.masks), result.left_out) == (MOST_MASKS, 320 - MOST_MASKS)


def test_missing_weights_are_told_together(ask: Callable[..., SkillResult]) -> None:
    skill = partial(segment_objects, detector=zero_shot_detector("no/dino"), segmenter=sam_segmenter("no/sam"))
    result = ask(skill, image=scene(0.1), query="cup")
    assert isinstance(result, SkillFailure)
    assert result.error.startswith(
        "segment_objects needs the weights no/dino and no/sam, which are not on this machine"
    )


def test_a_model_that_is_asked_for_is_not_replaced_by_the_offline_one(ask: Callable[..., SkillResult]) -> None:
    result = ask(partial(segment_region, model="no/sam"), image=scene(0.1), boxes=[DISC_BOX])
    assert isinstance(result, SkillFailure)
    assert "segment_region needs the weights no/sam" in result.error


def test_where_a_segmenter_finds_nothing_the_mask_of_a_box_is_the_box_and_points_have_none() -> None:
    class Nothing(Boxes):
        def from_prompts(self, picture: Image.Image, prompts: Sequence[Prompt]) -> list[Region]:
            return [np.zeros((picture.height, picture.width), bool) for _ in prompts]

    prompts = [Prompt(points=((0.5, 0.5),), labels=(1,)), Prompt(box=(0.5, 0.0, 1.0, 0.5))]
    result = masks_of("img_0000000000000000", Image.new("RGB", (40, 20)), prompts, Nothing())
    assert result.boxes == ((0.5, 0.0, 1.0, 0.5),)
    assert result.masks[0].box == (0.5, 0.0, 1.0, 0.5)


def test_a_large_picture_is_cut_some_boxes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation, "_PIXELS_AT_ONCE", 1_000_000)

    class Counting(Boxes):
        asked: list[int] = []  # noqa: RUF012  the test's own

        def from_prompts(self, picture: Image.Image, prompts: Sequence[Prompt]) -> list[Region]:
            self.asked.append(len(prompts))
            return super().from_prompts(picture, prompts)

    prompts = [Prompt(box=(0.1 * n, 0.1, 0.1 * n + 0.05, 0.2)) for n in range(5)]
    result = masks_of("img_0000000000000000", Image.new("RGB", (800, 600)), prompts, Counting())
    assert Counting.asked == [2, 2, 1]
    assert len(result.masks) == 5
