"""What can stand in a slot of a phrasing: things, places, prompts and numbers out of large vocabularies."""

import random
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from llavaplus_graph.errors import MissingExtraError

_SYLLABLES = [
    "ba", "bel", "bor", "cal", "cor", "da", "del", "dor", "fen", "fi", "gal", "gor", "ha", "hel", "in", "ka", "kel",
    "lan", "lo", "mar", "mi", "nor", "o", "pa", "pel", "quin", "ra", "ri", "sol", "ta", "tor", "u", "van", "vi", "wel",
    "xan", "yo", "zel",
]  # fmt: skip


@cache
def vocabulary() -> dict[str, Any]:
    """Read the authored vocabulary: things, adjectives, places, styles and parts of prompts."""
    text = (files("llavaplus_graph.data") / "phrasings" / "vocabulary.yaml").read_text("utf-8")
    words: dict[str, Any] = yaml.safe_load(text)
    return words


@cache
def dictionary(size: int = 30_000) -> tuple[str, ...]:
    """Give the most frequent English words, letters only, at least three of them."""
    try:
        from wordfreq import top_n_list
    except ImportError as error:
        raise MissingExtraError("wordfreq", extra="train") from error
    return tuple(word for word in top_n_list("en", size) if word.isalpha() and word.isascii() and len(word) > 2)


def invented(rng: random.Random) -> str:
    """Make a word that no dictionary has, so that copying cannot rest on knowing the word."""
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 4)))


def plural(noun: str) -> str:
    """Give the plural of a noun phrase by its last word."""
    irregular = vocabulary()["irregular_plurals"]
    head = noun.rsplit(" ", 1)
    last = head[-1]
    if last in irregular:
        last = irregular[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "s"
    return " ".join([*head[:-1], last])


class Slots:
    """Draws values for slots from a seeded generator; one instance an instruction."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def __call__(self, slot: str) -> str:
        """Give a value for a slot name such as `thing` or `degrees`.

        Raises:
            KeyError: If no vocabulary knows the slot.
        """
        draws: dict[str, Callable[[], str]] = {
            "thing": self.thing,
            "things": lambda: plural(self.thing()),
            "place": lambda: self._pick("places"),
            "style": lambda: self._pick("styles"),
            "prompt": self.prompt,
            "box": lambda: self._written(random_box(self._rng)),
            "point": lambda: self._written(random_point(self._rng)),
            "degrees": lambda: str(
                self._rng.choice([90, 180, 270, 45, 30, 15, 10, 60, 5, 120, self._rng.randint(1, 359)])
            ),
            "factor": lambda: (
                f"{self._rng.choice([0.1, 0.25, 0.3, 0.5, 0.7, 0.8, 1.2, 1.25, 1.3, 1.4, 1.6, 1.75, 1.8, 2.5, 3, 4]):g}"
            ),
            "percent": lambda: str(
                self._rng.choice([5, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 110, 120, 150, 200])
            ),
            "width": self._pixels,
            "height": self._pixels,
            "radius": lambda: str(self._rng.choice([1, 2, 3, 5, 6, 7, 8, 9, 12, 15, 20, 25])),
        }
        return draws[slot]()

    def thing(self) -> str:
        """Give a singular noun phrase: mostly authored, sometimes any dictionary word or an invented one."""
        kind = self._rng.random()
        if kind < 0.60:
            noun = self._pick("things")
        elif kind < 0.88:
            noun = " ".join(self._rng.choice(dictionary()) for _ in range(self._rng.choice([1, 1, 2])))
        elif kind < 0.95:
            noun = invented(self._rng)
        else:
            noun = f"{self._pick('things')} with {self._pick('adjectives')} {plural(self._pick('things'))}"
        return f"{self._pick('adjectives')} {noun}" if self._rng.random() < 0.35 else noun

    def prompt(self) -> str:
        """Give a scene to be generated, with its article."""
        parts = [self._pick("subjects") if self._rng.random() < 0.7 else f"a {self.thing()}"]
        if self._rng.random() < 0.6:
            parts.append(self._pick("scenes"))
        text = " ".join(parts)
        if self._rng.random() < 0.4:
            text += f"{self._rng.choice([', ', ' '])}{self._pick('manners')}"
        return text

    def _pick(self, key: str) -> str:
        choices: list[str] = vocabulary()[key]
        return self._rng.choice(choices)

    def _pixels(self) -> str:
        return str(
            self._rng.choice(
                [64, 100, 128, 200, 224, 256, 320, 400, 480, 500, 512, 600, 640, 720, 800, 1024, 1080, 1280, 1920]
            )
        )

    def _written(self, numbers: list[float]) -> str:
        digits = self._rng.choice(["{:.2f}", "{:g}"])
        text = ", ".join(digits.format(number) for number in numbers)
        return self._rng.choice(["[{}]", "[{}]", "({})", "{}"]).format(text)


def random_box(rng: random.Random) -> list[float]:
    """Draw a normalised box x1, y1, x2, y2 with two decimals and sides of at least 0.05."""
    x1, y1 = rng.randint(0, 90), rng.randint(0, 90)
    x2, y2 = rng.randint(x1 + 5, 100), rng.randint(y1 + 5, 100)
    return [x1 / 100, y1 / 100, x2 / 100, y2 / 100]


def random_point(rng: random.Random) -> list[float]:
    """Draw a normalised point with two decimals."""
    return [rng.randint(1, 99) / 100, rng.randint(1, 99) / 100]
