"""Web pages and telephone screens: articles, shops, sign-ins, charts, chats, settings; knows no desktop program."""

from __future__ import annotations

from math import sin

from llavaplus_graph.data.pictures.colours import any_colour, mixed
from llavaplus_graph.data.pictures.fonts import line_height
from llavaplus_graph.data.pictures.interface_texts import BUTTONS, LABELS, MESSAGES
from llavaplus_graph.data.pictures.photographs import photographed_ground
from llavaplus_graph.data.pictures.screen_parts import Screen, on


def _browser(screen: Screen) -> float:
    """Draw a browser's address bar, or none; gives where the page begins."""
    if screen.rng.random() < 0.35:
        return 0.0
    body = screen.body
    screen.box((0, 0, screen.width, body * 2.6), fill=screen.theme.panel)
    for k in range(3):
        x = body * (1 + 1.5 * k)
        screen.sheet.draw.ellipse([x - 3, body * 1.3 - 3, x + 3, body * 1.3 + 3], outline=screen.theme.muted)
    screen.entry((body * 5.5, body * 0.4, screen.width - body * 2, body * 2.2), f"https://{screen.words.url()}")
    return body * 2.7


def _picture(screen: Screen, left: float, top: float, right: float, bottom: float) -> None:
    width, height = round(right - left), round(min(bottom, screen.height) - top)
    if width > 8 and height > 8:
        screen.sheet.picture.paste(photographed_ground((width, height), screen.rng), (round(left), round(top)))


def web_page(screen: Screen) -> None:
    """Draw an article on the web with navigation and a picture."""
    rng, body, theme = screen.rng, screen.body, screen.theme
    y = _browser(screen)
    bar = rng.choice([theme.accent, theme.panel, theme.ground])
    screen.box((0, y, screen.width, y + body * 2.4), fill=bar)
    screen.line(body, y + body * 0.3, screen.words.title(1), screen.sized(1.3, bold=True), on(bar))
    x = screen.width * 0.45
    for label in rng.sample(["Home", "About", "News", "Shop", "Contact", "Blog", "Log in", "Docs"], 4):
        screen.line(x, y + body * 0.5, label, screen.font, on(bar), right=x + body * 5)
        x += body * 5
    y += body * 3
    left, right = screen.width * rng.uniform(0.03, 0.12), screen.width * rng.uniform(0.6, 0.97)
    y += (
        screen.line(
            left, y, screen.words.title(rng.randint(2, 5)), screen.sized(rng.uniform(1.4, 2.2), bold=True), right=right
        )
        * 1.2
    )
    if rng.random() < 0.5:
        tall = screen.height * rng.uniform(0.15, 0.4)
        _picture(screen, left, y, right, y + tall)
        y += tall + body * 0.6
    banner = body * 3 if rng.random() < 0.3 else 0.0
    while y + body * 1.5 < screen.height - banner:
        link = rng.random() < 0.12
        y += (
            screen.line(
                left,
                y,
                screen.words.prose(rng.choice([5, 12, 14])),
                screen.font,
                theme.accent if link else None,
                right=right,
            )
            or body
        ) * rng.choice([1.15, 1.15, 1.9])
    if banner:
        screen.box((0, screen.height - banner, screen.width, screen.height), fill=theme.panel, outline=theme.muted)
        screen.line(body, screen.height - banner + body * 0.8, "We use cookies.", screen.font)
        screen.button(screen.width - body * 9, screen.height - banner + body * 0.4, "Accept all", primary=True)


def sign_in(screen: Screen) -> None:
    """Draw a form to sign in or to register."""
    rng, body = screen.rng, screen.body
    top = screen.status_bar() if screen.tall else _browser(screen)
    wide = min(screen.width * 0.86, body * 26)
    left = (screen.width - wide) / 2
    y = top + (screen.height - top) * rng.uniform(0.03, 0.15)
    screen.box((left - body, y - body * 0.5, left + wide + body, screen.height - 4), fill=screen.theme.panel, radius=6)
    y += (
        screen.line(
            left,
            y,
            rng.choice(["Sign in", "Welcome back", "Create account", "Log in", "Contact us", "Checkout"]),
            screen.sized(1.7, bold=True),
            right=left + wide,
            align="centre",
        )
        * 1.3
    )
    for label in rng.sample(
        ["Username", "Password", "E-mail address", "First name", "Last name", "Phone number", "Card number", "Country"],
        rng.randint(2, 5),
    ):
        if y + body * 4 > screen.height:
            break
        y += screen.line(left, y, label, screen.sized(0.9), screen.theme.muted) * 1.1
        screen.entry(
            (left, y, left + wide, y + body * 2),
            rng.choice(["", screen.words.email(), "********", screen.words.name()]),
        )
        y += body * 2.6
    _, tall = screen.button(
        left, y, rng.choice(["Sign in", "Continue", "Submit", "Next", "Sign up"]), primary=True, width=wide
    )
    screen.line(
        left,
        y + tall + 6,
        rng.choice(["Forgot your password?", "Remember me", "New here? Create an account"]),
        screen.sized(0.9),
        screen.theme.accent,
        right=left + wide,
        align="centre",
    )


