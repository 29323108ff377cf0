"""The class of drawn scenes: places with things in them, and the box of each."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageFilter

from llavaplus_graph.data.pictures.brush import Bounds, Brush, Manner
from llavaplus_graph.data.pictures.camera import snapped
from llavaplus_graph.data.pictures.colours import BLACK, WHITE, any_colour, from_hsv, mixed, shifted
from llavaplus_graph.data.pictures.drawn import DrawnPicture
from llavaplus_graph.data.pictures.fields import Colour, field, ramp
from llavaplus_graph.data.pictures.sheet import canvas_size
from llavaplus_graph.data.pictures.things import (
    FLOOR_THINGS,
    GROUND_THINGS,
    MOON,
    ROAD_THINGS,
    SINGLE_THINGS,
    SKY_THINGS,
    SNOWMAN,
    SUN,
    TABLE,
    TABLE_THINGS,
    WALL_THINGS,
    WATER_THINGS,
    Thing,
)
from llavaplus_graph.geometry import Box

_FINE = 2  # drawn twice as large and reduced, because Pillow's shapes have hard edges
_CROWDED = 0.12  # the most that a new thing may share with one that is there


def scene(rng: random.Random) -> DrawnPicture:
    """Draw a flat illustration: a countryside, a street, a sea, a room, a night, or things on a plain ground."""
    size = canvas_size(rng, 0.55, 1.9)
    stage = _Stage(size, rng)
    rng.choice(_PLACES)(stage)
    return DrawnPicture(_finished(stage.picture, rng), "scene", objects=tuple(stage.objects(size)))


class _Stage:
    """A canvas that places things without hiding one behind another."""

    def __init__(self, size: tuple[int, int], rng: random.Random) -> None:
        self.rng, self.width, self.height = rng, size[0] * _FINE, size[1] * _FINE
        self.manner = _manner(rng)
        self.picture = Image.new("RGB", (self.width, self.height), WHITE)
        self.draw = ImageDraw.Draw(self.picture)
        self.named: list[tuple[str, Bounds]] = []
        self._taken: list[Bounds] = []

    def region(self, name: str, top: float, bottom: float, colour: Colour, second: Colour | None = None) -> None:
        """Fill a band over the whole width, from one share of the height to another, and name it."""
        y1, y2 = round(top * self.height), round(bottom * self.height)
        if self.manner.filled:
            for y in range(y1, y2, 4) if second else ():
                self.draw.rectangle(
                    [0, y, self.width, y + 4], fill=mixed(colour, second or colour, (y - y1) / max(1, y2 - y1))
                )
            if second is None:
                self.draw.rectangle([0, y1, self.width, y2], fill=colour)
        if self.manner.outline and top > 0:
            self.draw.line([(0, y1), (self.width, y1)], fill=self.manner.outline, width=self.manner.width)
        self.named.append((name, (0.0, float(y1), float(self.width), float(y2))))

    def put(
        self,
        thing: Thing,
        top: float,
        bottom: float,
        left: float = 0,
        right: float = 1,
        standing: bool = True,
        tries: int = 8,
    ) -> bool:
        """Place a thing where it hides little of others.

        Args:
            thing: what to place.
            top: upper share of the height where its foot, or its middle when not standing, may be.
            bottom: lower share.
            left: leftmost share of the width for its left edge.
            right: rightmost share for its right edge.
            standing: whether `top` and `bottom` are about its foot.
            tries: how many places are tried.

        Returns:
            Whether a place was found.
        """
        rng = self.rng
        for _ in range(tries):
            tall = thing.share * min(self.width, self.height * 1.2) * rng.uniform(0.7, 1.35)
            wide = tall * thing.ratio * rng.uniform(0.85, 1.15)
            if wide > (right - left) * self.width:
                continue
            x = rng.uniform(left * self.width, right * self.width - wide)
            y = rng.uniform(top, bottom) * self.height - (tall if standing else tall / 2)
            bounds = (x, y, x + wide, y + tall)
            if y < 0 or y + tall > self.height or any(_shared(bounds, other) > _CROWDED for other in self._taken):
                continue
            brush = Brush(self.draw, bounds, self.manner, rng)
            thing.paint(brush)
            self._taken.append(brush.covered)
            self.named.append((thing.name, brush.covered))
            return True
        return False

    def put_some(
        self,
        things: Sequence[Thing],
        count: int,
        top: float,
        bottom: float,
        left: float = 0,
        right: float = 1,
        standing: bool = True,
    ) -> None:
        """Place several things, those further up first so that nearer ones overlap them."""
        feet = sorted(self.rng.uniform(top, bottom) for _ in range(count))
        for foot in feet:
            self.put(self.rng.choice(things), foot, foot, left, right, standing)

    def objects(self, size: tuple[int, int]) -> list[tuple[str, Box]]:
        """Give the named things with normalised boxes, cut at the edges; slivers and hidden regions are left out."""
        found = []
        for name, (left, top, right, bottom) in self.named:
            x1, y1, x2, y2 = (
                min(1.0, max(0.0, value / side))
                for value, side in zip(
                    (left, top, right, bottom), (self.width, self.height, self.width, self.height), strict=True
                )
            )
            if (x2 - x1) * size[0] >= 3 and (y2 - y1) * size[1] >= 3:
                found.append((name, (x1, y1, x2, y2)))
        return found


def _shared(one: Bounds, two: Bounds) -> float:
    """Tell which share of the smaller of two boxes lies in the other."""
    wide, tall = min(one[2], two[2]) - max(one[0], two[0]), min(one[3], two[3]) - max(one[1], two[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    return wide * tall / max(1e-6, min((one[2] - one[0]) * (one[3] - one[1]), (two[2] - two[0]) * (two[3] - two[1])))


def _manner(rng: random.Random) -> Manner:
    pick = rng.random()
    if pick < 0.4:
        return Manner(None, 0, True, rng.choice(["natural", "natural", "pastel", "loud"]))
    if pick < 0.85:
        return Manner(
            rng.choice([BLACK, (40, 30, 30), (30, 40, 90)]),
            rng.randint(2, 7),
            True,
            rng.choice(["natural", "natural", "pastel", "loud", "grey"]),
        )
    return Manner(rng.choice([BLACK, (60, 60, 70), (30, 40, 120)]), rng.randint(2, 6), False, "natural")


def _finished(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Reduce to the final size, sometimes with the look of crayon, paper or a copy."""
    picture = picture.reduce(_FINE)
    pick = rng.random()
    if pick < 0.12:
        rough = Image.fromarray(ramp(field(picture.size, rng, rng.choice([0.5, 1])), [(150, 150, 150), WHITE]))
        picture = Image.blend(picture, rough, rng.uniform(0.1, 0.3))
    elif pick < 0.2:
        picture = (
            picture.filter(ImageFilter.ModeFilter(5))
            if picture.width * picture.height < 60_000
            else picture.filter(ImageFilter.GaussianBlur(0.8))
        )
    return snapped(picture, rng, rng.choice([0, 0, 0.4]))


