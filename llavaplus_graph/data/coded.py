"""Pictures of QR codes and barcodes, alone or on posters, labels and photographs."""

import random

from PIL import Image, ImageDraw

from llavaplus_graph.data.painted import canvas_size, colour, photograph
from llavaplus_graph.data.strings import printed
from llavaplus_graph.data.written import font
from llavaplus_graph.errors import MissingExtraError

_LEFT = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_PARITY = ("LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG", "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL")


def qr_code(rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Draw a QR code; gives the picture and the text in the code."""
    try:
        import segno
    except ImportError as error:
        raise MissingExtraError("drawing QR codes", extra="train") from error
    text = rng.choice(
        [
            f"https://{rng.choice(['www.', ''])}{rng.choice(['example', 'shop', 'museum'])}.org/"
            f"{rng.randint(1, 99999)}",
            printed(rng),
        ]
    )
    matrix = [
        [bool(cell) for cell in row]
        for row in segno.make(text, error=rng.choice("lmqh"), micro=False).matrix_iter(border=rng.choice([2, 4]))
    ]
    scale = rng.randint(4, 9)
    dark = rng.choice([(0, 0, 0), (0, 0, 0), colour(rng, 0, 90)])
    code = Image.new("RGB", (len(matrix[0]), len(matrix)), (255, 255, 255))
    code.putdata([dark if cell else (255, 255, 255) for row in matrix for cell in row])
    code = code.resize((code.width * scale, code.height * scale), Image.Resampling.NEAREST)
    return _placed(code, rng), [text]


def barcode(rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Draw an EAN-13 barcode with its digits; gives the picture and the number."""
    digits = [rng.randint(0, 9) for _ in range(12)]
    digits.append((10 - sum(d * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10) % 10)
    bars = ean13(digits)
    unit, height = rng.randint(2, 4), rng.randint(50, 140)
    code = Image.new("RGB", (len(bars) * unit + 22 * unit, height + 26), (255, 255, 255))
    draw = ImageDraw.Draw(code)
    for index, bar in enumerate(bars):
        if bar == "1":
            draw.rectangle(
                (11 * unit + index * unit, 8, 11 * unit + (index + 1) * unit - 1, 8 + height - 10), fill=(0, 0, 0)
            )
    text = "".join(map(str, digits))
    draw.text((11 * unit, height), text, font=font("DejaVuSansMono.ttf", 15), fill=(0, 0, 0))
    return _placed(code, rng), [text]


def ean13(digits: list[int]) -> str:
    """Give the bars of an EAN-13 number as a string of 95 modules, `1` for dark.

    Args:
        digits: Thirteen digits, the last one the check digit.
    """
    left = ""
    for digit, parity in zip(digits[1:7], _PARITY[digits[0]], strict=True):
        left += _LEFT[digit] if parity == "L" else _inverted(_LEFT[digit])[::-1]
    right = "".join(_inverted(_LEFT[digit]) for digit in digits[7:])
    return f"101{left}01010{right}101"


def _inverted(bits: str) -> str:
    return bits.translate(str.maketrans("01", "10"))


def _placed(code: Image.Image, rng: random.Random) -> Image.Image:
    """Put a code alone on white, on a poster with a line of text, or on a photograph."""
    kind = rng.random()
    if kind < 0.35:
        return code
    code = code.convert("RGBA").rotate(rng.choice([0, 0, rng.uniform(-12, 12)]), Image.Resampling.BILINEAR, expand=True)
    width, height = canvas_size(rng)
    width, height = (
        max(width, int(code.width * rng.uniform(1.05, 1.8))),
        max(height, int(code.height * rng.uniform(1.15, 1.8))),
    )
    ground = (
        photograph(rng).resize((width, height))
        if kind < 0.6
        else Image.new("RGB", (width, height), rng.choice([(255, 255, 255), colour(rng, 120, 255), colour(rng)]))
    )
    ground.paste(code, (rng.randint(0, width - code.width), rng.randint(0, height - code.height)), code)
    if kind > 0.75:
        ImageDraw.Draw(ground).text(
            (10, 4),
            printed(rng)[:24],
            font=font("DejaVuSans-Bold.ttf", rng.randint(12, 22)),
            fill=rng.choice([(0, 0, 0), (200, 20, 30)]),
        )
    return ground
