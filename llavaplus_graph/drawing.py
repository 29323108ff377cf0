"""Puts boxes, masks, scene maps, numbered texts and sentences onto pictures. Knows shares of pictures, no skill.

What finds no room on the picture stands in a legend below it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image, ImageDraw

from llavaplus_graph.lettering import Pen
from llavaplus_graph.marking import (
    BLACK,
    WHITE,
    Chip,
    Colour,
    Corners,
    Frame,
    canvas_of,
    colour_of,
    contour,
    frame,
    in_pixels,
    ink_on,
    letters_of,
    middle_of,
    place_chips,
    shape_of,
    stroke_of,
    tint,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_LINE = 16  # times the height of a letter
_SCORE = re.compile(r" [01]\.\d\d$")


class _Entry(NamedTuple):
    """A line of a legend: a colour, or a mark on it, and what they stand for."""

    text: str
    colour: Colour
    mark: str = ""


def draw_boxes(picture: Image.Image, boxes: Sequence[Corners], labels: Sequence[str], below: str = "") -> Image.Image:
    """Draws labelled boxes; labels that differ in nothing but a score share a colour.

    Args:
        picture: any mode; it stays as it is.
        boxes: x1, y1, x2, y2 as shares of the picture.
        labels: one each, the most important first; an empty one draws no label. Where they are too many to be
            written, a legend says what the colours mean.
        below: a sentence for underneath the picture.

    Returns:
        A new RGB picture, higher than the one given where something stands below it, and wider where it is too narrow
        to be written under.
    """
    canvas = canvas_of(picture)
    colours = _colours(labels)
    corners = [in_pixels(box, canvas) for box in boxes]
    # The largest boxes first, so that the smaller ones inside stay visible.
    for index in sorted(range(len(boxes)), key=lambda i: -_extent(corners[i])):
        frame(canvas, corners[index], colours[index], stroke_of(canvas))
    return _below(_labelled(canvas, corners, labels, colours), below)


def draw_masks(picture: Image.Image, masks: Sequence[NDArray[Any]], labels: Sequence[str]) -> Image.Image:
    """Tints masks and draws their contours.

    Args:
        picture: any mode; it stays as it is.
        masks: height x width arrays of bool; another size than the picture's is scaled.
        labels: one each; an empty one draws no label. Several masks without any label are numbered from 1.

    Returns:
        A new RGB picture, higher than the one given where a legend stands below it.
    """
    canvas = canvas_of(picture)
    named = list(labels) if any(labels) or len(masks) == 1 else [str(index + 1) for index in range(len(masks))]
    colours = _colours([label or str(index) for index, label in enumerate(named)])
    shapes = [shape_of(mask, canvas) for mask in masks]
    _paint(canvas, shapes, colours)
    corners = [shape.getbbox() or (0, 0, 1, 1) for shape in shapes]
    shown = [label if shape.getbbox() else "" for shape, label in zip(shapes, named, strict=True)]
    return _labelled(canvas, corners, shown, colours)


def draw_scene(picture: Image.Image, masks: Sequence[NDArray[Any]], names: Sequence[str]) -> Image.Image:
    """Tints every area in the colour of its class, names it where there is room, and adds a legend with shares.

    Args:
        picture: any mode; it stays as it is.
        masks: height x width arrays of bool; another size than the picture's is scaled.
        names: one each.

    Returns:
        A new RGB picture, higher than the one given.
    """
    canvas = canvas_of(picture)
    colours = _colours(names)
    shapes = [shape_of(mask, canvas) for mask in masks]
    _paint(canvas, shapes, colours)
    order = sorted(range(len(masks)), key=lambda index: -int(masks[index].sum()))
    place_chips(canvas, [Chip(names[index], colours[index], middle_of(shapes[index]), inside=True) for index in order])
    entries = [_Entry(f"{names[index]}  {_percent(masks[index])}", colours[index]) for index in order]
    return _with_legend(canvas, entries)


def draw_numbered(picture: Image.Image, boxes: Sequence[Corners], texts: Sequence[str] = ()) -> Image.Image:
    """Frames regions and numbers them from 1, in the order they are given.

    Args:
        picture: any mode; it stays as it is.
        boxes: x1, y1, x2, y2 as shares of the picture.
        texts: what the numbers stand for, in a legend below; none at all for no legend.

    Returns:
        A new RGB picture, higher than the one given where there are texts.
    """
    canvas = canvas_of(picture)
    corners = [in_pixels(box, canvas) for box in boxes]
    colour = colour_of(0)
    for corner in corners:
        frame(canvas, corner, colour, max(1, stroke_of(canvas) // 2))
    chips = [Chip(str(index + 1), colour, corner) for index, corner in enumerate(corners)]
    place_chips(canvas, chips, avoid=corners)
    return _with_legend(canvas, [_Entry(text, colour, str(index + 1)) for index, text in enumerate(texts)])


def draw_caption(picture: Image.Image, text: str) -> Image.Image:
    """Adds a strip with a text, wrapped to the picture's width, underneath the picture.

    Args:
        picture: any mode; it stays as it is.
        text: lines are kept; letters that no font has are folded to ASCII or shown as ``?``.

    Returns:
        A new RGB picture, higher than the one given.
    """
    return _below(canvas_of(picture), text or " ")


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
    sheet = Image.new("RGB", (sum(picture.width for picture in row) + gap * (len(row) - 1), first.height), WHITE)
    left = 0
    for picture in row:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    return sheet


def _paint(canvas: Image.Image, shapes: Sequence[Image.Image], colours: Sequence[Colour]) -> None:
    for shape, colour in zip(shapes, colours, strict=True):
        tint(canvas, shape, colour)
    for shape, colour in zip(shapes, colours, strict=True):
        contour(canvas, shape, colour)


def _labelled(
    canvas: Image.Image, corners: Sequence[Frame], labels: Sequence[str], colours: Sequence[Colour]
) -> Image.Image:
    """With a label at each frame; where not all of them fit, with a legend that counts them."""
    rows = list(zip(corners, labels, colours, strict=True))
    if place_chips(canvas, [Chip(label, colour, corner) for corner, label, colour in rows if label]):
        return canvas
    counts = Counter((_name(label), colour) for _, label, colour in rows if label)
    return _with_legend(
        canvas, [_Entry(name if n == 1 else f"{name}  ({n})", colour) for (name, colour), n in counts.items()]
    )


def _below(canvas: Image.Image, text: str) -> Image.Image:
    if not text:
        return canvas
    canvas = _wide_enough(canvas)
    margin = _margin(canvas)
    lines = Pen(canvas, letters_of(canvas)).wrapped(text, canvas.width - 2 * margin)
    line = Pen(canvas, letters_of(canvas)).line
    strip = _with_strip(canvas, len(lines) * line + 2 * margin)
    pen = Pen(strip, letters_of(canvas))
    for index, words in enumerate(lines):
        pen.write((margin, canvas.height + margin + index * line), words, BLACK)
    return strip


def _with_legend(canvas: Image.Image, entries: Sequence[_Entry]) -> Image.Image:
    """Adds lines below, in as many columns as fit; it grows no higher than twice the picture."""
    if not entries:
        return canvas
    canvas = _wide_enough(canvas)
    margin = _margin(canvas)
    pen = Pen(canvas, max(12, round(letters_of(canvas) * 0.85)))
    patch = max(pen.width(entry.mark or "0") for entry in entries) + pen.size // 2
    widest = max(pen.width(entry.text) for entry in entries) + patch + 3 * margin
    columns = max(1, (canvas.width - margin) // widest)
    most = max(8, 2 * canvas.height // pen.line) * columns
    shown = entries if len(entries) <= most else entries[: most - 1]
    room = canvas.width - 3 * margin - patch
    cells = [pen.wrapped(entry.text, room) if columns == 1 else [entry.text] for entry in shown]
    if len(entries) > len(shown):
        cells.append([f"and {len(entries) - len(shown)} more"])
    rows = -(-len(cells) // columns)
    height = sum(map(len, cells)) if columns == 1 else rows
    strip = _with_strip(canvas, height * pen.line + 2 * margin)
    pen = Pen(strip, pen.size)
    down = 0
    for index, lines in enumerate(cells):
        column, row = (0, down) if columns == 1 else divmod(index, rows)
        left, top = margin + column * widest, canvas.height + margin + row * pen.line
        if index < len(shown):
            _patch(strip, shown[index], (left, top, left + patch, top + pen.line - max(2, pen.size // 6)), pen)
        for number, words in enumerate(lines):
            pen.write((left + patch + margin, top + number * pen.line), words, BLACK)
        down += max(1, len(lines))
    return strip


def _patch(strip: Image.Image, entry: _Entry, place: Frame, pen: Pen) -> None:
    ImageDraw.Draw(strip).rectangle(place, fill=entry.colour, outline=BLACK)
    if entry.mark:
        middle = (place[0] + place[2]) / 2, (place[1] + place[3]) / 2
        pen.write(middle, entry.mark, ink_on(entry.colour), anchor="mm")


def _wide_enough(canvas: Image.Image) -> Image.Image:
    """A picture that is too narrow to be written under gets white beside it."""
    least = _LEAST_LINE * letters_of(canvas)
    if canvas.width >= least:
        return canvas
    wide = Image.new("RGB", (least, canvas.height), WHITE)
    wide.paste(canvas)
    return wide


def _with_strip(canvas: Image.Image, height: int) -> Image.Image:
    strip = Image.new("RGB", (canvas.width, canvas.height + height), WHITE)
    strip.paste(canvas)
    return strip


def _margin(canvas: Image.Image) -> int:
    return max(4, letters_of(canvas) // 2)


def _colours(labels: Sequence[str]) -> list[Colour]:
    """One colour a name; a score after the name does not change it."""
    names = [_name(label) for label in labels]
    order = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return [colour_of(order[name]) for name in names]


def _name(label: str) -> str:
    return _SCORE.sub("", label)


def _percent(mask: NDArray[Any]) -> str:
    share = 100 * float(mask.mean())
    return "under 1 %" if share < 1 else f"{share:.0f} %"


def _extent(corner: Frame) -> int:
    return (corner[2] - corner[0]) * (corner[3] - corner[1])
