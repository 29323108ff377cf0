"""The class of receipts: narrow slips with goods, prices and totals, flat or lying on a table."""

from __future__ import annotations

import random

from PIL import Image

from llavaplus_graph.data.pictures.bars import code_128, drawn_bars
from llavaplus_graph.data.pictures.camera import laid_on, shaded, snapped
from llavaplus_graph.data.pictures.colours import BLACK
from llavaplus_graph.data.pictures.drawn import DrawnPicture
from llavaplus_graph.data.pictures.fields import Colour, field, ramp
from llavaplus_graph.data.pictures.fonts import Font, line_height, load, pick_face
from llavaplus_graph.data.pictures.materials import table_top
from llavaplus_graph.data.pictures.photographs import photographed_ground
from llavaplus_graph.data.pictures.receipt_texts import CLOSINGS, ITEMS, SHOPS
from llavaplus_graph.data.pictures.sheet import Align, Sheet, canvas_size
from llavaplus_graph.data.pictures.words import Words

_FACES = ("DejaVuSansMono", "DejaVuSansMono", "DejaVuSansMono-Bold", "cmtt10")


def receipt(rng: random.Random) -> DrawnPicture:
    """Draw a receipt of a shop, a restaurant or a filling station."""
    if rng.random() < 0.35:
        size = canvas_size(rng, 0.5, 0.85, shortest=340)
        slip = _slip(size, rng)
        return DrawnPicture(snapped(slip.picture, rng), "receipt", tuple(slip.texts))
    size = canvas_size(rng, 0.5, 1.3, shortest=400)
    # Drawn at the size it will have, so that its letters stay as they were printed.
    height = round(size[1] * rng.uniform(0.9, 0.97))
    slip = _slip((min(round(size[0] * 0.92), max(200, round(height * rng.uniform(0.38, 0.6)))), height), rng)
    ground = table_top(size, rng) if rng.random() < 0.75 else photographed_ground(size, rng)
    picture = laid_on(
        ground, slip.picture, rng, turn=rng.choice([0, 2, 7]), lean=rng.choice([0, 0.02, 0.06]), cover=(0.94, 1.0)
    )
    return DrawnPicture(snapped(picture, rng), "receipt", tuple(slip.texts))


def _slip(size: tuple[int, int], rng: random.Random) -> Sheet:
    width = size[0]
    level = rng.randint(228, 255)
    ground: Colour = (level, level, level - rng.randint(0, 14))
    ink: Colour = (rng.randint(0, 70),) * 3 if rng.random() < 0.9 else (40, 40, rng.randint(90, 130))
    sheet = Sheet.of(size, ground, ink)
    columns = rng.randint(22, 36)
    face = rng.choice(_FACES) if rng.random() < 0.9 else pick_face(rng, "sans")
    margin = width * rng.uniform(0.04, 0.09)
    font = load(face, max(9, min(20, round((width - 2 * margin) / columns / 0.6))))
    _fill(sheet, font, margin, rng)
    if rng.random() < 0.5:
        sheet.picture = _crumpled(sheet.picture, rng)
    return sheet


def _crumpled(picture: Image.Image, rng: random.Random) -> Image.Image:
    folds = ramp(field(picture.size, rng, rng.choice([2, 2.5, 3])), [(205, 203, 198), (255, 255, 255)])
    return shaded(Image.blend(picture, Image.fromarray(folds), rng.uniform(0.08, 0.22)), rng, rng.uniform(0, 0.25))


