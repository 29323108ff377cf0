"""Makes dataclasses of YAML and says which line and key are wrong. Knows types and ranges, not what a key means."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import Field, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from llavaplus_graph.data.located import Document, Place, shown
from llavaplus_graph.errors import ConfigError

_NAME = re.compile(r"[\w-]+")


def within(default: Any, least: float, most: float = math.inf) -> Any:
    """Declare a field whose number lies from `least` to `most`."""
    return field(default=default, metadata={"range": (least, most)})


def free(default: Any = None) -> Any:
    """Declare a field whose text may hold anything, for example a path."""
    return field(default=default, metadata={"free": True})


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
        raise ConfigError(
            f"{document.where(place)}: a {name} must be given by keys and values, not as {shown(values)}."
        )
    known = {each.name: each for each in fields(kind)}
    hints = get_type_hints(kind)
    for key, value in values.items():
        where = document.where((*place, str(key)))
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r} in {name}; known are {', '.join(known)}.")
        wanted = "" if key in given else _wanted(known[key], hints[key], value)
        if wanted:
            raise ConfigError(f"{where}: {key!r} in {name} must be {wanted}, not {shown(value)}.")
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
        return "" if isinstance(value, str) and value and "\0" not in value else "a text"
    if single is str:
        fits = isinstance(value, str) and (optional or _NAME.fullmatch(value))
        return "" if fits else "a name" if optional else "a name of letters, digits, - and _"
    return _number(known, single, value) if single in (int, float) else ""


def _number(known: Field[Any], kind: type, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        return "a whole number" if kind is int else "a number (with a point: 1.0e-3)"
    least, most = known.metadata.get("range", (1 if kind is int else 0, math.inf))
    if math.isinf(value):
        return "a finite number"
    if least <= value <= most:
        return ""
    return f"at least {least}" if most == math.inf else f"from {least} to {most}"


def _as(kind: Any, value: Any) -> Any:
    """Turn what YAML gave into the field's own type, for paths and lists of them."""
    if Path in (kind, *get_args(kind)) and isinstance(value, str):
        return Path(value).expanduser()
    return value
