import io
import os
import struct
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from llavaplus_graph.errors import PictureError
from llavaplus_graph.images import HANDLE, ImageStore, PictureLimits, default_store, read_picture, resolve_handle

RED = Image.new("RGB", (30, 20), (200, 10, 10))


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that ends after a header with this size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def webp_header(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8))
FRAMES: dict[str, Any] = {"save_all": True, "append_images": [Image.new("RGB", (30, 20), "blue")]}
BAD_FILES = {
    "text named png": (b"this is not a picture", "neither PNG, JPEG nor WEBP"),
    "empty": (b"", "is empty"),
    "truncated jpeg": (encoded(NOISE, "JPEG")[:-2000], "damaged or cut off"),
    "truncated png": (encoded(NOISE, "PNG")[:-2000], "damaged or cut off"),
    "truncated webp": (encoded(NOISE, "WEBP")[:-500], "damaged or cut off"),
    "jpeg of three bytes": (b"\xff\xd8\xff", "damaged or cut off"),
    "png signature alone": (b"\x89PNG\r\n\x1a\n", "damaged or cut off"),
    "webp signature alone": (b"RIFF\0\0\0\0WEBP", "damaged or cut off"),
    "png without pixels": (png_header(0, 10), "damaged or cut off"),
    "huge png header": (png_header(40_000, 40_000), "40,000 x 40,000 pixels"),
    "huge webp header": (webp_header(16_000, 16_000), "16,000 x 16,000 pixels"),
    "long thin png header": (png_header(20_000, 10), "20,000 x 10 pixels"),
    "gif": (encoded(RED, "GIF"), "is a GIF; convert it"),
    "animated gif": (encoded(RED, "GIF", **FRAMES), "one frame of it"),
    "animated png": (encoded(RED, "PNG", **FRAMES), "is animated"),
    "animated webp": (encoded(RED, "WEBP", **FRAMES), "is animated"),
    "bmp": (encoded(RED, "BMP"), "neither PNG, JPEG nor WEBP"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither PNG, JPEG nor WEBP"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "neither PNG, JPEG nor WEBP"),
}


@pytest.mark.parametrize(("data", "complaint"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence_that_names_it(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "sign.png"
    path.write_bytes(data)
    with pytest.raises(PictureError, match=complaint) as caught:
        read_picture(path)
    assert repr(str(path)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None  # what a decoder says is not shown


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("missing.png", "does not exist"),
        ("", "does not exist"),
        ("https://example.org/sign.png", "is a URL"),
        ("file:///etc/passwd", "is a URL"),
        ("data:image/png;base64,iVBORw0KGgo=", "is a URL"),
        ("sign\0.png", "cannot be opened"),
        ("x" * 5000, "cannot be opened"),
        (42, "not a int"),
        (None, "not a NoneType"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_file_is_refused(source: str, complaint: str) -> None:
    with pytest.raises(PictureError, match=complaint):
        read_picture(source)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="is a directory"):
        read_picture(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="device or a pipe"):
        read_picture(tmp_path / "pipe.png")


def test_the_limits_are_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    RED.save(path)
    assert read_picture(path, limits=PictureLimits(max_pixels=600)).size == (30, 20)
    for limits in (PictureLimits(max_pixels=599), PictureLimits(max_side=29), PictureLimits(max_bytes=50)):
        for source in (path, path.read_bytes()):
            with pytest.raises(PictureError, match="accepted"):
                read_picture(source, limits=limits)
    with pytest.raises(PictureError, match="30 x 20 pixels"):
        read_picture(RED, limits=PictureLimits(max_side=29))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_come_in_by_what_they_are_not_by_their_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.txt"
    path.write_bytes(encoded(RED, kind))
    for source in (path, str(path), path.read_bytes()):
        picture = read_picture(source)
        assert (picture.mode, picture.size, picture.info) == ("RGB", (30, 20), {})


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_of_the_camera_is_applied(kind: str, orientation: int) -> None:
    upright = Image.new("RGB", (32, 16), "white")
    upright.paste((255, 0, 0), (0, 0, 16, 8))  # red at the top left
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(undo) if undo is not None else upright
    picture = read_picture(encoded(stored, kind, exif=exif))
    assert picture.size == (32, 16)
    red, green, _ = picture.getpixel((4, 2))  # type: ignore[misc]  # three channels
    assert red > 200 > 80 > green
    assert not picture.getexif()


def test_broken_metadata_does_not_cost_the_picture() -> None:
    picture = read_picture(encoded(RED, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage"))
    assert picture.size == (30, 20)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    assert read_picture(Image.new(mode, (4, 3))).mode == "RGB"


def test_transparency_is_laid_on_white() -> None:
    assert read_picture(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "PNG")).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_greys_keep_their_shades() -> None:
    deep = Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16))
    picture = read_picture(encoded(deep, "PNG"))
    assert [picture.getpixel((x, 0)) for x in range(3)] == [(0,) * 3, (100,) * 3, (255,) * 3]


def test_a_picture_in_memory_is_copied() -> None:
    copy = read_picture(RED)
    copy.putpixel((0, 0), (0, 0, 0))
    assert RED.getpixel((0, 0)) == (200, 10, 10)


def test_an_animation_in_memory_is_refused(tmp_path: Path) -> None:
    RED.save(tmp_path / "a.gif", **FRAMES)
    with Image.open(tmp_path / "a.gif") as animation, pytest.raises(PictureError, match="pass one frame"):
        read_picture(animation)


@settings(deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x20\0\0\0WEBPVP8 "])
)
def test_arbitrary_bytes_never_raise_anything_else(data: bytes, start: bytes) -> None:
    with pytest.raises(PictureError):
        read_picture(start + data)


def test_a_store_gives_back_the_pixels_under_a_handle_of_its_own(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    handle = store.put(NOISE)
    assert HANDLE.fullmatch(handle)
    assert handle in store
    assert store.get(handle).tobytes() == NOISE.tobytes()
    assert store.put(encoded(NOISE, "PNG")) == store.put(encoded(NOISE, "WEBP", lossless=True)) == handle
    assert len(list(tmp_path.iterdir())) == 1


def test_other_pixels_get_another_handle(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    assert len({store.put(Image.new("RGB", size)) for size in ((2, 6), (3, 4), (4, 3))}) == 3


def test_a_store_can_be_any_file_system() -> None:
    store = ImageStore("memory://pictures-of-a-test")
    handle = store.put(RED)
    assert store.get(handle).size == (30, 20)
    assert store.collect(set(), 0) == (handle,)
    assert handle not in store


@pytest.mark.parametrize(
    "name",
    [
        "",
        "latest",
        "sign.png",
        "/etc/passwd",
        "../img_0123456789abcdef",
        "img_0123456789abcdef\n",
        "img_0123456789ABCDEF",
    ],
)
def test_a_store_opens_nothing_but_handles(tmp_path: Path, name: str) -> None:
    store = ImageStore(tmp_path)
    assert name not in store
    with pytest.raises(PictureError, match="is not a handle"):
        store.get(name)


def test_a_picture_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="holds no picture img_0000000000000000"):
        ImageStore(tmp_path).get("img_0000000000000000")


def test_a_damaged_stored_picture_is_named(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    handle = store.put(RED)
    Path(store.path_of(handle)).write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(PictureError, match=f"{handle} is damaged"):
        store.get(handle)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PictureError, match="set LLAVAPLUS_IMAGES"):
        ImageStore(tmp_path / "file" / "pictures").put(RED)


def test_many_writers_of_one_picture_leave_one_whole_file(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    threads = [threading.Thread(target=store.put, args=(NOISE,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.suffix for path in tmp_path.iterdir()] == [".png"]
    assert store.get(store.put(NOISE)).tobytes() == NOISE.tobytes()


def test_collecting_throws_the_oldest_away_and_keeps_what_is_pinned(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    handles = [store.put(Image.new("RGB", (8, 8), (grey, grey, grey))) for grey in range(4)]
    for age, handle in enumerate(handles):
        os.utime(store.path_of(handle), (1000 + age, 1000 + age))
    one = store.size_bytes() // 4
    assert store.collect({handles[0]}, 2 * one + 3) == (handles[1], handles[2])
    assert [handle in store for handle in handles] == [True, False, False, True]


def test_collecting_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    store = ImageStore(tmp_path)
    store.put(RED)
    store.collect(set(), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_store_that_was_never_used_is_empty(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "none")
    assert (store.size_bytes(), store.collect(set(), 0)) == (0, ())


def test_the_default_store_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAVAPLUS_IMAGES", str(tmp_path))
    assert str(tmp_path) in ImageStore().path_of("img_0000000000000000")
    assert default_store() is default_store()


HANDLES = ["img_000000000000000a", "img_000000000000000b"]


@pytest.mark.parametrize(
    ("name", "index"),
    [("latest", 1), ("image_1", 0), ("image_2", 1), (HANDLES[0], 0)],
    ids=["latest", "1", "2", "handle"],
)
def test_a_model_names_pictures_of_the_conversation(name: str, index: int) -> None:
    assert resolve_handle(name, HANDLES) == HANDLES[index]


@pytest.mark.parametrize(
    "name",
    [
        "image_3",
        "image_0",
        "image_01",
        "image_-1",
        "image_²",
        "/etc/passwd",
        "https://x.org/a.png",
        "img_000000000000000c",
        "",
    ],
)
def test_a_model_cannot_name_anything_else(name: str) -> None:
    with pytest.raises(PictureError, match="image_1 to image_2"):
        resolve_handle(name, HANDLES)


def test_a_handle_of_another_conversation_is_refused(tmp_path: Path) -> None:
    stranger = ImageStore(tmp_path).put(RED)
    with pytest.raises(PictureError, match=stranger):
        resolve_handle(stranger, HANDLES)


def test_without_pictures_the_sentence_asks_for_one() -> None:
    with pytest.raises(PictureError, match="attach one first"):
        resolve_handle("latest", [])


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_handle_of_the_conversation_or_refused(name: str) -> None:
    with suppress(PictureError):
        assert resolve_handle(name, HANDLES) in HANDLES
