"""A user's message: words, pictures and visual prompts. Pictures become handles at once, pixels stay in the store."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from PIL import Image

from llavaplus_graph.chat_model.scribble import Scribble, marks_of
from llavaplus_graph.errors import PictureError
from llavaplus_graph.images import HANDLE, ImageStore, default_store, read_picture
from llavaplus_graph.protocol import render_boxes, render_points
from llavaplus_graph.remote_pictures import Fetcher, fetcher_for, is_url


def user_message(
    text: str,
    *,
    images: Sequence[str | Path | bytes | Image.Image] = (),
    boxes: Sequence[Sequence[float]] = (),
    points: Sequence[Sequence[float]] = (),
    point_labels: Sequence[int] = (),
    scribble: Scribble | None = None,
    store: ImageStore | None = None,
    inline: bool = False,
    fetch_urls: bool | Fetcher = False,
) -> HumanMessage:
    """Make a standard message that any node, trace or checkpoint can carry.

    Args:
        text: The words.
        images: Paths, bytes, PIL images or handles, in the order in which the user will count them.
        boxes: Boxes the user drew, normalised x1, y1, x2, y2 in [0, 1].
        points: Points the user set, normalised x, y in [0, 1].
        point_labels: 1 (keep) or 0 (leave out) for every point; all 1 when not given.
        scribble: What the user drew: a line of points x, y in [0, 1], several lines, or a picture, mask or array of it.
            The protocol has no words for it, so it is told as points on it, or as a box where it goes around something
            or fills it (`llavaplus_graph.chat_model.scribble`).
        store: Where the pictures go; the default store unless named.
        inline: Carry the pixels themselves as base64 PNG, for models outside this package.
        fetch_urls: Whether images may be http and https URLs too, or a `Fetcher` with limits of yours.

    Raises:
        PictureError: If a picture cannot be read, a box or point is not normalised, a label does not fit, or there is
            nothing in the scribble.
    """
    for box in boxes:
        if not _normalised(box, 4) or box[0] >= box[2] or box[1] >= box[3]:
            raise PictureError(
                f"The box {list(box)!r} must be x1, y1, x2, y2 between 0 and 1, shares of width and height, "
                "with x1 < x2 and y1 < y2."
            )
    for point in points:
        if not _normalised(point, 2):
            raise PictureError(f"The point {list(point)!r} must be x, y between 0 and 1, shares of width and height.")
    if point_labels and len(point_labels) != len(points):
        raise PictureError(
            f"There are {len(points)} points but {len(point_labels)} point labels; give one label a point."
        )
    if any(label not in (0, 1) for label in point_labels):
        raise PictureError(f"The point labels {list(point_labels)!r} must be 1 (keep) or 0 (leave out).")
    prompt = _prompt(boxes, points, point_labels, scribble)
    target, fetcher = store or default_store(), fetcher_for(fetch_urls)
    if fetcher is not None:
        images = [fetcher.fetch(image) if isinstance(image, str) and is_url(image) else image for image in images]
    blocks: list[dict[str, Any]] = [
        _inline_block(image, target) if inline else _handle_block(image, target) for image in images
    ]
    return HumanMessage(content=[*blocks, {"type": "text", "text": text + prompt}])


def _prompt(
    boxes: Sequence[Sequence[float]],
    points: Sequence[Sequence[float]],
    labels: Sequence[int],
    scribble: Scribble | None,
) -> str:
    if scribble is not None:
        drawn_boxes, drawn_points = marks_of(scribble)
        labels = [*(labels or [1] * len(points)), *[1] * len(drawn_points)]
        boxes, points = [*boxes, *drawn_boxes], [*points, *drawn_points]
    return (render_boxes(boxes) if boxes else "") + (render_points(points, labels) if points else "")


def _normalised(numbers: Sequence[float], count: int) -> bool:
    return len(numbers) == count and all(0 <= number <= 1 for number in numbers)


def _handle_block(image: str | Path | bytes | Image.Image, store: ImageStore) -> dict[str, Any]:
    if isinstance(image, str) and HANDLE.fullmatch(image):
        store.get(image)
        return {"type": "image", "file_id": image}
    return {"type": "image", "file_id": store.put(image if isinstance(image, Image.Image) else read_picture(image))}


def _inline_block(image: str | Path | bytes | Image.Image, store: ImageStore) -> dict[str, Any]:
    picture = store.get(image) if isinstance(image, str) and HANDLE.fullmatch(image) else read_picture(image)
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return {"type": "image", "base64": base64.b64encode(buffer.getvalue()).decode(), "mime_type": "image/png"}
