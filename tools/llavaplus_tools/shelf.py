"""Searches a collection of knowledge for the entries that are most like a vector. Knows no embedder and no skill."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from llavaplus_graph.errors import DataError, SkillError
from llavaplus_graph.types import KnowledgeEntry
from llavaplus_tools.collection import Collection, Vectors, embedder_of

VARIABLE: Final = "LLAVAPLUS_KNOWLEDGE"
"""The environment variable that names the directory of the usual collection."""

MakeVectorStore = Callable[[Embeddings], VectorStore]
"""Makes an empty vector store that takes its vectors from the embeddings given."""


class Shelf:
    """A collection that is opened once, when it is first needed.

    Args:
        collection: itself, or the directory that it lies in; by default that which `VARIABLE` names.
        make: makes the vector store that is searched; by default every entry is compared, in memory.
    """

    def __init__(self, collection: str | Path | Collection | None, make: MakeVectorStore | None = None) -> None:
        self._given, self._make = collection, make
        self._lock = threading.Lock()
        self._search: _Search | None = None

    def embedder(self) -> str | None:
        """The name of what made the collection's vectors; None where there is no collection. Opens nothing."""
        if isinstance(self._given, Collection):
            return self._given.embedder
        place = self._place()
        return embedder_of(place) if place else None

    def opened(self) -> _Search:
        """The collection, ready to be searched.

        Raises:
            SkillError: there is none, or it is damaged.
        """
        with self._lock:
            if self._search is None:
                self._search = _Search(self._collection(), self._make)
            return self._search

    def _place(self) -> str | Path | None:
        return None if isinstance(self._given, Collection) else self._given or os.environ.get(VARIABLE)

    def _collection(self) -> Collection:
        if isinstance(self._given, Collection):
            return self._given
        place = self._place()
        if not place:
            raise SkillError(
                "retrieve_knowledge has no collection to look in; build one with: llavaplus knowledge build FOLDER "
                f"--out DIR, then set {VARIABLE}=DIR"
            )
        try:
            return Collection.open(place)
        except DataError as err:
            raise SkillError(str(err)) from err


class _Search:
    """A collection, and a vector store that chooses among its entries where one was asked for."""

    def __init__(self, collection: Collection, make: MakeVectorStore | None) -> None:
        self.collection = collection
        self._store = make(_Precomputed(collection)) if make is not None else None
        if self._store is not None:
            self._store.add_documents(
                [
                    Document(id=str(number), page_content=_told(collection, number), metadata={"entry": number})
                    for number in range(len(collection.entries))
                ]
            )

    def nearest(self, vector: Vectors, most: int, least: float) -> list[KnowledgeEntry]:
        """The entries that are most like a vector, most similar first.

        A vector store only chooses; how similar they are is reckoned here, because stores give distances of many kinds.

        Raises:
            SkillError: the vector is none of the embedder's that made the collection.
        """
        known = self.collection.vectors
        if vector.shape != known.shape[1:]:
            raise SkillError(
                f"the collection of knowledge was made by {self.collection.embedder}, whose vectors have "
                f"{known.shape[1]} numbers and not {len(vector)}; build it again"
            )
        numbers = self._chosen(vector, most)
        cosines = np.clip(known[numbers] @ vector, -1, 1).tolist()
        ranked = sorted(zip(cosines, numbers, strict=True), key=lambda pair: (-pair[0], pair[1]))
        found = [(cosine, self.collection.entries[number]) for cosine, number in ranked if cosine >= least]
        return [KnowledgeEntry(caption=one.facts, similarity=cosine, source=one.source) for cosine, one in found]

    def _chosen(self, vector: Vectors, most: int) -> list[int]:
        if self._store is None:
            order: list[int] = np.argsort(-(self.collection.vectors @ vector), kind="stable")[:most].tolist()
            return order
        found = self._store.similarity_search_by_vector([float(number) for number in vector], k=most)
        return [int(document.metadata["entry"]) for document in found]


class _Precomputed(Embeddings):
    """Gives a vector store the vectors that a collection has for its texts."""

    def __init__(self, collection: Collection) -> None:
        self._rows = {_told(collection, number): row for number, row in enumerate(collection.vectors)}
        self._nothing = [0.0] * collection.vectors.shape[1]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(number) for number in self._rows[text]] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        # Stores embed any word to learn how many numbers a vector has; pictures, not words, are looked up here.
        return self.embed_documents([text])[0] if text in self._rows else self._nothing


def _told(collection: Collection, number: int) -> str:
    # The number makes texts unique, which the vectors are found by.
    return f"[{number}] {collection.entries[number].facts}"
