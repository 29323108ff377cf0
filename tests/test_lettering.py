from pathlib import Path

import matplotlib
import pytest
from PIL import Image, ImageChops

from llavaplus_graph import lettering
from llavaplus_graph.lettering import Pen

DEJAVU = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def fonts(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Lets the machine have these fonts and no others."""
    monkeypatch.setattr(lettering, "_found", lambda: names)


def written(text: str) -> Image.Image:
    picture = Image.new("RGB", (200, 40), "white")
    Pen(picture, 20).write((5, 5), text, (0, 0, 0))
    return picture


def same(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one, other).getbbox() is None


def test_letters_that_no_font_has_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts(monkeypatch)
    assert same(written("Café 你"), written("Cafe ?"))
    assert same(written("a\x07b"), written("a?b"))


def test_letters_that_a_font_of_the_machine_has_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts(monkeypatch, DEJAVU)
    assert not same(written("Ωж"), written("??"))
    assert not same(written("Ωж"), written("Ωя"))


def test_of_a_mixed_text_the_font_with_the_most_letters_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts(monkeypatch, DEJAVU)
    assert not same(written("Ω你"), written("O?"))
    assert same(written("Ω你"), written("Ω?"))


def test_fonts_that_the_machine_does_not_have_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "SYSTEM_FONTS", ("no such font.ttf", DEJAVU))
    lettering._found.cache_clear()
    assert lettering._found() == (DEJAVU,)
    lettering._found.cache_clear()


def test_a_line_that_is_too_long_is_shortened_to_what_fits() -> None:
    pen = Pen(Image.new("RGB", (9, 9)), 16)
    shown = pen.shortened("a line that is too long", 100)
    assert shown.endswith("...")
    assert pen.width(shown) <= 100 < pen.width(shown[:-3] + "mm...")
    assert pen.shortened("short", 100) == "short"


@pytest.mark.parametrize("text", ["many words " * 20, "wordwithoutend" * 20, "a\n\nb", "x " + "y" * 200])
def test_every_letter_of_a_text_stands_in_a_line_that_fits(text: str) -> None:
    pen = Pen(Image.new("RGB", (9, 9)), 16)
    lines = pen.wrapped(text, 120)
    assert all(pen.width(line) <= 120 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_nothing_is_no_line() -> None:
    assert Pen(Image.new("RGB", (9, 9)), 16).wrapped(" \n ", 100) == []
