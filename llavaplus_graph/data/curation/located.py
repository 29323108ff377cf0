"""YAML that remembers its lines, so that whatever is wrong in it can be told with its place. Knows no key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from llavaplus_graph.errors import ConfigError

_Model = TypeVar("_Model", bound=BaseModel)


def read_located(path: Path, model: type[_Model]) -> _Model:
    """Read a YAML file into a pydantic model.

    Args:
        path: The file.
        model: What it must be; validators may use `info.context["folder"]`, the file's own folder.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, says a key twice, or has a key or value that cannot be;
            names the file, the line and the key.
    """
    document, body = _document(path)
    if not isinstance(body, dict):
        raise ConfigError(f"{path} must be keys and values, and it is {type(body).__name__}.")
    try:
        return model.model_validate(body, context={"folder": path.absolute().parent})
    except ValidationError as error:
        raise ConfigError(_sentence(path, document, error)) from error


def kind_of(path: Path) -> str:
    """Give the value of the key `kind` of a YAML file, empty where there is none; raises as `read_located`."""
    _, body = _document(path)
    return str(body.get("kind", "")) if isinstance(body, dict) else ""


def _document(path: Path) -> tuple[yaml.Node | None, Any]:  # Any: whatever a file holds
    try:
        loader = yaml.SafeLoader(path.read_text("utf-8"))
        document = loader.get_single_node()
        body = loader.construct_document(document) if document else None
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{str(path)!r} is not a text in UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{where} is not YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    for key in _repeated(document):
        raise ConfigError(f"{path}, line {key.start_mark.line + 1}: the key {key.value!r} stands there already.")
    return document, body


def _repeated(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _repeated(inner)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
            yield from _repeated(value)


def _sentence(path: Path, document: yaml.Node | None, error: ValidationError) -> str:
    every = error.errors(include_url=False)
    # Where one of several kinds would do, the complaint that goes deepest is about the kind that was meant.
    first = max((e for e in every if e["loc"][:1] == every[0]["loc"][:1]), key=lambda e: len(e["loc"]))
    line, keys = _place(document, first["loc"])
    where = f"{path}, line {line}: {'.'.join(keys)}" if keys else f"{path}, line {line}"
    if first["type"] == "extra_forbidden":
        return f"{where} is a key that is not known there."
    if first["type"] == "missing":
        return f"{where} is missing."
    said = first["msg"].removeprefix("Value error, ").rstrip(".")
    given = "" if isinstance(first["input"], dict | list) else f", not {first['input']!r}"
    return f"{where}: {said}{'' if first['type'] == 'value_error' else given}."


def _place(node: yaml.Node | None, steps: Sequence[Any]) -> tuple[int, list[str]]:
    """Follow a location of pydantic as far as the document goes; it also holds names of models, which are no keys."""
    line, keys = (node.start_mark.line + 1 if node else 1), []
    for number, step in enumerate(steps, start=1):
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            keys.append(str(step + 1))
        elif isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(step)), None)
            if found is not None or number == len(steps):
                keys.append(str(step))
            if found is not None:
                line, node = found[0].start_mark.line + 1, found[1]
            continue
        else:
            continue
        line = node.start_mark.line + 1
    return line, keys
