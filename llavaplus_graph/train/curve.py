"""The loss of a training as a picture, stage after stage. Knows what was logged, not what was trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llavaplus_graph.errors import MissingExtraError
from llavaplus_graph.train.report import HISTORY

_LOSS, _EXAM = "#30638e", "#d1495b"


def draw_losses(stages: Sequence[Path], target: Path) -> None:
    """Draw the losses of stages one behind the other, and shares of examinations above them, and write a PNG.

    Args:
        stages: Their folders; one without a history is left out.
        target: The file to write.

    Raises:
        MissingExtraError: If the extra `train` is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="train") from error
    found = [folder for folder in stages if (folder / HISTORY).exists()]
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    shares = None
    start = 0
    for index, folder in enumerate(found):
        entries = json.loads((folder / HISTORY).read_text("utf-8"))
        losses = _series(entries, "loss", start)
        axes.plot(*losses, color=_LOSS, linewidth=1.2)
        axes.annotate(folder.name, (start, 1), xycoords=("data", "axes fraction"), fontsize=8, va="bottom")
        if index:
            axes.axvline(start, color="#b8bcc4", linewidth=0.8)
        for name in sorted({key for entry in entries for key in entry if key.startswith("exam ")}):
            shares = shares or axes.twinx()
            steps, values = _series(entries, name, start)
            shares.plot(steps, [100 * value for value in values], "o-", color=_EXAM, markersize=3, linewidth=0.8)
            shares.annotate(name.removeprefix("exam "), (steps[-1], 100 * values[-1]), fontsize=7, color=_EXAM)
        start += max((entry["step"] for entry in entries), default=0)
    axes.set_xlabel("steps")
    axes.set_ylabel("loss, nats a token")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    if shares is not None:
        shares.set_ylim(0, 100)
        shares.set_ylabel("examination, %")
    figure.savefig(target, dpi=120)


def _series(entries: Sequence[dict[str, Any]], key: str, start: int) -> tuple[list[int], list[float]]:
    chosen = [entry for entry in entries if key in entry]
    return [start + entry["step"] for entry in chosen], [entry[key] for entry in chosen]
