"""EAN-13 and Code 128 as bars: pure encoders and the drawing of their modules; knows no label."""

from __future__ import annotations

from PIL import Image, ImageDraw

from llavaplus_graph.data.pictures.fields import Colour

_ODD = ("0001101", "0011001", "0010011", "0111101", "0100011", "0110001", "0101111", "0111011", "0110111", "0001011")
_PARITIES = ("OOOOOO", "OOEOEE", "OOEEOE", "OOEEEO", "OEOOEE", "OEEOOE", "OEEEOO", "OEOEOE", "OEOEEO", "OEEOEO")
QUIET = 10
"""Light modules that must stand at either side of the bars."""

# Widths of the bars and spaces of Code 128's symbols 0 to 105, six each, as in ISO/IEC 15417.
_WIDTHS = (
    "212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222123122123221"
    "223211221132221231213212223112312131311222321122321221312212322112322211212123212321232121111323131123131321"
    "112313132113132311211313231113231311112133112331132131113123113321133121313121211331231131213113213311213131"
    "311123311321331121312113312311332111314111221411431111111224111422121124121421141122141221112214112412122114"
    "122411142112142211241211221114413111241112134111111242121142121241114212124112124211411212421112421211212141"
    "214121412121111143111341131141114113114311411113411311113141114131311141411131211412211214211232"
)
_START_B, _START_C, _TO_B = 104, 105, 100
_STOP = "2331112"


def ean_13(digits: str) -> str:
    """Encode twelve or thirteen digits; a thirteenth digit must be the right check digit.

    Returns:
        95 modules, ``"1"`` dark and ``"0"`` light, without quiet zones.

    Raises:
        ValueError: not twelve or thirteen digits, or a wrong check digit.
    """
    full = digits[:12] + check_digit(digits[:12])
    if len(digits) not in (12, 13) or not full.startswith(digits):
        raise ValueError(f"{digits!r} must be 12 digits, or 13 with the check digit {full[-1]!r} at the end")
    first, rest = int(full[0]), full[1:]
    left = "".join(
        _ODD[int(digit)] if parity == "O" else _flipped(_ODD[int(digit)])[::-1]
        for digit, parity in zip(rest[:6], _PARITIES[first], strict=True)
    )
    right = "".join(_flipped(_ODD[int(digit)]) for digit in rest[6:])
    return f"101{left}01010{right}101"


def check_digit(digits: str) -> str:
    """Compute the check digit of the first twelve digits of an EAN-13."""
    if not (digits.isascii() and digits.isdigit() and len(digits) == 12):
        raise ValueError(f"{digits!r} must be 12 digits")
    return str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10)


def code_128(text: str) -> str:
    """Encode printable ASCII as Code 128, pairs of digits in set C where all is digits, else set B.

    Returns:
        Modules, ``"1"`` dark and ``"0"`` light, without quiet zones.

    Raises:
        ValueError: an empty text or a character outside printable ASCII.
    """
    if not text or any(not " " <= letter <= "~" for letter in text):
        raise ValueError(f"{text!r} must be one or more printable ASCII characters")
    if text.isdigit() and len(text) > 3:
        even = len(text) // 2 * 2
        symbols = [_START_C] + [int(text[k : k + 2]) for k in range(0, even, 2)]
        symbols += [_TO_B, ord(text[-1]) - 32] if len(text) % 2 else []
    else:
        symbols = [_START_B] + [ord(letter) - 32 for letter in text]
    symbols.append((symbols[0] + sum(place * symbol for place, symbol in enumerate(symbols[1:], 1))) % 103)
    widths = "".join(_WIDTHS[symbol * 6 : symbol * 6 + 6] for symbol in symbols) + _STOP
    return "".join(("1" if place % 2 == 0 else "0") * int(width) for place, width in enumerate(widths))


def drawn_bars(modules: str, module: int, height: int, dark: Colour, light: Colour) -> Image.Image:
    """Draw modules as bars with quiet zones.

    Args:
        modules: dark and light modules as ``"1"`` and ``"0"``.
        module: width of one in pixels.
        height: height of the bars in pixels.
        dark: colour of the bars.
        light: colour between them.

    Returns:
        RGB, as wide as the modules and two quiet zones.
    """
    picture = Image.new("RGB", ((len(modules) + 2 * QUIET) * module, height), light)
    draw = ImageDraw.Draw(picture)
    for place, bit in enumerate(modules, QUIET):
        if bit == "1":
            draw.rectangle([place * module, 0, (place + 1) * module - 1, height], fill=dark)
    return picture


def _flipped(modules: str) -> str:
    return modules.translate({48: "1", 49: "0"})