def _sky(stage: _Stage, horizon: float, night: bool) -> None:
    rng = stage.rng
    if night:
        colour, second = (
            from_hsv(rng.uniform(0.6, 0.75), rng.uniform(0.4, 0.8), rng.uniform(0.1, 0.3)),
            from_hsv(rng.uniform(0.6, 0.8), 0.5, rng.uniform(0.25, 0.45)),
        )
    else:
        colour, second = rng.choice(
            [
                ((135, 206, 235), (210, 238, 250)),
                ((90, 160, 230), (180, 215, 245)),
                ((255, 190, 140), (255, 230, 190)),
                ((200, 215, 225), (235, 240, 245)),
                (any_colour(rng, (0.1, 0.5), (0.8, 1)),) * 2,
            ]
        )
    stage.region("sky", 0, horizon, colour, second if rng.random() < 0.5 else None)
    if night and stage.manner.filled:
        for _ in range(rng.randint(0, 40)):
            x, y, size = rng.uniform(0, stage.width), rng.uniform(0, horizon * stage.height), rng.uniform(1, 4)
            stage.draw.ellipse([x - size, y - size, x + size, y + size], fill=(255, 255, 220))
    if rng.random() < 0.8:
        stage.put(MOON if night else SUN, horizon * 0.2, horizon * 0.5, standing=False)
    stage.put_some(SKY_THINGS[: 2 if night else 5], rng.randint(0, 4), horizon * 0.2, horizon * 0.7, standing=False)


