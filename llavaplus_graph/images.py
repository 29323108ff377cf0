"""Pictures: how they come in, where they are kept, and the handles that stand for them everywhere else.

Knows files, picture headers and stores. Does not know messages, skills or models; a string that a model wrote can only
ever become a handle here (`resolve_handle`), never a path or a URL.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
import stat
import threading
import warnings
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import fsspec
from fsspec.implementations.local import LocalFileSystem
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile
from platformdirs import user_cache_dir

from llavaplus_graph.errors import PictureError

HANDLE: Final = re.compile(r"img_[0-9a-f]{16}")
"""What a handle looks like; always use ``fullmatch``."""

_POSITION = re.compile(r"image_([1-9][0-9]{0,5})")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|data:")
_FILTERS = threading.Lock()
_CONVERT = "convert it to PNG, JPEG or WEBP first"

# EXIF orientation (tag 0x0112) -> what turns the picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a picture may be at most; checked before anything is decoded.

    Attributes:
        max_bytes: of the file.
        max_pixels: width times height.
        max_side: of the longer side, in pixels.
    """

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_side: int = 16_000


DEFAULT_LIMITS: Final = PictureLimits()


def read_picture(source: str | Path | bytes | Image.Image, *, limits: PictureLimits = DEFAULT_LIMITS) -> Image.Image:
    """Takes in a picture that the caller (never a model) names or holds.

    PNG, JPEG and WEBP are told by their first bytes, whatever the file is called. Orientation is applied, transparency
    is laid on white, everything else that is not a pixel is dropped.

    Args:
        source: a path, the bytes of a file, or a picture in memory (any mode).
        limits: what is too large.

    Returns:
        A new RGB picture.

    Raises:
        PictureError: one sentence that names the file and what to do about it.
    """
    if isinstance(source, Image.Image):
        return _from_memory(source, limits)
    if isinstance(source, bytes):
        return _from_bytes(source, "the given data", limits)
    if isinstance(source, str | Path):
        return _from_bytes(_bytes_of(source, limits), repr(str(source)), limits)
    raise PictureError(f"a picture must be a path, bytes or a PIL picture, not a {type(source).__name__}")


def resolve_handle(name: str, handles: Sequence[str]) -> str:
    """Finds the picture that a model means.

    Args:
        name: ``"latest"``, ``"image_2"`` (from 1) or a handle.
        handles: the pictures of the conversation, oldest first.

    Raises:
        PictureError: there is no such picture in the conversation. Paths and URLs are never followed.
    """
    if not handles:
        raise PictureError("there is no picture in this conversation; attach one first")
    if name == "latest":
        return handles[-1]
    if name in handles and HANDLE.fullmatch(name):
        return name
    position = _POSITION.fullmatch(name)
    if position and int(position[1]) <= len(handles):
        return handles[int(position[1]) - 1]
    known = "image_1" if len(handles) == 1 else f"image_1 to image_{len(handles)}"
    raise PictureError(f"there is no picture {_shown(name)} in this conversation; there is latest, {known}")


