"""Pictures with writing: pages, signs, receipts and screens, drawn with the fonts that matplotlib brings."""

import random
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from llavaplus_graph.data.painted import canvas_size, colour, photograph
from llavaplus_graph.data.slots import dictionary, vocabulary
from llavaplus_graph.data.strings import printed
from llavaplus_graph.errors import MissingExtraError

Font = ImageFont.FreeTypeFont
_PLAIN = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Bold.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralBol.ttf",
    "DejaVuSans-Oblique.ttf",
)
_MONO = ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf")
_SIGN_TEXTS = (
    "STOP", "EXIT", "NO ENTRY", "WET FLOOR", "MIND THE GAP", "PLEASE RING THE BELL", "STAFF ONLY", "SALE 50% OFF",
    "BUS STOP", "OPEN 24 HOURS", "NO SMOKING", "WAY OUT", "KEEP CLEAR", "BEWARE OF THE DOG", "FRESH FISH", "CAR PARK",
    "TOILETS", "TAXI", "POLICE", "ROAD WORK AHEAD", "ONE WAY", "CLOSED ON MONDAYS", "NO PARKING", "PUSH", "PULL",
    "PRIVATE PROPERTY", "PLATFORM 4", "GATE B12", "DANGER HIGH VOLTAGE", "COFFEE TO GO", "MUSEUM", "LIBRARY",
    "CASH ONLY",
)  # fmt: skip
_SCREEN_TEXTS = (
    "File", "Edit", "View", "Help", "Settings", "Sign in", "Password", "Cancel", "OK", "Save", "Search", "Home",
    "Error 404", "Page not found", "Loading...", "Inbox (3)", "New message", "Download", "Update available",
    "Restart now", "Battery low", "Connected", "Are you sure?", "Yes", "No", "Submit", "Next",
)  # fmt: skip


