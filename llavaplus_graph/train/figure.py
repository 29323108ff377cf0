"""What an LMM knew before and after a lesson, as a picture. Knows scores, not how they came about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from llavaplus_graph.errors import MissingExtraError


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
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="train") from error
    late = {score.group: score.call for score in after}
    rows = sorted(before, key=lambda score: (score.group != new, score.group != "all", score.group), reverse=True)
    figure = Figure(figsize=(7, 0.36 * len(rows) + 1), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh(
        [place + 0.2 for place in places], [100 * row.call for row in rows], 0.38, color="#b8bcc4", label="before"
    )
    axes.barh(
        [place - 0.2 for place in places],
        [100 * late[row.group] for row in rows],
        0.38,
        color=["#d1495b" if row.group == new else "#30638e" for row in rows],
        label="after",
    )
    axes.set_yticks(list(places), [row.group for row in rows])
    axes.set_xlim(0, 100)
    axes.margins(y=0.01)
    axes.set_xlabel("held-out questions with the right skill and arguments, %")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    figure.savefig(target, dpi=120)
