"""Reading text. Knows reading order; the reading itself is done by RapidOCR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, catalogued, make_skill, picture_of
from llavaplus_graph.types import Box, Texts
from llavaplus_tools._backends.rapid import Line, get_ready, read_lines
from llavaplus_tools._backends.worker import apart, begin

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_text(
    *,
    store: ImageStore | None = None,
    reader: Callable[[NDArray[np.uint8]], Sequence[Line]] | None = None,
    isolated: bool = True,
) -> BaseTool:
    """The skill that reads every text in a picture.

    Args:
        store: where handles lead; by default the store of the process.
        reader: gives the lines of an RGB picture in any order; by default RapidOCR, which reads Chinese and Latin
            script and holds its models (20 MB) inside its wheel. They load at the first reading and are shared.
        isolated: RapidOCR runs in a process of its own, which is stopped at the skill's deadline and may break down
            alone. A reader of one's own runs where it is called.
    """
    pictures = store if store is not None else default_store()
    row = catalogued("read_text")
    read = reader or (apart(read_lines, name=row.name, seconds=row.deadline) if isolated else read_lines)

    def run(image: str | Path | Image.Image) -> Texts:
        """Read all text in a picture: signs, pages, receipts, screens, labels.

        Returns the texts line by line, from top to bottom and in each line from left to right.
        """
        handle, picture = picture_of(image, pictures)
        lines = [line for line in read(np.asarray(picture)) if line.text.strip()]
        boxes = [upright_box(line.corners, picture.size) for line in lines]
        order = reading_order(boxes)
        return Texts(
            image=handle,
            texts=tuple(lines[index].text.strip() for index in order),
            boxes=tuple(boxes[index] for index in order),
            scores=tuple(min(1.0, max(0.0, float(lines[index].score))) for index in order),
        )

    def prepare() -> None:
        begin(get_ready, name=row.name, seconds=row.deadline)

    return make_skill(run, row, PictureArguments, prepare=prepare if isolated and reader is None else None)


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Indices of the boxes from top to bottom and, where they stand on one line, from left to right.

    Two boxes stand on one line when the middle of either lies within the height of the other.
    """
    rows: list[list[int]] = []
    for index in sorted(range(len(boxes)), key=lambda i: boxes[i][1] + boxes[i][3]):
        if rows and _on_one_line(boxes[rows[-1][0]], boxes[index]):
            rows[-1].append(index)
        else:
            rows.append([index])
    return [index for row in rows for index in sorted(row, key=lambda i: boxes[i][0])]


def _on_one_line(one: Box, other: Box) -> bool:
    middle_of_one, middle_of_other = (one[1] + one[3]) / 2, (other[1] + other[3]) / 2
    return one[1] <= middle_of_other <= one[3] and other[1] <= middle_of_one <= other[3]


def upright_box(corners: NDArray[Any], size: tuple[int, int]) -> Box:
    """The upright box around corners (n x 2, pixels), inside the picture and at least one pixel wide and high."""
    width, height = size
    left, top = np.floor(corners.min(axis=0)).clip(0, (width - 1, height - 1))
    right, bottom = np.ceil(corners.max(axis=0)).clip((left + 1, top + 1), (width, height))
    return float(left / width), float(top / height), float(right / width), float(bottom / height)