def _fill(sheet: Sheet, font: Font, margin: float, rng: random.Random) -> None:
    """Print a receipt from top to bottom as far as the slip reaches."""
    words, right = Words(rng), sheet.width - margin
    row = line_height(font) * rng.choice([1.0, 1.1, 1.25])
    y = _head(sheet, font, margin, rng, words, row)
    y = _rule(sheet, font, margin, y, rng)
    currency = rng.choice(["", "", "", "$"]) if font.getname()[0] != "cmtt10" else ""
    room = int((sheet.height - y) / row) - rng.randint(4, 9)
    total = 0
    for _ in range(max(1, min(room, rng.choice([2, 4, 7, 11, 18, 30])))):
        cents = rng.choice([rng.randint(40, 900), rng.randint(100, 3000)])
        item = rng.choice(ITEMS)
        item = item.upper() if font.size % 2 else item
        sheet.print_apart(
            (margin, y),
            f"{rng.choice(['', '', '1 ', '2 ', '3 x '])}{item}",
            f"{currency}{cents / 100:.2f}",
            font,
            right=right,
        )
        total += cents
        y += row
    y = _rule(sheet, font, margin, y, rng)
    for label, amount in _sums(total, rng):
        sheet.print_apart((margin, y), label, f"{currency}{amount / 100:.2f}", font, right=right)
        y += row
    y += row * 0.4
    _foot(sheet, font, margin, rng, words, (y, row))


def _head(sheet: Sheet, font: Font, margin: float, rng: random.Random, words: Words, row: float) -> float:
    right, y = sheet.width - margin, sheet.height * rng.uniform(0.02, 0.06)
    align: Align = rng.choice(["centre", "centre", "left"])
    large = load(pick_face(rng, rng.choice(["bold", "mono"])), round(font.size * rng.uniform(1.1, 1.8)))
    y += (
        sheet.print((margin, y), f"{words.surname().upper()} {rng.choice(SHOPS)}", large, right=right, align=align)
        or row
    )
    for line in [words.street(), words.city(), f"TEL {words.phone()}", f"VAT {rng.randint(10**7, 10**8)}"][
        : rng.randint(0, 4)
    ]:
        y += sheet.print((margin, y), line, font, right=right, align=align) and row
    sheet.print_apart((margin, y + row * 0.3), words.date(), words.time(), font, right=right)
    return y + row * 1.4


def _sums(total: int, rng: random.Random) -> list[tuple[str, int]]:
    tax = round(total * rng.choice([0.05, 0.07, 0.1, 0.19, 0.2]))
    given = total + rng.randint(0, 2000)
    sums = [
        ("SUBTOTAL", total - tax),
        (rng.choice(["TAX", "VAT", "GST"]), tax),
        (rng.choice(["TOTAL", "TOTAL", "Total", "BALANCE DUE"]), total),
    ]
    return sums[rng.choice([0, 0, 2]) :] + rng.choice(
        [[("CASH", given), ("CHANGE", given - total)], [("CARD", total)], [("VISA", total)], []]
    )


def _foot(sheet: Sheet, font: Font, margin: float, rng: random.Random, words: Words, at: tuple[float, float]) -> None:
    y, row = at
    right = sheet.width - margin
    lines = [
        f"CARD **** **** {rng.randint(1000, 9999)}",
        f"ITEMS {rng.randint(1, 20)}",
        rng.choice(CLOSINGS),
        rng.choice(CLOSINGS),
        words.url(),
    ]
    for line in rng.sample(lines, rng.randint(1, 4)):
        sheet.print((margin, y), line, font, right=right, align="centre")
        y += row
    if rng.random() < 0.25 and sheet.height - y > 36:
        bars = drawn_bars(
            code_128(str(rng.randint(10**7, 10**9))), 1 if sheet.width < 260 else 2, 24, BLACK, sheet.ground
        )
        if bars.width < sheet.width - 4:
            sheet.picture.paste(bars, ((sheet.width - bars.width) // 2, round(y + 6)))


def _rule(sheet: Sheet, font: Font, margin: float, y: float, rng: random.Random) -> float:
    """Draw dashes, stars or a line over the slip; gives where text goes on."""
    if rng.random() < 0.3:
        sheet.draw.line([(margin, y + 3), (sheet.width - margin, y + 3)], fill=sheet.ink)
        return y + 7
    mark = rng.choice("-=*-")
    count = int((sheet.width - 2 * margin) / max(1, font.getlength(mark)))
    return y + sheet.print((margin, y), mark * count, font, remember=False)
