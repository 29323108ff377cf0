"""Training pictures: the same seed gives the same pixels, and what they say is on them is on them."""

import random

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("faker")
pytest.importorskip("matplotlib")
pytest.importorskip("segno")
pytest.importorskip("skimage")
pytest.importorskip("wordfreq")

from llavaplus_graph.data.pictures import PICTURE_KINDS, PictureKind, draw_picture
from llavaplus_graph.data.pictures.bars import check_digit, code_128, drawn_bars, ean_13
from llavaplus_graph.data.pictures.fonts import load
from llavaplus_graph.data.pictures.sheet import Sheet

WRITTEN: tuple[PictureKind, ...] = ("page", "sign", "receipt", "screen")


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_the_same_seed_gives_the_same_pixels_and_another_seed_gives_others(kind: PictureKind) -> None:
    first, again, other = (draw_picture(kind, random.Random(seed)) for seed in (3, 3, 4))
    assert first.picture.tobytes() == again.picture.tobytes()
    assert (first.texts, first.objects, first.formats) == (again.texts, again.objects, again.formats)
    assert first.picture.tobytes() != other.picture.tobytes()


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_pictures_are_rgb_and_of_the_promised_size_and_shape(kind: PictureKind) -> None:
    for seed in range(12):
        drawn = draw_picture(kind, random.Random(seed))
        width, height = drawn.picture.size
        assert (drawn.kind, drawn.picture.mode) == (kind, "RGB")
        assert 240 <= max(width, height) <= 640
        assert 0.49 <= width / height <= 2.02


@pytest.mark.parametrize("kind", WRITTEN)
def test_written_pictures_tell_every_line(kind: PictureKind) -> None:
    for seed in range(12):
        texts = draw_picture(kind, random.Random(seed)).texts
        assert texts
        assert all(text.strip() == text != "" for text in texts)


def test_pictures_without_writing_tell_no_text() -> None:
    assert not any(draw_picture(kind, random.Random(5)).texts for kind in ("scene", "photograph", "blank"))


def test_scenes_name_things_with_boxes_inside_the_picture() -> None:
    for seed in range(40):
        objects = draw_picture("scene", random.Random(seed)).objects
        assert objects
        for name, (x1, y1, x2, y2) in objects:
            assert name
            assert 0 <= x1 < x2 <= 1
            assert 0 <= y1 < y2 <= 1


def test_qr_codes_hold_the_text_they_tell() -> None:
    for seed in range(6):
        drawn = draw_picture("qr_code", random.Random(seed))
        text, _, _ = cv2.QRCodeDetector().detectAndDecode(np.ascontiguousarray(np.asarray(drawn.picture)[:, :, ::-1]))
        assert ((text,), ("QR_CODE",)) == (drawn.texts, drawn.formats)


@pytest.mark.parametrize("body", ["400638133393", "978014300723", "501234567890", "761234567890"])
def test_ean_13_bars_are_read_by_opencv(body: str) -> None:
    digits = body + check_digit(body)
    bars = drawn_bars(ean_13(body), 2, 140, (0, 0, 0), (255, 255, 255))
    picture = Image.new("RGB", (800, 600), "white")
    picture.paste(bars, ((800 - bars.width) // 2, 230))
    assert cv2.barcode.BarcodeDetector().detectAndDecodeMulti(np.asarray(picture))[1] == (digits,)


def test_most_drawn_ean_13_labels_are_read_by_opencv() -> None:
    # OpenCV overlooks many that fill their picture, so it is enough that what it reads is right and that it reads some.
    read = []
    for seed in range(30):
        drawn = draw_picture("barcode", random.Random(seed))
        if drawn.formats == ("EAN_13",):
            found = cv2.barcode.BarcodeDetector().detectAndDecodeMulti(np.asarray(drawn.picture))[1]
            read += [(drawn.texts, (text,)) for text in found if len(text) == 13]
    assert len(read) >= 3
    assert all(told == seen for told, seen in read)


def test_code_128_encodes_a_known_text() -> None:
    # Start B, "P", "J", "J", check symbol (104 + 48 + 2 * 42 + 3 * 42) % 103 = 53, stop.
    assert code_128("PJJ") == (
        "11010010000" "11101110110" "10110111000" "10110111000" "11011101110" "1100011101011"
    )  # fmt: skip


def test_wrong_digits_are_refused() -> None:
    with pytest.raises(ValueError, match="must be 12 digits"):
        ean_13("123")
    with pytest.raises(ValueError, match="check digit"):
        ean_13("4006381333930")


def test_a_line_that_does_not_fit_is_cut_at_a_word_or_left_out() -> None:
    sheet = Sheet.of((120, 40), (255, 255, 255))
    assert sheet.print((4, 4), "one two three four five six seven", load("DejaVuSans", 14))
    assert sheet.print((4, 30), "below the edge", load("DejaVuSans", 14)) == 0
    (told,) = sheet.texts
    assert "one two three four".startswith(told)
    assert load("DejaVuSans", 14).getlength(told) <= 120


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'poem' is no kind of picture; the kinds are page, sign"):
        draw_picture("poem", random.Random(0))  # type: ignore[arg-type]
