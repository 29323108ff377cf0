"""Reading QR codes and barcodes. Knows what a code's result looks like; OpenCV does the reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, catalogued, make_skill, picture_of
from llavaplus_graph.types import Texts
from llavaplus_tools._backends.code_readers import Code, read_codes_in
from llavaplus_tools._backends.worker import apart
from llavaplus_tools.reading import reading_order, upright_box

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_codes(
    *,
    store: ImageStore | None = None,
    reader: Callable[[NDArray[np.uint8]], Sequence[Code]] | None = None,
    isolated: bool = True,
) -> BaseTool:
    """The skill that reads QR codes and barcodes.

    Args:
        store: where handles lead; by default the store of the process.
        reader: gives the codes of an RGB picture in any order; by default OpenCV's readers, which know QR, EAN-8,
            EAN-13, UPC-A and UPC-E.
        isolated: OpenCV runs in a process of its own, which is stopped at the skill's deadline and may break down
            alone. A reader of one's own runs where it is called.
    """
    pictures = store if store is not None else default_store()
    row = catalogued("read_codes")
    read = reader or (apart(read_codes_in, name=row.name, seconds=row.deadline) if isolated else read_codes_in)

    def run(image: str | Path | Image.Image) -> Texts:
        """Read every QR code and barcode in a picture.

        Returns what each code says and its format, from top to bottom and from left to right; nothing when there is
        no readable code.
        """
        handle, picture = picture_of(image, pictures)
        codes = read(np.asarray(picture))
        boxes = [upright_box(code.corners, picture.size) for code in codes]
        order = reading_order(boxes)
        return Texts(
            image=handle,
            texts=tuple(codes[index].text for index in order),
            boxes=tuple(boxes[index] for index in order),
            scores=(1.0,) * len(order),  # a code's check digits leave no doubt
            formats=tuple(codes[index].kind for index in order),
        )

    return make_skill(run, row, PictureArguments)
