"""What a line that somebody drew over a region says: points on it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llavaplus_graph.types import Point


def along(scribble: Sequence[Point], most: int = 8) -> list[Point]:
    """Points at equal distances along a line, its ends among them.

    Args:
        scribble: the line's corners; one corner is a dot.
        most: how many points.
    """
    corners = np.array(scribble, float).reshape(-1, 2)
    steps = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    length = float(steps.sum())
    if not len(corners):
        return []
    if length == 0:
        return [(float(corners[0, 0]), float(corners[0, 1]))]
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    places = np.linspace(0, length, most)
    return [
        (float(np.interp(p, travelled, corners[:, 0])), float(np.interp(p, travelled, corners[:, 1]))) for p in places
    ]