def shop(screen: Screen) -> None:
    """Draw goods in tiles with prices and buttons."""
    rng, body = screen.rng, screen.body
    y = _browser(screen) + 6
    screen.entry((body, y, screen.width * 0.7, y + body * 2), "Search")
    y += body * 2.8
    tile_wide, tile_tall = body * rng.uniform(9, 13), body * rng.uniform(11, 15)
    for row in range(max(1, int((screen.height - y) / tile_tall))):
        for column in range(max(1, int(screen.width / tile_wide))):
            left, top = column * tile_wide + 5, y + row * tile_tall
            right = left + tile_wide - 8
            screen.box(
                (left, top, right, top + tile_tall - 6),
                fill=screen.theme.panel,
                outline=mixed(screen.theme.panel, screen.theme.ink, 0.15),
            )
            photo_bottom = top + tile_tall - body * 5
            if rng.random() < 0.5:
                _picture(screen, left + 3, top + 3, right - 3, photo_bottom)
            else:
                screen.box((left + 3, top + 3, right - 3, photo_bottom), fill=any_colour(rng, (0.1, 0.6), (0.6, 0.95)))
            screen.line(left + 4, top + tile_tall - body * 4.8, screen.words.title(2), screen.font, right=right - 2)
            screen.line(
                left + 4,
                top + tile_tall - body * 3.4,
                f"${screen.words.price()}",
                screen.sized(1, bold=True),
                screen.theme.accent,
                right=right - 2,
            )


def dashboard(screen: Screen) -> None:
    """Draw figures and charts."""
    rng, body, theme = screen.rng, screen.body, screen.theme
    side = screen.width * rng.choice([0, 0.2])
    if side:
        screen.box((0, 0, side, screen.height), fill=theme.panel)
        for k, label in enumerate(rng.sample(LABELS, 7)):
            screen.line(
                6, 8 + k * body * 2.2, label, screen.font, theme.accent if k == 1 else theme.muted, right=side - 2
            )
    y = (
        6.0
        + screen.line(
            side + 8,
            6,
            rng.choice(["Dashboard", "Overview", "Reports", "Sales", "Analytics"]),
            screen.sized(1.5, bold=True),
        )
        * 1.2
    )
    wide = (screen.width - side - 16) / 3
    for k in range(3):
        left = side + 8 + k * wide
        screen.box((left, y, left + wide - 6, y + body * 4), fill=theme.panel, radius=4)
        screen.line(
            left + 6,
            y + 3,
            rng.choice(["Revenue", "Visitors", "Orders", "Users", "Profit"]),
            screen.sized(0.9),
            theme.muted,
            right=left + wide - 8,
        )
        screen.line(
            left + 6,
            y + body * 1.7,
            f"{rng.randint(1, 99)},{rng.randint(100, 999)}",
            screen.sized(1.4, bold=True),
            right=left + wide - 8,
        )
    _chart(screen, (side + 8, y + body * 4.8, screen.width - 10, screen.height - 8))


def _chart(screen: Screen, bounds: tuple[float, float, float, float]) -> None:
    rng, theme = screen.rng, screen.theme
    left, top, right, bottom = bounds
    screen.box(bounds, fill=theme.panel, radius=4)
    count = rng.randint(6, 24)
    step = (right - left - 16) / count
    heights = [(0.2 + 0.6 * rng.random()) if rng.random() < 0.5 else 0.5 + 0.3 * sin(k * 0.7) for k in range(count)]
    points = [(left + 8 + k * step, bottom - 6 - (bottom - top - 12) * height) for k, height in enumerate(heights)]
    if bottom - top < 20:
        return
    if rng.random() < 0.5:
        for x, y in points:
            screen.box((x, y, x + step * 0.7, bottom - 6), fill=theme.accent)
    else:
        screen.sheet.draw.line(points, fill=theme.accent, width=2)