def page(rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Draw a page: a heading now and then, paragraphs or a form in one or two columns."""
    width, height = canvas_size(rng)
    if rng.random() < 0.75:
        width, height = min(width, height), max(width, height)
    dark = rng.random() < 0.05
    paper = (
        (35, 35, 40)
        if dark
        else rng.choice([(255, 255, 255), (255, 255, 255), (250, 246, 235), (235, 235, 232), (225, 215, 195)])
    )
    ink = (225, 225, 225) if dark else rng.choice([(0, 0, 0), (30, 30, 30), (30, 40, 110)])
    picture = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(picture)
    size = rng.randint(9, 17)
    body = font(rng.choice(_PLAIN), size)
    margin, y, texts = int(width * rng.uniform(0.05, 0.12)), int(height * rng.uniform(0.03, 0.1)), []
    if rng.random() < 0.6:
        title = _fitted(draw, _sentence(rng, 4).title(), font(rng.choice(_PLAIN), size + 6), width - 2 * margin)
        draw.text((margin, y), title, font=font("DejaVuSans-Bold.ttf", size + 4), fill=ink)
        texts.append(title)
        y += int((size + 6) * 1.8)
    columns = rng.choice([1, 1, 1, 2])
    room = (width - margin * (columns + 1)) // columns
    bottom = height - int(height * rng.uniform(0.04, 0.35))
    for column in range(columns):
        line_y = y
        while line_y + size * 1.5 < bottom:
            line = _fitted(draw, _sentence(rng, 14), body, room)
            draw.text((margin + column * (room + margin), line_y), line, font=body, fill=ink)
            texts.append(line)
            line_y += int(size * rng.choice([1.35, 1.35, 1.35, 2.2]))
    return _worn(picture, rng, paper), texts


def sign(rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Draw one to four big lines on a plate, a label or a plain ground, also out in the world."""
    width, height = canvas_size(rng)
    back = rng.choice(
        [
            (255, 255, 255),
            (200, 20, 30),
            (0, 90, 170),
            (0, 110, 60),
            (250, 205, 0),
            (20, 20, 20),
            (240, 120, 20),
            colour(rng),
        ]
    )
    ink = (0, 0, 0) if sum(back) > 380 else (255, 255, 255)
    if rng.random() < 0.15:
        ink = rng.choice([(200, 20, 30), (0, 60, 150)]) if sum(back) > 600 else ink
    framing = rng.random()
    ground = (
        photograph(rng).resize((width, height))
        if framing < 0.35
        else Image.new("RGB", (width, height), back if framing < 0.7 else colour(rng))
    )
    draw = ImageDraw.Draw(ground)
    inset = 0.0 if framing >= 0.35 and rng.random() < 0.6 else rng.uniform(0.05, 0.2)
    plate = (int(width * inset), int(height * inset), int(width * (1 - inset)), int(height * (1 - inset)))
    shape = rng.choice([draw.rectangle, draw.rectangle, draw.ellipse]) if inset > 0.04 else draw.rectangle
    shape(plate, fill=back, outline=ink if rng.random() < 0.5 else None, width=rng.randint(1, 5))
    texts = [
        rng.choice([rng.choice(_SIGN_TEXTS), _sentence(rng, 3), _sentence(rng, 2).upper(), printed(rng)[:18]])
        for _ in range(rng.choice([1, 1, 2, 2, 3, 4]))
    ]
    _write_centred(draw, texts, plate, rng.choice(_PLAIN), ink, 0.68 if shape is draw.ellipse else 0.88)
    angle = rng.choice([0, 0, 0, rng.uniform(-6, 6)])
    return ground.rotate(angle, Image.Resampling.BILINEAR, fillcolor=back), texts


def receipt(rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Draw a narrow strip of paper with a shop, items, prices and a total, on a table."""
    size = rng.randint(9, 14)
    face = font(rng.choice(_MONO), size)
    columns = rng.randint(22, 32)
    shop = _sentence(rng, 2).upper()[: columns - 2]
    items = [
        f"{rng.choice(vocabulary()['things']).title()[: columns - 8]:<{columns - 7}}{rng.uniform(0.2, 90):>7.2f}"
        for _ in range(rng.randint(3, 14))
    ]
    lines = [
        shop.center(columns).rstrip(),
        printed(rng)[: columns - 1],
        *items,
        "-" * columns,
        f"{'TOTAL':<{columns - 8}}{rng.uniform(5, 300):>8.2f}",
    ]
    lines += rng.choice([["CASH", "CHANGE 0.00"], ["CARD **** " + str(rng.randint(1000, 9999))], ["THANK YOU"], []])
    step = int(size * 1.35)
    strip = Image.new(
        "RGB",
        (int(face.getlength("0" * columns)) + 24, step * len(lines) + 30),
        rng.choice([(255, 255, 255), (248, 247, 242), (236, 234, 228)]),
    )
    draw = ImageDraw.Draw(strip)
    for index, line in enumerate(lines):
        draw.text((12, 14 + index * step), line, font=face, fill=rng.choice([(20, 20, 20), (60, 60, 70)]))
    texts = [" ".join(line.split()) for line in lines if line.strip("- ")]
    if rng.random() < 0.35:
        return strip, texts
    pad_x, pad_y = rng.randint(10, 140), rng.randint(5, 60)
    size_out = (strip.width + 2 * pad_x, strip.height + 2 * pad_y)
    table = photograph(rng).resize(size_out) if rng.random() < 0.5 else Image.new("RGB", size_out, colour(rng, 20, 200))
    turned = strip.convert("RGBA").rotate(rng.uniform(-7, 7), Image.Resampling.BILINEAR, expand=True)
    table.paste(turned, ((size_out[0] - turned.width) // 2, (size_out[1] - turned.height) // 2), turned)
    return table, texts


def screen(rng: random.Random) -> tuple[Image.Image, list[str]]:
    """Draw a program: a terminal, a window, a dialogue, a web page or a telephone."""
    return rng.choice([_terminal, _window, _window, _telephone])(rng)


def _terminal(rng: random.Random) -> tuple[Image.Image, list[str]]:
    width, height = canvas_size(rng)
    picture = Image.new("RGB", (width, height), rng.choice([(0, 0, 0), (30, 30, 30), (48, 10, 36), (0, 43, 54)]))
    draw = ImageDraw.Draw(picture)
    size = rng.randint(10, 15)
    face = font("DejaVuSansMono.ttf", size)
    texts = []
    for y in range(8, height - size - 6, int(size * 1.35)):
        line = _fitted(
            draw,
            rng.choice(["$ ", "> ", "", "  "]) + _sentence(rng, 8).lower(),
            face,
            int((width - 16) * rng.uniform(0.2, 1)),
        )
        draw.text(
            (8, y),
            line,
            font=face,
            fill=rng.choice([(230, 230, 230), (80, 220, 80), (230, 200, 90), (120, 170, 250), (230, 230, 230)]),
        )
        texts.append(line.strip())
        if rng.random() < 0.05:
            break
    return picture, [text for text in texts if text]


def _window(rng: random.Random) -> tuple[Image.Image, list[str]]:
    width, height = canvas_size(rng)
    dark = rng.random() < 0.35
    back, bar, ink = (
        ((40, 42, 48), (25, 26, 30), (225, 225, 225))
        if dark
        else ((248, 248, 250), rng.choice([(225, 228, 235), (40, 90, 170), (60, 60, 60)]), (20, 20, 25))
    )
    picture = Image.new("RGB", (width, height), back)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width, 26), fill=bar)
    for index, dot in enumerate([(255, 95, 87), (254, 188, 46), (40, 200, 64)]):
        draw.ellipse((8 + index * 16, 8, 18 + index * 16, 18), fill=dot)
    title = _fitted(draw, _sentence(rng, 4), font("DejaVuSans.ttf", 12), width - 90)
    draw.text((70, 6), title, font=font("DejaVuSans.ttf", 12), fill=(240, 240, 240) if sum(bar) < 380 else ink)
    texts, y = [title], 38
    if rng.random() < 0.4:
        draw.rectangle((0, 26, width // 4, height), fill=bar)
    left = width // 4 + 12 if rng.random() < 0.5 else 14
    while y < height - 34:
        text = _fitted(
            draw,
            rng.choice([rng.choice(_SCREEN_TEXTS), _sentence(rng, 6)]),
            font("DejaVuSans.ttf", 13),
            width - left - 30,
        )
        kind = rng.random()
        length = int(draw.textlength(text, font=font("DejaVuSans.ttf", 13)))
        if kind < 0.25:
            draw.rounded_rectangle(
                (left - 4, y - 4, left + length + 8, y + 20),
                radius=4,
                fill=rng.choice([(40, 110, 220), (30, 150, 90), (200, 50, 50)]),
            )
        elif kind < 0.4:
            draw.rectangle((left - 4, y - 4, width - 16, y + 20), outline=(150, 150, 150))
        draw.text((left, y), text, font=font("DejaVuSans.ttf", 13), fill=(255, 255, 255) if kind < 0.25 else ink)
        texts.append(text)
        y += rng.choice([26, 30, 44])
    return picture, texts


def _telephone(rng: random.Random) -> tuple[Image.Image, list[str]]:
    width, height = rng.randint(180, 260), rng.randint(360, 480)
    dark = rng.random() < 0.4
    picture = Image.new("RGB", (width, height), (18, 18, 20) if dark else (244, 245, 247))
    draw = ImageDraw.Draw(picture)
    ink = (235, 235, 235) if dark else (20, 20, 25)
    clock = f"{rng.randint(0, 23)}:{rng.randint(0, 59):02d}"
    draw.text((12, 6), clock, font=font("DejaVuSans-Bold.ttf", 12), fill=ink)
    draw.rectangle((width - 34, 8, width - 14, 18), outline=ink)
    texts, y = [clock], 36
    while y < height - 50:
        mine = rng.random() < 0.5
        text = _fitted(draw, _sentence(rng, 5), font("DejaVuSans.ttf", 12), width - 70)
        length = int(draw.textlength(text, font=font("DejaVuSans.ttf", 12)))
        left = width - length - 26 if mine else 14
        draw.rounded_rectangle(
            (left - 7, y - 5, left + length + 7, y + 20),
            radius=9,
            fill=(40, 130, 250) if mine else ((60, 60, 66) if dark else (255, 255, 255)),
        )
        draw.text((left, y), text, font=font("DejaVuSans.ttf", 12), fill=(255, 255, 255) if mine else ink)
        texts.append(text)
        y += rng.choice([32, 32, 50])
    return picture, texts


@lru_cache(maxsize=256)
def font(name: str, size: int) -> Font:
    """Open one of matplotlib's fonts."""
    return ImageFont.truetype(str(_fonts() / name), size)


@cache
def _fonts() -> Path:
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("rendering text", extra="train") from error
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def _sentence(rng: random.Random, most: int) -> str:
    words = [rng.choice(dictionary(8_000)) for _ in range(rng.randint(max(1, most // 2), most))]
    return " ".join(words).capitalize()


def _fitted(draw: ImageDraw.ImageDraw, text: str, face: Font, room: int) -> str:
    words = text.split(" ")
    while len(words) > 1 and draw.textlength(" ".join(words), font=face) > room:
        words.pop()
    return " ".join(words)


def _write_centred(
    draw: ImageDraw.ImageDraw,
    texts: list[str],
    plate: tuple[int, int, int, int],
    name: str,
    ink: tuple[int, int, int],
    share: float,
) -> None:
    room_x, room_y = (plate[2] - plate[0]) * share, (plate[3] - plate[1]) * share
    size = max(8, int(room_y / len(texts) * 0.75))
    while size > 8 and max(font(name, size).getlength(text) for text in texts) > room_x:
        size -= 2
    step = size * 1.25
    y = (plate[1] + plate[3]) / 2 - step * len(texts) / 2
    for index, text in enumerate(texts):
        length = font(name, size).getlength(text)
        draw.text(((plate[0] + plate[2] - length) / 2, y + index * step), text, font=font(name, size), fill=ink)


def _worn(picture: Image.Image, rng: random.Random, paper: tuple[int, int, int]) -> Image.Image:
    if rng.random() < 0.3:
        picture = picture.rotate(rng.uniform(-4, 4), Image.Resampling.BILINEAR, fillcolor=paper)
    if rng.random() < 0.2:
        shade = (
            Image.linear_gradient("L")
            .rotate(rng.choice([0, 90, 180, 270]))
            .resize(picture.size)
            .point(lambda value: 200 + value // 5)
        )
        picture = Image.composite(picture, Image.new("RGB", picture.size, (120, 115, 110)), shade)
    return picture.filter(ImageFilter.GaussianBlur(0.6)) if rng.random() < 0.15 else picture
