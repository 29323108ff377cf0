"""The class of documents: letters, articles, columns, tables, forms, lists, notes; printed, scanned or photographed."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable

from PIL import Image

from llavaplus_graph.data.pictures.camera import laid_on, shaded, snapped
from llavaplus_graph.data.pictures.colours import any_colour, ink, mixed, paper, shifted
from llavaplus_graph.data.pictures.drawn import DrawnPicture
from llavaplus_graph.data.pictures.fields import field, ramp
from llavaplus_graph.data.pictures.fonts import Font, Style, line_height, load, pick_face
from llavaplus_graph.data.pictures.handwriting import written_note
from llavaplus_graph.data.pictures.materials import table_top
from llavaplus_graph.data.pictures.photographs import photographed_ground
from llavaplus_graph.data.pictures.sheet import Sheet, canvas_size
from llavaplus_graph.data.pictures.words import Words


class _Layout:
    """What the parts of one page share: the sheet, its typeface, body size in pixels and margins."""

    def __init__(self, sheet: Sheet, rng: random.Random) -> None:
        style: Style = rng.choice(["serif", "serif", "serif", "sans", "sans", "mono"])
        self.sheet, self.rng, self.words = sheet, rng, Words(rng)
        self.face = pick_face(rng, style, "$'\"")
        longest = max(sheet.width, sheet.height)
        self.body = (
            rng.choice([9, 9, 10, 10, 11, 12, 13, 14, 16, 18])
            if longest < 420
            else rng.choice([9, 10, 10, 11, 11, 12, 13, 14, 16, 20])
        )
        self.left = max(6, round(sheet.width * rng.uniform(0.04, 0.12)))
        self.right = sheet.width - self.left
        self.top = max(6, round(sheet.height * rng.uniform(0.03, 0.12)))
        self.bottom = sheet.height - round(sheet.height * rng.uniform(0.02, 0.2))
        self.lead = rng.choice([1.0, 1.0, 1.1, 1.2, 1.4])

    @property
    def font(self) -> Font:
        return load(self.face, self.body)

    @property
    def heading(self) -> Font:
        return load(pick_face(self.rng, "bold", "$'"), round(self.body * self.rng.uniform(1.1, 1.9)))

    def paragraph(
        self, y: float, words: int, left: float | None = None, right: float | None = None, justified: bool = False
    ) -> float:
        """Print running text; gives where the next line would begin."""
        left, right = self.left if left is None else left, self.right if right is None else right
        font = self.font
        columns = max(6, int((right - left) / (font.getlength("the quick brown fox jumps") / 25)))
        for line in textwrap.wrap(self.words.prose(words), columns, break_long_words=False):
            if y + line_height(font) > self.bottom:
                break
            if justified and len(line) > columns * 0.75:
                _justify(self.sheet, (left, y), line, font, right)
            else:
                self.sheet.print((left, y), line, font, right=right)
            y += line_height(font) * self.lead
        return y


def page(rng: random.Random) -> DrawnPicture:
    """Draw a document page."""
    size = canvas_size(rng, 0.55, 1.5, shortest=280) if rng.random() < 0.8 else canvas_size(rng, 0.5, 2.0, shortest=280)
    ground, letters = (
        (paper(rng), ink(rng))
        if rng.random() < 0.94
        else (any_colour(rng, (0, 0.3), (0.05, 0.2)), (rng.randint(195, 240),) * 3)
    )
    sheet = Sheet.of(size, ground, letters)
    if rng.random() < 0.12:
        written_note(sheet, rng)
    else:
        layout = _Layout(sheet, rng)
        rng.choice(_LAYOUTS)(layout)
        if not sheet.texts:  # the margins left no room
            sheet.print((4, 4), layout.words.prose(12), load(layout.face, 10))
    return DrawnPicture(_copied(sheet.picture, rng), "page", tuple(sheet.texts))


def _copied(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Leave a page as a rendered file, or scan or photograph it."""
    form = rng.random()
    if form < 0.42:
        return snapped(picture, rng, 0.3) if rng.random() < 0.4 else picture
    if form < 0.7:  # a scan: a little askew, with the grain of paper
        fill = picture.crop((0, 0, 1, 1)).getpixel((0, 0))
        picture = picture.rotate(rng.uniform(-2, 2), Image.Resampling.BICUBIC, fillcolor=fill)
        if rng.random() < 0.4:
            rough = ramp(field(picture.size, rng, rng.choice([1, 2, 3])), [(225, 222, 214), (255, 255, 255)])
            picture = Image.blend(picture, Image.fromarray(rough), rng.uniform(0.05, 0.25))
        return snapped(picture, rng, 0.8)
    if form < 0.8:
        return snapped(shaded(picture, rng, rng.uniform(0.15, 0.55)), rng)
    ground = table_top(picture.size, rng) if rng.random() < 0.7 else photographed_ground(picture.size, rng)
    return snapped(
        laid_on(
            ground, picture, rng, turn=rng.choice([1, 4, 12]), lean=rng.choice([0, 0.03, 0.08]), cover=(0.86, 0.99)
        ),
        rng,
    )


