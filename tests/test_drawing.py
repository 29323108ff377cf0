from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageChops

from llavaplus_graph import drawing
from llavaplus_graph.marking import PALETTE, SMALLEST_SIDE, canvas_of

BOX = (0.25, 0.25, 0.75, 0.75)
MASK = np.zeros((40, 60), bool)
MASK[10:30, 15:45] = True

DRAWINGS: list[Callable[[Image.Image], Image.Image]] = [
    lambda picture: drawing.draw_boxes(picture, [BOX], ["dog 0.50"]),
    lambda picture: drawing.draw_masks(picture, [MASK], ["dog 0.50"]),
    lambda picture: drawing.draw_numbered(picture, [BOX]),
    lambda picture: drawing.draw_scene(picture, [MASK], ["road"]).crop((0, 0, *canvas_of(picture).size)),
]
NAMES = ["boxes", "masks", "numbers", "scene"]


def contrast(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of lightness between two pictures of one size, 0 to 255."""
    return int(np.asarray(ImageChops.difference(one.convert("L"), other.convert("L"))).max())


@pytest.mark.parametrize("draw", DRAWINGS, ids=NAMES)
@pytest.mark.parametrize("background", ["black", "white", (128, 128, 128), *PALETTE], ids=str)
def test_a_drawing_stands_out_from_any_background(
    draw: Callable[[Image.Image], Image.Image], background: tuple[int, int, int]
) -> None:
    picture = Image.new("RGB", (300, 200), background)
    assert contrast(draw(picture), picture) > 60


@pytest.mark.parametrize("draw", DRAWINGS, ids=NAMES)
@pytest.mark.parametrize("size", [(1, 1), (64, 40), (40, 64), (2000, 3), (1500, 1000)], ids=str)
def test_every_size_of_picture_can_be_drawn_on(
    draw: Callable[[Image.Image], Image.Image], size: tuple[int, int]
) -> None:
    drawn = draw(Image.new("RGB", size))
    assert max(drawn.size) >= SMALLEST_SIDE
    assert drawn.width * size[1] == drawn.height * size[0]


def test_lines_grow_with_the_picture() -> None:
    def share(size: tuple[int, int]) -> float:
        picture = Image.new("RGB", size, "white")
        changed = np.asarray(drawing.draw_boxes(picture, [BOX], [""])) != 255
        return float(changed.any(axis=2).mean())

    assert share((4000, 2000)) == pytest.approx(share((500, 250)), rel=0.5)


def test_a_label_is_written_on_the_picture_even_where_its_box_touches_the_edges() -> None:
    picture = Image.new("RGB", (300, 300), "white")
    with_label = drawing.draw_boxes(picture, [(0, 0, 1, 1)], ["dog"])
    assert contrast(with_label, drawing.draw_boxes(picture, [(0, 0, 1, 1)], [""])) > 60


def test_labels_of_the_same_thing_share_a_colour_whatever_their_scores() -> None:
    one, same, other = drawing._colours(["fire hydrant 0.91", "fire hydrant 0.32", "fire 0.50"])
    assert one == same != other


def test_labels_do_not_cover_each_other() -> None:
    picture = Image.new("RGB", (600, 400), "white")
    boxes = [(0.3, 0.3, 0.6, 0.6), (0.3, 0.3, 0.6, 0.6)]
    drawn = np.asarray(drawing.draw_boxes(picture, boxes, ["cat", "dog"]))
    areas = [int((drawn == colour).all(axis=2).sum()) for colour in PALETTE[:2]]
    assert min(areas) > 300


@pytest.mark.parametrize("text", ["", "naïve", "你好", "a\nb", "wordwithoutend" * 40, "many words " * 60])
def test_a_caption_of_any_text_stands_below_the_picture(text: str) -> None:
    drawn = drawing.draw_caption(Image.new("RGB", (300, 200), "red"), text)
    assert drawn.width == 300
    assert drawn.height > 200
    assert drawn.crop((0, 0, 300, 200)).getextrema() == ((255, 255), (0, 0), (0, 0))


def test_an_empty_mask_draws_nothing() -> None:
    picture = Image.new("RGB", (300, 200), "white")
    assert contrast(drawing.draw_masks(picture, [np.zeros((20, 30), bool)], ["dog"]), picture) == 0


@pytest.mark.parametrize("names", [["sky", "road"], [f"class {number}" for number in range(20)]], ids=len)
def test_a_scene_has_a_legend_with_a_colour_for_every_class(names: list[str]) -> None:
    picture = Image.new("RGB", (600, 400), "white")
    masks = [np.arange(600 * 400).reshape(400, 600) % len(names) == index for index in range(len(names))]
    drawn = drawing.draw_scene(picture, masks, names)
    legend = np.asarray(drawn)[400:]
    assert legend.shape[1] == 600
    for colour in drawing._colours(names):
        assert (legend == colour).all(axis=2).sum() > 60


def test_the_legend_begins_with_the_largest_class() -> None:
    large, small = np.ones((40, 60), bool), np.zeros((40, 60), bool)
    small[:10] = True
    large[:10] = False
    legend = np.asarray(drawing.draw_scene(Image.new("RGB", (600, 400)), [small, large], ["sky", "road"]))[400:]
    rows = [np.flatnonzero((legend == colour).all(axis=2).any(axis=1))[0] for colour in PALETTE[:2]]
    columns = [np.flatnonzero((legend == colour).all(axis=2).any(axis=0))[0] for colour in PALETTE[:2]]
    assert (rows[1], columns[1]) < (rows[0], columns[0])


def test_texts_stand_with_their_numbers_below_the_picture() -> None:
    picture = Image.new("RGB", (600, 400), "white")
    without, one, two = (drawing.draw_numbered(picture, [BOX], texts) for texts in ([], ["OPEN"], ["OPEN " * 40]))
    assert without.height == 400 < one.height < two.height
    assert np.asarray(one)[400:].min() < 100


def test_a_legend_of_very_many_lines_says_how_many_are_left_out() -> None:
    picture = Image.new("RGB", (600, 400), "white")
    texts = [f"a line of a page with number {number}" for number in range(500)]
    drawn = drawing.draw_numbered(picture, [BOX], texts)
    assert 800 < drawn.height < 400 * 3 + 60


def test_where_not_every_label_fits_a_legend_counts_them() -> None:
    picture = Image.new("RGB", (600, 400), "white")
    few, many = (drawing.draw_boxes(picture, [BOX] * count, ["dog 0.90"] * count) for count in (2, 40))
    assert few.height == 400 < many.height


def test_several_masks_without_labels_are_numbered_and_a_single_one_is_not() -> None:
    picture = Image.new("RGB", (600, 400), "white")
    several, alone = [MASK, ~MASK], [MASK]
    assert (
        contrast(drawing.draw_masks(picture, several, ["", ""]), drawing.draw_masks(picture, several, ["1", "2"])) == 0
    )
    assert contrast(drawing.draw_masks(picture, alone, [""]), drawing.draw_masks(picture, alone, ["1"])) > 60


def test_a_sentence_for_below_stands_below_the_boxes() -> None:
    picture = Image.new("RGB", (600, 400), "white")
    assert drawing.draw_boxes(picture, [BOX], ["dog"], "A dog on a lawn.").height > 400
    assert drawing.draw_boxes(picture, [BOX], ["dog"]).height == 400


def test_a_label_that_is_cut_off_stands_in_full_in_a_legend() -> None:
    picture = Image.new("RGB", (300, 200))
    assert drawing.draw_boxes(picture, [BOX], ["dog 0.50"]).size == picture.size
    assert drawing.draw_boxes(picture, [BOX], ["a dog " * 20]).height > picture.height


def test_beside_a_narrow_picture_there_is_white_so_that_words_fit_below() -> None:
    drawn = drawing.draw_caption(Image.new("RGB", (20, 300)), "a lighthouse at night")
    assert drawn.width >= 190
    assert drawn.getpixel((150, 100)) == (255, 255, 255)
    assert drawn.getpixel((10, 100)) == (0, 0, 0)
    assert drawn.height < 350