class ImageStore:
    """Keeps pictures under handles that follow from their pixels: the same picture always gets the same handle.

    Args:
        root: a folder or any fsspec URL (``s3://bucket/pictures``, ``memory://pictures``). By default what
            ``$LLAVAPLUS_IMAGES`` says, else a folder in the user's cache.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        chosen = (
            str(root)
            if root is not None
            else os.environ.get("LLAVAPLUS_IMAGES") or user_cache_dir("llavaplus-graph/images", False)
        )
        self._files, self._root = fsspec.core.url_to_fs(chosen)
        self._local = isinstance(self._files, LocalFileSystem)

    def __repr__(self) -> str:
        return f"ImageStore({self._files.unstrip_protocol(self._root)!r})"

    def __contains__(self, handle: object) -> bool:
        return isinstance(handle, str) and bool(HANDLE.fullmatch(handle)) and self._files.exists(self.path_of(handle))

    def put(self, picture: str | Path | bytes | Image.Image, *, limits: PictureLimits = DEFAULT_LIMITS) -> str:
        """Stores a picture as PNG, unless it is there already; readers never see half a file.

        Args:
            picture: what `read_picture` takes.
            limits: what is too large.

        Returns:
            The handle: ``img_`` and 16 hexadecimal digits of the SHA-256 of its size and pixels.

        Raises:
            PictureError: as for `read_picture`, or the store cannot be written to.
        """
        pixels = read_picture(picture, limits=limits)
        digest = hashlib.sha256(f"RGB {pixels.width}x{pixels.height}\n".encode())
        digest.update(pixels.tobytes())
        handle = f"img_{digest.hexdigest()[:16]}"
        try:
            if not self._files.exists(self.path_of(handle)):
                buffer = io.BytesIO()
                # Level 1 is four times as fast as the default and the files are hardly larger.
                pixels.save(buffer, format="PNG", compress_level=1)
                self._write(self.path_of(handle), buffer.getvalue())
        except OSError as err:
            reason = err.strerror or type(err).__name__
            raise PictureError(f"pictures cannot be stored in {self._root!r} ({reason}); set LLAVAPLUS_IMAGES") from err
        return handle

    def get(self, handle: str) -> Image.Image:
        """Gives a picture back.

        Returns:
            A new RGB picture, the caller's to change.

        Raises:
            PictureError: that is not a handle, or the store does not hold its picture.
        """
        path = self.path_of(handle)
        try:
            data = self._files.cat_file(path)
        except FileNotFoundError:
            raise PictureError(
                f"the image store holds no picture {handle}; it was never put there or collected"
            ) from None
        # What lies in the store passed the limits of whoever put it there.
        return _from_bytes(data, f"the stored picture {handle}", PictureLimits(len(data), 1 << 31, 1 << 31))

    def path_of(self, handle: str) -> str:
        """Where a picture lies, or would lie: a path of the file system behind the store.

        Raises:
            PictureError: that is not a handle.
        """
        if not isinstance(handle, str) or not HANDLE.fullmatch(handle):
            raise PictureError(f"{_shown(str(handle))} is not a handle; a handle is img_ and 16 hexadecimal digits")
        return f"{self._root}/{handle}.png"

    def size_bytes(self) -> int:
        """How much room the pictures take."""
        return sum(size for _, size, _ in self._stored())

    def collect(self, keep: Set[str], max_bytes: int) -> tuple[str, ...]:
        """Throws pictures away, oldest first, until the rest takes at most `max_bytes`.

        Args:
            keep: handles that stay whatever they take.
            max_bytes: how much may stay.

        Returns:
            The handles that are gone.
        """
        stored = sorted(self._stored(), key=lambda entry: entry[2])
        left = sum(size for _, size, _ in stored)
        gone = []
        for handle, size, _ in stored:
            if left > max_bytes and handle not in keep:
                self._files.rm_file(self.path_of(handle))
                left -= size
                gone.append(handle)
        return tuple(gone)

    def _stored(self) -> list[tuple[str, int, float]]:
        """Handle, bytes and age stamp of every picture."""
        if not self._files.exists(self._root):
            return []
        found = []
        for entry in self._files.ls(self._root, detail=True):
            handle = entry["name"].rsplit("/", 1)[-1].removesuffix(".png")
            if HANDLE.fullmatch(handle):
                # File systems of fsspec name the time differently; one that does not tell it keeps its own order.
                when = entry.get("mtime") or entry.get("LastModified") or entry.get("created") or 0
                found.append((handle, int(entry["size"] or 0), float(getattr(when, "timestamp", lambda w=when: w)())))
        return found

    def _write(self, path: str, data: bytes) -> None:
        if not self._local:  # object stores show a file only when it is complete
            self._files.pipe_file(path, data)
            return
        Path(self._root).mkdir(parents=True, exist_ok=True)
        partial = Path(f"{path}.{secrets.token_hex(4)}.partial")
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@cache
def default_store() -> ImageStore:
    """The store of this process for everyone who names none."""
    return ImageStore()


def _shown(name: str) -> str:
    """A string that somebody else wrote, safe to repeat in a sentence."""
    return repr(name if len(name) <= 60 else f"{name[:57]}...")


def _bytes_of(source: str | Path, limits: PictureLimits) -> bytes:
    name = _shown(str(source))
    if isinstance(source, str) and _URL.match(source):
        raise PictureError(f"{name} is a URL, and URLs are not fetched; download the picture and give its path")
    try:
        # Without O_NONBLOCK opening a named pipe would wait for a writer for ever.
        descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError
            if not stat.S_ISREG(status.st_mode):
                raise PictureError(
                    f"{name} is a device or a pipe, not a file; give the path of a PNG, JPEG or WEBP file"
                )
            if status.st_size > limits.max_bytes:
                raise PictureError(_too_many_bytes(name, status.st_size, limits))
            return file.read(limits.max_bytes + 1)
    except IsADirectoryError:
        raise PictureError(f"{name} is a directory; give the path of one PNG, JPEG or WEBP file") from None
    except FileNotFoundError:
        raise PictureError(f"{name} does not exist; give the path of a PNG, JPEG or WEBP file") from None
    except PermissionError:
        raise PictureError(f"{name} may not be read; check its permissions") from None
    except (OSError, ValueError) as err:
        if isinstance(err, PictureError):
            raise
        raise PictureError(f"{name} cannot be opened; give the path of a PNG, JPEG or WEBP file") from None


def _too_many_bytes(name: str, size: int, limits: PictureLimits) -> str:
    return f"{name} has {size:,} bytes and at most {limits.max_bytes:,} are accepted; make it smaller"


def _from_memory(picture: Image.Image, limits: PictureLimits) -> Image.Image:
    _check_size("this picture", picture.size, limits)
    if getattr(picture, "is_animated", False):
        raise PictureError("this picture is animated; pass one frame of it")
    try:
        return _rgb(_upright(picture))
    # A lazily opened picture decodes only here, and decoders raise nearly anything.
    except Exception:  # noqa: BLE001
        raise PictureError("this picture is damaged or cut off; load it anew or pass another one") from None


def _from_bytes(data: bytes, name: str, limits: PictureLimits) -> Image.Image:
    if len(data) > limits.max_bytes:
        raise PictureError(_too_many_bytes(name, len(data), limits))
    try:
        with _without_warnings():
            picture = _opened(data, name, limits)
        if getattr(picture, "is_animated", False):
            raise PictureError(f"{name} is animated; save one frame of it as PNG and give that")
        return _rgb(_upright(picture))
    except PictureError:
        raise
    # Decoders raise nearly anything on damaged files, and what they say means nothing to the reader.
    except Exception:  # noqa: BLE001
        raise PictureError(f"{name} is damaged or cut off; get a complete copy or save it anew") from None


def _opened(data: bytes, name: str, limits: PictureLimits) -> Image.Image:
    """Reads the header only. The plug-ins are called directly because ``Image.open`` would warn and try others."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        # Read by hand, so that nothing behind the header is even looked at in a picture that claims to be huge.
        if len(data) >= 24:
            _check_size(name, (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])), limits)
        picture: Image.Image = PngImageFile(io.BytesIO(data))
    elif data.startswith(b"\xff\xd8\xff"):
        picture = JpegImageFile(io.BytesIO(data))
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        # Pillow sets the whole canvas aside when it opens a WEBP, hence the size is read by hand.
        _check_size(name, _webp_size(data), limits)
        picture = WebPImageFile(io.BytesIO(data))
    elif not data:
        raise PictureError(f"{name} is empty; give the path of a PNG, JPEG or WEBP file")
    elif data.startswith((b"GIF87a", b"GIF89a")):
        raise PictureError(f"{name} is a GIF; {_CONVERT} (one frame of it, if it is animated)")
    else:
        raise PictureError(f"{name} is neither PNG, JPEG nor WEBP, whatever its name says; {_CONVERT}")
    _check_size(name, picture.size, limits)
    return picture


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk (RFC 9649, sections 2.4 to 2.7); 0 x 0 when there is no such chunk."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X" and len(body) == 10:
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and len(body) == 10:
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return 0, 0


