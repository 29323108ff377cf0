"""Puts boxes, masks, numbers and sentences onto pictures. Knows pixels and shares of them, no result and no skill.

Sizes follow the picture: lines and letters are a fixed share of its long side, small pictures are enlarged first, and
every colour comes with a dark and a light edge, so that a drawing reads the same on a black and on a white picture.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from numpy.typing import NDArray

Corners = tuple[float, float, float, float]
Frame = tuple[int, int, int, int]
Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
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

SMALLEST_SIDE = 256
"""A picture whose long side is shorter is enlarged by a whole factor before anything is drawn on it."""

_SCORE = re.compile(r" [01]\.\d\d$")
_WHITE, _BLACK = (255, 255, 255), (16, 16, 16)


def draw_boxes(picture: Image.Image, boxes: Sequence[Corners], labels: Sequence[str]) -> Image.Image:
    """Draws labelled boxes; labels that differ in nothing but a score share a colour.

    Args:
        picture: any mode; it stays as it is.
        boxes: x1, y1, x2, y2 as shares of the picture.
        labels: one each; an empty one draws no label.

    Returns:
        A new RGB picture.
    """
    canvas = _canvas(picture)
    pen = ImageDraw.Draw(canvas)
    colours = _colours(labels)
    corners = [_in_pixels(box, canvas) for box in boxes]
    # The largest boxes first, so that the smaller ones inside stay visible.
    for index in sorted(range(len(boxes)), key=lambda i: -_extent(corners[i])):
        _outline(pen, corners[index], colours[index], _stroke(canvas))
    _place_labels(canvas, corners, labels, colours)
    return canvas


def draw_masks(picture: Image.Image, masks: Sequence[NDArray[Any]], labels: Sequence[str]) -> Image.Image:
    """Tints masks and draws their contours.

    Args:
        picture: any mode; it stays as it is.
        masks: height x width arrays of bool; another size than the picture's is scaled.
        labels: one each; an empty one draws no label.

    Returns:
        A new RGB picture.
    """
    canvas = _canvas(picture)
    # Unlabelled masks are told apart by number, labelled ones by what they are.
    colours = _colours([label or str(index) for index, label in enumerate(labels)])
    shapes = [Image.fromarray(mask.astype("uint8") * 255, "L").resize(canvas.size, 0) for mask in masks]
    for shape, colour in zip(shapes, colours, strict=True):
        canvas.paste(
            Image.new("RGB", canvas.size, colour), mask=shape.point([level * 45 // 100 for level in range(256)])
        )
    for shape, colour in zip(shapes, colours, strict=True):
        _contour(canvas, shape, colour)
    corners = [shape.getbbox() or (0, 0, 1, 1) for shape in shapes]
    shown = [label if shape.getbbox() else "" for shape, label in zip(shapes, labels, strict=True)]
    _place_labels(canvas, corners, shown, colours)
    return canvas


def draw_numbered(picture: Image.Image, boxes: Sequence[Corners]) -> Image.Image:
    """Frames regions and numbers them from 1, in the order they are given.

    Args:
        picture: any mode; it stays as it is.
        boxes: x1, y1, x2, y2 as shares of the picture.

    Returns:
        A new RGB picture.
    """
    canvas = _canvas(picture)
    pen = ImageDraw.Draw(canvas)
    corners = [_in_pixels(box, canvas) for box in boxes]
    for corner in corners:
        _outline(pen, corner, PALETTE[0], max(1, _stroke(canvas) // 2))
    numbers = [str(index + 1) for index in range(len(boxes))]
    _place_labels(canvas, corners, numbers, [PALETTE[0]] * len(boxes), avoid=corners)
    return canvas


def draw_caption(picture: Image.Image, text: str) -> Image.Image:
    """Adds a strip with a text, wrapped to the picture's width, underneath the picture.

    Args:
        picture: any mode; it stays as it is.
        text: lines are kept; what the built-in font lacks is folded to ASCII or shown as ``?``.

    Returns:
        A new RGB picture, higher than the one given.
    """
    canvas = _canvas(picture)
    font = _font(canvas)
    margin = max(4, int(font.size) // 2)
    lines = [line for part in text.splitlines() for line in _wrapped(part, font, canvas.width - 2 * margin)]
    height = int(font.size * 1.3)
    strip = Image.new("RGB", (canvas.width, canvas.height + len(lines) * height + 2 * margin), _WHITE)
    strip.paste(canvas)
    pen = ImageDraw.Draw(strip)
    for index, line in enumerate(lines):
        pen.text((margin, canvas.height + margin + index * height), line, fill=_BLACK, font=font)
    return strip


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """One picture as it is, or several in a row on white, each at the first one's height."""
    first = pictures[0].convert("RGB")
    if len(pictures) == 1:
        return first
    gap = max(4, first.height // 50)
    row = [first]
    for picture in pictures[1:]:
        width = max(1, round(picture.width * first.height / picture.height))
        row.append(picture.convert("RGB").resize((width, first.height), Image.Resampling.LANCZOS))
    sheet = Image.new("RGB", (sum(picture.width for picture in row) + gap * (len(row) - 1), first.height), _WHITE)
    left = 0
    for picture in row:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    return sheet


def _canvas(picture: Image.Image) -> Image.Image:
    factor = -(-SMALLEST_SIDE // max(picture.size))
    if factor > 1:
        return picture.convert("RGB").resize(
            (picture.width * factor, picture.height * factor), Image.Resampling.BICUBIC
        )
    return picture.convert("RGB") if picture.mode != "RGB" else picture.copy()


def _stroke(canvas: Image.Image) -> int:
    return max(2, round(max(canvas.size) / 300))


def _font(canvas: Image.Image) -> ImageFont.FreeTypeFont:
    return _font_of(max(12, round(max(canvas.size) / 36)))


@lru_cache(maxsize=32)
def _font_of(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError(
            "Pillow was built without FreeType, so nothing can be written on pictures; install its wheel"
        )
    return font


def _colours(labels: Sequence[str]) -> list[Colour]:
    """One colour a name; a score after the name does not change it."""
    names = [_SCORE.sub("", label) for label in labels]
    order = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return [PALETTE[order[name] % len(PALETTE)] for name in names]


def _in_pixels(box: Corners, canvas: Image.Image) -> Frame:
    x1, y1, x2, y2 = box
    left, top = round(x1 * (canvas.width - 1)), round(y1 * (canvas.height - 1))
    return left, top, max(left + 1, round(x2 * (canvas.width - 1))), max(top + 1, round(y2 * (canvas.height - 1)))


def _extent(corner: Frame) -> int:
    return (corner[2] - corner[0]) * (corner[3] - corner[1])


def _outline(pen: ImageDraw.ImageDraw, corner: Frame, colour: Colour, stroke: int) -> None:
    """A coloured frame between a dark and a light line, all inside the box."""
    left, top, right, bottom = corner
    thin = max(1, stroke // 3)
    for inset, width, paint in ((0, thin, _BLACK), (thin, stroke, colour), (thin + stroke, thin, _WHITE)):
        if right - left > 2 * inset and bottom - top > 2 * inset:
            pen.rectangle((left + inset, top + inset, right - inset, bottom - inset), outline=paint, width=width)


def _contour(canvas: Image.Image, shape: Image.Image, colour: Colour) -> None:
    """A coloured line just inside the mask and a light and a dark one outside it."""
    stroke = _stroke(canvas)
    for reach, paint, inside in ((2 * stroke, _BLACK, False), (stroke, _WHITE, False), (stroke, colour, True)):
        # Blurring spreads the edge over `reach` pixels either way, whatever the size: much faster than dilating.
        band = shape.filter(ImageFilter.BoxBlur(reach / 2))
        levels = [255 if 0 < level < 255 and (level >= 128) == inside else 0 for level in range(256)]
        canvas.paste(Image.new("RGB", canvas.size, paint), mask=band.point(levels))


def _place_labels(
    canvas: Image.Image,
    corners: Sequence[Frame],
    labels: Sequence[str],
    colours: Sequence[Colour],
    avoid: Sequence[Frame] = (),
) -> None:
    """Writes each label at the place by its box that covers the least of earlier labels and of what to avoid."""
    pen = ImageDraw.Draw(canvas)
    font = _font(canvas)
    pad = max(2, int(font.size) // 5)
    height = int(font.size * 1.15) + 2 * pad
    taken = list(avoid)
    for (left, top, right, bottom), label, colour in zip(corners, labels, colours, strict=True):
        if not label:
            continue
        text = _shortened(_writable(label), font, canvas.width - 2 * pad)
        width = min(canvas.width, int(font.getlength(text)) + 2 * pad + 1)
        beside = [(left - width, top), (right, top)] if avoid else []
        places = [*beside, (left, top - height), (left, bottom), (left, top), (right - width, top)]
        chips = [_kept_inside(place, (width, height), canvas) for place in places]
        chip = min(chips, key=lambda candidate: sum(_overlap(candidate, other) for other in taken))
        taken.append(chip)
        pen.rectangle(chip, fill=colour, outline=_WHITE if _is_dark(colour) else _BLACK)
        ink = _WHITE if _is_dark(colour) else _BLACK
        pen.text((chip[0] + pad, (chip[1] + chip[3]) / 2), text, fill=ink, font=font, anchor="lm")


def _kept_inside(place: tuple[int, int], size: tuple[int, int], canvas: Image.Image) -> Frame:
    width, height = size
    left = min(max(0, place[0]), max(0, canvas.width - width))
    top = min(max(0, place[1]), max(0, canvas.height - height))
    return left, top, left + width - 1, top + height - 1


def _overlap(one: Frame, other: Frame) -> int:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, across) * max(0, down)


def _is_dark(colour: Colour) -> bool:
    red, green, blue = colour
    return 299 * red + 587 * green + 114 * blue < 140_000


def _writable(text: str) -> str:
    """The text in the letters that Pillow's built-in font has: ASCII, with accents dropped."""
    folded = unicodedata.normalize("NFKD", text)
    kept = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" else "?" for letter in kept)


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    lines: list[str] = []
    for word in _writable(text).split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(_shortened(word, font, width))
    return lines