def _hills(stage: _Stage, horizon: float, colour: Colour) -> None:
    rng = stage.rng
    for _ in range(rng.randint(0, 3)):
        middle, wide, tall = (
            rng.uniform(0, 1) * stage.width,
            rng.uniform(0.3, 0.8) * stage.width,
            rng.uniform(0.08, 0.3) * stage.height,
        )
        fill, foot = shifted(colour, rng.randint(-50, -10)), horizon * stage.height
        if not stage.manner.filled:
            fill = WHITE
        if rng.random() < 0.5:
            points = [(middle - wide / 2, foot), (middle, foot - tall), (middle + wide / 2, foot)]
            stage.draw.polygon(points, fill=fill, outline=stage.manner.outline)
        else:
            stage.draw.chord(
                [middle - wide / 2, foot - tall, middle + wide / 2, foot + tall],
                180,
                360,
                fill=fill,
                outline=stage.manner.outline,
            )


def _country(stage: _Stage) -> None:
    rng = stage.rng
    horizon, night = rng.uniform(0.35, 0.65), rng.random() < 0.15
    grass = from_hsv(
        rng.uniform(0.22, 0.4), rng.uniform(0.35, 0.75), rng.uniform(0.25, 0.4) if night else rng.uniform(0.5, 0.85)
    )
    winter = rng.random() < 0.1
    _sky(stage, horizon, night)
    _hills(stage, horizon, (225, 230, 240) if winter else grass)
    stage.region("snow" if winter else "grass", horizon, 1, (245, 248, 252) if winter else grass)
    stage.put_some((SNOWMAN, *GROUND_THINGS[:3]) if winter else GROUND_THINGS, rng.randint(1, 7), horizon + 0.05, 0.97)