def _check_size(name: str, size: tuple[int, int], limits: PictureLimits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name} is damaged or cut off; get a complete copy or save it anew")
    if max(size) > limits.max_side or width * height > limits.max_pixels:
        raise PictureError(
            f"{name} has {width:,} x {height:,} pixels; at most {limits.max_pixels:,} in all and {limits.max_side:,} "
            "a side are accepted, so scale it down"
        )


def _upright(picture: Image.Image) -> Image.Image:
    picture.load()  # a PNG may have its metadata at the end, and decoding is not to wait for other threads
    try:
        with _without_warnings():
            orientation = picture.getexif().get(0x0112)
    # Broken metadata is no reason to refuse good pixels.
    except Exception:  # noqa: BLE001
        return picture
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return picture.transpose(turn) if turn is not None else picture


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keeps what Pillow says about damaged metadata from the screen; one thread at a time, as filters are global."""
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _rgb(picture: Image.Image) -> Image.Image:
    """The pixels alone: 8 bits a channel, transparency on white, no metadata."""
    if picture.mode.startswith("I;16"):
        picture = picture.convert("I")
    if picture.mode == "I":
        # Pillow would clip 16-bit greys to 255 instead of scaling them.
        picture = picture.point(lambda level: level / 257, "L")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        picture.alpha_composite(layer)
    clean = picture.convert("RGB")
    if clean is picture:
        clean = picture.copy()
    clean.info.clear()
    return clean
