"""Collections of knowledge: pictures with facts about them, made once, kept in a directory, looked up by pictures.

Knows entries and files; an embedder says which pictures are alike. Knows no skill.

A directory holds ``collection.json`` (which embedder, how many entries), ``entries.jsonl`` (one entry a line) and
``vectors.npy`` (float32, entries x dimensions, rows of length 1).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from llavaplus_graph.errors import DataError, PictureError
from llavaplus_graph.images import DEFAULT_LIMITS, read_picture
from llavaplus_tools.protocols import Embedder

Vectors = npt.NDArray[np.float32]
MOST_FACTS: Final = 2_000
"""Characters of one entry's facts; a model has to read them."""

_VERSION: Final = 1
_PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is known.

    Attributes:
        picture: path of the picture that shows it.
        facts: what is known about it.
        source: where that comes from: a title, a page, an address. It is told with the facts.
    """

    picture: str
    facts: str
    source: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """Entries and the vectors of their pictures.

    Attributes:
        entries: what is known.
        vectors: float32, entries x dimensions, rows of length 1.
        embedder: name of what made them; other vectors cannot be compared with them.
    """

    entries: tuple[Entry, ...]
    vectors: Vectors
    embedder: str

    def save(self, directory: str | Path) -> None:
        """Writes the collection; a file that is there already is replaced, never left half written.

        Raises:
            DataError: the directory cannot be written to.
        """
        home = Path(directory)
        about = {"version": _VERSION, "embedder": self.embedder, "entries": len(self.entries)}
        lines = "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in self.entries)
        try:
            home.mkdir(parents=True, exist_ok=True)
            _write(home / "vectors.npy", lambda path: _save_vectors(path, self.vectors))
            _write(home / "entries.jsonl", lambda path: path.write_text(lines, encoding="utf-8"))
            _write(home / "collection.json", lambda path: path.write_text(json.dumps(about), encoding="utf-8"))
        except OSError as err:
            raise DataError(f"the collection cannot be written to {str(home)!r}: {err.strerror}") from err

    @classmethod
    def open(cls, directory: str | Path) -> Collection:
        """Reads what `save` has written.

        Raises:
            DataError: there is no collection, or its parts do not fit together.
        """
        home = Path(directory)
        try:
            about = json.loads((home / "collection.json").read_text(encoding="utf-8"))
            lines = (home / "entries.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
            entries = tuple(Entry(**json.loads(line)) for line in lines)
            vectors = np.load(home / "vectors.npy", allow_pickle=False)
            whole = about["version"] == _VERSION and vectors.dtype == np.float32 and vectors.ndim == 2
            if not whole or not len(entries) == len(vectors) == about["entries"] or not np.isfinite(vectors).all():
                raise ValueError
            return cls(entries, vectors, str(about["embedder"]))
        except FileNotFoundError:
            raise DataError(
                f"there is no collection of knowledge in {str(home)!r}; "
                "build one with: llavaplus knowledge build FOLDER --out DIR"
            ) from None
        except (OSError, ValueError, TypeError, KeyError, EOFError) as err:
            raise DataError(f"the collection of knowledge in {str(home)!r} is damaged; build it again") from err


def embedder_of(directory: str | Path) -> str | None:
    """The name of what made the collection in a directory; None where there is none. Reads one small file."""
    try:
        about = json.loads((Path(directory) / "collection.json").read_text(encoding="utf-8"))
        return str(about["embedder"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def collected(entries: Iterable[Entry], embedder: Embedder, name: str) -> Collection:
    """A collection of entries.

    Args:
        entries: what is known; their pictures are read now.
        embedder: turns the pictures into vectors.
        name: of the embedder, for whoever opens the collection.

    Raises:
        DataError: there is no entry, or a picture cannot be read.
        SkillError: the embedder's weights are not on this machine.
    """
    kept = tuple(entries)
    if not kept:
        raise DataError("there is nothing to collect; give pictures with facts about them")
    rows = [embedder([_picture_of(entry) for entry in group]) for group in _groups(kept)]
    return Collection(kept, np.concatenate(rows).astype(np.float32), name)


def entries_in(source: str | Path) -> list[Entry]:
    """The entries that a user has written down.

    Args:
        source: a folder of pictures with a text file of the same name beside each (``rex.jpg``, ``rex.txt``), whose
            source is the text file's name; or a JSONL file with ``{"image": path, "facts": text, "source": text}`` a
            line, where paths start at the file's folder and ``source`` may be left out.

    Raises:
        DataError: neither, or an entry is not whole; names the file and the line.
    """
    place = Path(source)
    if place.is_dir():
        return list(_from_folder(place))
    if not place.is_file():
        raise DataError(f"{str(place)!r} does not exist; give a folder of pictures with texts, or a JSONL file")
    return list(_from_lines(place))


def _from_folder(folder: Path) -> Iterator[Entry]:
    for picture in sorted(folder.rglob("*")):
        text = picture.with_suffix(".txt")
        if picture.suffix.lower() in _PICTURES and text.is_file():
            yield _entry(str(picture), _read(text), str(text.relative_to(folder)), str(text))


def _from_lines(file: Path) -> Iterator[Entry]:
    for number, line in enumerate(_read(file).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            given = json.loads(line)
        except ValueError:
            raise DataError(f"{where}: this is no JSON; write one object a line") from None
        if not isinstance(given, dict) or not isinstance(given.get("image"), str):
            raise DataError(f"{where}: the key image is missing; name the picture's file")
        picture = str(file.parent / given["image"])
        yield _entry(picture, given.get("facts"), given.get("source"), where)


def _entry(picture: str, facts: Any, source: Any, where: str) -> Entry:
    if not isinstance(facts, str) or not facts.strip():
        raise DataError(f"{where}: the facts are empty; write what is known about the picture")
    if source is not None and not isinstance(source, str):
        raise DataError(f"{where}: the source is no text; write where the facts come from, or leave it out")
    words = " ".join(facts.split())
    if len(words) > MOST_FACTS:
        raise DataError(f"{where}: the facts have {len(words)} characters, at most are {MOST_FACTS}; divide them")
    return Entry(picture, words, source)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{str(file)!r} cannot be read as UTF-8 text") from None


def _picture_of(entry: Entry) -> Image.Image:
    try:
        return read_picture(Path(entry.picture), limits=DEFAULT_LIMITS)
    except PictureError as err:
        raise DataError(f"the picture of the entry {entry.facts[:40]!r} cannot be used: {err}") from err


def _groups(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for start in range(0, len(entries), _AT_ONCE):
        yield entries[start : start + _AT_ONCE]


def _save_vectors(path: Path, vectors: Vectors) -> None:
    with path.open("wb") as file:  # by its name, numpy would add a suffix
        np.save(file, vectors, allow_pickle=False)


def _write(path: Path, write: Any) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        write(Path(name))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
