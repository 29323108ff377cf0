"""Pictures inside messages: every spelling of an inline picture, and the way to handles and back. Knows no node.

The spellings (`docs.langchain.com`, "Multimodal messages"): LangChain's own blocks, old and new, OpenAI's ``image_url``
and ``input_image``, Anthropic's ``source``. A picture that cannot be taken in raises; none vanishes silently.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from langchain_core.messages import BaseMessage

from llavaplus_graph.errors import PictureError
from llavaplus_graph.images import ImageStore

_PICTURE_TYPES = frozenset({"image", "image_url", "input_image"})


def is_picture(block: object) -> TypeGuard[dict[str, Any]]:
    """Whether a content block of a message is a picture, in whatever spelling."""
    return isinstance(block, dict) and block.get("type") in _PICTURE_TYPES


def handle_block(handle: str) -> dict[str, object]:
    """The content block that stands for a stored picture."""
    return {"type": "image", "file_id": handle}


def handles_in(message: BaseMessage) -> list[str]:
    """The handles in a message, in order."""
    blocks = message.content if isinstance(message.content, list) else []
    return [str(block["file_id"]) for block in blocks if is_picture(block) and "file_id" in block]


def stored_handle(block: Mapping[str, Any], store: ImageStore) -> str:
    """Puts the inline picture of a block into the store.

    Raises:
        PictureError: the block names a URL, holds no picture in any known spelling, or the picture cannot be read.
    """
    return store.put(_bytes_in(block))


def with_pixels(messages: Sequence[BaseMessage], store: ImageStore) -> list[BaseMessage]:
    """The messages with pixels (base64 PNG) in place of handles, for a model that does not know the store.

    Raises:
        PictureError: a picture is not in the store.
    """
    return [_hydrated(message, store) for message in messages]


def _hydrated(message: BaseMessage, store: ImageStore) -> BaseMessage:
    if not handles_in(message):
        return message
    blocks = [
        _pixel_block(str(block["file_id"]), store) if is_picture(block) and "file_id" in block else block
        for block in message.content
    ]
    return message.model_copy(update={"content": blocks})


def _pixel_block(handle: str, store: ImageStore) -> dict[str, object]:
    buffer = io.BytesIO()
    store.get(handle).save(buffer, format="PNG")
    return {"type": "image", "base64": base64.b64encode(buffer.getvalue()).decode(), "mime_type": "image/png"}


def _bytes_in(block: Mapping[str, Any]) -> bytes:
    source = block.get("source")
    if isinstance(source, Mapping):  # Anthropic nests what the others write flat
        return _bytes_in({"type": "image", **source, "source": None})
    encoded = block.get("base64") or block.get("data")
    if isinstance(encoded, str):
        return _decoded(encoded)
    url = block.get("image_url") or block.get("url")
    if isinstance(url, Mapping):
        url = url.get("url")
    if not isinstance(url, str):
        keys = ", ".join(sorted(str(key) for key in block))
        raise PictureError(f"a picture block with {keys} is not understood; use user_message, or base64 and mime_type")
    if not url.startswith("data:"):
        raise PictureError(f"the picture {_short(url)} is a URL, and URLs are not fetched; pass the picture itself")
    header, _, data = url.partition(",")
    if not header.endswith(";base64"):
        raise PictureError(f"the data-URI {_short(url)} is not base64; encode the picture as base64")
    return _decoded(data)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        raise PictureError(f"the inline picture {_short(text)} is not base64; encode the file's bytes") from None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
