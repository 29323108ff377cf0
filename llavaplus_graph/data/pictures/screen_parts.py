"""What interfaces are made of: theme, title bars, buttons, fields, icons; knows no application."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image

from llavaplus_graph.data.pictures.colours import BLACK, WHITE, any_colour, from_hsv, luminance, mixed
from llavaplus_graph.data.pictures.fields import Colour, Size, ramp, slope
from llavaplus_graph.data.pictures.fonts import Font, line_height, load, pick_face
from llavaplus_graph.data.pictures.interface_texts import MENUS
from llavaplus_graph.data.pictures.photographs import photographed_ground
from llavaplus_graph.data.pictures.sheet import Align, Sheet
from llavaplus_graph.data.pictures.words import Words


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of an interface: behind everything, of its panels, letters, quiet letters and what shall be pressed."""

    ground: Colour
    panel: Colour
    ink: Colour
    muted: Colour
    accent: Colour


def pick_theme(rng: random.Random) -> Theme:
    """Draw a light or a dark theme."""
    accent = rng.choice(
        [
            (37, 99, 235),
            (0, 120, 215),
            (22, 163, 74),
            (220, 38, 38),
            (124, 58, 237),
            (234, 88, 12),
            any_colour(rng, (0.5, 1), (0.5, 0.9)),
        ]
    )
    if rng.random() < 0.6:
        level = rng.randint(236, 255)
        return Theme(
            (level, level, min(255, level + rng.randint(0, 6))),
            WHITE if level < 250 else (243, 244, 246),
            (rng.randint(10, 50),) * 3,
            (rng.randint(105, 140),) * 3,
            accent,
        )
    level = rng.randint(0, 45)
    ground = (level, level, min(255, level + rng.randint(0, 14)))
    return Theme(
        ground,
        mixed(ground, WHITE, rng.uniform(0.05, 0.12)),
        (rng.randint(210, 255),) * 3,
        (rng.randint(130, 160),) * 3,
        accent,
    )


