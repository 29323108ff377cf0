"""``llavaplus skills fetch``: says what the weights of skills are and brings them here. Opens no weights."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from llavaplus_graph.downloads import Offer, fetch, offer_of
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.skills import CATALOGUE, SkillInfo, canonical_name, load_skills, skill_info
from llavaplus_graph.weights import folder_of


def run_fetch(names: Sequence[str]) -> None:
    """Fetches what skills need, and says on stderr first how large it is and under which licence.

    Args:
        names: names of skills, ``"all"``, or ids of the hub, as ``owner/name`` or ``owner/name@revision``.

    Raises:
        ConfigError: there is no such skill.
        DownloadError: something could not be fetched; what came before it is here.
    """
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    wanted = weights_of(names)
    if not wanted:
        console.print(f"{', '.join(names)} {'needs' if len(names) == 1 else 'need'} no weights.")
    missing = []
    for id_, revision in wanted:
        if (folder := folder_of(id_, revision)) is None:
            missing.append((id_, revision))
        else:
            console.print(f"{id_} is on this machine already, in {folder}")
    offers = [offer_of(id_, revision) for id_, revision in missing]
    for offer in offers:
        console.print(f"{offer.id}: {_megabytes(offer.bytes)}, licence {offer.licence}")
    if len(offers) > 1:
        console.print(f"together {_megabytes(sum(offer.bytes for offer in offers))}")
    for offer in offers:
        _fetch_shown(offer, console)


def weights_of(names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Ids and revisions of what `run_fetch` is asked for, each once, in order.

    Raises:
        ConfigError: there is no such skill.
    """
    infos = _infos()
    found: dict[tuple[str, str | None], None] = {}
    for name in names:
        if name == "all":
            ids = [id_ for info in infos.values() for id_ in info.weights]
        elif (skill := canonical_name(name) or name) in infos:
            ids = list(infos[skill].weights)
        elif "/" in name:
            ids = [name]
        else:
            known = ", ".join(infos)
            raise ConfigError(f"there is no skill {name!r}; there are {known}; or give an id of the hub, or all")
        for id_ in ids:
            plain, _, revision = id_.partition("@")
            found[plain, revision or None] = None
    return list(found)


def _infos() -> dict[str, SkillInfo]:
    """Every skill of the catalogue, and the installed ones that it does not have."""
    installed = {tool.name: skill_info(tool) or SkillInfo(tool.name) for tool in load_skills()}
    return {info.name: info for info in CATALOGUE} | installed


def _fetch_shown(offer: Offer, console: Console) -> None:
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its advice and its retries would break the bar
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(offer.id, total=offer.bytes)
        folder = fetch(offer, watch=lambda bytes_: progress.update(task, completed=bytes_))
    print(folder, file=sys.stdout)


def _megabytes(bytes_: int) -> str:
    return f"{max(1, round(bytes_ / 1e6)):,} MB"