def _justify(sheet: Sheet, at: tuple[float, float], line: str, font: Font, right: float) -> None:
    words = line.split()
    loose = right - at[0] - sum(font.getlength(word) for word in words)
    if len(words) < 2 or loose < 0 or not sheet.print(at, words[0], font, right=right, remember=False):
        sheet.print(at, line, font, right=right)
        return
    x, gap = at[0] + font.getlength(words[0]), loose / (len(words) - 1)
    for word in words[1:]:
        x += gap
        sheet.draw.text((round(x), round(at[1])), word, font=font, fill=sheet.ink)
        x += font.getlength(word)
    sheet.texts.append(line)


def _article(layout: _Layout) -> None:
    rng, sheet, y = layout.rng, layout.sheet, float(layout.top)
    if rng.random() < 0.75:
        heading = layout.heading
        y += (
            sheet.print(
                (layout.left, y),
                layout.words.title(rng.randint(2, 6)),
                heading,
                right=layout.right,
                align=rng.choice(["left", "centre"]),
            )
            * 1.3
        )
    justified = rng.random() < 0.5
    while y < layout.bottom - layout.body * 2:
        if rng.random() < 0.12:
            y += (
                sheet.print(
                    (layout.left, y),
                    layout.words.title(rng.randint(1, 4)),
                    load(pick_face(rng, "bold"), round(layout.body * 1.15)),
                    right=layout.right,
                )
                * 1.2
            )
        indent = layout.body * rng.choice([0, 0, 2])
        y = layout.paragraph(
            y, rng.randint(15, 110), left=layout.left + indent * (not justified), justified=justified
        ) + layout.body * rng.uniform(0.3, 1)
        if rng.random() < 0.06:
            break


def _letter(layout: _Layout) -> None:
    rng, sheet, words, y = layout.rng, layout.sheet, layout.words, float(layout.top)
    font, right_side = layout.font, rng.random() < 0.5
    for line in (words.name(), words.street(), words.city(), words.date()):
        y += (
            sheet.print((layout.left, y), line, font, right=layout.right, align="right" if right_side else "left")
            * layout.lead
        )
    y += layout.body
    y += (
        sheet.print(
            (layout.left, y), f"{rng.choice(['Dear', 'Dear', 'Hello', 'To'])} {words.name()},", font, right=layout.right
        )
        * 1.5
    )
    for _ in range(rng.randint(1, 4)):
        y = layout.paragraph(y, rng.randint(20, 80)) + layout.body * 0.7
    y += (
        sheet.print(
            (layout.left, y), rng.choice(["Yours sincerely,", "Best regards,", "With kind wishes,", "Love,"]), font
        )
        * 1.6
    )
    sheet.print(
        (layout.left, y), words.name(), load(pick_face(rng, "script"), round(layout.body * 1.4)), right=layout.right
    )


def _columns(layout: _Layout) -> None:
    rng, sheet = layout.rng, layout.sheet
    y = float(layout.top)
    if rng.random() < 0.7:
        y += (
            sheet.print(
                (layout.left, y),
                layout.words.title(rng.randint(2, 5)),
                layout.heading,
                right=layout.right,
                align="centre",
            )
            * 1.4
        )
    count = rng.choice([2, 2, 3]) if sheet.width > layout.body * 30 else 2 if sheet.width > layout.body * 20 else 1
    gap = layout.body
    width = (layout.right - layout.left - gap * (count - 1)) / count
    for column in range(count):
        left, down = layout.left + column * (width + gap), y
        if rng.random() < 0.25:
            down = _illustration(layout, (left, down), (width, width * rng.uniform(0.5, 1)))
        while down < layout.bottom - layout.body:
            down = layout.paragraph(
                down, rng.randint(20, 90), left, left + width, justified=True
            ) + layout.body * rng.uniform(0, 0.7)


