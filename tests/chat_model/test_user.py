import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import HumanMessage
from PIL import Image

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.errors import PictureError
from llavaplus_graph.geometry import Mask
from llavaplus_graph.images import ImageStore

RED = Image.new("RGB", (6, 4), "red")


def encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def words(message: HumanMessage) -> str:
    block = message.content[-1]
    assert isinstance(block, dict)
    return str(block["text"])


def test_words_alone_make_a_message_without_pictures(store: ImageStore) -> None:
    assert user_message("Hello.", store=store) == HumanMessage([{"type": "text", "text": "Hello."}])


@pytest.mark.parametrize("kind", ["path", "text path", "bytes", "picture", "handle"])
def test_pictures_of_every_kind_become_handles(kind: str, store: ImageStore, tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    path.write_bytes(encoded(RED))
    handle = store.put(RED)
    given: dict[str, Any] = {
        "path": path,
        "text path": str(path),
        "bytes": encoded(RED),
        "picture": RED,
        "handle": handle,
    }
    message = user_message("What is it?", images=[given[kind]], store=store)
    assert message.content == [{"type": "image", "file_id": handle}, {"type": "text", "text": "What is it?"}]


def test_pictures_keep_their_order_and_come_before_the_words(store: ImageStore) -> None:
    blue = Image.new("RGB", (6, 4), "blue")
    message = user_message("Which is red?", images=[blue, RED, blue], store=store)
    kinds = [block["type"] if isinstance(block, dict) else "" for block in message.content]
    assert kinds == ["image", "image", "image", "text"]
    handles = [block["file_id"] for block in message.content[:3] if isinstance(block, dict)]
    assert handles == [store.put(blue), store.put(RED), store.put(blue)]


def test_without_a_store_the_default_one_keeps_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ImageStore(tmp_path)
    monkeypatch.setattr("llavaplus_graph.chat_model.user.default_store", lambda: kept)
    block = user_message("What is it?", images=[RED]).content[0]
    assert isinstance(block, dict)
    assert block["file_id"] in kept


@pytest.mark.parametrize("kind", ["picture", "handle"])
def test_inline_the_pixels_travel_and_nothing_is_stored(kind: str, tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "store")
    given = store.put(RED) if kind == "handle" else RED
    stored = store.size_bytes()
    block = user_message("What is it?", images=[given], store=store, inline=True).content[0]
    assert isinstance(block, dict)
    assert (block["type"], block["mime_type"]) == ("image", "image/png")
    assert Image.open(io.BytesIO(base64.b64decode(block["base64"]))).convert("RGB").tobytes() == RED.tobytes()
    assert store.size_bytes() == stored


def test_boxes_follow_the_words_as_in_the_released_data(store: ImageStore) -> None:
    message = user_message("Outline the mug.", boxes=[(0.1, 0.2, 0.304, 0.4)], store=store)
    assert words(message) == "Outline the mug.\nThe input boxes are: [[0.1, 0.2, 0.3, 0.4]]"


def test_points_and_their_labels_follow_too(store: ImageStore) -> None:
    message = user_message(
        "Cut.", boxes=[(0, 0, 1, 1)], points=[(0.5, 0.5), (0.1, 0.9)], point_labels=[1, 0], store=store
    )
    assert words(message) == (
        "Cut.\nThe input boxes are: [[0.0, 0.0, 1.0, 1.0]]"
        "\nThe input points are: [[0.5, 0.5], [0.1, 0.9]], the point labels are: [1, 0]"
    )


def test_a_scribble_is_told_as_points_on_it(store: ImageStore) -> None:
    line = [(0.1, 0.5), (0.7, 0.5)]
    told = "\nThe input points are: [[0.2, 0.5], [0.4, 0.5], [0.6, 0.5]]"
    assert words(user_message("Cut.", scribble=line, store=store)) == f"Cut.{told}"


def test_a_scribble_joins_the_points_that_the_user_set(store: ImageStore) -> None:
    message = user_message("Cut.", points=[(0.9, 0.9)], point_labels=[0], scribble=[(0.3, 0.4)], store=store)
    assert words(message) == "Cut.\nThe input points are: [[0.9, 0.9], [0.3, 0.4]], the point labels are: [0, 1]"


def test_a_mask_is_told_as_the_box_around_it(store: ImageStore) -> None:
    region = np.zeros((100, 200), bool)
    region[20:60, 50:100] = True
    for scribble in (region, Mask.from_array(region), Image.fromarray(region)):
        message = user_message("Cut.", scribble=scribble, store=store)
        assert words(message) == "Cut.\nThe input boxes are: [[0.25, 0.2, 0.5, 0.6]]"


@pytest.mark.parametrize(
    ("prompt", "complaint"),
    [
        ({"boxes": [(10, 20, 30, 40)]}, r"box \[10, 20, 30, 40\] must be x1, y1, x2, y2 between 0 and 1"),
        ({"boxes": [(0.1, 0.2)]}, r"box \[0.1, 0.2\] must be x1, y1, x2, y2"),
        ({"boxes": [(0.5, 0.2, 0.1, 0.4)]}, "x1 < x2"),
        ({"boxes": [(0.1, 0.4, 0.5, 0.4)]}, "y1 < y2"),
        ({"boxes": [(0.1, 0.2, float("nan"), 0.4)]}, "between 0 and 1"),
        ({"points": [(0.1, 0.2, 0.3, 0.4)]}, r"point \[0.1, 0.2, 0.3, 0.4\] must be x, y"),
        ({"points": [(-0.1, 0.2)]}, "between 0 and 1"),
        ({"points": [(0.1, 0.2)], "point_labels": [1, 0]}, "1 points but 2 point labels"),
        ({"point_labels": [1]}, "0 points but 1 point labels"),
        ({"scribble": [(0.1, 2.0)]}, "of the scribble must be"),
        ({"points": [(0.1, 0.2)], "point_labels": [2]}, r"point labels \[2\] must be 1 \(keep\) or 0"),
    ],
)
def test_visual_prompts_that_are_not_normalised_are_named(
    prompt: dict[str, Any], complaint: str, store: ImageStore
) -> None:
    with pytest.raises(PictureError, match=complaint):
        user_message("Cut.", store=store, **prompt)


def test_pictures_that_cannot_be_read_say_why(store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="does not exist"):
        user_message("Q", images=[tmp_path / "nowhere.png"], store=store)
    with pytest.raises(PictureError, match="neither PNG, JPEG nor WEBP"):
        user_message("Q", images=[b"no picture"], store=store)
    with pytest.raises(PictureError, match="holds no picture img_00000000000000ff"):
        user_message("Q", images=["img_00000000000000ff"], store=store)
