"""YAML that remembers its lines, so that whatever is wrong in it can be told with its place. Knows no key."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from llavaplus_graph.errors import ConfigError

Place = tuple[str | int, ...]
"""The keys and list positions, from 0, that lead to a value."""


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file.

    Attributes:
        path: The file.
        body: What it says.
        root: The same with its lines; None where it says nothing.
    """

    path: Path
    body: Any  # whatever a file holds
    root: yaml.Node | None = None

    def where(self, place: Sequence[str | int] = ()) -> str:
        """Name the file and the line of a place, or of what is nearest around it."""
        if self.root is None or not place:
            return str(self.path)
        return f"{self.path}, line {self.found(place)[0]}"

    def found(self, place: Sequence[str | int]) -> tuple[int, Place]:
        """Follow a place as far as the file goes, leaving out steps that are in no file, such as names of types.

        Returns:
            The line, from 1, and the steps that were taken; the last one is among them even if its key is missing.
        """
        node, taken = self.root, list[str | int]()
        line = node.start_mark.line + 1 if node else 1
        for number, step in enumerate(place, start=1):
            if isinstance(node, yaml.MappingNode):
                # What a merge (`<<`) brought along stands before the mapping's own keys, which win.
                pair = next(((k, v) for k, v in reversed(node.value) if k.value == str(step)), None)
                if pair or number == len(place):
                    taken.append(str(step))
                if pair:
                    line, node = pair[0].start_mark.line + 1, pair[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
                taken.append(step)
        return line, tuple(taken)

    def at(self, place: Sequence[str | int]) -> Any:
        """Give the value of a place; None where there is none."""
        value = self.body
        for step in place:
            known = isinstance(value, dict) if isinstance(step, str) else isinstance(value, list)
            value = value[step] if known and (isinstance(step, int) or step in value) else None
        return value

    def without(self, key: str) -> Document:
        """Give the same file without one of its outermost keys."""
        return replace(self, body={name: value for name, value in self.body.items() if name != key})


def read_yaml(path: Path) -> Document:
    """Read a YAML file; raises as `parse_yaml`, and if the file cannot be read."""
    try:
        return parse_yaml(path.read_text("utf-8"), path)
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{str(path)!r} is not a text in UTF-8.") from error


def parse_yaml(text: str, path: Path) -> Document:
    """Read YAML.

    Args:
        text: What the file says.
        path: Its name, for errors.

    Raises:
        ConfigError: If it is not YAML or says a key twice; names the file, the line and the key.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        # Before anything is made of them: making follows merges, and those bring keys that may stand there again.
        twice = next(_repeated(root, set()), None)
        body = loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{where} is not YAML: {error.problem}.") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}, line {line} is not YAML: it holds a character that no text has.") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is not YAML that can be read: its lists and keys nest too deep.") from error
    if twice is not None:
        line = twice.start_mark.line + 1
        raise ConfigError(f"{path}, line {line}: the key {twice.value!r} stands there twice; leave one of them out.")
    return Document(path, body, root)


def shown(value: Any) -> str:  # Any: whatever a file holds
    """Write a value as an error quotes it: short, however long it is."""
    return _SHORT.repr(value)


class _Loader(yaml.SafeLoader):
    """Tells where a value stands that looks like a number or a date and is none."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 100


def _repeated(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    """Give the keys that stand twice in one mapping; an anchor may lead back to itself."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _repeated(inner, seen)
    if isinstance(node, yaml.MappingNode):
        known: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in known:
                    yield key
                known.add(key.value)
            yield from _repeated(value, seen)
