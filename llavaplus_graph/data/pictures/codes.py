"""The classes of QR codes and barcodes, alone or on posters, labels and packets; the only place that imports segno."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from llavaplus_graph.data.pictures.bars import check_digit, code_128, drawn_bars, ean_13
from llavaplus_graph.data.pictures.camera import laid_on, snapped
from llavaplus_graph.data.pictures.colours import BLACK, WHITE, any_colour, contrasting, ink, mixed, paper
from llavaplus_graph.data.pictures.drawn import DrawnPicture
from llavaplus_graph.data.pictures.fields import Colour, Pixels, Size
from llavaplus_graph.data.pictures.fonts import line_height, load, pick_face
from llavaplus_graph.data.pictures.materials import table_top
from llavaplus_graph.data.pictures.photographs import photographed_ground
from llavaplus_graph.data.pictures.sheet import Sheet, canvas_size
from llavaplus_graph.data.pictures.words import Words
from llavaplus_graph.errors import MissingExtraError

_CALLS = (
    "SCAN ME", "Scan me", "Scan to pay", "Scan for the menu", "Join our Wi-Fi", "Follow us", "Get the app",
    "Learn more", "Leave a review", "Tickets here", "Connect", "Check in here",
)  # fmt: skip
_LONGEST_PAYLOAD = 110


def qr_code(rng: random.Random) -> DrawnPicture:
    """Draw a QR code; its text is what the code holds."""
    payload = _payload(rng)
    size = canvas_size(rng, 0.6, 1.7)
    code = _drawn_qr(payload, rng, min(size))
    form = rng.random()
    if form < 0.25:
        picture = _framed(code, rng)
    elif form < 0.6:
        picture = _on_sheet(code, size, rng)
    else:
        picture = _on_ground(_label(code, rng), size, rng)
    return DrawnPicture(snapped(picture, rng, rng.choice([0, 0.5, 0.8])), "qr_code", (payload,), formats=("QR_CODE",))


def barcode(rng: random.Random) -> DrawnPicture:
    """Draw an EAN-13 or Code 128 barcode; its text is what the bars hold."""
    size = canvas_size(rng, 0.8, 2.0, shortest=280)
    if rng.random() < 0.65:
        # Readers report one that begins with 0 as UPC-A, without that 0.
        body = rng.choice("123456789") + "".join(rng.choices("0123456789", k=11))
        payload, code_format = body + check_digit(body), "EAN_13"
        modules = ean_13(payload)
    else:
        payload, code_format = _serial(rng), "CODE_128"
        modules = code_128(payload)
    label = _bars_label(modules, payload, size, rng)
    form = rng.random()
    if form < 0.3:
        picture = _framed(label, rng)
    elif form < 0.6:
        picture = _on_packet(label, size, rng)
    else:
        picture = _on_ground(label, size, rng)
    return DrawnPicture(snapped(picture, rng, rng.choice([0, 0.5, 0.8])), "barcode", (payload,), formats=(code_format,))


def _payload(rng: random.Random) -> str:
    words = Words(rng)
    name = words.name()
    drawn = [
        f"https://{words.url()}",
        f"https://{words.url()}",
        f"https://{words.url()}?id={rng.randint(1, 99999)}",
        f"http://{words.url()}",
        words.prose(rng.randint(2, 10)),
        f"WIFI:T:WPA;S:{words.word()}{rng.randint(1, 99)};P:{words.word()}{rng.randint(100, 9999)};;",
        f"mailto:{words.email()}",
        f"tel:+{rng.randint(10**9, 10**11)}",
        f"BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nEND:VCARD",
        f"geo:{rng.uniform(-80, 80):.4f},{rng.uniform(-170, 170):.4f}",
        str(rng.randint(10**5, 10**12)),
        f"TICKET {rng.randint(1000, 99999)} {words.date()} ROW {rng.choice('ABCDEFGH')} SEAT {rng.randint(1, 60)}",
    ]
    return rng.choice(drawn)[:_LONGEST_PAYLOAD].rstrip()


def _drawn_qr(payload: str, rng: random.Random, room: int) -> Image.Image:
    """Draw a QR code with its quiet zone, about as large as the room in pixels allows."""
    border = rng.choice([2, 3, 4, 4])
    matrix = np.array([list(row) for row in _encoded(payload, rng).matrix], dtype=np.uint8)
    cells: Pixels = np.pad(matrix & np.uint8(1), border)
    module = max(3, min(12, room // len(cells)))
    side = len(cells) * module
    dark, light = _code_colours(rng)
    mask = Image.fromarray(cells * 255).resize((side, side), Image.Resampling.NEAREST)
    if rng.random() < 0.1:  # dots for modules, as some designers like them; the finder patterns stay whole
        mask = _dotted(cells, module, border)
    picture = Image.new("RGB", (side, side), light)
    picture.paste(dark, (0, 0), mask)
    return picture


def _dotted(cells: Pixels, module: int, border: int) -> Image.Image:
    count, inner = len(cells), len(cells) - 2 * border
    mask = Image.new("L", (count * module, count * module))
    draw = ImageDraw.Draw(mask)
    for row, column in np.argwhere(cells):
        y, x = row - border, column - border
        box = [int(column) * module, int(row) * module, int(column + 1) * module - 1, int(row + 1) * module - 1]
        finder = (y < 8 and (x < 8 or x >= inner - 8)) or (y >= inner - 8 and x < 8)
        (draw.rectangle if finder else draw.ellipse)(box, fill=255)
    return mask


def _code_colours(rng: random.Random) -> tuple[Colour, Colour]:
    pick = rng.random()
    if pick < 0.6:
        return BLACK, WHITE
    if pick < 0.8:
        return any_colour(rng, (0.5, 1), (0.1, 0.45)), WHITE
    return any_colour(rng, (0, 1), (0, 0.3)), any_colour(rng, (0, 0.35), (0.88, 1))


def _encoded(payload: str, rng: random.Random) -> Any:
    try:
        import segno
    except ImportError as error:
        raise MissingExtraError("drawing training pictures (segno)", extra="train") from error
    # A mask chosen by us spares the encoder the trial of all eight, which takes most of its time.
    return segno.make(payload, error=rng.choice("llmmqh"), mask=rng.randrange(8), micro=False, boost_error=False)


def _framed(code: Image.Image, rng: random.Random) -> Image.Image:
    """Leave a code alone in its picture, with more or less light around it."""
    light: Colour = tuple(code.crop((0, 0, 1, 1)).tobytes())  # type: ignore[assignment]
    side, rise = round(code.width * rng.choice([0, 0, 0.05, 0.2])), round(code.height * rng.choice([0, 0, 0.05, 0.2]))
    width, height = code.width + 2 * side, code.height + 2 * rise
    width, height = max(width, height // 2, 120), max(height, width // 2, 120)
    picture = Image.new("RGB", (width, height), light)
    picture.paste(code, ((width - code.width) // 2, (height - code.height) // 2))
    if max(width, height) < 240:
        return picture.resize((width * 2, height * 2), Image.Resampling.NEAREST)
    if max(width, height) > 640:
        picture.thumbnail((640, 640), Image.Resampling.LANCZOS)
    return picture


def _on_sheet(code: Image.Image, size: Size, rng: random.Random) -> Image.Image:
    """Print a code with words on a poster, a page, a ticket or a telephone's screen."""
    ground = rng.choice([WHITE, paper(rng), any_colour(rng), any_colour(rng, (0.3, 1), (0.2, 0.9))])
    letters = contrasting(rng, ground) if rng.random() < 0.6 else (ink(rng) if sum(ground) > 450 else WHITE)
    sheet, words = Sheet.of(size, ground, letters), Words(rng)
    share = rng.uniform(0.5, 0.85)
    side = round(min(size) * share)
    code = code.resize((side, side), Image.Resampling.LANCZOS if side < code.width else Image.Resampling.NEAREST)
    left = rng.choice(
        [(size[0] - side) // 2, (size[0] - side) // 2, round(size[0] * 0.05), round(size[0] * 0.95) - side]
    )
    top = rng.choice([(size[1] - side) // 2, round(size[1] * 0.05), round(size[1] * 0.95) - side])
    large = load(pick_face(rng, "bold", "'$"), rng.randint(14, 30))
    small = load(pick_face(rng, rng.choice(["sans", "serif"]), "'$"), rng.randint(10, 15))
    free_top, free_bottom = (4.0, top - 4) if top > size[1] - top - side else (top + side + 4.0, size[1] - 4)
    y, lines = (
        free_top,
        [rng.choice(_CALLS), *([words.prose(8) for _ in range(12)] if rng.random() < 0.4 else [words.url()])],
    )
    for k, line in enumerate(lines):
        font = large if k == 0 else small
        if y + line_height(font) > free_bottom:
            break
        y += (
            sheet.print((size[0] * 0.05, y), line, font, right=size[0] * 0.95, align="centre" if k == 0 else "left")
            * 1.1
        )
    beside = load(pick_face(rng, "sans", "'$"), 12)
    wide_left = left > size[0] - left - side
    x1, x2 = (4, left - 6) if wide_left else (left + side + 6, size[0] - 4)
    if x2 - x1 > 60 and rng.random() < 0.6:
        for k in range(int(side / 16)):
            sheet.print((x1, top + 4 + k * 16), words.prose(5), beside, right=x2)
    sheet.picture.paste(code, (left, top))
    return sheet.picture


def _label(code: Image.Image, rng: random.Random) -> Image.Image:
    """Put a line under or above a code, as stickers have it."""
    if rng.random() < 0.45:
        return code
    light: Colour = tuple(code.crop((0, 0, 1, 1)).tobytes())  # type: ignore[assignment]
    font = load(pick_face(rng, "bold"), max(12, code.width // 12))
    room = round(line_height(font) * 1.4)
    sheet = Sheet.of((code.width, code.height + room), light, contrasting(rng, light))
    above = rng.random() < 0.3
    sheet.picture.paste(code, (0, room if above else 0))
    sheet.print((4, 4 if above else code.height), rng.choice(_CALLS), font, align="centre")
    return sheet.picture


def _on_ground(label: Image.Image, size: Size, rng: random.Random) -> Image.Image:
    ground = photographed_ground(size, rng) if rng.random() < 0.55 else table_top(size, rng)
    return laid_on(
        ground,
        label,
        rng,
        turn=rng.choice([0, 5, 15]),
        lean=rng.choice([0, 0.02, 0.05]),
        cover=(0.6, 0.97),
        shadow=rng.random() < 0.7,
    )


def _serial(rng: random.Random) -> str:
    letters = "".join(rng.choices("ABCDEFGHKLMNPRSTUVWXYZ", k=rng.randint(2, 3)))
    return rng.choice(
        [
            f"{letters}-{rng.randint(1000, 999999)}",
            str(rng.randint(10**5, 10**11)),
            f"{letters}{rng.randint(10, 9999)}",
            f"SN{rng.randint(10**4, 10**7)}",
        ]
    )


def _bars_label(modules: str, payload: str, size: Size, rng: random.Random) -> Image.Image:
    """Draw bars on white with the digits beneath, at the size that the picture will show them."""
    module = max(1, min(4, size[0] // (len(modules) + 24)))
    module = max(module, 2) if (len(modules) + 22) * 2 <= 640 else module
    dark = BLACK if rng.random() < 0.8 else any_colour(rng, (0.5, 1), (0.05, 0.4))
    light = WHITE if rng.random() < 0.85 else any_colour(rng, (0, 0.3), (0.9, 1))
    width = (len(modules) + 20) * module
    tall = round(width * rng.uniform(0.25, 0.65))
    bars = drawn_bars(modules, module, tall, dark, light)
    if rng.random() < 0.15:
        return bars
    font = load(pick_face(rng, rng.choice(["mono", "sans"])), max(11, module * rng.randint(6, 8)))
    pad = rng.randint(3, 14)
    sheet = Sheet.of((width, tall + pad + line_height(font) + 6), light, dark)
    sheet.picture.paste(bars, (0, pad))
    shown = f"{payload[0]} {payload[1:7]} {payload[7:]}" if len(payload) == 13 and payload.isdigit() else payload
    sheet.print((2, pad + tall + 1), shown, font, align="centre")
    return sheet.picture


def _on_packet(label: Image.Image, size: Size, rng: random.Random) -> Image.Image:
    """Print bars on the back of a packet, a parcel or a book among small words."""
    size = (max(size[0], label.width + 10), max(size[1], label.height + 40))
    size = (min(640, max(size[0], size[1] // 2)), min(640, max(size[1], size[0] // 2)))
    ground = rng.choice([any_colour(rng, (0.2, 1), (0.3, 1)), (198, 160, 112), WHITE, paper(rng)])
    sheet, words = Sheet.of(size, ground, contrasting(rng, ground)), Words(rng)
    left, top = rng.randint(0, max(0, size[0] - label.width)), max(0, size[1] - label.height - rng.randint(0, 20))
    font = load(pick_face(rng, "sans", "'$"), rng.randint(9, 14))
    heading = load(pick_face(rng, "bold", "'$"), rng.randint(14, 28))
    y = 6.0 + sheet.print((6, 6), words.title(rng.randint(1, 3)), heading)
    while y + line_height(font) < top - 4 and rng.random() < 0.93:
        y += sheet.print((6, y), words.prose(rng.randint(3, 12)), font) or line_height(font)
    if rng.random() < 0.5:
        sheet.draw.rectangle([0, 0, size[0], 4], fill=mixed(ground, BLACK, 0.4))
    sheet.picture.paste(label, (left, top))
    return sheet.picture