def error_page(screen: Screen) -> None:
    """Draw a page that could not be shown."""
    rng = screen.rng
    top = _browser(screen)
    y = top + (screen.height - top) * rng.uniform(0.12, 0.35)
    left, right = screen.width * 0.08, screen.width * 0.92
    large = rng.choice(["404", "500", "403", "Oops", "Offline", "503", "Not found"])
    align = rng.choice(["left", "centre"])
    y += (
        screen.line(
            left,
            y,
            large,
            screen.sized(rng.uniform(2, 4.5), bold=True),
            rng.choice([screen.theme.accent, screen.theme.ink, screen.theme.muted]),
            right=right,
            align="centre" if align == "centre" else "left",
        )
        * 1.1
    )
    for message in rng.sample(MESSAGES, rng.randint(1, 3)):
        y += (
            screen.line(left, y, message, screen.font, right=right, align="centre" if align == "centre" else "left")
            or screen.body
        ) * 1.3
    text = rng.choice(BUTTONS)
    wide = screen.font.getlength(text) + screen.body * 2
    screen.button((screen.width - wide) / 2 if align == "centre" else left, y + screen.body, text, primary=True)


def player(screen: Screen) -> None:
    """Draw a film or a call with controls over it."""
    rng, body = screen.rng, screen.body
    strip = body * 2.8
    _picture(screen, 0, body * 2, screen.width, screen.height - strip)
    screen.line(6, 3, screen.words.title(rng.randint(2, 4)), screen.font)
    y = screen.height - strip
    screen.box((0, y, screen.width, screen.height), fill=screen.theme.panel)
    screen.sheet.draw.polygon(
        [(10, y + body * 0.8), (10, y + body * 2.2), (10 + body, y + body * 1.5)], fill=screen.theme.ink
    )
    screen.sheet.draw.line(
        [(body * 3, y + body * 1.5), (screen.width - body * 6, y + body * 1.5)], fill=screen.theme.muted, width=3
    )
    screen.sheet.draw.line(
        [(body * 3, y + body * 1.5), (body * 3 + (screen.width - body * 9) * rng.random(), y + body * 1.5)],
        fill=screen.theme.accent,
        width=3,
    )
    screen.line(screen.width - body * 5, y + body * 0.7, f"{rng.randint(0, 9)}:{rng.randint(10, 59)}", screen.font)
    if rng.random() < 0.5:
        screen.line(
            body,
            y - body * 2.2,
            screen.words.prose(6),
            screen.sized(1.1, bold=True),
            (255, 255, 255),
            right=screen.width - body,
            align="centre",
        )


def notices(screen: Screen) -> None:
    """Draw notifications over a wallpaper."""
    rng, body = screen.rng, screen.body
    if rng.random() < 0.7:
        screen.wallpaper()
    left, right, y = (
        screen.width * 0.05,
        screen.width * (0.95 if screen.tall else rng.uniform(0.6, 0.95)),
        screen.height * rng.uniform(0.03, 0.3),
    )
    while y + body * 5 < screen.height and (rng.random() < 0.9 or not screen.sheet.texts):
        screen.box((left, y, right, y + body * 4.4), fill=screen.theme.panel, radius=body * 0.8)
        screen.icon(left + body * 0.6, y + body * 0.8, body * 2.4)
        screen.line(left + body * 3.8, y + body * 0.5, rng.choice(LABELS), screen.sized(1, bold=True), right=right - 6)
        screen.line(
            left + body * 3.8,
            y + body * 2.1,
            rng.choice([rng.choice(MESSAGES), screen.words.prose(6)]),
            screen.font,
            screen.theme.muted,
            right=right - 6,
        )
        y += body * 5.2


def settings(screen: Screen) -> None:
    """Draw a list of settings with switches."""
    rng, body, theme = screen.rng, screen.body, screen.theme
    y = screen.status_bar()
    y += (
        screen.line(body, y, "Settings" if rng.random() < 0.6 else rng.choice(LABELS), screen.sized(1.8, bold=True))
        * 1.3
    )
    icons, card = rng.random() < 0.6, rng.random() < 0.5
    for label in rng.sample(LABELS, 20):
        tall = body * 2.8
        if y + tall > screen.height:
            break
        if card:
            screen.box((body * 0.5, y, screen.width - body * 0.5, y + tall - 2), fill=theme.panel, radius=4)
        if icons:
            screen.icon(body, y + body * 0.45, body * 1.8)
        screen.line(body * (3.6 if icons else 1.2), y + body * 0.6, label, screen.font, right=screen.width - body * 4)
        if rng.random() < 0.45:
            lit, x = rng.random() < 0.5, screen.width - body * 3.6
            screen.box(
                (x, y + body * 0.6, x + body * 2.6, y + body * 1.9),
                fill=theme.accent if lit else theme.muted,
                radius=body,
            )
            knob = x + body * (1.35 if lit else 0.1)
            screen.sheet.draw.ellipse([knob, y + body * 0.7, knob + body * 1.1, y + body * 1.8], fill=(255, 255, 255))
        y += tall
        screen.sheet.draw.line([(body, y - 1), (screen.width - body, y - 1)], fill=mixed(theme.ground, theme.ink, 0.12))


