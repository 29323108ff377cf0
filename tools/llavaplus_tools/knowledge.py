"""Looking up what is known about what a picture shows. Knows entries and similarities; an embedder does the seeing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, SkillInfo, catalogued, make_skill, picture_of
from llavaplus_graph.types import Knowledge
from llavaplus_graph.weights import folder_of
from llavaplus_tools._backends.contrastive import HubEmbedder, least_cosine
from llavaplus_tools._backends.lookalikes import LookalikeEmbedder
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights, told_for
from llavaplus_tools.backed import row_with, spoken_for, weights_of
from llavaplus_tools.collection import Collection, collected, entries_in
from llavaplus_tools.protocols import Embedder
from llavaplus_tools.shelf import VARIABLE, MakeVectorStore, Shelf
from llavaplus_tools.tagging import TAGGER

EMBEDDER: Final = TAGGER
"""The same weights as those of the tags: SigLIP 2."""

LOOKALIKES: Final = LookalikeEmbedder.name
"""The embedder that needs no weights; it finds near-duplicates only."""

MOST_ENTRIES: Final = 3
_LEAST_OF_LOOKALIKES: Final = 0.8


def build_collection(
    source: str | Path,
    out: str | Path,
    *,
    model: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
) -> Collection:
    """Makes a collection of knowledge and writes it to a directory.

    Args:
        source: a folder of pictures with texts, or a JSONL file; see `entries_in`.
        out: the directory.
        model: hub id or directory of a SigLIP or CLIP, or ``lookalikes``, which needs no weights and finds
            near-duplicates only; by default SigLIP 2 where its weights are on this machine, else ``lookalikes``.
        revision: a branch, tag or commit; by default the main one.
        device: ``auto`` is the GPU where there is one.
        dtype: ``auto`` is float32 on the CPU and half precision on a GPU.
        allow_download: fetch the weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.

    Returns:
        The collection; `Collection.embedder` says what was used.

    Raises:
        DataError: the source has no entry or a wrong one, or the directory cannot be written to.
        SkillError: the weights that `model` names are not on this machine.
    """
    entries = entries_in(source)
    if model is None:
        model = EMBEDDER if allow_download or folder_of(EMBEDDER, revision) is not None else LOOKALIKES
    embedder = _embedder(model, Weights(model, revision, device, dtype, allow_download), pool)
    with told_for("retrieve_knowledge", *weights_of(embedder)):  # it may take as long as it takes
        collection = collected(entries, embedder, embedder.name)
    collection.save(out)
    return collection


def retrieve_knowledge(
    *,
    store: ImageStore | None = None,
    collection: str | Path | Collection | None = None,
    vectors: MakeVectorStore | None = None,
    most: int = MOST_ENTRIES,
    least: float | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    pool: ModelPool | None = None,
    backend: Embedder | None = None,
) -> BaseTool:
    """The skill that looks up facts about what a picture shows.

    Args:
        store: where handles lead; by default the store of the process.
        collection: what `build_collection` or ``llavaplus knowledge build`` has made; by default in the directory
            that ``$LLAVAPLUS_KNOWLEDGE`` names. It is opened when first needed.
        vectors: makes the LangChain vector store that the collection is searched with, for example one of FAISS; by
            default every entry is compared, in memory: a few milliseconds for ten thousand.
        most: entries that are told.
        least: least cosine of an entry's picture and the one asked about; by default what suits the embedder.
        device: of the collection's embedder, like the following; ``auto`` is the GPU where there is one.
        dtype: ``auto`` is float32 on the CPU and half precision on a GPU.
        allow_download: fetch the embedder's weights where they are not on this machine.
        pool: where loaded models are kept; by default that of the process.
        backend: the embedder that made the collection, where it was one of your own.

    Raises:
        ConfigError: `most` is not positive.
    """
    if most < 1:
        raise ConfigError(f"most is {most}; at least one entry has to be told")
    pictures = store if store is not None else default_store()
    shelf = Shelf(collection, vectors)

    def run(image: str | Path | Image.Image) -> Knowledge:
        """Look up facts about what a picture shows."""
        handle, picture = picture_of(image, pictures)
        search = shelf.opened()
        name = search.collection.embedder
        embedder = backend or _embedder(name, _weights_named(name, device, dtype, allow_download), pool)
        with spoken_for("retrieve_knowledge", embedder):
            vector = embedder([picture])[0]
        limit = least if least is not None else _least_of(embedder)
        return Knowledge(image=handle, entries=tuple(search.nearest(vector, most, limit)))

    return make_skill(run, _row(shelf.embedder(), backend), PictureArguments)


def _row(name: str | None, backend: Embedder | None) -> SkillInfo:
    """The catalogue's row as it is without a collection, or with what the collection's embedder needs."""
    if name is None:
        return row_with("retrieve_knowledge", backend) if backend is not None else catalogued("retrieve_knowledge")
    row = row_with("retrieve_knowledge", backend or _embedder(name, _weights_named(name), None))
    return replace(row, needs=None, offline=not row.weights)


def _embedder(name: str, weights: Weights, pool: ModelPool | None) -> HubEmbedder | LookalikeEmbedder:
    return LookalikeEmbedder() if name == LOOKALIKES else HubEmbedder(weights, pool)


def _weights_named(name: str, device: str = "auto", dtype: str = "auto", allow_download: bool = False) -> Weights:
    id_, _, revision = name.partition("@")
    return Weights(id_, revision or None, device, dtype, allow_download)


def _least_of(embedder: Embedder) -> float:
    if isinstance(embedder, HubEmbedder):
        return least_cosine(embedder.weights)
    return _LEAST_OF_LOOKALIKES if isinstance(embedder, LookalikeEmbedder) else 0.0


def command(source: Path, out: Path, *, model: str | None, allow_download: bool) -> Sequence[str]:
    """Makes a collection and says in a few lines what came of it: ``llavaplus knowledge build``."""
    made = build_collection(source, out, model=model, allow_download=allow_download)
    count = "1 entry" if len(made.entries) == 1 else f"{len(made.entries)} entries"
    told = [f"{count} in {out}, embedded by {made.embedder}", f"To look things up in it set {VARIABLE}={out}"]
    if made.embedder == LOOKALIKES:
        told.append(
            "It finds near-duplicates only; for pictures of the same thing run: llavaplus skills fetch tag_image"
        )
    return told