def _illustration(layout: _Layout, at: tuple[float, float], size: tuple[float, float]) -> float:
    """Put a small grey or coloured picture on the page; gives where text goes on."""
    width, height = max(8, round(size[0])), max(8, round(size[1]))
    if at[1] + height > layout.bottom:
        return at[1]
    drawn = photographed_ground((width, height), layout.rng)
    layout.sheet.picture.paste(drawn.convert("L") if layout.rng.random() < 0.6 else drawn, (round(at[0]), round(at[1])))
    return at[1] + height + layout.body * 0.5


def _table(layout: _Layout) -> None:
    rng, sheet, words, y = layout.rng, layout.sheet, layout.words, float(layout.top)
    if rng.random() < 0.6:
        y += sheet.print((layout.left, y), words.title(rng.randint(1, 4)), layout.heading, right=layout.right) * 1.4
    columns = rng.randint(2, max(2, min(6, int((layout.right - layout.left) / (layout.body * 6)))))
    width = (layout.right - layout.left) / columns
    row = line_height(layout.font) + rng.randint(2, 8)
    kinds: list[Callable[[], str]] = [
        rng.choice([words.word, words.price, words.surname, words.city, words.date, lambda: str(rng.randint(1, 9999))])
        for _ in range(columns)
    ]
    top, ruled, banded = y, rng.random() < 0.6, rng.random() < 0.3
    band = shifted(mixed(sheet.ground, sheet.ink, 0.1), 0)
    rows = min(int((layout.bottom - y) / row), rng.randint(3, 40))
    for k in range(rows):
        if banded and k % 2:
            sheet.draw.rectangle([layout.left, y, layout.right, y + row], fill=band)
        for column in range(columns):
            text = words.title(1) if k == 0 else kinds[column]()
            sheet.print(
                (layout.left + column * width + 3, y + 2),
                text,
                load(pick_face(rng, "bold"), layout.body) if k == 0 else layout.font,
                right=layout.left + (column + 1) * width - 2,
            )
        y += row
    if ruled:
        line = mixed(sheet.ground, sheet.ink, rng.uniform(0.3, 1))
        for k in range(rows + 1):
            sheet.draw.line([(layout.left, top + k * row), (layout.right, top + k * row)], fill=line)
        for column in range(columns + 1):
            sheet.draw.line(
                [(layout.left + column * width, top), (layout.left + column * width, top + rows * row)], fill=line
            )
    if rng.random() < 0.4:
        layout.paragraph(y + layout.body, rng.randint(10, 60))


def _form(layout: _Layout) -> None:
    rng, sheet, words, y = layout.rng, layout.sheet, layout.words, float(layout.top)
    y += (
        sheet.print(
            (layout.left, y),
            rng.choice(
                ["Application form", "Registration", "Order form", "Questionnaire", "Claim form", "Medical history"]
            ),
            layout.heading,
            right=layout.right,
        )
        * 1.5
    )
    fields = [
        "Name",
        "First name",
        "Address",
        "Town",
        "Date of birth",
        "Telephone",
        "E-mail",
        "Signature",
        "Amount",
        "Account no.",
        "Comments",
        "Nationality",
    ]
    fillings = [words.name, words.street, words.city, words.phone, words.email, words.date]
    line = mixed(sheet.ground, sheet.ink, rng.uniform(0.4, 1))
    hand, boxed = load(pick_face(rng, "script"), layout.body + 1), rng.random() < 0.5
    split = layout.left + max(layout.font.getlength("Date of birth:"), (layout.right - layout.left) * 0.3) + 4
    while y < layout.bottom - layout.body * 2:
        height = line_height(layout.font)
        if rng.random() < 0.2:
            sheet.draw.rectangle([layout.left, y + 2, layout.left + layout.body - 2, y + layout.body], outline=line)
            sheet.print(
                (layout.left + layout.body * 1.5, y),
                f"{words.title(1)} {words.word()} {words.word()}",
                layout.font,
                right=layout.right,
            )
        else:
            sheet.print((layout.left, y), rng.choice(fields) + rng.choice([":", ""]), layout.font, right=split)
            shape = (
                [split, y - 2, layout.right, y + height + 1] if boxed else [split, y + height, layout.right, y + height]
            )
            sheet.draw.rectangle(shape, outline=line)
            if rng.random() < 0.5:
                sheet.print(
                    (split + 4, y),
                    rng.choice(fillings)(),
                    hand,
                    ink=(30, 40, 120) if sum(sheet.ground) > 380 else None,
                    right=layout.right,
                )
        y += height + layout.body * rng.uniform(0.6, 1.2)


