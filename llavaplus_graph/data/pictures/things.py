"""How things look in a drawn scene: one function each, painting in the unit square; knows no scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin

from llavaplus_graph.data.pictures.brush import Brush


def _ring(count: int, x: float, y: float, far: float, near: float | None = None) -> list[tuple[float, float]]:
    """Give the corners of a polygon, or of a star when `near` is given."""
    steps = count * 2 if near is not None else count
    return [
        (
            x + (far if near is None or k % 2 == 0 else near) * sin(2 * pi * k / steps),
            y - (far if near is None or k % 2 == 0 else near) * cos(2 * pi * k / steps),
        )
        for k in range(steps)
    ]


def sun(b: Brush) -> None:
    """Paint a sun, with or without rays."""
    yellow = b.tint(0.13, 0.75, 0.98)
    if b.rng.random() < 0.6:
        b.shape(_ring(b.rng.randint(8, 16), 0.5, 0.5, 0.5, 0.36), b.tint(0.1, 0.8, 0.98))
    b.oval(0.18, 0.18, 0.82, 0.82, yellow)


def moon(b: Brush) -> None:
    """Paint a full moon with spots."""
    b.oval(0.1, 0.1, 0.9, 0.9, b.tint(0.15, 0.15, 0.97))
    for x, y, size in ((0.35, 0.3, 0.08), (0.6, 0.55, 0.11), (0.4, 0.68, 0.06)):
        b.oval(x - size, y - size, x + size, y + size, b.tint(0.15, 0.15, 0.82))


def cloud(b: Brush) -> None:
    """Paint a cloud of overlapping circles."""
    white = b.tint(0.6, 0.04, 0.98)
    for x, y, size in ((0.2, 0.62, 0.2), (0.42, 0.42, 0.26), (0.64, 0.5, 0.24), (0.82, 0.66, 0.18), (0.5, 0.68, 0.24)):
        b.oval(x - size, y - size, x + size, y + size, white)


def house(b: Brush) -> None:
    """Paint a house with roof, door and windows."""
    wall, roof, glass = b.any(), b.tint(0.02, 0.7, 0.6), b.tint(0.55, 0.35, 0.92)
    if b.rng.random() < 0.5:
        b.block(0.72, 0.05, 0.84, 0.4, b.tint(0.03, 0.5, 0.5))
    b.block(0.1, 0.42, 0.9, 1, wall)
    b.shape([(0.02, 0.44), (0.5, 0.02), (0.98, 0.44)], roof)
    b.block(0.42, 0.68, 0.58, 1, b.tint(0.07, 0.6, 0.45))
    for x in (0.17, 0.67):
        b.block(x, 0.52, x + 0.17, 0.68, glass)
        b.stroke([(x + 0.085, 0.52), (x + 0.085, 0.68)], wall, 0.015)


def tree(b: Brush) -> None:
    """Paint a tree with a round crown or a fir."""
    green = b.tint(0.33, 0.65, 0.55)
    b.block(0.42, 0.55, 0.58, 1, b.tint(0.07, 0.6, 0.4))
    form = b.rng.randrange(3)
    if form == 0:
        b.oval(0.08, 0, 0.92, 0.7, green)
    elif form == 1:
        for k in range(3):
            b.shape(
                [(0.5, 0.2 * k), (0.85 - 0.05 * (2 - k), 0.4 + 0.19 * k), (0.15 + 0.05 * (2 - k), 0.4 + 0.19 * k)],
                green,
            )
    else:
        for x, y, size in ((0.3, 0.42, 0.27), (0.7, 0.42, 0.27), (0.5, 0.24, 0.26), (0.5, 0.5, 0.25)):
            b.oval(x - size, y - size, x + size, y + size, green)


def bush(b: Brush) -> None:
    """Paint a low bush, sometimes with berries."""
    green = b.tint(0.3, 0.65, 0.5)
    for x, y, size in ((0.25, 0.65, 0.25), (0.75, 0.65, 0.25), (0.5, 0.45, 0.32)):
        b.oval(x - size, y - size, x + size, y + size, green)
    for x, y in ((0.3, 0.6), (0.55, 0.35), (0.7, 0.66)):
        b.oval(x - 0.04, y - 0.04, x + 0.04, y + 0.04, b.tint(0.98, 0.8, 0.85))


def flower(b: Brush) -> None:
    """Paint a flower with petals, stem and leaf."""
    petal, count = b.any(), b.rng.randint(5, 8)
    b.stroke([(0.5, 0.4), (0.5, 1)], b.tint(0.33, 0.7, 0.5), 0.07)
    b.oval(0.52, 0.68, 0.82, 0.8, b.tint(0.33, 0.7, 0.55))
    for x, y in _ring(count, 0.5, 0.3, 0.2):
        b.oval(x - 0.13, y - 0.11, x + 0.13, y + 0.11, petal)
    b.oval(0.38, 0.21, 0.62, 0.39, b.tint(0.13, 0.8, 0.95))


def car(b: Brush) -> None:
    """Paint a car from the side."""
    paint, glass, black = b.any(), b.tint(0.55, 0.3, 0.9), b.tint(0, 0, 0.15)
    b.shape([(0.18, 0.45), (0.32, 0.1), (0.68, 0.1), (0.84, 0.45)], paint)
    b.shape([(0.26, 0.42), (0.36, 0.17), (0.48, 0.17), (0.48, 0.42)], glass)
    b.shape([(0.52, 0.42), (0.52, 0.17), (0.65, 0.17), (0.75, 0.42)], glass)
    b.block(0, 0.42, 1, 0.8, paint, 0.25)
    for x in (0.22, 0.78):
        b.oval(x - 0.12, 0.62, x + 0.12, 1, black)
        b.oval(x - 0.05, 0.74, x + 0.05, 0.88, b.tint(0, 0, 0.75))
    b.oval(0.93, 0.5, 1, 0.62, b.tint(0.14, 0.6, 1))


def bus(b: Brush) -> None:
    """Paint a bus from the side."""
    b.block(0, 0.08, 1, 0.84, b.any(), 0.1)
    for k in range(5):
        b.block(0.06 + k * 0.18, 0.18, 0.2 + k * 0.18, 0.46, b.tint(0.55, 0.3, 0.92))
    for x in (0.2, 0.8):
        b.oval(x - 0.08, 0.68, x + 0.08, 1, b.tint(0, 0, 0.15))


def bicycle(b: Brush) -> None:
    """Paint a bicycle from the side."""
    frame, black = b.any(), b.tint(0, 0, 0.2)
    for x in (0.22, 0.78):
        points = [(x + 0.2 * cos(k * pi / 10), 0.68 + 0.3 * sin(k * pi / 10)) for k in range(21)]
        b.stroke(points, black, 0.03)
    b.stroke([(0.22, 0.68), (0.4, 0.3), (0.7, 0.3), (0.5, 0.68), (0.22, 0.68)], frame, 0.035)
    b.stroke([(0.5, 0.68), (0.38, 0.2), (0.32, 0.2), (0.44, 0.2)], frame, 0.035)
    b.stroke([(0.78, 0.68), (0.68, 0.12), (0.8, 0.1)], frame, 0.035)


def boat(b: Brush) -> None:
    """Paint a sailing boat."""
    b.stroke([(0.5, 0.72), (0.5, 0)], b.tint(0.07, 0.5, 0.35), 0.03)
    b.shape([(0.53, 0.04), (0.92, 0.62), (0.53, 0.62)], b.tint(0.1, 0.05, 0.98))
    b.shape([(0.47, 0.14), (0.16, 0.62), (0.47, 0.62)], b.any())
    b.shape([(0.02, 0.7), (0.98, 0.7), (0.8, 1), (0.2, 1)], b.any())


def ball(b: Brush) -> None:
    """Paint a ball: plain, striped or a football."""
    colour, form = b.any(), b.rng.randrange(3)
    b.oval(0, 0, 1, 1, colour)
    if form == 0:
        b.oval(0.3, 0, 0.7, 1, b.any())
    elif form == 1:
        b.shape(_ring(5, 0.5, 0.5, 0.22), b.tint(0, 0, 0.1))
    else:
        b.oval(0.18, 0.14, 0.4, 0.36, b.tint(0, 0.02, 1))


def balloon(b: Brush) -> None:
    """Paint a balloon on a string."""
    colour = b.any()
    b.stroke([(0.5, 0.6), (0.45, 0.8), (0.55, 1)], b.tint(0, 0, 0.3), 0.03)
    b.oval(0.05, 0, 0.95, 0.62, colour)
    b.shape([(0.5, 0.58), (0.6, 0.68), (0.4, 0.68)], colour)


def kite(b: Brush) -> None:
    """Paint a kite with a tail."""
    b.stroke([(0.5, 0.65), (0.4, 0.78), (0.6, 0.88), (0.5, 1)], b.tint(0, 0, 0.3), 0.03)
    b.shape([(0.5, 0), (0.92, 0.3), (0.5, 0.7), (0.08, 0.3)], b.any())
    b.shape([(0.5, 0), (0.92, 0.3), (0.5, 0.3)], b.any())


def cat(b: Brush) -> None:
    """Paint a sitting cat."""
    fur = b.tint(b.rng.choice([0.07, 0.09, 0.6]), b.rng.choice([0.05, 0.3, 0.7]), b.rng.choice([0.25, 0.6, 0.9]))
    b.stroke([(0.72, 0.92), (0.95, 0.85), (0.93, 0.6)], fur, 0.09)
    b.oval(0.2, 0.4, 0.8, 1, fur)
    b.shape([(0.2, 0.25), (0.22, 0), (0.45, 0.12)], fur)
    b.shape([(0.8, 0.25), (0.78, 0), (0.55, 0.12)], fur)
    b.oval(0.18, 0.06, 0.82, 0.52, fur)
    for x in (0.37, 0.63):
        b.oval(x - 0.06, 0.2, x + 0.06, 0.32, b.tint(0.25, 0.6, 0.9))
        b.oval(x - 0.02, 0.22, x + 0.02, 0.31, b.tint(0, 0, 0.05))
    b.shape([(0.46, 0.36), (0.54, 0.36), (0.5, 0.41)], b.tint(0.97, 0.5, 0.9))


def dog(b: Brush) -> None:
    """Paint a standing dog from the side."""
    fur = b.tint(0.08, b.rng.uniform(0.1, 0.6), b.rng.uniform(0.3, 0.9))
    b.stroke([(0.14, 0.5), (0.02, 0.25)], fur, 0.06)
    for x in (0.16, 0.3, 0.58, 0.7):
        b.block(x, 0.6, x + 0.09, 1, fur)
    b.oval(0.1, 0.38, 0.82, 0.78, fur)
    b.oval(0.6, 0.1, 0.95, 0.5, fur)
    b.oval(0.82, 0.26, 1, 0.46, fur)
    b.oval(0.58, 0.1, 0.7, 0.42, b.tint(0.08, 0.5, 0.3))
    b.oval(0.8, 0.2, 0.85, 0.27, b.tint(0, 0, 0.05))


def bird(b: Brush) -> None:
    """Paint a bird in flight."""
    colour = b.any()
    b.oval(0.2, 0.35, 0.75, 0.75, colour)
    b.oval(0.65, 0.25, 0.92, 0.55, colour)
    b.shape([(0.9, 0.36), (1, 0.42), (0.9, 0.47)], b.tint(0.1, 0.9, 0.95))
    b.shape([(0.3, 0.5), (0.6, 0.5), (0.35, 0)], b.tint(0.6, 0.4, 0.6))
    b.shape([(0.22, 0.55), (0, 0.45), (0.02, 0.68)], colour)
    b.oval(0.77, 0.33, 0.82, 0.4, b.tint(0, 0, 0.05))


def fish(b: Brush) -> None:
    """Paint a fish."""
    colour = b.any()
    b.shape([(0.28, 0.5), (0, 0.15), (0, 0.85)], colour)
    b.oval(0.2, 0.12, 1, 0.88, colour)
    b.oval(0.78, 0.32, 0.88, 0.48, b.tint(0, 0, 1))
    b.oval(0.82, 0.36, 0.87, 0.45, b.tint(0, 0, 0.05))


def person(b: Brush) -> None:
    """Paint a standing person."""
    skin, shirt, trousers = b.tint(0.07, b.rng.uniform(0.25, 0.6), b.rng.uniform(0.4, 0.95)), b.any(), b.any()
    for x in (0.34, 0.52):
        b.block(x, 0.58, x + 0.15, 1, trousers)
    b.stroke([(0.3, 0.34), (0.12, 0.58)], skin, 0.1)
    b.stroke([(0.7, 0.34), (0.88, 0.58)], skin, 0.1)
    b.block(0.28, 0.27, 0.72, 0.62, shirt, 0.25)
    b.oval(0.32, 0.02, 0.68, 0.28, skin)
    b.shape(
        [(0.3, 0.13), (0.36, 0.02), (0.64, 0), (0.7, 0.13), (0.5, 0.08)], b.tint(0.07, 0.5, b.rng.uniform(0.1, 0.7))
    )


def table(b: Brush) -> None:
    """Paint a table with legs."""
    timber = b.tint(0.08, 0.55, 0.6)
    for x in (0.08, 0.84):
        b.block(x, 0.15, x + 0.08, 1, timber)
    b.block(0, 0, 1, 0.18, timber, 0.2)


def chair(b: Brush) -> None:
    """Paint a chair from the side."""
    timber = b.any() if b.rng.random() < 0.4 else b.tint(0.08, 0.6, 0.5)
    b.block(0.05, 0, 0.18, 1, timber)
    b.block(0.78, 0.5, 0.9, 1, timber)
    b.block(0.05, 0.46, 0.95, 0.58, timber)


def cup(b: Brush) -> None:
    """Paint a cup with a handle and sometimes steam."""
    colour = b.any()
    b.stroke([(0.7, 0.4), (0.95, 0.42), (0.95, 0.7), (0.7, 0.74)], colour, 0.09)
    if b.rng.random() < 0.4:
        b.stroke([(0.35, 0.22), (0.42, 0.1), (0.35, 0)], b.tint(0, 0, 0.75), 0.03)
    b.shape([(0.08, 0.28), (0.75, 0.28), (0.66, 1), (0.17, 1)], colour)
    b.oval(0.08, 0.22, 0.75, 0.34, b.tint(0.07, 0.6, 0.4))


def lamp(b: Brush) -> None:
    """Paint a standing lamp."""
    b.block(0.46, 0.35, 0.54, 0.96, b.tint(0, 0, 0.3))
    b.oval(0.22, 0.92, 0.78, 1, b.tint(0, 0, 0.3))
    b.shape([(0.25, 0), (0.75, 0), (0.98, 0.4), (0.02, 0.4)], b.tint(0.13, 0.5, 0.95))


def book(b: Brush) -> None:
    """Paint a closed book that lies."""
    b.block(0.02, 0.3, 0.98, 0.9, b.tint(0.12, 0.06, 0.97))
    b.block(0, 0, 1, 0.36, b.any(), 0.1)
    b.block(0, 0.84, 1, 1, b.any(), 0.1)


def apple(b: Brush) -> None:
    """Paint an apple with stem and leaf."""
    red = b.tint(b.rng.choice([0, 0.99, 0.3]), 0.75, 0.8)
    b.oval(0.04, 0.2, 0.62, 1, red)
    b.oval(0.38, 0.2, 0.96, 1, red)
    b.stroke([(0.5, 0.3), (0.54, 0.02)], b.tint(0.07, 0.6, 0.3), 0.06)
    b.oval(0.54, 0.04, 0.84, 0.2, b.tint(0.3, 0.7, 0.6))


def vase(b: Brush) -> None:
    """Paint a vase with stems and blossoms."""
    for x, y in ((0.3, 0.12), (0.5, 0.02), (0.7, 0.14)):
        b.stroke([(0.5, 0.6), (x, y + 0.1)], b.tint(0.33, 0.7, 0.5), 0.04)
        b.oval(x - 0.12, y, x + 0.12, y + 0.18, b.any())
    b.shape([(0.36, 0.5), (0.64, 0.5), (0.76, 0.75), (0.62, 1), (0.38, 1), (0.24, 0.75)], b.any())


def clock(b: Brush) -> None:
    """Paint a round wall clock."""
    b.oval(0, 0, 1, 1, b.any())
    b.oval(0.1, 0.1, 0.9, 0.9, b.tint(0, 0.02, 0.98))
    angle = b.rng.uniform(0, 2 * pi)
    b.stroke([(0.5, 0.5), (0.5 + 0.3 * cos(angle), 0.5 + 0.3 * sin(angle))], b.tint(0, 0, 0.1), 0.04)
    b.stroke([(0.5, 0.5), (0.5 + 0.2 * sin(angle), 0.5 + 0.2 * cos(angle * 2))], b.tint(0, 0, 0.1), 0.05)


def window(b: Brush) -> None:
    """Paint a window with panes."""
    b.block(0, 0, 1, 1, b.tint(0.1, 0.1, 0.97))
    for x in (0.06, 0.53):
        for y in (0.06, 0.53):
            b.block(x, y, x + 0.41, y + 0.41, b.tint(0.56, 0.35, 0.95))


def star(b: Brush) -> None:
    """Paint a star with five points."""
    b.shape(_ring(5, 0.5, 0.5, 0.5, 0.2), b.tint(0.14, 0.7, 0.98))


def mushroom(b: Brush) -> None:
    """Paint a mushroom with spots."""
    b.block(0.36, 0.4, 0.64, 1, b.tint(0.12, 0.1, 0.95), 0.3)
    b.shape([(0, 0.52), (0.1, 0.2), (0.35, 0.02), (0.65, 0.02), (0.9, 0.2), (1, 0.52)], b.tint(0, 0.8, 0.85))
    for x, y in ((0.3, 0.25), (0.55, 0.15), (0.72, 0.34)):
        b.oval(x - 0.07, y - 0.06, x + 0.07, y + 0.06, b.tint(0, 0, 1))


def umbrella(b: Brush) -> None:
    """Paint an open umbrella."""
    b.stroke([(0.5, 0.05), (0.5, 0.9), (0.42, 0.98), (0.34, 0.9)], b.tint(0, 0, 0.25), 0.05)
    b.shape(
        [
            (0, 0.5),
            (0.08, 0.26),
            (0.28, 0.06),
            (0.5, 0),
            (0.72, 0.06),
            (0.92, 0.26),
            (1, 0.5),
            (0.75, 0.42),
            (0.5, 0.5),
            (0.25, 0.42),
        ],
        b.any(),
    )


def snowman(b: Brush) -> None:
    """Paint a snowman with hat and nose."""
    white = b.tint(0.6, 0.03, 0.98)
    b.oval(0.08, 0.52, 0.92, 1, white)
    b.oval(0.2, 0.28, 0.8, 0.64, white)
    b.oval(0.3, 0.1, 0.7, 0.38, white)
    b.block(0.32, 0, 0.68, 0.14, b.tint(0, 0, 0.15))
    b.shape([(0.5, 0.22), (0.74, 0.26), (0.5, 0.28)], b.tint(0.07, 0.9, 0.95))
    b.oval(0.42, 0.17, 0.47, 0.2, b.tint(0, 0, 0.05))


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing that can stand in a scene.

    Attributes:
        name: what a person calls it.
        paint: paints it in the unit square.
        ratio: width divided by height.
        share: usual height as a share of the picture's smaller side.
    """

    name: str
    paint: Callable[[Brush], None]
    ratio: float
    share: float


