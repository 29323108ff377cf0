"""Applications on a computer: terminal, editor, dialogs, spreadsheet, files, mail, a crash; knows no web page."""

from __future__ import annotations

from llavaplus_graph.data.pictures.colours import from_hsv, mixed
from llavaplus_graph.data.pictures.fields import Colour
from llavaplus_graph.data.pictures.fonts import line_height, load
from llavaplus_graph.data.pictures.interface_texts import BUTTONS, CODE, COMMANDS, LABELS, MESSAGES, OUTPUTS
from llavaplus_graph.data.pictures.screen_parts import Screen


def _repainted(screen: Screen, ground: Colour) -> None:
    screen.sheet.draw.rectangle([0, 0, screen.width, screen.height], fill=ground)


def terminal(screen: Screen) -> None:
    """Draw a terminal with commands and what they printed."""
    rng = screen.rng
    ground, ink = rng.choice(
        [
            ((12, 12, 12), (220, 220, 220)),
            ((0, 0, 0), (60, 230, 80)),
            ((46, 10, 36), (240, 240, 235)),
            ((0, 43, 54), (147, 161, 161)),
            ((253, 246, 227), (88, 110, 117)),
            ((1, 36, 86), (238, 237, 240)),
        ]
    )
    y = (
        screen.title_bar((0, 0, screen.width, screen.height), f"{screen.words.word()}@{screen.words.word()}")
        if rng.random() < 0.5
        else 0.0
    )
    screen.sheet.draw.rectangle([0, y, screen.width, screen.height], fill=ground)
    font = load(rng.choice(["DejaVuSansMono", "DejaVuSansMono", "DejaVuSansMono-Bold"]), screen.body)
    prompt = rng.choice(["$", ">", "#", f"{screen.words.word()}@{screen.words.word()}:~$", "C:\\>", ">>>"])
    y += 4
    for _ in range(rng.randint(4, 60)):
        if rng.random() < 0.4:
            height = screen.line(5, y, f"{prompt} {rng.choice(COMMANDS)}", font, ink)
        else:
            tint = mixed(ink, rng.choice([(255, 90, 90), (240, 200, 60), (90, 160, 255), ink, ink]), 0.8)
            height = screen.line(
                5, y, rng.choice([rng.choice(OUTPUTS), rng.choice(OUTPUTS), screen.words.prose(7)]), font, tint
            )
        if not height:
            break
        y += height
    if y + screen.body < screen.height:
        screen.sheet.draw.rectangle([5, y + 2, 5 + screen.body * 0.6, y + screen.body], fill=ink)


def editor(screen: Screen) -> None:
    """Draw an editor with numbered lines of coloured code."""
    rng = screen.rng
    dark = rng.random() < 0.65
    ground, ink = ((rng.randint(20, 42),) * 3, (212, 212, 212)) if dark else ((255, 255, 255), (40, 40, 40))
    top = screen.menu_bar(0, 0, screen.width) if rng.random() < 0.5 else 0.0
    side = screen.width * rng.choice([0, 0.22, 0.28])
    screen.sheet.draw.rectangle([0, top, screen.width, screen.height], fill=ground)
    screen.sheet.draw.rectangle([0, top, side, screen.height], fill=mixed(ground, ink, 0.07))
    font = load("DejaVuSansMono", screen.body)
    y = float(top + 4)
    if side:
        for k in range(rng.randint(3, 12)):
            screen.line(
                6,
                top + 4 + k * screen.body * 1.6,
                f"{screen.words.word()}.{rng.choice(['py', 'js', 'md', 'c', 'json', 'html'])}",
                screen.font,
                ink,
                right=side,
            )
    gutter = font.getlength("000")
    tints = [ink, ink] + [from_hsv(rng.random(), 0.5, 0.9 if dark else 0.55) for _ in range(4)]
    for number in range(rng.randint(1, 200), 999):
        height = line_height(font)
        if y + height > screen.height - 4:
            break
        screen.sheet.draw.text((side + 4, y), str(number), font=font, fill=mixed(ground, ink, 0.45))
        if rng.random() < 0.85:
            line = rng.choice(CODE)
            indent = (len(line) - len(line.lstrip()) + rng.choice([0, 0, 4])) * font.getlength("x")
            screen.line(side + gutter + 8 + indent, y, line.strip(), font, rng.choice(tints))
        y += height * 1.1


