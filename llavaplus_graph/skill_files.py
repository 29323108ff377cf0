"""Skills from files of their authors: runs a Python file and gives the skill it makes. Knows no installed skill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from langchain_core.tools import BaseTool

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import CATALOGUE, canonical_name, skill_info


def load_skill_file(path: Path, store: ImageStore) -> BaseTool:
    """Run a Python file and give the one skill that it makes.

    Raises:
        ConfigError: If there is no such file, it cannot be run, or it does not make exactly one skill.
    """
    with _blamed_on(path):
        made = {id(tool): tool for tool in _skills_in(_module(path), store)}
    if len(made) != 1:
        names = ", ".join(tool.name for tool in made.values()) or "none"
        raise ConfigError(f"{str(path)!r} must make exactly one skill with make_skill(); it makes {names}.")
    (tool,) = made.values()
    info = skill_info(tool)
    taken = {row.name for row in CATALOGUE}
    for name in (tool.name, *(info.wire_names if info else ())):
        if name in taken or canonical_name(name):
            raise ConfigError(f"the name {name!r} belongs to the skill {canonical_name(name)}; give yours another one.")
    return tool


@contextmanager
def _blamed_on(path: Path) -> Iterator[None]:
    """Turn whatever somebody's file does wrong, now or in its factories, into a sentence for its author."""
    try:
        yield
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{str(path)!r} cannot be run: {type(error).__name__}: {error}") from error


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"there is no skill file {str(path)!r}; give the Python file that makes the skill.")
    spec = spec_from_file_location(f"llavaplus_lesson_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{str(path)!r} is not a Python file; the name must end in .py.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _skills_in(module: ModuleType, store: ImageStore) -> Iterator[BaseTool]:
    own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
    factories = list(getattr(module, "SKILLS", ())) or [f for f in own if callable(f) and _is_factory(f)]
    for factory in factories:
        tool = factory(store=store)
        if not isinstance(tool, BaseTool):
            raise TypeError(f"{getattr(factory, '__name__', factory)!r} must return a tool, not {type(tool).__name__}")
        yield tool
    if not factories:
        yield from (value for value in vars(module).values() if isinstance(value, BaseTool) and skill_info(value))


def _is_factory(value: Any) -> bool:
    returned = getattr(value, "__annotations__", {}).get("return")
    return returned is BaseTool or returned == "BaseTool"