def _street(stage: _Stage) -> None:
    rng = stage.rng
    horizon, night = rng.uniform(0.45, 0.6), rng.random() < 0.2
    _sky(stage, horizon, night)
    verge = rng.uniform(horizon + 0.08, horizon + 0.16)
    stage.region("grass", horizon, verge, from_hsv(rng.uniform(0.2, 0.4), 0.5, 0.6))
    stage.put_some(GROUND_THINGS[:3], rng.randint(1, 5), horizon + 0.02, verge)
    level = rng.randint(70, 150)
    stage.region("road", verge, 1, (level, level, level + 5))
    if stage.manner.filled:
        y = (verge + 1) / 2 * stage.height
        for x in range(0, stage.width, max(20, stage.width // 8)):
            stage.draw.rectangle([x, y - 4, x + stage.width // 16, y + 4], fill=(240, 240, 220))
    stage.put_some(ROAD_THINGS, rng.randint(1, 4), verge + 0.12, 0.97)


def _sea(stage: _Stage) -> None:
    rng = stage.rng
    horizon, night = rng.uniform(0.35, 0.6), rng.random() < 0.15
    _sky(stage, horizon, night)
    shore = rng.choice([1.0, rng.uniform(0.75, 0.9)])
    stage.region(
        "sea",
        horizon,
        shore,
        from_hsv(
            rng.uniform(0.5, 0.62), rng.uniform(0.4, 0.85), rng.uniform(0.3, 0.5) if night else rng.uniform(0.55, 0.9)
        ),
    )
    stage.put_some(WATER_THINGS, rng.randint(1, 4), horizon + 0.1, shore - 0.03)
    if shore < 1:
        stage.region("sand", shore, 1, from_hsv(rng.uniform(0.1, 0.14), 0.35, 0.92))
        stage.put_some((*GROUND_THINGS[6:10], GROUND_THINGS[13]), rng.randint(0, 3), shore + 0.06, 0.98)


def _room(stage: _Stage) -> None:
    rng = stage.rng
    edge = rng.uniform(0.6, 0.8)
    wall = any_colour(rng, (0.05, 0.5), (0.7, 1))
    stage.region("wall", 0, edge, wall)
    stage.region("floor", edge, 1, from_hsv(rng.uniform(0.04, 0.12), rng.uniform(0.2, 0.6), rng.uniform(0.4, 0.8)))
    stage.put_some(WALL_THINGS, rng.randint(0, 3), 0.2, edge * 0.45, standing=False)
    if rng.random() < 0.75:
        foot = rng.uniform(edge + 0.08, 0.96)
        left = rng.uniform(0, 0.3)
        if stage.put(TABLE, foot, foot, left, left + 0.7, tries=20):
            _set_table(stage, rng.randint(0, 3))
    stage.put_some(FLOOR_THINGS, rng.randint(0, 3), edge + 0.08, 0.97)


def _set_table(stage: _Stage, count: int) -> None:
    """Stand small things on the table that was placed last."""
    left, top, right, _ = stage.named[-1][1]
    for _ in range(count):
        stage.put(
            stage.rng.choice(TABLE_THINGS),
            top / stage.height + 0.005,
            top / stage.height + 0.005,
            left / stage.width,
            right / stage.width,
        )


def _still(stage: _Stage) -> None:
    """Stand things on a table that reaches over the whole width, near enough to fill the picture."""
    rng = stage.rng
    edge = rng.uniform(0.45, 0.7)
    stage.region("wall", 0, edge, any_colour(rng, (0.05, 0.6), (0.5, 1)))
    stage.region("table", edge, 1, from_hsv(rng.uniform(0.03, 0.12), rng.uniform(0.2, 0.7), rng.uniform(0.4, 0.85)))
    large = [Thing(thing.name, thing.paint, thing.ratio, thing.share * rng.uniform(1.3, 2.2)) for thing in TABLE_THINGS]
    stage.put_some(large, rng.randint(2, 5), edge + 0.06, 0.95)


def _plain(stage: _Stage) -> None:
    """Lay a few things on one colour, as icons and clip art are shown."""
    rng = stage.rng
    ground = WHITE if rng.random() < 0.5 else any_colour(rng, (0.05, 0.9), (0.4, 1))
    stage.draw.rectangle([0, 0, stage.width, stage.height], fill=ground if stage.manner.filled else WHITE)
    count = rng.choice([1, 1, 2, 3, 5, 8])
    grown = 2.2 / count**0.5
    things = [
        Thing(thing.name, thing.paint, thing.ratio, min(0.8, thing.share * grown))
        for thing in rng.sample(SINGLE_THINGS, min(count, len(SINGLE_THINGS)))
    ]
    for thing in things:
        stage.put(thing, 0.1, 0.9, standing=False, tries=20)
    if not stage.named:
        stage.put(Thing("ball", SINGLE_THINGS[6].paint, 1.0, 0.4), 0.5, 0.5, standing=False, tries=40)


_PLACES: tuple[Callable[[_Stage], None], ...] = (
    _country,
    _country,
    _country,
    _street,
    _street,
    _sea,
    _sea,
    _room,
    _room,
    _still,
    _plain,
    _plain,
)
