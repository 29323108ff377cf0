"""Notes by hand: strokes of a pen that wander; knows letters as polylines of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator

from llavaplus_graph.data.pictures.colours import mixed
from llavaplus_graph.data.pictures.fields import Colour
from llavaplus_graph.data.pictures.sheet import Sheet
from llavaplus_graph.data.pictures.words import Words

# Strokes on a grid 4 wide; y 0 is the top of tall letters, 4 the x height, 8 the base line, 11 the lowest descender.
# A stroke is a run of two-digit points "xy", strokes are parted by spaces; 'a' stands for 10, 'b' for 11.
_STROKES = {
    "a": "342414050718283736 343738 4848", "b": "0008 0524344546473828180706", "c": "4434240506070818283847",
    "d": "4048 45342414050607182838 47", "e": "063636453424140507182838", "f": "4130201112 1218 0434",
    "g": "4434240506071828384746 44484a3b2b1b0a", "h": "0008 0524344548", "i": "1418 1212", "j": "242a1b0b 2222",
    "k": "0008 0634 1638", "l": "10172838", "m": "0408 0514242528 2534444548", "n": "0408 0524344548",
    "o": "2405061828384645342424", "p": "040b 0524344546473828180706", "q": "4434240506071828384746 444b",
    "r": "0408 06152434", "s": "443424141516263637382818 0807", "t": "20273848 0444", "u": "04071828384748 4448",
    "v": "042844", "w": "0418253844", "x": "0448 4408", "y": "0428 441b0b", "z": "04440848", "A": "082048 0535",
    "B": "000820314203 0424354647380808", "C": "4130201002061828384748", "D": "0008283846422000",
    "E": "40000848 0434", "F": "400008 0434", "G": "413020100206182838474525", "H": "0008 4048 0444", "I": "2028",
    "J": "4047381807", "K": "0008 400448", "L": "000848", "M": "0800254048", "N": "08004840",
    "O": "20020618284642302020", "P": "00083041423404", "Q": "20020618284642302020 2648",
    "R": "000800304142340424 2448", "S": "413010010213334546473818 0807", "T": "0040 2028", "U": "00061828384640",
    "V": "002840", "W": "0018243840", "X": "0048 4008", "Y": "002440 2428", "Z": "00400848",
    "0": "20020618284642302020", "1": "022028", "2": "01102031420848", "3": "0110304133143445473818 0807",
    "4": "30054448 4048", "5": "40000414344547381807", "6": "3011020618284745341405", "7": "004018",
    "8": "2011132434333120 2405071838474524", "9": "4130100103143443 4128", ".": "1718", ",": "1719",
    "!": "2025 2728", "?": "01102031422425 2728", "-": "0535", "'": "2022", ":": "1415 1718",
}  # fmt: skip


def written_note(sheet: Sheet, rng: random.Random) -> None:
    """Write lines by hand over a sheet, ruled or plain, and remember them."""
    words = Words(rng)
    tall = rng.randint(14, 34)
    pitch = tall * rng.uniform(1.15, 1.7)
    light = sum(sheet.ground) > 380
    pen: Colour = (
        rng.choice([(20, 30, 110), (25, 25, 30), (40, 40, 45), (120, 20, 30), sheet.ink]) if light else (225, 225, 220)
    )
    _rule(sheet, rng, pitch)
    y, slant, thick = (
        pitch * rng.uniform(0.3, 1),
        rng.uniform(-0.1, 0.4),
        rng.choice([1, 1, 2, 2, 3]) if tall > 20 else 1,
    )
    while y + tall * 1.4 < sheet.height and (rng.random() < 0.985 or not sheet.texts):
        line = words.prose(rng.randint(3, 9)) if rng.random() < 0.85 else words.title(rng.randint(1, 3))
        written = _write(sheet, rng, (sheet.width * rng.uniform(0.03, 0.1), y), line, (tall, slant, thick), pen)
        if written:
            sheet.texts.append(written)
        y += pitch * rng.choice([1, 1, 1, 1, 2])


def _rule(sheet: Sheet, rng: random.Random, pitch: float) -> None:
    if rng.random() < 0.5:
        return
    tint = mixed(sheet.ground, rng.choice([(90, 140, 220), (150, 150, 150)]), 0.5)
    y = pitch
    while y < sheet.height:
        sheet.draw.line([(0, y), (sheet.width, y)], fill=tint)
        y += pitch
    if rng.random() < 0.3:
        x = pitch * 0.2
        while x < sheet.width:
            sheet.draw.line([(x, 0), (x, sheet.height)], fill=tint)
            x += pitch


def _write(
    sheet: Sheet, rng: random.Random, at: tuple[float, float], line: str, hand: tuple[int, float, int], pen: Colour
) -> str:
    """Write as many words of a line as fit; gives what was written."""
    tall, slant, thick = hand
    unit = tall / 8
    x, y = at
    done: list[str] = []
    for word in line.split():
        if x + len(word) * unit * 4.6 > sheet.width - unit * 2:
            break
        for letter in word:
            drop = y + rng.gauss(0, unit * 0.2)
            for stroke in _points(letter):
                sheet.draw.line(
                    [
                        (
                            x + (px + (8 - py) * slant) * unit + rng.gauss(0, unit * 0.12),
                            drop + py * unit + rng.gauss(0, unit * 0.12),
                        )
                        for px, py in stroke
                    ],
                    fill=pen,
                    width=thick,
                    joint="curve",
                )
            x += unit * (4.8 if letter not in "il.,!':" else 3) * rng.uniform(0.85, 1.1)
        x += unit * rng.uniform(3, 5.5)
        done.append(word)
    return " ".join(done)


def _points(letter: str) -> Iterator[list[tuple[int, int]]]:
    for stroke in _STROKES.get(letter, "").split():
        yield [(int(stroke[k], 16), int(stroke[k + 1], 16)) for k in range(0, len(stroke) - 1, 2)]
