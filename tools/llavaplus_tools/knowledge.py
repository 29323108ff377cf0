"""Looking up what is known about what a picture shows. Knows entries and similarities; an embedder does the seeing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from PIL import Image

from llavaplus_graph.errors import ConfigError, DataError, SkillError
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.skills import PictureArguments, make_skill, picture_of
from llavaplus_graph.types import Knowledge, KnowledgeEntry
from llavaplus_graph.weights import folder_of
from llavaplus_tools._backends.contrastive import HubEmbedder, least_cosine
from llavaplus_tools._backends.lookalikes import LookalikeEmbedder
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.backed import row_with, spoken_for
from llavaplus_tools.collection import Collection, Vectors, collected, entries_in
from llavaplus_tools.protocols import Embedder
from llavaplus_tools.tagging import TAGGER

EMBEDDER: Final = TAGGER
"""The same weights as those of the tags: SigLIP 2."""

LOOKALIKES: Final = LookalikeEmbedder.name
"""The embedder that needs no weights; it finds near-duplicates only."""

MOST_ENTRIES: Final = 3
_LEAST_OF_LOOKALIKES: Final = 0.8
_VARIABLE: Final = "LLAVAPLUS_KNOWLEDGE"

MakeVectorStore = Callable[[Embeddings], VectorStore]
"""Makes an empty vector store that takes its vectors from the embeddings given."""


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
    with spoken_for("retrieve_knowledge", embedder):
        collection = collected(entries, embedder, embedder.name)
    collection.save(out)
    return collection


def retrieve_knowledge(
    *,
    store: ImageStore | None = None,
    collection: str | Path | Collection | None = None,
    vectors: MakeVectorStore = InMemoryVectorStore,
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
        vectors: makes the LangChain vector store that the collection is searched with, for example one of FAISS.
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
    opened = _Opened(collection, vectors)

    def run(image: str | Path | Image.Image) -> Knowledge:
        """Look up facts about what a picture shows."""
        handle, picture = picture_of(image, pictures)
        shelf = opened.shelf()
        name = shelf.collection.embedder
        embedder = backend or _embedder(name, _weights_named(name, device, dtype, allow_download), pool)
        with spoken_for("retrieve_knowledge", embedder):
            vector = embedder([picture])[0]
        limit = least if least is not None else _least_of(embedder)
        return Knowledge(image=handle, entries=tuple(shelf.nearest(vector, most, limit)))

    default = backend or HubEmbedder(Weights(EMBEDDER, None, device, dtype, allow_download), pool)
    return make_skill(run, row_with("retrieve_knowledge", default), PictureArguments)


class _Shelf:
    """A collection in a vector store."""

    def __init__(self, collection: Collection, make: MakeVectorStore) -> None:
        self.collection = collection
        documents = [
            # The number makes texts unique, which the precomputed vectors are found by.
            Document(id=str(number), page_content=f"[{number}] {entry.facts}", metadata={"entry": number})
            for number, entry in enumerate(collection.entries)
        ]
        known = {document.page_content: row for document, row in zip(documents, collection.vectors, strict=True)}
        self._vectors = make(_Precomputed(known))
        self._vectors.add_documents(documents)

    def nearest(self, vector: Vectors, most: int, least: float) -> list[KnowledgeEntry]:
        """The entries that are most like a vector, most similar first.

        The vector store chooses; how similar they are is reckoned here, because stores give distances of many kinds.
        """
        if vector.shape != self.collection.vectors.shape[1:]:
            raise SkillError(
                f"the collection of knowledge was made by {self.collection.embedder}, whose vectors have "
                f"{self.collection.vectors.shape[1]} numbers and not {len(vector)}; build it again"
            )
        found = self._vectors.similarity_search_by_vector([float(number) for number in vector], k=most)
        numbers = [int(document.metadata["entry"]) for document in found]
        cosines = np.clip(self.collection.vectors[numbers] @ vector, -1, 1) if numbers else np.zeros(0)
        ranked = sorted(zip(cosines.tolist(), numbers, strict=True), key=lambda pair: (-pair[0], pair[1]))
        entries = [(cosine, self.collection.entries[number]) for cosine, number in ranked if cosine >= least]
        return [KnowledgeEntry(caption=one.facts, similarity=cosine, source=one.source) for cosine, one in entries]


class _Precomputed(Embeddings):
    """Gives a vector store the vectors that a collection has for its texts."""

    def __init__(self, known: dict[str, Vectors]) -> None:
        self._known = known

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(number) for number in self._known[text]] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class _Opened:
    """A collection that is opened once, when it is first needed."""

    def __init__(self, collection: str | Path | Collection | None, make: MakeVectorStore) -> None:
        self._given, self._make = collection, make
        self._lock = threading.Lock()
        self._shelf: _Shelf | None = None

    def shelf(self) -> _Shelf:
        """The collection in its vector store."""
        with self._lock:
            if self._shelf is None:
                self._shelf = _Shelf(self._collection(), self._make)
            return self._shelf

    def _collection(self) -> Collection:
        if isinstance(self._given, Collection):
            return self._given
        place = self._given or os.environ.get(_VARIABLE)
        if not place:
            raise SkillError(
                "retrieve_knowledge has no collection to look in; build one with: llavaplus knowledge build FOLDER "
                f"--out DIR, then set {_VARIABLE}=DIR"
            )
        try:
            return Collection.open(place)
        except DataError as err:
            raise SkillError(str(err)) from err


def _embedder(name: str, weights: Weights, pool: ModelPool | None) -> HubEmbedder | LookalikeEmbedder:
    return LookalikeEmbedder() if name == LOOKALIKES else HubEmbedder(weights, pool)


def _weights_named(name: str, device: str, dtype: str, allow_download: bool) -> Weights:
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
    told = [f"{count} in {out}, embedded by {made.embedder}"]
    if made.embedder == LOOKALIKES:
        told.append(
            "It finds near-duplicates only; for pictures of the same thing run: llavaplus skills fetch tag_image"
        )
    return told
