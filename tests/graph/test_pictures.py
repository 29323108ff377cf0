"""Inline pictures in every spelling, handles, and pixels for models that do not know handles."""

import base64
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from PIL import Image

from llavaplus_graph.errors import LlavaPlusError, PictureError
from llavaplus_graph.graph import create_llavaplus_graph
from llavaplus_graph.graph.intake import take_in
from llavaplus_graph.images import ImageStore
from llavaplus_graph.remote_pictures import Fetcher
from llavaplus_graph.testing import ScriptedLmm, call


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(buffer, format="PNG")
    return buffer.getvalue()


@contextmanager
def fetcher_that_gets(*bodies: bytes) -> Iterator[Fetcher]:
    """A fetcher for which every name is public, and every connection is answered with the next of these bodies."""
    left = iter(bodies)
    far_ends: list[socket.socket] = []

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        ours, theirs = socket.socketpair()
        body = next(left)
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        far_ends.append(theirs)
        return ours

    yield Fetcher(resolve=lambda host, port: ["93.184.215.14"], connect=connect)
    for end in far_ends:
        end.close()


B64 = base64.b64encode(png()).decode()
URI = f"data:image/png;base64,{B64}"


@pytest.mark.parametrize(
    "block",
    [
        pytest.param({"type": "image", "base64": B64, "mime_type": "image/png"}, id="langchain-v1"),
        pytest.param({"type": "image", "url": URI}, id="langchain-v1-data-uri"),
        pytest.param({"type": "image", "source_type": "base64", "data": B64}, id="langchain-v0"),
        pytest.param({"type": "image_url", "image_url": {"url": URI}}, id="openai"),
        pytest.param({"type": "image_url", "image_url": URI}, id="openai-bare-string"),
        pytest.param({"type": "input_image", "image_url": URI}, id="openai-responses"),
        pytest.param({"type": "image", "source": {"type": "base64", "data": B64}}, id="anthropic"),
        pytest.param({"type": "media", "mime_type": "image/png", "data": B64}, id="google"),
        pytest.param({"type": "file", "mime_type": "image/png", "base64": B64}, id="a-file"),
        pytest.param({"type": "image", "file_id": "file-abc", "base64": B64}, id="beside-a-foreign-file-id"),
    ],
)
def test_an_inline_picture_becomes_a_handle(tmp_path: Path, block: dict[str, Any]) -> None:
    store = ImageStore(tmp_path)
    message = HumanMessage([block, {"type": "text", "text": "What is it?"}], id="m1")
    taken = take_in([message], [], store)
    handle = store.put(png())
    assert taken.pictures == [handle]
    assert taken.changed[0].content == [{"type": "image", "file_id": handle}, {"type": "text", "text": "What is it?"}]
    assert taken.changed[0].id == "m1"


def test_the_state_holds_the_replaced_message_only(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm(["A red picture."])
    block = {"type": "image", "base64": B64, "mime_type": "image/png"}
    out = create_llavaplus_graph(lmm, [], store=store).compile().invoke({"messages": [HumanMessage([block])]})
    assert [type(message) for message in out["messages"]] == [HumanMessage, AIMessage]
    assert B64 not in repr(out)
    assert B64 not in repr(lmm.requests)


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        pytest.param({"type": "image", "url": "http://169.254.169.254/a.png"}, "URLs are not fetched", id="url"),
        pytest.param({"type": "image_url", "image_url": {"url": "file:///a.png"}}, "are not fetched", id="file-url"),
        pytest.param({"type": "image", "url": "data:image/png,abc"}, "is not base64", id="data-uri-without-base64"),
        pytest.param({"type": "image", "base64": "abc"}, "is not base64", id="bad-base64"),
        pytest.param({"type": "image", "base64": "aGVsbG8="}, "neither PNG, JPEG nor WEBP", id="no-picture"),
        pytest.param({"type": "image", "image": "x"}, "is not understood", id="unknown-spelling"),
        pytest.param({"image": {"format": "png", "source": {"bytes": b"x"}}}, "is not understood", id="bedrock"),
        pytest.param({"type": "image", "file_id": "file-abc"}, "is not a picture of", id="foreign-file-id"),
        pytest.param(
            {"type": "image", "file_id": "img_0123456789abcdef"}, "is not a picture of", id="not-in-the-store"
        ),
    ],
)
def test_a_picture_that_cannot_be_taken_in_is_told(tmp_path: Path, block: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PictureError, match=sentence):
        take_in([HumanMessage([block])], [], ImageStore(tmp_path))


