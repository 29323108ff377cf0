"""Reads the words of ``llavaplus ask``: which are pictures, what is the question, where are boxes and points. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

MOST_CHARACTERS = 10_000
"""A longer question is refused; the LMM could not read it anyway."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user typed.

    Attributes:
        question: the words, not empty.
        pictures: paths, or handles of pictures that are in the store.
        boxes: x1, y1, x2, y2 in shares of the picture.
        points: x, y in shares of the picture.
        as_json: one document instead of text.
        save: folder for pictures.
        model: a model directory, or the name by which a server knows the LMM; None is the bundled LMM.
        base_url: the address of an OpenAI-compatible server that serves the LMM.
        skills: files that make further skills.
        thread: name of a conversation that is kept.
        store: where pictures are; None is the default store.
    """

    question: str
    pictures: tuple[str, ...] = ()
    boxes: tuple[tuple[float, ...], ...] = ()
    points: tuple[tuple[float, ...], ...] = ()
    as_json: bool = False
    save: Path = Path("llavaplus-out")
    model: str | None = None
    base_url: str | None = None
    skills: tuple[Path, ...] = ()
    thread: str | None = None
    store: str | None = None


def split_words(words: Sequence[str]) -> tuple[list[str], str]:
    """Pictures and question: the question is the last word.

    Raises:
        typer.BadParameter: there is no question, or it is too long.
    """
    *pictures, question = words
    if not question.strip():
        raise typer.BadParameter("the question is empty; put it last, in quotes")
    if len(question) > MOST_CHARACTERS:
        raise typer.BadParameter(
            f"the question has {len(question):,} characters and at most {MOST_CHARACTERS:,} are read"
        )
    if len(question) < 256 and Path(question).is_file():
        raise typer.BadParameter(f"{question!r} is a file, so there is no question; put it last, in quotes")
    return pictures, question.strip()


def shares(text: str, count: int, what: str) -> tuple[float, ...]:
    """Reads a box or a point: so many shares of the picture, separated by commas.

    Raises:
        typer.BadParameter: there are more or fewer numbers, or one is not from 0 to 1.
    """
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(0 <= number <= 1 for number in numbers):
        raise typer.BadParameter(f"the {what} {text!r} must be {count} numbers from 0 to 1, separated by commas")
    return numbers
