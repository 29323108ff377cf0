"""What ``llavaplus skills`` tells: the catalogue, what of it works here, and which models are loaded. Runs no skill."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from importlib.util import find_spec

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typing_extensions import TypedDict

from llavaplus_graph.held import held_models
from llavaplus_graph.skills import CATALOGUE, SkillInfo, load_skills, skill_info
from llavaplus_graph.weights import folder_of, weights_info

_WIDTH = 160  # where no terminal says how wide it is
_MODULES = {"generation": "diffusers"}  # what an extra brings


class Row(TypedDict):
    """One skill.

    Attributes:
        installed: it has a backend here.
        offline: it works without any download.
        weights: hub ids it needs, or would use instead of its offline backend.
        missing_weights: those that are not on this machine.
        missing_extra: the extra of this package that it needs and that is not installed.
        needs: what it works on, where that has not been made, and after a colon the command that makes it.
        works: it can be asked right now.
    """

    name: str
    wire_names: list[str]
    arguments: list[str]
    installed: bool
    offline: bool
    weights: list[str]
    missing_weights: list[str]
    missing_extra: str | None
    needs: str | None
    works: bool


def run_skills(*, as_json: bool) -> None:
    """Prints the skills as a table or as one JSON document."""
    found = rows()
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    table = _table("skill", "wire names", "arguments", "available")
    for row in found:
        names, arguments = ", ".join(row["wire_names"]), ", ".join(row["arguments"])
        table.add_row(row["name"], names, arguments, escape(availability(row)))
    _print(table)
    print()
    for row in found:
        if row["needs"]:
            what, _, command = row["needs"].partition(": ")
            print(f"To make {what} for {row['name']} run: {command}")
    if any(row["missing_weights"] for row in found):
        print("To fetch the weights of a skill run: llavaplus skills fetch SKILL")


def run_loaded(*, as_json: bool) -> None:
    """Prints which models the processes of this user hold in memory."""
    held = held_models()
    if as_json:
        print(json.dumps([asdict(model) for model in held], ensure_ascii=False, indent=2))
        return
    if not held:
        print("No running process holds a model; a skill loads its model when it first needs it.")
        return
    table = _table("process", "program", "weights", "as", "device", "MB")
    for model in held:
        size = f"{model.bytes / 1e6:,.0f}"
        table.add_row(str(model.process), *map(escape, (model.program, model.id, model.kind, model.device)), size)
    _print(table)


def rows() -> list[Row]:
    """The catalogue's skills in its order, then the installed ones that it does not have."""
    installed = {tool.name: tool for tool in load_skills()}
    infos = {info.name: info for info in CATALOGUE}
    for name, tool in installed.items():
        infos[name] = skill_info(tool) or SkillInfo(name, arguments=tuple(tool.args), offline=True)
    return [_row(info, list(installed[name].args) if name in installed else None) for name, info in infos.items()]


def availability(row: Row) -> str:
    """The table's last column: how it works, or what to do so that it does."""
    if not row["installed"]:
        return "not installed"
    if row["missing_extra"]:
        return f"needs pip install 'llavaplus-graph[{row['missing_extra']}]'"
    if row["needs"]:
        return f"needs {row['needs'].partition(':')[0]}"
    if row["missing_weights"]:
        sizes = [info.megabytes if (info := weights_info(id_)) else None for id_ in row["missing_weights"]]
        weights = "weights" if None in sizes else f"weights, {sum(filter(None, sizes)):,} MB"
        return f"offline; does more with {weights}" if row["offline"] else f"needs {weights}"
    return "offline, with weights on this machine" if row["weights"] else "offline"


def _row(info: SkillInfo, arguments: list[str] | None) -> Row:
    pictured = () if info.effect == "creates" else ("image",)
    missing = [id_ for id_ in info.weights if folder_of(id_) is None]
    lacks = info.extra is not None and find_spec(_MODULES.get(info.extra, "llavaplus_graph")) is None
    return {
        "name": info.name,
        "wire_names": list(info.wire_names),
        "arguments": arguments if arguments is not None else [*pictured, *info.arguments],
        "installed": arguments is not None,
        "offline": info.offline,
        "weights": list(info.weights),
        "missing_weights": missing,
        "missing_extra": info.extra if lacks else None,
        "needs": info.needs,
        "works": arguments is not None and not info.needs and (info.offline or not (missing or lacks)),
    }


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title == "skill", justify="right" if title == "MB" else "left")
    return table


def _print(table: Table) -> None:
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
