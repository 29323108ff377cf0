import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from PIL import Image

from llavaplus_graph.errors import ConfigError, SkillError
from llavaplus_graph.skills import skill_info
from llavaplus_graph.types import Knowledge, SkillFailure, SkillResult
from llavaplus_tools import retrieve_knowledge
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools.collection import Collection, Entry
from llavaplus_tools.knowledge import build_collection, command
from llavaplus_tools.protocols import Embedder

Ask = Callable[..., SkillResult]


def picture(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((160, 120), Image.Resampling.NEAREST)


def folder_of_pictures(home: Path) -> Path:
    folder = home / "animals"
    folder.mkdir()
    for seed, name in enumerate(["rex", "mia", "tom"]):
        picture(seed).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(f"This is {name.title()},\n the {seed + 1}. of three.\n", encoding="utf-8")
    return folder


def collection(*vectors: Sequence[float]) -> Collection:
    entries = tuple(Entry(f"{number}.png", f"fact {number}", f"page {number}") for number in range(len(vectors)))
    return Collection(entries, np.array(vectors, np.float32), "mine")


def pointing(*vector: float) -> Embedder:
    def embedder(pictures: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        return np.array([vector] * len(pictures), np.float32)

    return embedder


def test_a_picture_is_recognised_without_weights_and_the_entry_names_its_source(ask: Ask, tmp_path: Path) -> None:
    built = build_collection(folder_of_pictures(tmp_path), tmp_path / "out", model="lookalikes")
    assert built.embedder == "lookalikes"
    skill = partial(retrieve_knowledge, collection=tmp_path / "out")
    result = ask(skill, image=picture(1).resize((100, 75)))
    assert isinstance(result, Knowledge)
    (entry,) = result.entries
    assert (entry.caption, entry.source) == ("This is Mia, the 2. of three.", "mia.txt")
    assert 0.9 < entry.similarity <= 1
    assert max(result.draw().size) >= 256
    assert ask(skill, image=picture(9)).content() == {"retrieval_results": []}


@pytest.mark.parametrize("weights", ["siglip", "clip"])
def test_a_collection_remembers_the_weights_that_made_it(
    ask: Ask, request: pytest.FixtureRequest, tmp_path: Path, weights: str
) -> None:
    model, pool = str(request.getfixturevalue(weights)), ModelPool()
    build_collection(folder_of_pictures(tmp_path), tmp_path / "out", model=model, pool=pool)
    result = ask(partial(retrieve_knowledge, collection=tmp_path / "out", pool=pool, most=1), image=picture(2))
    assert isinstance(result, Knowledge)
    assert result.entries[0].caption == "This is Tom, the 3. of three."
    assert result.entries[0].similarity == pytest.approx(1, abs=1e-4)
    assert [one.kind for one in pool.loaded()] == ["pictures and words"]


def test_the_most_similar_entries_are_told_as_far_as_they_are_similar_at_all(ask: Ask) -> None:
    skill = partial(
        retrieve_knowledge,
        collection=collection([1, 0], [0, 1], [0.6, 0.8], [-1, 0]),
        backend=pointing(0.8, 0.6),
        most=3,
        least=0.7,
    )
    result = ask(skill, image=picture(0))
    assert isinstance(result, Knowledge)
    found = [(entry.caption, round(entry.similarity, 4), entry.source) for entry in result.entries]
    assert found == [("fact 2", 0.96, "page 2"), ("fact 0", 0.8, "page 0")]


def test_any_vector_store_can_search_and_equal_facts_stay_apart(ask: Ask) -> None:
    made: list[VectorStore] = []

    def make(embeddings: Embeddings) -> VectorStore:
        made.append(InMemoryVectorStore(embeddings))
        assert len(embeddings.embed_query("how many numbers?")) == 2  # what the recipe of FAISS's store asks first
        return made[0]

    twice = Collection((Entry("a", "same"), Entry("b", "same")), np.eye(2, dtype=np.float32), "mine")
    skill = retrieve_knowledge(collection=twice, vectors=make, backend=pointing(0, 1), least=0.5)
    for _ in range(2):
        message = skill.invoke({"type": "tool_call", "id": "1", "name": skill.name, "args": {"image": picture(0)}})
        assert json.loads(message.content)["retrieval_results"][0]["similarity"] == 1
    (store,) = made
    assert len(store.similarity_search_by_vector([1, 0], k=5)) == 2


@pytest.mark.parametrize("vectors", [None, InMemoryVectorStore], ids=["by default", "in a vector store"])
def test_every_search_finds_the_same_however_many_entries_there_are(
    ask: Ask, vectors: Callable[[Embeddings], VectorStore] | None
) -> None:
    random = np.random.default_rng(0).normal(size=(300, 8))
    rows = (random / np.linalg.norm(random, axis=1, keepdims=True)).astype(np.float32)
    many = Collection(tuple(Entry("", f"fact {number}") for number in range(300)), rows, "mine")
    result = ask(
        partial(retrieve_knowledge, collection=many, vectors=vectors, backend=pointing(*rows[7]), least=-1, most=5),
        image=picture(0),
    )
    assert isinstance(result, Knowledge)
    by_hand = sorted(range(300), key=lambda number: -float(rows[number] @ rows[7]))[:5]
    assert [entry.caption for entry in result.entries] == [f"fact {number}" for number in by_hand]


def test_its_row_says_what_the_collection_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAVAPLUS_KNOWLEDGE", raising=False)
    without = skill_info(retrieve_knowledge())
    assert without is not None
    assert without.needs == "a collection: llavaplus knowledge build FOLDER --out DIR"
    build_collection(folder_of_pictures(tmp_path), tmp_path / "weak", model="lookalikes")
    Collection((Entry("a", "b"),), np.eye(1, dtype=np.float32), "some/siglip@v2").save(tmp_path / "strong")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "collection.json").write_text("[]")
    told = {}
    for name in ("weak", "strong", "broken"):
        monkeypatch.setenv("LLAVAPLUS_KNOWLEDGE", str(tmp_path / name))
        row = skill_info(retrieve_knowledge())
        assert row is not None
        told[name] = (row.needs, row.offline, row.weights)
    assert told["weak"] == (None, True, ())
    assert told["strong"] == (None, False, ("some/siglip",))
    assert told["broken"][0] == without.needs


def test_the_environment_names_the_usual_collection(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_collection(folder_of_pictures(tmp_path), tmp_path / "out", model="lookalikes")
    monkeypatch.setenv("LLAVAPLUS_KNOWLEDGE", str(tmp_path / "out"))
    result = ask(retrieve_knowledge, image=picture(0))
    assert isinstance(result, Knowledge)
    assert result.entries[0].source == "rex.txt"


def test_what_cannot_be_looked_up_is_told(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAVAPLUS_KNOWLEDGE", raising=False)
    broken = tmp_path / "broken"
    collection([1, 0]).save(broken)
    (broken / "vectors.npy").write_bytes(b"no array")
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "has no collection to look in; build one with: llavaplus knowledge build"),
        ({"collection": tmp_path / "none"}, "there is no collection of knowledge in"),
        ({"collection": broken}, "is damaged; build it again"),
        ({"collection": collection([1, 0]), "backend": pointing(1, 0, 0)}, "have 2 numbers and not 3; build it again"),
    ]
    for settings, complaint in cases:
        result = ask(partial(retrieve_knowledge, **settings), image=picture(0))
        assert isinstance(result, SkillFailure)
        assert complaint in result.error


def test_missing_weights_are_told_with_the_command_that_fetches_them(ask: Ask, tmp_path: Path) -> None:
    made = collection([1, 0])
    other = Collection(made.entries, made.vectors, "google/siglip2-base-patch16-224")
    result = ask(partial(retrieve_knowledge, collection=other), image=picture(0))
    assert isinstance(result, SkillFailure)
    assert result.error == (
        "retrieve_knowledge needs the weights google/siglip2-base-patch16-224, which are not on this machine; "
        "to fetch them run: llavaplus skills fetch retrieve_knowledge"
    )
    with pytest.raises(SkillError, match="needs the weights nobody/has-these, which are not on this machine"):
        build_collection(folder_of_pictures(tmp_path), tmp_path / "out", model="nobody/has-these")


def test_the_command_says_how_good_the_embedder_is(tmp_path: Path) -> None:
    told = command(folder_of_pictures(tmp_path), tmp_path / "out", model=None, allow_download=False)
    assert told[0] == f"3 entries in {tmp_path / 'out'}, embedded by lookalikes"
    assert told[1] == f"To look things up in it set LLAVAPLUS_KNOWLEDGE={tmp_path / 'out'}"
    assert "near-duplicates only" in told[2]


def test_no_entries_at_all_are_the_developers_mistake() -> None:
    with pytest.raises(ConfigError, match="most is 0"):
        retrieve_knowledge(most=0)
