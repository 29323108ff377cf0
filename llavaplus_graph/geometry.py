"""Where things are in a picture: boxes, points and masks. Knows no result, no skill and no file.

Every coordinate is a share of the picture: x grows to the right, y downwards, both from 0 to 1.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _checked_box(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    if not all(isfinite(value) and 0 <= value <= 1 for value in box):
        raise ValueError(f"box {list(box)} must hold four numbers from 0 to 1: x1, y1, x2, y2 as shares of the picture")
    if not (x1 < x2 and y1 < y2):
        raise ValueError(f"box {list(box)} must have x1 < x2 and y1 < y2")
    return box


def _checked_point(point: tuple[float, float]) -> tuple[float, float]:
    if not all(isfinite(value) and 0 <= value <= 1 for value in point):
        raise ValueError(f"point {list(point)} must hold two numbers from 0 to 1: x, y as shares of the picture")
    return point


Box = Annotated[tuple[float, float, float, float], AfterValidator(_checked_box)]
"""x1, y1, x2, y2 as shares of the picture, x1 < x2, y1 < y2."""

Point = Annotated[tuple[float, float], AfterValidator(_checked_point)]
"""x, y as shares of the picture."""

Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""How sure a skill is, 0 to 1."""

MAX_MASK_PIXELS = 100_000_000
"""Larger masks are refused before memory is set aside for them."""


class Mask(BaseModel):
    """Which pixels belong to something, in COCO's compressed run-length form (column by column).

    Attributes:
        size: height and width in pixels.
        counts: the runs as COCO's ASCII string; they must add up to height times width.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    counts: str

    @model_validator(mode="after")
    def _counts_fill_the_size(self) -> Self:
        height, width = self.size
        if height * width > MAX_MASK_PIXELS:
            raise ValueError(f"a mask of {height} x {width} pixels is larger than {MAX_MASK_PIXELS} pixels")
        filled = sum(_runs_of(self.counts))
        if filled != height * width:
            raise ValueError(f"the runs of a mask fill {filled} pixels, but its size is {height} x {width}")
        return self

    @classmethod
    def from_array(cls, array: NDArray[Any]) -> Self:
        """Packs a mask.

        Args:
            array: height x width; anything but 0 belongs to the mask.

        Raises:
            ValueError: the array is empty or not two-dimensional.
        """
        import numpy as np

        if array.ndim != 2 or array.size == 0:
            raise ValueError(f"a mask must be a height x width array, not one of shape {array.shape}")
        flat = np.asarray(array, dtype=bool).ravel(order="F")
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        runs = np.diff(np.concatenate(([0], changes, [flat.size]))).tolist()
        if flat[0]:
            runs.insert(0, 0)  # the first run always counts pixels outside the mask
        height, width = array.shape
        return cls(size=(height, width), counts=_counts_of(runs))

    def array(self) -> NDArray[np.bool_]:
        """Unpacks the mask into a writable height x width array of bool."""
        import numpy as np

        runs = _runs_of(self.counts)
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        return flat.reshape(self.size, order="F")

    @property
    def area(self) -> float:
        """Share of the picture that belongs to the mask, 0 to 1."""
        return sum(_runs_of(self.counts)[1::2]) / (self.size[0] * self.size[1])

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """The smallest `Box` around the mask, or None when the mask is empty."""
        import numpy as np

        array = self.array()
        rows, columns = np.flatnonzero(array.any(axis=1)), np.flatnonzero(array.any(axis=0))
        if not rows.size:
            return None
        height, width = self.size
        return (
            float(columns[0] / width),
            float(rows[0] / height),
            float((columns[-1] + 1) / width),
            float((rows[-1] + 1) / height),
        )


def _counts_of(runs: list[int]) -> str:
    """COCO's coding: differences to the run before last, five bits a character, least significant first."""
    characters = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != -1 if bits & 0x10 else value != 0
            characters.append(chr((bits | 0x20 if more else bits) + 48))
    return "".join(characters)


def _runs_of(counts: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(f"the runs of a mask hold {character!r}, which COCO's run-length form does not use there")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        if len(runs) > 2:
            value += runs[-2]
        if value < 0:
            raise ValueError("the runs of a mask hold a negative length")
        runs.append(value)
        value = shift = 0
    if shift:
        raise ValueError("the runs of a mask end in the middle of a number")
    return runs