SKY_THINGS = (
    Thing("cloud", cloud, 1.7, 0.14),
    Thing("cloud", cloud, 2.0, 0.12),
    Thing("bird", bird, 1.4, 0.1),
    Thing("balloon", balloon, 0.6, 0.22),
    Thing("kite", kite, 0.6, 0.24),
)
GROUND_THINGS = (
    Thing("house", house, 1.0, 0.4),
    Thing("tree", tree, 0.7, 0.42),
    Thing("tree", tree, 0.8, 0.36),
    Thing("bush", bush, 1.3, 0.16),
    Thing("flower", flower, 0.55, 0.24),
    Thing("car", car, 2.0, 0.2),
    Thing("ball", ball, 1.0, 0.16),
    Thing("cat", cat, 0.8, 0.26),
    Thing("dog", dog, 1.3, 0.24),
    Thing("person", person, 0.45, 0.36),
    Thing("mushroom", mushroom, 0.9, 0.16),
    Thing("bicycle", bicycle, 1.6, 0.22),
    Thing("chair", chair, 0.7, 0.26),
    Thing("umbrella", umbrella, 1.0, 0.26),
)
ROAD_THINGS = (Thing("car", car, 2.1, 0.2), Thing("bus", bus, 2.2, 0.28), Thing("bicycle", bicycle, 1.6, 0.22))
WATER_THINGS = (Thing("boat", boat, 0.95, 0.36), Thing("fish", fish, 1.7, 0.14), Thing("boat", boat, 1.1, 0.24))
TABLE_THINGS = (
    Thing("cup", cup, 1.1, 0.2),
    Thing("apple", apple, 1.0, 0.15),
    Thing("book", book, 2.2, 0.1),
    Thing("vase", vase, 0.6, 0.32),
    Thing("lamp", lamp, 0.6, 0.34),
    Thing("ball", ball, 1.0, 0.14),
)
FLOOR_THINGS = (
    Thing("chair", chair, 0.7, 0.4),
    Thing("cat", cat, 0.8, 0.24),
    Thing("dog", dog, 1.3, 0.24),
    Thing("lamp", lamp, 0.5, 0.5),
    Thing("ball", ball, 1.0, 0.14),
    Thing("person", person, 0.45, 0.55),
)
WALL_THINGS = (Thing("clock", clock, 1.0, 0.18), Thing("window", window, 0.9, 0.3), Thing("window", window, 1.4, 0.26))
SINGLE_THINGS = (
    *GROUND_THINGS,
    *WATER_THINGS,
    *TABLE_THINGS,
    Thing("star", star, 1.0, 0.3),
    Thing("snowman", snowman, 0.7, 0.5),
    Thing("sun", sun, 1.0, 0.4),
    Thing("moon", moon, 1.0, 0.4),
)
SUN, MOON, TABLE, SNOWMAN = (
    Thing("sun", sun, 1.0, 0.2),
    Thing("moon", moon, 1.0, 0.16),
    Thing("table", table, 2.0, 0.35),
    Thing("snowman", snowman, 0.7, 0.36),
)
