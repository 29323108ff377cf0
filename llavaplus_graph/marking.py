"""The marks that results are drawn with: frames, contours, tints, chips with words. Knows pixels, no results.

Sizes follow the picture: lines and letters are a fixed share of its long side, small pictures are enlarged first, and
every colour comes with a dark and a light edge, so that a mark reads the same on a black and on a white picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from PIL import Image, ImageDraw, ImageFilter

from llavaplus_graph.lettering import Pen

if TYPE_CHECKING:
    from numpy.typing import NDArray

Corners = tuple[float, float, float, float]
Frame = tuple[int, int, int, int]
Colour = tuple[int, int, int]

PALETTE: Final[tuple[Colour, ...]] = (
    (222, 45, 145),
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (213, 94, 0),
    (86, 180, 233),
    (240, 228, 66),
    (148, 103, 189),
)
"""Colours that people with colour-blindness can tell apart (after Okabe and Ito, 2008).

First comes a pink that photographs hardly ever hold, because most results have one colour.
"""

SMALLEST_SIDE: Final = 256
"""A picture whose long side is shorter is enlarged by a whole factor before anything is drawn on it."""

WHITE: Final[Colour] = (255, 255, 255)
BLACK: Final[Colour] = (16, 16, 16)

_HIDDEN = 0.15  # of a label: one that would hide more of others is not written
_FULL = 0.3  # of the picture: where labels cover so much, no more are written
_CROWD = 25  # labels; with more of them they are written smaller
_INSIDE = 96  # pixels a side in which the thickest place of a region is looked for


class Chip(NamedTuple):
    """A label to be placed: what it says, its colour, and where it may stand, best place first (left, top)."""

    text: str
    colour: Colour
    frame: Frame
    inside: bool = False  # it stands in the middle of its frame, and only where it fits


def canvas_of(picture: Image.Image) -> Image.Image:
    """A copy in RGB, enlarged where it is too small for marks."""
    factor = -(-SMALLEST_SIDE // max(picture.size))
    if factor > 1:
        size = picture.width * factor, picture.height * factor
        return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    return picture.convert("RGB") if picture.mode != "RGB" else picture.copy()


def colour_of(number: int) -> Colour:
    """The colour of the name that comes at this place: those of the palette, then lighter and darker ones."""
    red, green, blue = PALETTE[number % len(PALETTE)]
    paler, darker = ((number // len(PALETTE)) % 3 == turn for turn in (1, 2))
    towards, share = (255, 0.5) if paler else (0, 0.45) if darker else (0, 0.0)
    return (
        round(red + (towards - red) * share),
        round(green + (towards - green) * share),
        round(blue + (towards - blue) * share),
    )


def ink_on(colour: Colour) -> Colour:
    """Black or white, whichever reads better on a colour."""
    red, green, blue = colour
    return WHITE if 299 * red + 587 * green + 114 * blue < 140_000 else BLACK


def stroke_of(canvas: Image.Image) -> int:
    """Width of a line, in pixels."""
    return max(2, round(max(canvas.size) / 300))


def letters_of(canvas: Image.Image) -> int:
    """Height of letters, in pixels."""
    return max(12, round(max(canvas.size) / 36))


def in_pixels(box: Corners, canvas: Image.Image) -> Frame:
    """A box as left, top, right, bottom, at least one pixel wide and high."""
    x1, y1, x2, y2 = box
    left, top = round(x1 * (canvas.width - 1)), round(y1 * (canvas.height - 1))
    return left, top, max(left + 1, round(x2 * (canvas.width - 1))), max(top + 1, round(y2 * (canvas.height - 1)))


def shape_of(mask: NDArray[Any], canvas: Image.Image) -> Image.Image:
    """A mask of any size as a picture of the canvas's size, black and white."""
    return Image.fromarray(mask.astype("uint8") * 255, "L").resize(canvas.size, Image.Resampling.NEAREST)


