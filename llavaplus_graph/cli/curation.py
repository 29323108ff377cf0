"""Carries out ``llavaplus curate`` for every kind of file that it takes, and draws what was kept and dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from llavaplus_graph.cli import lazy
from llavaplus_graph.data.curation.gathering import gather, load_gather_spec
from llavaplus_graph.data.curation.labelling import Spent
from llavaplus_graph.data.curation.pipeline import curate_spec
from llavaplus_graph.data.curation.report import Report
from llavaplus_graph.data.curation.spec import load_spec
from llavaplus_graph.data.located import read_yaml
from llavaplus_graph.errors import ConfigError


def run_curation(path: Path, *, engine: Literal["local", "ray"] = "local") -> None:
    """Makes or gathers data, and says where they are.

    Args:
        path: a recipe of drawn pictures, a spec of ``kind: skills``, or one of ``kind: records``.
        engine: where a spec of skills is worked on.

    Raises:
        ConfigError: the file cannot be used.
        DataError: nothing is left, or what the file names cannot be read.
        ServerError: the labeller keeps failing.
        MissingExtraError: an extra is not installed.
    """
    kind = read_yaml(path).at(("kind",)) or ""
    if engine != "local" and kind != "skills":
        raise ConfigError(f"only a spec of 'kind: skills' is worked on by --engine {engine}; leave the option away.")
    if kind == "skills":
        _run_skills(path, engine)
    elif kind == "records":
        _run_records(path)
    elif kind:
        raise ConfigError(f"{path}: the kind {kind!r} is not known; it is skills or records, and a recipe has none.")
    else:
        lazy.training.run_curate(path)


def _run_skills(path: Path, engine: Literal["local", "ray"]) -> None:
    spec = load_spec(path)
    with _bar(MofNCompleteColumn()) as told:
        report = curate_spec(spec, path.absolute().parent, engine=engine, progress=told)
    console = Console(stderr=True, highlight=False)
    for warning in report.warnings:
        console.print(warning, style="yellow", markup=False)
    _said(report.pictures.dropped, "pictures")
    console.print(report_table(report))
    console.print(_labelled("this run", report.spent, report.cost(report.spent)))
    console.print(_labelled("altogether", report.altogether, report.cost(report.altogether)))
    print(spec.out)


def _run_records(path: Path) -> None:
    spec = load_gather_spec(path)
    with _bar(DownloadColumn()) as told:
        tally = gather(spec, progress=told)
    _said(tally.dropped, "records")
    Console(stderr=True, highlight=False).print(f"{tally.kept:,} records")
    print(spec.out / "records.jsonl")


def report_table(report: Report) -> Table:
    """Draws what became of the samples of every task."""
    table = Table("task", "reason", "samples", title_justify="left", box=None)
    for name, task in report.tasks.items():
        table.add_row(name, "train", str(task.train))
        table.add_row("", "held out", str(task.held_out))
        for reason, count in task.dropped.most_common():
            table.add_row("", f"dropped: {reason}", str(count))
    return table


def _labelled(when: str, spent: Spent, cost: float | None) -> str:
    price = "" if cost is None else f", cost {cost:.4f}"
    return (
        f"labeller, {when}: {spent.requests:,} requests, {spent.cached:,} from the cache, "
        f"{spent.input_tokens:,} tokens in, {spent.output_tokens:,} out{price}"
    )


def _said(dropped: Mapping[str, int], what: str) -> None:
    console = Console(stderr=True, highlight=False, markup=False)
    for reason, count in dropped.items():
        console.print(f"{count:,} {what} left out: {reason}", style="yellow")


class _Told:
    """A bar that is told how much is done of how much."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)


@contextmanager
def _bar(amount: MofNCompleteColumn | DownloadColumn) -> Iterator[_Told]:
    console = Console(stderr=True)
    with Progress(TextColumn("curating"), BarColumn(), amount, TimeRemainingColumn(), console=console) as bar:
        yield _Told(bar)