def test_a_url_is_fetched_where_that_is_allowed_and_only_a_picture_is_kept(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    block = {"type": "image", "url": "http://example.org/a.png"}
    with fetcher_that_gets(png(), b"<html>") as fetcher:
        taken = take_in([HumanMessage([block])], [], store, fetcher)
        assert taken.pictures == [store.put(png())]
        with pytest.raises(PictureError, match="neither PNG, JPEG nor WEBP"):
            take_in([HumanMessage([block])], [], store, fetcher)


URL_BLOCK = {"type": "image_url", "image_url": {"url": "http://example.org/a.png"}}


@pytest.mark.parametrize(
    "said",
    [
        AIMessage([URL_BLOCK]),
        ToolMessage([URL_BLOCK], tool_call_id="c"),
        AIMessage([{"type": "image", "file_id": "f-1"}]),
    ],
    ids=["model", "tool", "foreign-file"],
)
def test_what_models_and_tools_name_is_never_fetched_and_stops_nobody(tmp_path: Path, said: BaseMessage) -> None:
    with fetcher_that_gets() as fetcher:
        taken = take_in([HumanMessage("Draw."), said, HumanMessage("And?")], [], ImageStore(tmp_path), fetcher)
    assert taken.pictures == []
    assert "(A picture that was not taken in: " in taken.messages[1].text


def test_pixels_beside_a_handle_stay_out_of_the_state(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    block = {"type": "image", "file_id": store.put(png("blue")), "base64": B64}
    taken = take_in([HumanMessage([block])], [], store)
    assert taken.messages[0].content == [{"type": "image", "file_id": block["file_id"]}]


def test_the_graph_refuses_what_is_not_public_even_where_urls_are_fetched(tmp_path: Path) -> None:
    graph = create_llavaplus_graph(ScriptedLmm([]), [], store=ImageStore(tmp_path), fetch_urls=True).compile()
    block = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/a.png"}}
    with pytest.raises(PictureError, match="an address that is not public"):
        graph.invoke({"messages": [HumanMessage([block])]})


def test_a_conversation_needs_a_message(tmp_path: Path) -> None:
    with pytest.raises(LlavaPlusError, match="there is no message to answer"):
        take_in([], [], ImageStore(tmp_path))


def test_pictures_are_numbered_as_they_come_and_a_picture_that_comes_again_is_latest(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    red, blue = store.put(png("red")), store.put(png("blue"))

    def shows(handle: str) -> HumanMessage:
        return HumanMessage([{"type": "image", "file_id": handle}])

    history = [shows(red), AIMessage("Red."), shows(blue), AIMessage("Blue.")]
    assert take_in([*history, HumanMessage("Which?")], [], store).pictures == [red, blue]
    assert take_in([*history, HumanMessage("Which?")], [red, blue], store).pictures == []
    assert take_in([*history, shows(red)], [red, blue], store).pictures == [red]


def test_a_plan_that_was_broken_off_loses_the_calls_without_results(tmp_path: Path) -> None:
    planned = AIMessage(
        "One moment.", id="p", tool_calls=call("read_text", id="a").tool_calls + call("tag_image", id="b").tool_calls
    )
    history = [HumanMessage("Read it."), planned, ToolMessage("{}", tool_call_id="a"), HumanMessage("Hello?")]
    taken = take_in(history, [], ImageStore(tmp_path))
    settled = taken.changed[0]
    assert isinstance(settled, AIMessage)
    assert (settled.id, settled.text) == ("p", "One moment.")
    assert [made["id"] for made in settled.tool_calls] == ["a"]


def test_a_model_that_knows_no_handles_gets_pixels(tmp_path: Path) -> None:
    store, lmm = ImageStore(tmp_path), ScriptedLmm(["A red picture."], reads_handles=False)
    message = HumanMessage([{"type": "image", "file_id": store.put(png())}])
    out = create_llavaplus_graph(lmm, [], store=store).compile().invoke({"messages": [message]})
    blocks: Any = lmm.requests[0].messages[0].content
    named, block = blocks
    assert named == {"type": "text", "text": "image_1:"}
    assert isinstance(block, dict)
    assert Image.open(io.BytesIO(base64.b64decode(block["base64"]))).getpixel((0, 0)) == (255, 0, 0)
    assert "base64" not in repr(out)
