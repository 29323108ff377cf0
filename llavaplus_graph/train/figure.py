"""What came of a training as pictures: its losses, and what was known before and after. Knows numbers, no training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from llavaplus_graph.errors import MissingExtraError
from llavaplus_graph.train.report import HISTORY

_STRONG, _SECOND, _PALE = "#30638e", "#d1495b", "#b8bcc4"


class Marked(Protocol):
    """A group of questions and the share of right calls, in [0, 1]."""

    @property
    def group(self) -> str:
        """Name of the group."""
        ...

    @property
    def call(self) -> float:
        """Share of right calls."""
        ...


def draw_losses(stages: Sequence[Path], target: Path) -> None:
    """Draw the losses of stages one behind the other, and shares of examinations above them, and write a PNG.

    Args:
        stages: Their folders; one without a history is left out.
        target: The file to write.

    Raises:
        MissingExtraError: If the extra `train` is not installed.
    """
    found = [folder for folder in stages if (folder / HISTORY).exists()]
    figure, axes = _figure(3.6)
    shares = None
    start = 0
    for index, folder in enumerate(found):
        entries = json.loads((folder / HISTORY).read_text("utf-8"))
        losses = _series(entries, "loss", start)
        axes.plot(*losses, color=_STRONG, linewidth=1.2)
        axes.annotate(folder.name, (start, 1), xycoords=("data", "axes fraction"), fontsize=8, va="bottom")
        if index:
            axes.axvline(start, color=_PALE, linewidth=0.8)
        for name in sorted({key for entry in entries for key in entry if key.startswith("exam ")}):
            shares = shares or axes.twinx()
            steps, values = _series(entries, name, start)
            shares.plot(steps, [100 * value for value in values], "o-", color=_SECOND, markersize=3, linewidth=0.8)
            shares.annotate(name.removeprefix("exam "), (steps[-1], 100 * values[-1]), fontsize=7, color=_SECOND)
        start += max((entry["step"] for entry in entries), default=0)
    axes.set_xlabel("steps")
    axes.set_ylabel("loss, nats a token")
    axes.set_ylim(bottom=0)
    if shares is not None:
        shares.set_ylim(0, 100)
        shares.set_ylabel("examination, %")
    figure.savefig(target, dpi=120)


def draw_scores(before: Sequence[Marked], after: Sequence[Marked], new: str, target: Path) -> None:
    """Draw one pair of bars a group, the new skill on top, and write a PNG.

    Args:
        before: Scores before the lesson.
        after: Scores after it, of the same groups.
        new: The group that was taught; it stands out.
        target: The file to write.

    Raises:
        MissingExtraError: If the extra `train` is not installed.
    """
    late = {score.group: score.call for score in after}
    rows = sorted(before, key=lambda score: (score.group != new, score.group != "all", score.group), reverse=True)
    figure, axes = _figure(0.36 * len(rows) + 1)
    places = range(len(rows))
    axes.barh([place + 0.2 for place in places], [100 * row.call for row in rows], 0.38, color=_PALE, label="before")
    axes.barh(
        [place - 0.2 for place in places],
        [100 * late[row.group] for row in rows],
        0.38,
        color=[_SECOND if row.group == new else _STRONG for row in rows],
        label="after",
    )
    axes.set_yticks(list(places), [row.group for row in rows])
    axes.set_xlim(0, 100)
    axes.margins(y=0.01)
    axes.set_xlabel("held-out questions with the right skill and arguments, %")
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    figure.savefig(target, dpi=120)


def _figure(height: float) -> tuple[Any, Any]:  # Any: matplotlib is imported here only
    """Give an empty picture of that many inches, and its axes."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="train") from error
    figure = Figure(figsize=(7, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _series(entries: Sequence[dict[str, Any]], key: str, start: int) -> tuple[list[int], list[float]]:
    chosen = [entry for entry in entries if key in entry]
    return [start + entry["step"] for entry in chosen], [entry[key] for entry in chosen]