def frame(canvas: Image.Image, corner: Frame, colour: Colour, stroke: int) -> None:
    """A coloured frame between a dark and a light line, all inside the box."""
    pen = ImageDraw.Draw(canvas)
    left, top, right, bottom = corner
    thin = max(1, stroke // 3)
    for inset, width, paint in ((0, thin, BLACK), (thin, stroke, colour), (thin + stroke, thin, WHITE)):
        if right - left > 2 * inset and bottom - top > 2 * inset:
            pen.rectangle((left + inset, top + inset, right - inset, bottom - inset), outline=paint, width=width)


def tint(canvas: Image.Image, shape: Image.Image, colour: Colour) -> None:
    """Lays a colour over a shape, through which the picture still shows."""
    place = shape.getbbox()
    if place:
        part = shape.crop(place).point([level * 45 // 100 for level in range(256)])
        canvas.paste(Image.new("RGB", part.size, colour), place, part)


def contour(canvas: Image.Image, shape: Image.Image, colour: Colour) -> None:
    """A coloured line just inside a shape and a light and a dark one outside it."""
    place = shape.getbbox()
    if not place:
        return
    stroke = stroke_of(canvas)
    left, top = max(0, place[0] - 3 * stroke), max(0, place[1] - 3 * stroke)
    around = left, top, min(canvas.width, place[2] + 3 * stroke), min(canvas.height, place[3] + 3 * stroke)
    part = shape.crop(around)
    for reach, paint, inside in ((2 * stroke, BLACK, False), (stroke, WHITE, False), (stroke, colour, True)):
        # Blurring spreads the edge over `reach` pixels either way, whatever the size: much faster than dilating.
        band = part.filter(ImageFilter.BoxBlur(reach / 2))
        levels = [255 if 0 < level < 255 and (level >= 128) == inside else 0 for level in range(256)]
        canvas.paste(Image.new("RGB", part.size, paint), (left, top), band.point(levels))


def middle_of(shape: Image.Image) -> Frame:
    """The largest square that fits into the thickest place of a shape, about; a point where the shape is empty."""
    small = shape.copy()
    small.thumbnail((_INSIDE, _INSIDE), Image.Resampling.BOX)
    core = small.point([0] * 128 + [255] * 128)
    reach = 0
    last = core
    while core.getbbox():
        last, reach = core, reach + 1
        # Beyond the edge of the picture a region is taken to end.
        padded = Image.new("L", (core.width + 2, core.height + 2))
        padded.paste(core, (1, 1))
        core = padded.filter(ImageFilter.MinFilter(3)).crop((1, 1, core.width + 1, core.height + 1))
    left, top, right, bottom = last.getbbox() or (0, 0, 1, 1)
    spots = [(x, y) for y in range(top, bottom) for x in range(left, right) if last.getpixel((x, y))] or [(0, 0)]
    middle = (left + right - 1) / 2, (top + bottom - 1) / 2
    x, y = min(spots, key=lambda spot: (spot[0] - middle[0]) ** 2 + (spot[1] - middle[1]) ** 2)
    scale, half = shape.width / small.width, (reach - 0.5) * shape.width / small.width
    across, down = (x + 0.5) * scale, (y + 0.5) * scale
    return round(across - half), round(down - half), round(across + half), round(down + half)


def place_chips(canvas: Image.Image, chips: Sequence[Chip], avoid: Sequence[Frame] = ()) -> bool:
    """Writes labels where they cover each other least.

    Args:
        canvas: is written on.
        chips: the most important first; one that would cover another, or find no room, is left out.
        avoid: what should rather not be covered.

    Returns:
        Whether every label was written, and in full.
    """
    size = letters_of(canvas)
    pen = Pen(canvas, size if len(chips) <= _CROWD else max(12, round(size * 0.75)))
    pad = max(2, pen.size // 5)
    height = int(pen.size * 1.15) + 2 * pad
    taken: list[Frame] = []
    whole = True
    for chip in chips:
        if sum(_area(place) for place in taken) > _FULL * canvas.width * canvas.height:
            break
        text = pen.shortened(chip.text, canvas.width - 2 * pad)
        size_of_chip = min(canvas.width, pen.width(text) + 2 * pad), height
        place = _best_place(canvas, chip, size_of_chip, taken, avoid)
        if place is None:
            continue
        taken.append(place)
        whole = whole and text == chip.text
        ImageDraw.Draw(canvas).rectangle(place, fill=chip.colour, outline=ink_on(chip.colour))
        pen.write((place[0] + pad, (place[1] + place[3]) / 2), text, ink_on(chip.colour), anchor="lm")
    return whole and len(taken) == len(chips)


def _best_place(
    canvas: Image.Image, chip: Chip, size: tuple[int, int], taken: Sequence[Frame], avoid: Sequence[Frame]
) -> Frame | None:
    width, height = size
    left, top, right, bottom = chip.frame
    if chip.inside:
        if bottom - top < 1.2 * height or right - left < 0.8 * width:
            return None
        corners = [((left + right - width) // 2, (top + bottom - height) // 2)]
    else:
        beside = [(left - width, top), (right, top)] if avoid else []
        corners = [*beside, (left, top - height), (left, bottom), (left, top), (right - width, top)]
    places = [_kept_inside(corner, size, canvas) for corner in corners]
    readable = [place for place in places if _covered(place, taken) <= _HIDDEN * width * height]
    # Covering another label is worse than covering a frame.
    return min(readable, key=lambda place: 3 * _covered(place, taken) + _covered(place, avoid), default=None)


def _kept_inside(corner: tuple[int, int], size: tuple[int, int], canvas: Image.Image) -> Frame:
    width, height = size
    left = min(max(0, corner[0]), max(0, canvas.width - width))
    top = min(max(0, corner[1]), max(0, canvas.height - height))
    return left, top, left + width - 1, top + height - 1


def _area(place: Frame) -> int:
    return (place[2] - place[0]) * (place[3] - place[1])


def _covered(place: Frame, others: Sequence[Frame]) -> int:
    return sum(_overlap(place, other) for other in others)


def _overlap(one: Frame, other: Frame) -> int:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, across) * max(0, down)
