"""Authored instruction phrasings and how their slots are filled; does not know what a skill answers.

A phrasing is one line of `phrasings/*.yaml`, for example `"Is there a [{thing}] {place}?"`: the brackets mark the words
that become the argument, the braces are slots. Where one line asks for two skills, a bracket says whose argument it is:
`"How many [1:{things}] are there, and what does the sign say?"`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llavaplus_graph.data.located import parse_yaml
from llavaplus_graph.data.validated import validated
from llavaplus_graph.errors import ConfigError, DataError

_TOKEN = re.compile(r"\[(?:(\d):)?([^\]]*)\]")
_SLOT = re.compile(r"(\b[Aa]n? )?\{(\w+)\}")


_Line = Annotated[str, Field(min_length=1)]
_Marks = Literal["box", "points", "any"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Call(_Strict):
    skill: str
    arguments: dict[str, Any] | None = None


class _Family(_Strict):
    """Ways to ask for one thing; what each key means is said at `Phrasing`."""

    name: _Line
    phrasings: tuple[_Line, ...]
    arguments: dict[str, Any] | None = None
    marks: _Marks | None = None
    answers: tuple[_Line, ...] = ()
    plans: Literal["sight"] | dict[str, str] | None = None
    calls: tuple[_Call, ...] = ()


class _File(_Strict):
    """A file of phrasings; what stands here holds for every family that says nothing else."""

    families: tuple[_Family, ...]
    skill: str | None = None
    marks: _Marks | None = None
    then: str | None = None
    answers: tuple[_Line, ...] = ()
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class AuthoredCall:
    """One of several calls that a line asks for: the skill, and its arguments where no brackets give them."""

    skill: str
    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Phrasing:
    """One authored way to ask for something.

    Attributes:
        skill: The skill it asks for; None when no skill is needed.
        text: The line with its brackets and slots.
        family: The file and the intention within that file it belongs to, unique over all files.
        arguments: Arguments given by the author instead of by brackets; values may be slots.
        marks: The kind of visual prompt the words go with (`box`, `points`, `any`), if any.
        then: A skill that follows in the next round.
        answers: What may be said when no skill is needed; of a new skill, how its result is told (`{tags}`).
        plans: Skill by kind of picture, for words whose meaning depends on the picture; or `sight`.
        argument: Which argument the brackets fill, for a skill that the catalogue does not know.
        calls: The calls in the order in which they are said, for a line that asks for several skills.
    """

    skill: str | None
    text: str
    family: str
    arguments: Mapping[str, Any] | None = None
    marks: str | None = None
    then: str | None = None
    answers: tuple[str, ...] = ()
    plans: Mapping[str, str] | str | None = None
    argument: str | None = None
    calls: tuple[AuthoredCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of an instruction; `quoted` when it becomes (part of) an argument of the call with that number."""

    text: str
    quoted: bool = False
    call: int = 1


@dataclass(slots=True)
class Filled:
    """A phrasing with its slots filled: the segments in order and the value each slot got."""

    segments: list[Segment]
    values: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The instruction as the user types it."""
        return "".join(segment.text for segment in self.segments)

    @property
    def quotes(self) -> list[str]:
        """The stretches that become arguments, in order."""
        return [segment.text for segment in self.segments if segment.quoted]

    def quotes_of(self, call: int) -> list[str]:
        """The stretches that become the argument of one call, counted from 1."""
        return [segment.text for segment in self.segments if segment.quoted and segment.call == call]


@cache
def load_phrasings() -> tuple[Phrasing, ...]:
    """Read every authored phrasing of the package, in the order of the files."""
    folder = files("llavaplus_graph.data") / "phrasings"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return tuple(
        p
        for name in names
        if name != "vocabulary.yaml"
        for p in read_phrasings((folder / name).read_text("utf-8"), name)
    )


def read_phrasings(text: str, name: str) -> list[Phrasing]:
    """Read one file of phrasings.

    Args:
        text: What it says.
        name: The name of the file, for families and errors.

    Raises:
        DataError: If the file is not YAML, or a key or value cannot be; names the file, the line and the key.
    """
    try:
        file = validated(parse_yaml(text, Path(name)), _File)
    except ConfigError as error:
        raise DataError(str(error)) from error
    return [
        Phrasing(
            skill=file.skill,
            text=line,
            family=f"{name.removesuffix('.yaml')}/{family.name}",
            arguments=family.arguments,
            marks=family.marks or file.marks,
            then=file.then,
            answers=family.answers or file.answers,
            plans=family.plans,
            argument=file.argument,
            calls=tuple(AuthoredCall(call.skill, call.arguments) for call in family.calls),
        )
        for family in file.families
        for line in family.phrasings
    ]


def read_phrasings_file(path: Path) -> list[Phrasing]:
    """Read a file of phrasings; raises as `read_phrasings`, and if it cannot be read."""
    try:
        return read_phrasings(path.read_text("utf-8"), path.name)
    except OSError as error:
        raise DataError(f"The phrasings {str(path)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"The phrasings {str(path)!r} are not a text in UTF-8.") from error


def is_closed(text: str) -> bool:
    """Tell whether all brackets of a line mark words and all its braces are slots."""
    return not re.search(r"[\[\]{}]", _SLOT.sub("", _TOKEN.sub(r"\2", text)))


def fill(phrasing: Phrasing, value_of: Callable[[str], str]) -> Filled:
    """Replace every slot by a value and split the line at its brackets.

    Args:
        phrasing: The line to fill.
        value_of: Gives a value for a slot name without its trailing number; called once a slot.
    """
    filled = Filled([])

    def value(match: re.Match[str]) -> str:
        article, slot = match.groups()
        if slot not in filled.values:
            filled.values[slot] = value_of(slot.rstrip("0123456789"))
        text = filled.values[slot]
        if article:
            vowel = text[:1].lower() in "aeiou"
            article = f"{article[0]}{'n' if vowel else ''} "
        return f"{article or ''}{text}"

    position = 0
    pieces: list[Segment] = []
    for match in _TOKEN.finditer(phrasing.text):
        number, quoted = match.groups()
        pieces += [Segment(phrasing.text[position : match.start()]), Segment(quoted, True, int(number or 1))]
        position = match.end()
    pieces.append(Segment(phrasing.text[position:]))
    filled.segments += [replace(piece, text=_SLOT.sub(value, piece.text)) for piece in pieces]
    _agree(filled.segments)
    return filled


def _agree(segments: list[Segment]) -> None:
    """Turn `a` into `an` where a bracket that follows it begins with a vowel."""
    for index in range(len(segments) - 1):
        head, following = segments[index].text, segments[index + 1].text
        match = re.search(r"\b([Aa])n? $", head)
        if match and following:
            vowel = following[0].lower() in "aeiou"
            article = f"{match.group(1)}{'n' if vowel else ''} "
            segments[index] = replace(segments[index], text=head[: match.start()] + article)
