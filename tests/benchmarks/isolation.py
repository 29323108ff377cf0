"""What it costs to run the offline skills' native code in a process of its own.

Every backend is called on the same pictures in this process and in the other one. Run from the repository's root:

    python -m tests.benchmarks.isolation [--rounds 3]
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from llavaplus_graph.samples import sample
from llavaplus_tools._backends.code_readers import read_codes_in
from llavaplus_tools._backends.filling import filled
from llavaplus_tools._backends.grabcut import cut_box
from llavaplus_tools._backends.rapid import read_lines
from llavaplus_tools._backends.worker import apart

_BOX = (0.2, 0.2, 0.6, 0.6)
_LARGE = (4000, 3000)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    nothing = apart(os.getpid, name="nothing", seconds=60)
    print(f"a process starts and answers in {shortest(nothing, 1):.2f} s, then in {1e3 * shortest(nothing, 20):.2f} ms")
    print(f"{'':14} {'first, s':^15} {'warm, s':^15} {'12 Mpx, s':^15}")
    print(f"{'':14} {'here':>7} {'apart':>7} {'here':>7} {'apart':>7} {'here':>7} {'apart':>7}")
    for name, work, arguments in backends():
        small, large = arguments(picture("sign", None)), arguments(picture("photo", _LARGE))
        other = apart(work, name=name, seconds=600)
        columns = [
            shortest(partial(way, *given), times)
            for given, times in ((small, 1), (small, rounds), (large, 1))
            for way in (work, other)
        ]
        print(f"{name:14} " + " ".join(f"{seconds:7.3f}" for seconds in columns))


def backends() -> list[tuple[str, Callable[..., Any], Callable[[npt.NDArray[np.uint8]], tuple[Any, ...]]]]:
    """Each backend's name, its function, and what that is given for a picture."""
    return [
        ("read_text", read_lines, lambda pixels: (pixels,)),
        ("read_codes", read_codes_in, lambda pixels: (pixels,)),
        ("segment_region", cut_box, lambda pixels: (pixels, _BOX, [])),
        ("inpaint_region", filled, lambda pixels: (pixels, spot(pixels))),
    ]


def picture(name: str, size: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    """A sample picture, as an array."""
    found = Image.open(sample(name)).convert("RGB")
    return np.asarray(found if size is None else found.resize(size, Image.Resampling.BICUBIC))


def spot(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """A mask of a hundredth of the picture."""
    height, width = pixels.shape[:2]
    mask = np.zeros((height, width), bool)
    mask[: height // 10, : width // 10] = True
    return mask


def shortest(work: Callable[[], object], times: int) -> float:
    """Seconds of the quickest of some runs."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return min(spent)


if __name__ == "__main__":
    main()