class Screen:
    """A screen to draw on.

    Attributes:
        sheet: the canvas that remembers its texts.
        rng: source of every choice.
        theme: colours.
        words: texts.
        body: size of letters in pixels.
        tall: whether it is a telephone's.
    """

    def __init__(self, size: Size, rng: random.Random, tall: bool = False) -> None:
        self.rng, self.tall, self.words, self.theme = rng, tall, Words(rng), pick_theme(rng)
        self.sheet = Sheet.of(size, self.theme.ground, self.theme.ink)
        self.body = (
            rng.choice([9, 10, 11, 12, 12, 13, 14]) if max(size) < 480 else rng.choice([10, 11, 12, 13, 14, 15, 16])
        )
        self._face = pick_face(rng, "sans", "'$<") if rng.random() < 0.6 else pick_face(rng, "sans")
        self._ascii_face = "DejaVuSans"

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.sheet.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.sheet.height

    @property
    def font(self) -> Font:
        """The typeface of labels."""
        return load(self._face, self.body)

    def sized(self, times: float, bold: bool = False) -> Font:
        """Open the typeface of labels larger or smaller, or a bold one."""
        return load("DejaVuSans-Bold" if bold else self._face, max(8, round(self.body * times)))

    def line(
        self,
        x: float,
        y: float,
        text: str,
        font: Font,
        ink: Colour | None = None,
        right: float | None = None,
        align: Align = "left",
    ) -> int:
        """Print one line in a typeface that has its letters; gives the height as `Sheet.print` does."""
        if not set(text).isdisjoint("$<>|{}_\\^~\"'") or not text.isascii():
            font = load(self._ascii_face, round(font.size))
        return self.sheet.print((x, y), text, font, ink, right, align)

    def box(
        self,
        bounds: tuple[float, float, float, float],
        fill: Colour | None = None,
        outline: Colour | None = None,
        radius: float = 0,
    ) -> None:
        """Draw a rectangle, rounded where a radius is given; one without area is left out."""
        left, top, right, bottom = bounds
        if right - left < 2 or bottom - top < 2:
            return
        self.sheet.draw.rounded_rectangle(
            bounds, radius=min(radius, (right - left) / 2, (bottom - top) / 2), fill=fill, outline=outline
        )

    def button(
        self, x: float, y: float, text: str, primary: bool = False, width: float | None = None
    ) -> tuple[float, float]:
        """Draw a button; gives its width and height."""
        font = self.font
        wide = width or font.getlength(text) + self.body * 2
        tall = line_height(font) + self.body * 0.6
        if x + wide > self.width or y + tall > self.height:
            return wide, tall
        fill = self.theme.accent if primary else self.theme.panel
        self.box(
            (x, y, x + wide, y + tall),
            fill=fill,
            outline=None if primary else self.theme.muted,
            radius=self.rng.choice([0, 3, 5]),
        )
        self.line(x, y + self.body * 0.3, text, font, on(fill), right=x + wide, align="centre")
        return wide, tall

    def title_bar(self, bounds: tuple[float, float, float, float], title: str) -> float:
        """Draw a window's frame and title bar; gives where its content begins."""
        left, top, right, _ = bounds
        tall = self.body * 1.9
        bar = self.rng.choice([self.theme.panel, self.theme.accent, mixed(self.theme.ground, self.theme.ink, 0.12)])
        self.box(bounds, fill=self.theme.ground, outline=mixed(self.theme.ground, self.theme.ink, 0.4))
        self.box((left, top, right, top + tall), fill=bar)
        radius = self.body * 0.36
        dots: tuple[Colour, ...] = ((255, 95, 86), (255, 189, 46), (39, 201, 63))
        if self.rng.random() < 0.5:
            for k, colour in enumerate(dots):
                x = left + self.body * (1 + 1.3 * k)
                self.sheet.draw.ellipse(
                    [x - radius, top + tall / 2 - radius, x + radius, top + tall / 2 + radius], fill=colour
                )
            self.line(left + self.body * 5, top + 2, title, self.font, on(bar), right=right - self.body, align="centre")
        else:
            self.line(left + self.body * 0.6, top + 2, title, self.font, on(bar), right=right - self.body * 6)
            for k in range(3):
                x = right - self.body * (1.2 + 1.7 * k)
                self.sheet.draw.rectangle(
                    [x - radius, top + tall / 2 - radius, x + radius, top + tall / 2 + radius], outline=on(bar)
                )
        return top + tall

    def menu_bar(self, x: float, y: float, right: float) -> float:
        """Draw a row of menus; gives where the content begins."""
        self.box((x, y, right, y + self.body * 1.7), fill=self.theme.panel)
        at = x + self.body * 0.6
        for menu in self.rng.sample(MENUS, 7):
            length = self.font.getlength(menu)
            if at + length > right - 4:
                break
            self.line(at, y + 1, menu, self.font, right=right)
            at += length + self.body * 1.3
        return y + self.body * 1.8

    def entry(self, bounds: tuple[float, float, float, float], text: str = "") -> None:
        """Draw an entry field, filled in or empty."""
        self.box(bounds, fill=mixed(self.theme.ground, self.theme.panel, 0.5), outline=self.theme.muted, radius=3)
        if text:
            self.line(
                bounds[0] + self.body * 0.5, bounds[1] + 2, text, self.font, self.theme.muted, right=bounds[2] - 2
            )

    def icon(self, x: float, y: float, side: float) -> None:
        """Draw a small coloured tile with a plain sign in it."""
        colour = from_hsv(self.rng.random(), self.rng.uniform(0.4, 0.9), self.rng.uniform(0.5, 0.95))
        self.box((x, y, x + side, y + side), fill=colour, radius=side * self.rng.choice([0.1, 0.25, 0.5]))
        inner = (x + side * 0.28, y + side * 0.28, x + side * 0.72, y + side * 0.72)
        if self.rng.random() < 0.5:
            self.sheet.draw.ellipse(inner, fill=on(colour))
        else:
            self.sheet.draw.rectangle(inner, fill=on(colour))

    def wallpaper(self) -> None:
        """Cover the screen with a photograph or a colour, dark enough for white letters."""
        size = (self.width, self.height)
        if self.rng.random() < 0.65:
            self.sheet.picture.paste(photographed_ground(size, self.rng).point(lambda level: level * 0.7))
        else:
            first, second = any_colour(self.rng, (0.2, 0.9), (0.1, 0.6)), any_colour(self.rng, (0.2, 0.9), (0.1, 0.6))
            self.sheet.picture.paste(Image.fromarray(ramp(slope(size, self.rng), [first, second])))

    def status_bar(self, ink: Colour | None = None) -> float:
        """Draw the top line of a telephone: time, signal, battery; gives where the content begins."""
        font, ink = self.sized(0.9), ink or self.theme.ink
        height = self.line(self.body, 2, self.words.time(), font, ink) + 6
        right, middle = self.width - self.body, 2 + self.body * 0.7
        self.sheet.draw.rectangle([right - self.body * 1.5, middle - 3, right, middle + 4], outline=ink)
        self.sheet.draw.rectangle(
            [right - self.body * 1.5, middle - 3, right - self.body * self.rng.uniform(0.1, 1.2), middle + 4], fill=ink
        )
        for k in range(4):
            x = right - self.body * 2.4 - k * 4
            self.sheet.draw.rectangle([x, middle + 4 - (8 - 2 * k), x + 2, middle + 4], fill=ink)
        return float(height)


def on(ground: Colour) -> Colour:
    """Give black or white, whichever reads on a ground."""
    return BLACK if luminance(ground) > 150 else WHITE
