"""Reads YAML into dataclasses and says which line and key are wrong. Knows types and ranges, not what a key means."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from llavaplus_graph.errors import ConfigError

_NAME = re.compile(r"[\w-]+")
Place = tuple[str | int, ...]
"""The keys and list positions that lead to a value."""


def within(default: Any, least: float, most: float = math.inf) -> Any:
    """Declare a field whose number lies from `least` to `most`."""
    return field(default=default, metadata={"range": (least, most)})


def free(default: Any = None) -> Any:
    """Declare a field whose text may hold anything, for example a path."""
    return field(default=default, metadata={"free": True})


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file.

    Attributes:
        path: The file.
        body: What it says.
        lines: The line, from 1, on which the key or list item of a place stands.
    """

    path: Path
    body: Any
    lines: Mapping[Place, int]

    def where(self, place: Place = ()) -> str:
        """Name the file and, where it is known, the line of a place."""
        line = next((self.lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in self.lines), None)
        return str(self.path) if line is None else f"{self.path}, line {line}"

    def at(self, place: Place) -> Any:
        """Give the value of a place; None where there is none."""
        value = self.body
        for step in place:
            known = isinstance(value, dict) if isinstance(step, str) else isinstance(value, list)
            value = value[step] if known and (isinstance(step, int) or step in value) else None
        return value


def read_yaml(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: If the file is missing, is not YAML or names a key twice.
    """
    lines: dict[Place, int] = {}
    try:
        text = path.read_text("utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        twice = _note_lines(root, (), lines)
        body = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"The recipe {str(path)!r} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The recipe {str(path)!r} is not YAML: {' '.join(str(error).split())}.") from error
    if twice:
        raise ConfigError(f"{path}, line {twice[1]}: the key {twice[0]!r} stands there twice; leave one of them out.")
    return Document(path, body, lines)


def _note_lines(node: yaml.Node | None, place: Place, lines: dict[Place, int]) -> tuple[str, int] | None:
    """Note where every key and item stands; gives a key that stands twice in one mapping, with its line."""
    children: list[tuple[str | int, yaml.Node, int]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(str(key.value), value, key.start_mark.line + 1) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(index, value, value.start_mark.line + 1) for index, value in enumerate(node.value)]
    for step, value, line in children:
        if (*place, step) in lines:
            return str(step), line
        lines[*place, step] = line
        found = _note_lines(value, (*place, step), lines)
        if found:
            return found
    return None


def build(
    kind: type[Any], document: Document, place: Place = (), given: Mapping[str, Any] | None = None, called: str = ""
) -> Any:
    """Make a dataclass of the keys that stand at a place.

    Args:
        kind: The dataclass; its types and `within` say what a value may be.
        document: The file.
        place: Where the keys stand.
        given: Fields that were read already; what the file says of them is not looked at.
        called: What errors call it; by default the name of the dataclass.

    Raises:
        ConfigError: If there are no keys, one is unknown, one is missing or a value cannot be; names line and key.
    """
    name, values, given = called or kind.__name__.lower(), document.at(place), given or {}
    if not isinstance(values, dict):
        raise ConfigError(f"{document.where(place)}: a {name} must be given by keys and values, not as {values!r}.")
    known = {each.name: each for each in fields(kind)}
    hints = get_type_hints(kind)
    for key, value in values.items():
        where = document.where((*place, str(key)))
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r} in {name}; known are {', '.join(known)}.")
        wanted = "" if key in given else _wanted(known[key], hints[key], value)
        if wanted:
            raise ConfigError(f"{where}: {key!r} in {name} must be {wanted}, not {value!r}.")
    taken = {key: _as(hints[key], value) for key, value in values.items() if key not in given}
    try:
        return kind(**taken, **given)
    except TypeError as error:
        raise ConfigError(f"{document.where(place)}: {name} is incomplete: {error}.") from error


def _wanted(known: Field[Any], kind: Any, value: Any) -> str:
    """Say what a value would have to be; empty when it is that."""
    optional = type(None) in get_args(kind)
    kinds = [each for each in get_args(kind) if each is not type(None)] if optional else [kind]
    if value is None and optional:
        return ""
    single = kinds[0] if len(kinds) == 1 else None
    if get_origin(single) is Literal:
        return "" if value in get_args(single) else f"one of {', '.join(map(str, get_args(single)))}"
    if single is bool:
        return "" if isinstance(value, bool) else "true or false"
    if single is Path or (single is str and known.metadata.get("free")):
        return "" if isinstance(value, str) and value else "a text"
    if single is str:
        fits = isinstance(value, str) and (optional or _NAME.fullmatch(value))
        return "" if fits else "a name" if optional else "a name of letters, digits, - and _"
    return _number(known, single, value) if single in (int, float) else ""


def _number(known: Field[Any], kind: type, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        return "a whole number" if kind is int else "a number (with a point: 1.0e-3)"
    least, most = known.metadata.get("range", (1 if kind is int else 0, math.inf))
    if least <= value <= most:
        return ""
    return f"at least {least}" if most == math.inf else f"from {least} to {most}"


def _as(kind: Any, value: Any) -> Any:
    """Turn what YAML gave into the field's own type, for paths and lists of them."""
    if Path in (kind, *get_args(kind)) and isinstance(value, str):
        return Path(value).expanduser()
    return value
