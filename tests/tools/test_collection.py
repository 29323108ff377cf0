import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llavaplus_graph.errors import DataError
from llavaplus_tools._backends.lookalikes import LookalikeEmbedder
from llavaplus_tools.collection import Collection, Entry, collected, entries_in

ENTRIES = (Entry("a.png", "Äpfel", "page 1"), Entry("b.png", "pears"))


def test_a_collection_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    Collection(ENTRIES, np.eye(2, 3, dtype=np.float32), "mine").save(tmp_path / "new" / "out")
    opened = Collection.open(tmp_path / "new" / "out")
    assert (opened.entries, opened.embedder) == (ENTRIES, "mine")
    assert opened.vectors.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == [
        "collection.json",
        "entries.jsonl",
        "vectors.npy",
    ]


def test_a_line_break_of_another_kind_in_facts_breaks_no_entry(tmp_path: Path) -> None:
    odd = (Entry("a.png", "one\u2028two\x85three"),)
    Collection(odd, np.eye(1, dtype=np.float32), "mine").save(tmp_path)
    assert Collection.open(tmp_path).entries == odd


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("collection.json", "{"),
        ("collection.json", '{"version": 99, "embedder": "mine", "entries": 2}'),
        ("collection.json", '{"version": 1, "embedder": "mine", "entries": 3}'),
        ("entries.jsonl", '{"picture": "a.png", "facts": "one"}\n'),
        ("entries.jsonl", '{"price": 1}\n{"price": 2}\n'),
        ("vectors.npy", ""),
    ],
)
def test_a_damaged_collection_is_told(tmp_path: Path, name: str, text: str) -> None:
    Collection(ENTRIES, np.eye(2, dtype=np.float32), "mine").save(tmp_path)
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="is damaged; build it again"):
        Collection.open(tmp_path)


def test_a_collection_that_is_not_there_is_told_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no collection .*llavaplus knowledge build"):
        Collection.open(tmp_path / "none")


def test_a_folder_gives_its_pictures_that_have_texts(tmp_path: Path) -> None:
    (tmp_path / "dogs").mkdir()
    for name in ("dogs/rex.JPG", "mia.png", "silent.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "dogs" / "rex.txt").write_text("Rex  is\na dog.", encoding="utf-8")
    (tmp_path / "mia.txt").write_text("Mia", encoding="utf-8")
    assert entries_in(tmp_path) == [
        Entry(str(tmp_path / "dogs" / "rex.JPG"), "Rex is a dog.", str(Path("dogs", "rex.txt"))),
        Entry(str(tmp_path / "mia.png"), "Mia", "mia.txt"),
    ]


def test_a_jsonl_file_gives_an_entry_a_line(tmp_path: Path) -> None:
    lines = [{"image": "pictures/rex.png", "facts": "Rex", "source": "page 1"}, {"image": "mia.png", "facts": "Mia"}]
    file = tmp_path / "facts.jsonl"
    file.write_text("\n\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    assert entries_in(file) == [
        Entry(str(tmp_path / "pictures" / "rex.png"), "Rex", "page 1"),
        Entry(str(tmp_path / "mia.png"), "Mia"),
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("no json", "line 1: this is no JSON"),
        ("[]", "line 1: the key image is missing"),
        ('{"facts": "Rex"}', "line 1: the key image is missing"),
        ('{"image": "a.png"}', "line 1: the facts are empty"),
        ('{"image": "a.png", "facts": " "}', "line 1: the facts are empty"),
        ('{"image": "a.png", "facts": "Rex", "source": 1}', "line 1: the source is no text"),
        (json.dumps({"image": "a.png", "facts": "x" * 2001}), "have 2001 characters, at most are 2000"),
    ],
)
def test_a_wrong_line_is_told_by_its_number(tmp_path: Path, line: str, complaint: str) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(DataError, match=complaint):
        entries_in(file)


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist; give a folder"):
        entries_in(tmp_path / "none")


def test_nothing_and_pictures_that_cannot_be_read_are_no_collection(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to collect"):
        collected([], LookalikeEmbedder(), "lookalikes")
    with pytest.raises(DataError, match="the picture of the entry 'Rex' cannot be used"):
        collected([Entry(str(tmp_path / "rex.png"), "Rex")], LookalikeEmbedder(), "lookalikes")


def test_every_picture_gets_its_own_row(tmp_path: Path) -> None:
    for number in range(40):
        Image.linear_gradient("L").rotate(9 * number).save(tmp_path / f"{number}.png")
    entries = [Entry(str(tmp_path / f"{number}.png"), str(number)) for number in range(40)]
    made = collected(entries, LookalikeEmbedder(), "lookalikes")
    assert len(made.vectors) == 40
    assert (made.vectors @ made.vectors.T).argmax(axis=1).tolist() == list(range(40))
