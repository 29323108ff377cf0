"""Pictures inside messages: every spelling of an inline picture, and the way to handles and back. Knows no node.

The spellings (`docs.langchain.com`, "Multimodal messages"): LangChain's own blocks, old and new, OpenAI's ``image_url``
and ``input_image``, Anthropic's ``source``, Google's ``media``, files that are pictures. A picture that cannot be taken
in raises, or is told of where no person gave it; none vanishes silently.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from typing import Any, TypeGuard

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, ToolMessage

from llavaplus_graph.errors import PictureError
from llavaplus_graph.images import HANDLE, ImageStore
from llavaplus_graph.remote_pictures import Fetcher

_PICTURE_TYPES = frozenset({"image", "image_url", "input_image"})
_FILE_TYPES = frozenset({"file", "media"})
_INLINE = frozenset({"base64", "data", "url", "image_url", "source"})


def is_picture(block: object) -> TypeGuard[dict[str, Any]]:
    """Whether a content block of a message is a picture, in whatever spelling."""
    if not isinstance(block, dict):
        return False
    kind = block.get("type")
    of_file = kind in _FILE_TYPES and str(block.get("mime_type")).startswith("image/")
    return kind in _PICTURE_TYPES or of_file or (kind is None and "image" in block)  # the last is Bedrock's


def handle_block(handle: str) -> dict[str, object]:
    """The content block that stands for a stored picture."""
    return {"type": "image", "file_id": handle}


def handles_in(message: BaseMessage) -> list[str]:
    """The handles in a message, in order."""
    blocks = message.content if isinstance(message.content, list) else []
    return [handle for handle in map(handle_of, blocks) if handle is not None]


def handle_of(block: object) -> str | None:
    """The handle in a content block, or None."""
    return str(block["file_id"]) if is_picture(block) and "file_id" in block else None


def with_handles(message: BaseMessage, store: ImageStore, fetcher: Fetcher | None = None) -> BaseMessage:
    """A message with handles in place of its inline pictures.

    What models and tools say is no address that anybody asked to open: their URLs are never fetched, and a picture of
    theirs that cannot be taken in becomes a sentence, because no person is there to give a better one.

    Args:
        message: the message.
        store: where the pictures go.
        fetcher: fetches the pictures that a person gives as URLs; None refuses them.

    Returns:
        The message itself where it holds no inline picture, else a copy.

    Raises:
        PictureError: a person's picture cannot be taken in.
    """
    given = isinstance(message, HumanMessage | SystemMessage)
    if isinstance(message.content, str) or not any(_is_inline(block, given=given) for block in message.content):
        return message

    def plain(block: Any) -> str | dict[str, object]:  # Any: what is no picture stays as it is
        if not _is_inline(block, given=given):
            return block  # type: ignore[no-any-return]
        handle = handle_of(block)
        if handle is not None and HANDLE.fullmatch(handle):  # pixels beside a handle
            return handle_block(handle)
        try:
            return handle_block(stored_handle(block, store, fetcher if given else None))
        except PictureError as err:
            if given:
                raise
            return {"type": "text", "text": f"(A picture that was not taken in: {err}.)"}

    return message.model_copy(update={"content": [plain(block) for block in message.content]})


def _is_inline(block: object, *, given: bool) -> bool:
    """Whether there is something to be replaced; a person who names a file that is no handle is told so later."""
    if not is_picture(block):
        return False
    named = "file_id" in block and (given or HANDLE.fullmatch(str(block["file_id"])))
    return not named or not _INLINE.isdisjoint(block)


def handles_made(message: BaseMessage) -> list[str]:
    """The handles of the pictures that a skill made, out of the result that its message carries."""
    artifact = message.artifact if isinstance(message, ToolMessage) else None
    if not isinstance(artifact, Mapping) or artifact.get("kind") != "pictures":
        return []
    return [handle for handle in artifact.get("handles", ()) if HANDLE.fullmatch(str(handle))]


def stored_handle(block: Mapping[str, Any], store: ImageStore, fetcher: Fetcher | None = None) -> str:
    """Puts the inline picture of a block into the store.

    Args:
        block: the block.
        store: where the picture goes.
        fetcher: fetches the picture of a block that names a URL; None refuses it.

    Raises:
        PictureError: the block names a URL that is not fetched, holds no picture in any known
            spelling, or the picture cannot be read.
    """
    return store.put(_bytes_in(block, fetcher))


def pixel_block(handle: str, store: ImageStore) -> dict[str, object]:
    """The content block that holds the pixels themselves (base64 PNG), for a model that does not know the store.

    Raises:
        PictureError: the picture is not in the store.
    """
    buffer = io.BytesIO()
    store.get(handle).save(buffer, format="PNG")
    return {"type": "image", "base64": base64.b64encode(buffer.getvalue()).decode(), "mime_type": "image/png"}


def _bytes_in(block: Mapping[str, Any], fetcher: Fetcher | None) -> bytes:
    source = block.get("source")
    if isinstance(source, Mapping):  # Anthropic nests what the others write flat
        return _bytes_in({"type": "image", **source, "source": None}, fetcher)
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
        if fetcher is None:
            raise PictureError(f"the picture {_short(url)} is a URL, and URLs are not fetched; pass the picture itself")
        return fetcher.fetch(url)
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