def dialog(screen: Screen) -> None:
    """Draw a dialog before a desktop, a window, or alone."""
    rng = screen.rng
    if rng.random() < 0.5:
        screen.wallpaper()
    margin_x, margin_y = screen.width * rng.choice([0, 0.06, 0.12]), screen.height * rng.choice([0, 0.1, 0.22])
    left, top, right, bottom = margin_x, margin_y, screen.width - 1 - margin_x, screen.height - 1 - margin_y
    y = (
        screen.title_bar(
            (left, top, right, bottom),
            rng.choice(["Error", "Warning", "Confirm", "Setup", "Information", screen.words.title(2)]),
        )
        + screen.body
    )
    icon = min(44.0, (bottom - top) * 0.25)
    tint = rng.choice([(220, 40, 40), (240, 180, 20), (40, 110, 220)])
    screen.sheet.draw.ellipse([left + 12, y, left + 12 + icon, y + icon], fill=tint)
    screen.line(
        left + 12,
        y + icon / 2 - screen.body * 0.9,
        rng.choice(["!", "?", "i", "x"]),
        screen.sized(1.4, bold=True),
        (255, 255, 255),
        right=left + 12 + icon,
        align="centre",
    )
    for message in rng.sample(MESSAGES, rng.randint(1, 3)):
        height = line_height(screen.font)
        if y + height > bottom - screen.body * 3:
            break
        y += screen.line(left + icon + 24, y, message, screen.font, right=right - 8) * 1.3
    if rng.random() < 0.25:
        screen.entry((left + icon + 24, y, right - 12, y + screen.body * 1.8), screen.words.word())
    x = right - 8
    for k, text in enumerate(rng.sample(BUTTONS, rng.randint(1, 3))):
        wide = screen.font.getlength(text) + screen.body * 2
        x -= wide + 6
        if x > left + 4:
            screen.button(x, bottom - screen.body * 2.5, text, primary=k == 0)


def spreadsheet(screen: Screen) -> None:
    """Draw a spreadsheet with lettered columns."""
    rng = screen.rng
    y = screen.title_bar((0, 0, screen.width - 1, screen.height - 1), f"{screen.words.title(1)}.xlsx")
    y = screen.menu_bar(0, y, screen.width)
    wide, tall, grid = (
        screen.body * rng.uniform(5, 8),
        screen.body * 1.7,
        mixed(screen.theme.ground, screen.theme.ink, 0.18),
    )
    kinds = [
        rng.choice([screen.words.word, screen.words.price, screen.words.price, screen.words.surname]) for _ in range(40)
    ]
    for row in range(int((screen.height - y) / tall) + 1):
        for column in range(int(screen.width / wide) + 1):
            left, top = column * wide, y + row * tall
            head = row == 0 or column == 0
            screen.sheet.draw.rectangle(
                [left, top, left + wide, top + tall], outline=grid, fill=screen.theme.panel if head else None
            )
            text = (
                ("" if column == 0 else chr(64 + column))
                if row == 0
                else (str(row) if column == 0 else kinds[column]())
            )
            if text and (head or rng.random() < 0.7) and left + wide < screen.width:
                screen.line(
                    left + 3, top + 1, text, screen.font, right=left + wide - 2, align="centre" if head else "left"
                )


def files(screen: Screen) -> None:
    """Draw a file manager as a list or as icons."""
    rng, body = screen.rng, screen.body
    y = screen.title_bar(
        (0, 0, screen.width - 1, screen.height - 1), rng.choice(["Files", "Documents", "Downloads", "This PC"])
    )
    screen.entry((8, y + 4, screen.width - 8, y + 4 + body * 1.7), f"/home/{screen.words.word()}/{screen.words.word()}")
    y += body * 2.6
    side = screen.width * 0.26
    for k, label in enumerate(rng.sample(LABELS, 9)):
        screen.line(8, y + k * body * 1.7, label, screen.font, screen.theme.muted, right=side)
    if rng.random() < 0.5:
        while y + body * 1.8 < screen.height:
            screen.box(
                (side + 8, y + 2, side + 8 + body, y + body + 2),
                fill=rng.choice([(250, 200, 80), (120, 160, 230), screen.theme.muted]),
            )
            name = f"{screen.words.word()}{rng.choice(['.pdf', '.txt', '.png', '', '.zip'])}"
            screen.sheet.print_apart(
                (side + 14 + body, y),
                name,
                rng.choice([screen.words.date(), f"{rng.randint(1, 900)} KB"]),
                screen.font,
                right=screen.width - 8,
            )
            y += body * 1.7
        return
    tile = body * 5.5
    for row in range(int((screen.height - y) / tile)):
        for column in range(int((screen.width - side) / tile)):
            x, top = side + column * tile, y + row * tile
            screen.icon(x + tile * 0.25, top + 2, tile * 0.5)
            screen.line(x + 2, top + tile * 0.6, screen.words.word(), screen.font, right=x + tile - 2, align="centre")