def chat(screen: Screen) -> None:
    """Draw a conversation in bubbles."""
    rng, body, theme = screen.rng, screen.body, screen.theme
    y = screen.status_bar()
    screen.icon(body, y, body * 2)
    y += max(body * 2.4, screen.line(body * 3.6, y, screen.words.name(), screen.sized(1.2, bold=True)) * 1.3)
    mine = rng.choice([theme.accent, (37, 211, 102), (0, 132, 255)])
    while y + body * 4.5 < screen.height:
        own, lines = (
            rng.random() < 0.5,
            [screen.words.prose(rng.randint(2, 4)) for _ in range(rng.choice([1, 1, 2, 3]))],
        )
        most = screen.width * 0.66
        wide = min(most, max(screen.font.getlength(line) for line in lines)) + body * 1.6
        tall = len(lines) * line_height(screen.font) + body
        if y + tall > screen.height - body * 2.5:
            break
        left = screen.width - wide - body * 0.6 if own else body * 0.6
        fill = mine if own else theme.panel
        screen.box((left, y, left + wide, y + tall), fill=fill, radius=body)
        for k, line in enumerate(lines):
            screen.line(
                left + body * 0.8,
                y + body * 0.4 + k * line_height(screen.font),
                line,
                screen.font,
                on(fill),
                right=left + wide - body * 0.3,
            )
        y += tall + body * rng.choice([0.4, 1])
    screen.entry(
        (body * 0.6, screen.height - body * 2.3, screen.width - body * 3, screen.height - body * 0.3), "Message"
    )


def home(screen: Screen) -> None:
    """Draw a telephone's home screen."""
    rng, body = screen.rng, screen.body
    screen.wallpaper()
    y = screen.status_bar((255, 255, 255)) + body
    columns = rng.choice([3, 4, 4])
    pitch = screen.width / columns
    side = pitch * rng.uniform(0.5, 0.68)
    names = iter(rng.sample(LABELS, 40))
    for _ in range(rng.randint(3, 6)):
        if y + side + body * 2 > screen.height:
            break
        for column in range(columns):
            left = column * pitch + (pitch - side) / 2
            screen.icon(left, y, side)
            screen.line(
                column * pitch + 1,
                y + side + 1,
                next(names).split()[0],
                screen.sized(0.85),
                (255, 255, 255),
                right=(column + 1) * pitch - 1,
                align="centre",
            )
        y += side + body * 2.6


def feed(screen: Screen) -> None:
    """Draw posts with pictures, as social networks show them."""
    rng, body = screen.rng, screen.body
    y = screen.status_bar()
    while y + body * 6 < screen.height:
        screen.icon(body * 0.6, y, body * 2)
        screen.line(body * 3.2, y, screen.words.name(), screen.sized(1, bold=True))
        y += body * 2.5
        tall = screen.width * rng.uniform(0.4, 0.9)
        if rng.random() < 0.7:
            _picture(screen, 0, y, screen.width, y + tall)
            y += tall + body * 0.4
        for _ in range(rng.randint(1, 3)):
            y += screen.line(body * 0.6, y, screen.words.prose(6), screen.font) * 1.15
        y += body * 1.2


def lock(screen: Screen) -> None:
    """Draw a lock screen: a large time over a wallpaper."""
    rng = screen.rng
    screen.wallpaper()
    y = screen.height * 0.12
    y += (
        screen.line(
            0, y, screen.words.time(), screen.sized(3.6, bold=rng.random() < 0.5), (255, 255, 255), align="centre"
        )
        * 1.05
    )
    screen.line(0, y, screen.words.date(), screen.sized(1.2), (255, 255, 255), align="centre")
    if rng.random() < 0.6:
        screen.box(
            (screen.width * 0.06, screen.height * 0.5, screen.width * 0.94, screen.height * 0.5 + screen.body * 4),
            fill=screen.theme.panel,
            radius=8,
        )
        screen.line(
            screen.width * 0.1,
            screen.height * 0.5 + screen.body,
            rng.choice(MESSAGES),
            screen.font,
            right=screen.width * 0.9,
        )
    screen.line(
        0,
        screen.height * 0.9,
        rng.choice(["Swipe up to unlock", "Emergency call", "Enter PIN"]),
        screen.font,
        (255, 255, 255),
        align="centre",
    )
