import random
import sys

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from llavaplus_graph.data import coded, painted, written
from llavaplus_graph.data.coded import ean13
from llavaplus_graph.data.pictures import PICTURE_KINDS, DrawnPicture, PictureKind, draw_picture
from llavaplus_graph.errors import MissingExtraError

WRITTEN = ("page", "sign", "receipt", "screen", "qr_code", "barcode")


def drawn(kind: PictureKind, seed: int = 0) -> DrawnPicture:
    return draw_picture(kind, random.Random(f"{kind} {seed}"))


def pixels(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_the_same_seed_gives_the_same_pixels_and_texts(kind: PictureKind) -> None:
    first, second, other = drawn(kind), drawn(kind), drawn(kind, 1)
    assert first.picture.tobytes() == second.picture.tobytes()
    assert (first.texts, first.objects) == (second.texts, second.objects)
    assert first.picture.tobytes() != other.picture.tobytes()


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_every_kind_is_rgb_of_modest_size_and_says_what_it_is(kind: PictureKind) -> None:
    for seed in range(8):
        picture = drawn(kind, seed)
        assert picture.kind == kind
        assert picture.picture.mode == "RGB"
        assert min(picture.picture.size) >= 80
        assert max(picture.picture.size) <= 1000


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_writing_has_its_texts_and_what_has_no_writing_has_none(kind: PictureKind) -> None:
    texts = [drawn(kind, seed).texts for seed in range(8)]
    assert all(bool(lines) == (kind in WRITTEN) for lines in texts)
    assert all(line.strip() for lines in texts for line in lines)


def test_scenes_name_their_things_and_where_they_are() -> None:
    for seed in range(8):
        objects = drawn("scene", seed).objects
        assert 2 <= len(objects) <= 7
        assert all(0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 for _, (x1, y1, x2, y2) in objects)


def test_blank_pictures_are_almost_even_and_photographs_are_not() -> None:
    def unevenness(kind: PictureKind, seed: int) -> float:
        grey = np.asarray(drawn(kind, seed).picture.convert("L"), float)
        return float(np.abs(np.diff(grey, axis=1)).mean())

    assert max(unevenness("blank", seed) for seed in range(8)) < 7
    assert np.median([unevenness("photograph", seed) for seed in range(8)]) > 1


def test_qr_codes_hold_their_text() -> None:
    reader = cv2.QRCodeDetector()
    pictures = [drawn("qr_code", seed) for seed in range(8)]
    read = [reader.detectAndDecode(pixels(picture.picture))[0] for picture in pictures]
    assert sum(text == picture.texts[0] for text, picture in zip(read, pictures, strict=True)) >= 6


def test_barcodes_hold_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coded, "_placed", lambda code, rng: code)  # upright and alone
    reader = cv2.barcode.BarcodeDetector()
    read = 0
    for seed in range(8):
        picture = drawn("barcode", seed)
        # OpenCV's reader misses upright bars with hard edges
        turned = picture.picture.resize([2 * side for side in picture.picture.size], Image.Resampling.BICUBIC)
        turned = turned.filter(ImageFilter.GaussianBlur(0.8)).rotate(30, expand=True, fillcolor="white")
        read += reader.detectAndDecode(pixels(turned))[0] == picture.texts[0]
    assert read >= 4


def test_barcode_numbers_have_thirteen_digits_and_a_right_check_digit() -> None:
    for seed in range(20):
        (number,) = drawn("barcode", seed).texts
        digits = [int(digit) for digit in number]
        assert len(digits) == 13
        assert sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0


def test_the_bars_of_an_ean_13_number_are_those_of_the_standard() -> None:
    left = ["0001011", "0100111", "0110011", "0010011", "0111101", "0011101"]
    right = ["1100110", "1101100", "1000010", "1011100", "1001110", "1000100"]
    bars = ean13([int(digit) for digit in "5901234123457"])
    assert bars == "".join(["101", *left, "01010", *right, "101"])


@pytest.mark.parametrize(
    ("kind", "package"), [("qr_code", "segno"), ("photograph", "skimage"), ("photograph", "matplotlib")]
)
def test_without_the_training_extra_the_remedy_is_told(
    kind: PictureKind, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted._photographs.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"llavaplus-graph\[train\]"):
        [drawn(kind, seed) for seed in range(8)]


def test_without_matplotlib_there_are_no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"rendering text needs .*llavaplus-graph\[train\]"):
        written._fonts.__wrapped__()
