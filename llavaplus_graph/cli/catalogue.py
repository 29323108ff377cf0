"""What ``llavaplus skills`` tells: the catalogue and what is installed of it. Runs no skill."""

from __future__ import annotations

import json
import sys

from rich import box
from rich.console import Console
from rich.table import Table
from typing_extensions import TypedDict

from llavaplus_graph.skills import CATALOGUE, SkillInfo, load_skills, skill_info

_WIDTH = 160  # where no terminal says how wide it is


class Row(TypedDict):
    """One skill.

    Attributes:
        installed: it has a backend here.
        offline: it works without any download.
        weights: hub ids it needs, or would use instead of its offline backend.
    """

    name: str
    wire_names: list[str]
    arguments: list[str]
    installed: bool
    offline: bool
    weights: list[str]


def run_skills(*, as_json: bool) -> None:
    """Prints the skills as a table or as one JSON document."""
    found = rows()
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for title in ("skill", "wire names", "arguments", "available"):
        table.add_column(title, overflow="fold", no_wrap=title == "skill")
    for row in found:
        names, arguments = ", ".join(row["wire_names"]), ", ".join(row["arguments"])
        table.add_row(row["name"], names, arguments, availability(row))
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def rows() -> list[Row]:
    """The catalogue's skills in its order, then the installed ones that it does not have."""
    installed = {tool.name: tool for tool in load_skills()}
    infos = {info.name: info for info in CATALOGUE}
    for name, tool in installed.items():
        infos[name] = skill_info(tool) or SkillInfo(name, arguments=tuple(tool.args), offline=True)
    return [_row(info, list(installed[name].args) if name in installed else None) for name, info in infos.items()]


def availability(row: Row) -> str:
    """The table's last column."""
    if row["installed"] and row["offline"]:
        return "offline"
    needs = f"needs weights {', '.join(row['weights'])}" if row["weights"] else "works offline"
    return needs if row["installed"] else f"{needs}, not installed"


def _row(info: SkillInfo, arguments: list[str] | None) -> Row:
    pictured = () if info.effect == "creates" else ("image",)
    return {
        "name": info.name,
        "wire_names": list(info.wire_names),
        "arguments": arguments if arguments is not None else [*pictured, *info.arguments],
        "installed": arguments is not None,
        "offline": info.offline,
        "weights": list(info.weights),
    }
