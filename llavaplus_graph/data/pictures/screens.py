"""The class of screens: which interface is shown, in which theme, and whether a camera looked at it."""

from __future__ import annotations

import random

from PIL import Image

from llavaplus_graph.data.pictures import screen_apps, screen_pages
from llavaplus_graph.data.pictures.camera import laid_on, snapped
from llavaplus_graph.data.pictures.drawn import DrawnPicture
from llavaplus_graph.data.pictures.materials import table_top
from llavaplus_graph.data.pictures.photographs import photographed_ground
from llavaplus_graph.data.pictures.screen_parts import Screen
from llavaplus_graph.data.pictures.sheet import canvas_size

_WIDE = (
    screen_apps.terminal,
    screen_apps.terminal,
    screen_apps.editor,
    screen_apps.spreadsheet,
    screen_apps.files,
    screen_apps.crash,
    screen_apps.mail,
    screen_apps.desktop,
    screen_apps.dialog,
    screen_apps.dialog,
    screen_apps.dialog,
    screen_pages.web_page,
    screen_pages.web_page,
    screen_pages.sign_in,
    screen_pages.shop,
    screen_pages.dashboard,
    screen_pages.error_page,
    screen_pages.player,
    screen_pages.notices,
)
_TALL = (
    screen_pages.settings,
    screen_pages.settings,
    screen_pages.chat,
    screen_pages.chat,
    screen_pages.home,
    screen_pages.sign_in,
    screen_pages.feed,
    screen_pages.lock,
    screen_pages.notices,
)


def screen(rng: random.Random) -> DrawnPicture:
    """Draw the screen of a computer or a telephone."""
    tall = rng.random() < 0.3
    shown = Screen(
        canvas_size(rng, 0.5, 0.65, shortest=360) if tall else canvas_size(rng, 0.9, 2.0, shortest=300), rng, tall
    )
    rng.choice(_TALL if tall else _WIDE)(shown)
    if not shown.sheet.texts:
        shown.line(4, 4, shown.words.title(1), shown.font)
    return DrawnPicture(_seen(shown.sheet.picture, rng), "screen", tuple(shown.sheet.texts))


def _seen(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Leave a screen as captured, or photograph it with its bezel."""
    if rng.random() < 0.85:
        return snapped(picture, rng, 0.15)
    edge = rng.randint(4, 16)
    bezel = Image.new("RGB", (picture.width + 2 * edge, picture.height + 2 * edge), (rng.randint(5, 50),) * 3)
    bezel.paste(picture, (edge, edge))
    ground = photographed_ground(picture.size, rng) if rng.random() < 0.5 else table_top(picture.size, rng)
    return snapped(
        laid_on(ground, bezel, rng, turn=rng.choice([0, 3]), lean=rng.choice([0, 0.03, 0.06]), cover=(0.9, 1.0)), rng
    )
