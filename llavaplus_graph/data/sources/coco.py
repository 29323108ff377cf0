"""Reads annotation files in the form of COCO: instances (images, annotations, categories) and captions.

Streams them, because those of a whole training set have hundreds of megabytes; only the chosen pictures are held. The
format is described at https://cocodataset.org/#format-data.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llavaplus_graph.data.sources.contexts import ImageContext, SeenObject, shares_of
from llavaplus_graph.data.sources.streaming import Tally, read_items
from llavaplus_graph.errors import DataError


def read_coco(
    instances: Path, captions: Path | None = None, *, most: int | None = None, seed: int = 7, tally: Tally | None = None
) -> Iterator[ImageContext]:
    """Read what COCO knows of pictures.

    Args:
        instances: The file with images, categories and boxes.
        captions: The file with captions, if there is one.
        most: Draw so many pictures; by default all.
        seed: Decides which.
        tally: Counts what was kept and what was dropped, with reasons.

    Yields:
        Contexts in the order of the file; boxes become normalised corners with four decimals.

    Raises:
        DataError: If a file cannot be read or has no images.
    """
    counted = tally if tally is not None else Tally()
    images = _images(instances, most, random.Random(seed))
    names = {int(each["id"]): str(each["name"]) for each in read_items(instances, "categories.item")}
    things: dict[int, list[SeenObject]] = defaultdict(list)
    for note in read_items(instances, "annotations.item"):
        image = images.get(note.get("image_id"))
        if image is not None:
            try:
                things[note["image_id"]].append(_thing(note, image, names))
            except (KeyError, ValueError, TypeError, ZeroDivisionError):
                counted.drop("its box or category cannot be", f"annotation {note.get('id')} of {image['file_name']}")
    said: dict[int, list[str]] = defaultdict(list)
    for note in read_items(captions, "annotations.item") if captions else ():
        if note.get("image_id") in images:
            said[note["image_id"]].append(str(note.get("caption", "")).strip())
    for number, image in images.items():
        counted.kept += 1
        yield ImageContext(image=image["file_name"], captions=tuple(said[number]), objects=tuple(things[number]))


def _images(path: Path, most: int | None, rng: random.Random) -> dict[Any, Mapping[str, Any]]:
    """Choose pictures: all, or a fair draw of so many without knowing beforehand how many there are."""
    kept: list[tuple[int, Mapping[str, Any]]] = []
    for index, image in enumerate(read_items(path, "images.item")):
        if not isinstance(image, Mapping) or "id" not in image or not isinstance(image.get("file_name"), str):
            raise DataError(f"{path}: image {index + 1} has no 'id' or 'file_name', so this is no file of instances.")
        if most is None or len(kept) < most:
            kept.append((index, image))
        elif (place := rng.randint(0, index)) < most:
            kept[place] = (index, image)
    if not kept:
        raise DataError(f"{path} has no 'images'; give the file of instances, for example instances_train2017.json.")
    return {image["id"]: image for _, image in sorted(kept, key=lambda entry: entry[0])}


def _thing(note: Mapping[str, Any], image: Mapping[str, Any], names: Mapping[int, str]) -> SeenObject:
    x, y, width, height = (float(number) for number in note["bbox"])
    across, down = float(image["width"]), float(image["height"])
    box = shares_of((x, y, x + width, y + height), (across, down, across, down))
    return SeenObject.model_validate({"name": names[int(note["category_id"])], "box": box})
