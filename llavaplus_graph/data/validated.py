"""Reads YAML into pydantic models and says which line and key are wrong. Knows no key."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from llavaplus_graph.data.located import Document, read_yaml, shown
from llavaplus_graph.errors import ConfigError

_Model = TypeVar("_Model", bound=BaseModel)


def read_validated(path: Path, model: type[_Model]) -> _Model:
    """Read a YAML file into a pydantic model.

    Args:
        path: The file.
        model: What it must be; validators may use `info.context["folder"]`, the file's own folder.

    Raises:
        ConfigError: If the file cannot be read, is not YAML, says a key twice, or has a key or value that cannot be;
            names the file, the line and the key.
    """
    return validated(read_yaml(path), model)


def validated(document: Document, model: type[_Model]) -> _Model:
    """Make a pydantic model of a YAML file; raises as `read_validated`."""
    path, body = document.path, document.body
    if not isinstance(body, dict):
        raise ConfigError(f"{path} must be keys and values, and it is {type(body).__name__}.")
    try:
        return model.model_validate(body, context={"folder": path.absolute().parent})
    except ValidationError as error:
        raise ConfigError(_sentence(document, error)) from error


def _sentence(document: Document, error: ValidationError) -> str:
    every = error.errors(include_url=False)
    # Where one of several kinds would do, the complaint that goes deepest is about the kind that was meant.
    first = max((e for e in every if e["loc"][:1] == every[0]["loc"][:1]), key=lambda e: len(e["loc"]))
    line, taken = document.found(first["loc"])
    keys = ".".join(str(step + 1) if isinstance(step, int) else step for step in taken)
    where = f"{document.path}, line {line}{f': {keys}' if keys else ''}"
    if first["type"] == "extra_forbidden":
        return f"{where} is a key that is not known there."
    if first["type"] == "missing":
        return f"{where} is missing."
    said = first["msg"].removeprefix("Value error, ").rstrip(".")
    given = "" if isinstance(first["input"], dict | list) else f", not {shown(first['input'])}"
    return f"{where}: {said}{'' if first['type'] == 'value_error' else given}."