def _list(layout: _Layout) -> None:
    rng, sheet, y = layout.rng, layout.sheet, float(layout.top)
    y += sheet.print((layout.left, y), layout.words.title(rng.randint(1, 4)), layout.heading, right=layout.right) * 1.4
    mark = rng.choice(["-", "*", "1", "a)", "\u2022"])
    font = load("DejaVuSans", layout.body) if mark == "\u2022" else layout.font
    number = 1
    while y < layout.bottom - layout.body and number < 40:
        point = f"{number}." if mark == "1" else mark
        if not sheet.print(
            (layout.left, y), f"{point} {layout.words.prose(rng.randint(2, 8))}", font, right=layout.right
        ):
            break
        y += line_height(font) * rng.choice([1.1, 1.3, 1.5])
        number += 1


def _invoice(layout: _Layout) -> None:
    rng, sheet, words, y = layout.rng, layout.sheet, layout.words, float(layout.top)
    y += sheet.print((layout.left, y), words.company(), layout.heading, right=layout.right) * 1.1
    for line in (words.street(), words.city(), words.phone()):
        y += sheet.print((layout.left, y), line, layout.font, right=layout.right)
    y += layout.body
    y += (
        sheet.print_apart(
            (layout.left, y), f"INVOICE {rng.randint(1000, 99999)}", words.date(), layout.font, right=layout.right
        )
        * 1.5
    )
    total = 0
    for _ in range(rng.randint(2, 12)):
        cents = rng.randint(100, 90000)
        height = sheet.print_apart(
            (layout.left, y),
            f"{rng.randint(1, 9)} x {words.title(rng.randint(1, 2))}",
            f"{cents / 100:.2f}",
            layout.font,
            right=layout.right,
        )
        if not height:
            break
        total += cents
        y += height * 1.2
    sheet.draw.line([(layout.left, y), (layout.right, y)], fill=sheet.ink)
    y += (
        sheet.print_apart(
            (layout.left, y + 3),
            rng.choice(["Total", "Amount due", "Balance"]),
            f"{total / 100:.2f}",
            layout.font,
            right=layout.right,
        )
        * 2
    )
    layout.paragraph(y, rng.randint(8, 40))


def _title_page(layout: _Layout) -> None:
    """Print a book's title page or a report's cover: mostly empty paper."""
    rng, sheet, words = layout.rng, layout.sheet, layout.words
    y = sheet.height * rng.uniform(0.1, 0.3)
    y += (
        sheet.print(
            (layout.left, y), words.title(rng.randint(2, 4)), layout.heading, right=layout.right, align="centre"
        )
        * 1.6
    )
    y += sheet.print((layout.left, y), words.name(), layout.font, right=layout.right, align="centre") * 2
    if rng.random() < 0.5:
        y = layout.paragraph(y, rng.randint(20, 80))
    sheet.print(
        (layout.left, sheet.height * 0.88),
        f"{words.city()} {rng.randint(1900, 2029)}",
        layout.font,
        right=layout.right,
        align="centre",
    )


def _book(layout: _Layout) -> None:
    """Print a page from the middle of a book: full of text, with a page number."""
    y = float(layout.top)
    while y < layout.bottom - layout.body * 2:
        y = layout.paragraph(y, layout.rng.randint(40, 160), left=layout.left, justified=True)
    layout.sheet.print(
        (layout.left, layout.sheet.height - layout.body * 1.6),
        str(layout.rng.randint(2, 640)),
        layout.font,
        right=layout.right,
        align="centre",
    )


_LAYOUTS = (
    _article,
    _article,
    _article,
    _letter,
    _letter,
    _columns,
    _columns,
    _table,
    _table,
    _form,
    _form,
    _list,
    _invoice,
    _title_page,
    _book,
    _book,
)
