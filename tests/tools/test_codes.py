import io
from collections.abc import Callable

import numpy as np
import pytest
import segno
from PIL import Image, ImageOps

from llavaplus_graph.types import SkillResult, Texts
from llavaplus_tools import read_codes

LINK = "https://example.org/menu?table=12"
LEFT = ["0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011"]
PARITY = ["LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL"]


def qr(text: str, scale: int = 4) -> Image.Image:
    buffer = io.BytesIO()
    segno.make(text, micro=False).save(buffer, kind="png", scale=scale, border=4)
    return Image.open(buffer).convert("RGB")


def ean13(digits: str, module: int = 3) -> Image.Image:
    """A barcode drawn by the standard (GS1 General Specifications, section 5.2)."""
    flipped = [code.translate({48: 49, 49: 48}) for code in LEFT]
    tables = {"L": LEFT, "G": [code[::-1] for code in flipped]}
    left = "".join(tables[table][int(digit)] for digit, table in zip(digits[1:7], PARITY[int(digits[0])], strict=True))
    right = "".join(flipped[int(digit)] for digit in digits[7:])
    bars = f"{'0' * 10}101{left}01010{right}101{'0' * 10}"
    row = np.repeat([0 if bar == "1" else 255 for bar in bars], module)
    return Image.fromarray(np.tile(row.astype(np.uint8), (90, 1))).convert("RGB")


def placed(*codes: Image.Image, size: tuple[int, int] = (900, 600)) -> Image.Image:
    """Codes from left to right on grey."""
    canvas, left = Image.new("RGB", size, (200, 205, 210)), 30
    for code in codes:
        canvas.paste(code, (left, 100), code if code.mode == "RGBA" else None)
        left += code.width + 40
    return canvas


def turned(code: Image.Image, degrees: float) -> Image.Image:
    return code.convert("RGBA").rotate(degrees, Image.Resampling.BICUBIC, expand=True)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(placed(qr(LINK)), id="plain"),
        pytest.param(placed(qr(LINK, scale=1)), id="one pixel a module"),
        pytest.param(placed(turned(qr(LINK), 30)), id="slanted"),
        pytest.param(placed(turned(qr(LINK), 195)), id="upside down"),
        pytest.param(placed(ImageOps.invert(qr(LINK))), id="light on dark"),
        pytest.param(ImageOps.crop(qr(LINK), 16), id="cut out without a margin"),
    ],
)
def test_a_qr_code_is_read(ask: Callable[..., SkillResult], picture: Image.Image) -> None:
    assert ask(read_codes, image=picture).content() == {"texts": [LINK], "formats": ["QR_CODE"]}


@pytest.mark.parametrize("module", [1, 2, 3, 4])
@pytest.mark.parametrize("degrees", [0, 5, 90])
def test_a_barcode_is_read(ask: Callable[..., SkillResult], module: int, degrees: int) -> None:
    picture = placed(turned(ean13("9780306406157", module), degrees))
    assert ask(read_codes, image=picture).content() == {"texts": ["9780306406157"], "formats": ["EAN_13"]}


def test_several_codes_come_from_left_to_right_with_their_places(ask: Callable[..., SkillResult]) -> None:
    result = ask(read_codes, image=placed(qr(LINK), ean13("4006381333931"), qr("Grüße 你好")))
    assert isinstance(result, Texts)
    assert result.texts == (LINK, "4006381333931", "Grüße 你好")
    assert result.formats == ("QR_CODE", "EAN_13", "QR_CODE")
    assert result.boxes[0] == pytest.approx((46 / 900, 116 / 600, 146 / 900, 216 / 600), abs=0.03)
    assert result.draw().width == 900


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (2, 500), (16000, 3)], ids=str)
def test_a_picture_without_codes_gives_none(ask: Callable[..., SkillResult], size: tuple[int, int]) -> None:
    assert ask(read_codes, image=Image.new("RGB", size, "white")).content() == {"texts": [], "formats": []}


def test_noise_is_no_code(ask: Callable[..., SkillResult]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    assert ask(read_codes, image=Image.fromarray(noise)).content() == {"texts": [], "formats": []}