def crash(screen: Screen) -> None:
    """Draw a screen that says that the machine has stopped."""
    rng = screen.rng
    _repainted(screen, rng.choice([(0, 120, 215), (0, 0, 170), (0, 0, 0), (150, 0, 0), (16, 124, 16)]))
    white: Colour = (255, 255, 255)
    y, left = screen.height * rng.uniform(0.06, 0.3), screen.width * rng.uniform(0.04, 0.12)
    if rng.random() < 0.6:
        y += (
            screen.line(
                left, y, rng.choice([":(", "Oops!", "Error", "STOP", "Kernel panic"]), screen.sized(3, bold=True), white
            )
            * 1.1
        )
    for _ in range(rng.randint(2, 7)):
        text = rng.choice(
            [
                rng.choice(MESSAGES),
                f"Stop code: {rng.choice(COMMANDS[:3]).upper().replace(' ', '_')}",
                f"0x{rng.getrandbits(32):08X} 0x{rng.getrandbits(32):08X}",
                f"{rng.randint(0, 100)}% complete",
            ]
        )
        y += (screen.line(left, y, text, screen.font, white, right=screen.width - left) or screen.body) * 1.3


def mail(screen: Screen) -> None:
    """Draw a mail program: folders, a list of letters, the letter."""
    rng, body, theme = screen.rng, screen.body, screen.theme
    y = screen.menu_bar(0, 0, screen.width)
    first, second = screen.width * 0.2, screen.width * rng.uniform(0.45, 1)
    screen.box((0, y, first, screen.height), fill=theme.panel)
    for k, label in enumerate(["Inbox (3)", "Starred", "Sent", "Drafts", "Spam", "Trash"]):
        screen.line(6, y + 6 + k * body * 1.8, label, screen.font, theme.accent if k == 0 else theme.ink, right=first)
    top = y
    while y + body * 3.4 < screen.height:
        screen.line(first + 8, y + 3, screen.words.name(), screen.sized(1, bold=rng.random() < 0.5), right=second - 4)
        screen.line(
            first + 8, y + 3 + body * 1.3, screen.words.prose(6), screen.sized(0.9), theme.muted, right=second - 4
        )
        y += body * 3.3
        screen.sheet.draw.line([(first, y), (second, y)], fill=mixed(theme.ground, theme.ink, 0.15))
    if screen.width - second > body * 8:
        height = screen.line(
            second + 8, top + 6, screen.words.title(2), screen.sized(1.3, bold=True), right=screen.width - 6
        )
        y = top + 12 + height
        while y + body * 1.5 < screen.height and rng.random() < 0.96:
            y += (screen.line(second + 8, y, screen.words.prose(8), screen.font, right=screen.width - 6) or body) * 1.1


def desktop(screen: Screen) -> None:
    """Draw a desktop with icons, a window and a task bar."""
    rng, body = screen.rng, screen.body
    screen.wallpaper()
    for k in range(rng.randint(2, 6)):
        icon = 8 + k * body * 5
        if icon + body * 4.6 < screen.height - body * 2:
            screen.icon(12, icon, body * 2.6)
            screen.line(
                2,
                icon + body * 2.8,
                rng.choice(LABELS).split()[0],
                screen.font,
                (255, 255, 255),
                right=body * 6,
                align="centre",
            )
    left, top = body * 6 + rng.uniform(0, screen.width * 0.12), rng.uniform(4, screen.height * 0.2)
    right, bottom = (
        screen.width - rng.uniform(4, screen.width * 0.1),
        screen.height - body * 2 - rng.uniform(4, screen.height * 0.15),
    )
    y = screen.title_bar((left, top, right, bottom), screen.words.title(2)) + 6
    while y + body * 1.5 < bottom:
        y += (screen.line(left + 8, y, screen.words.prose(7), screen.font, right=right - 6) or body) * 1.15
    screen.box((0, screen.height - body * 1.9, screen.width, screen.height), fill=screen.theme.panel)
    for k in range(5):
        screen.icon(6 + k * body * 2, screen.height - body * 1.7, body * 1.5)
    screen.line(0, screen.height - body * 1.7, screen.words.time(), screen.font, right=screen.width - 8, align="right")
