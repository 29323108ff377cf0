import json
from pathlib import Path

import pytest

from llavaplus_graph.chat_model.dialect import DIALECT_FILE, Dialect
from llavaplus_graph.errors import CheckpointError
from llavaplus_graph.protocol import V0, V1


@pytest.mark.parametrize(
    "dialect",
    [
        Dialect(),
        Dialect("v0", None, "wire", ()),
        Dialect("v1", "Sei höflich.", "skills", ("read_text", "tag_image"), grounded=True),
        Dialect("v1", "", "skills"),
        Dialect("v0", picture="<im_start><image><im_end>"),
    ],
)
def test_what_is_saved_is_loaded(dialect: Dialect, tmp_path: Path) -> None:
    dialect.save(tmp_path)
    assert Dialect.load(tmp_path) == dialect


def test_the_file_is_plain_json_to_read_and_edit(tmp_path: Path) -> None:
    Dialect("v1", "Grüß", "skills", ("read_text",)).save(tmp_path)
    written = (tmp_path / DIALECT_FILE).read_text("utf-8")
    assert written.endswith("}\n")
    assert "Grüß" in written
    assert json.loads(written)["skills"] == ["read_text"]


def test_a_checkpoint_without_the_file_speaks_as_the_released_one(tmp_path: Path) -> None:
    assert Dialect.load(tmp_path) == Dialect(template="v0", names="wire")


def test_missing_keys_have_defaults(tmp_path: Path) -> None:
    (tmp_path / DIALECT_FILE).write_text('{"template": "v0"}')
    assert Dialect.load(tmp_path) == Dialect(template="v0")


def test_its_own_system_text_replaces_that_of_the_template() -> None:
    assert Dialect("v0").conversation == V0
    assert Dialect("v1").conversation == V1
    assert Dialect("v1", "Be kind.").conversation.system == "Be kind."
    assert Dialect("v1", "").conversation.render([("human", "Q")]) == "USER: Q ASSISTANT:"


def test_some_checkpoints_want_marks_around_a_picture() -> None:
    marked = Dialect("v0", "S.", picture="<im_start><image><im_end>").conversation
    assert marked.render([("human", "Q<image>")]) == "S.###Human: <im_start><image><im_end>\nQ###Assistant:"


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "3",
        "{",
        '{"template": "v9"}',
        '{"template": ["v0"]}',
        '{"names": "french"}',
        '{"skills": 3}',
        '{"colour": "red"}',
        '{"picture": "<im_start><im_end>"}',
        '{"picture": "<image><image>"}',
        '{"picture": 3}',
        "\ud800".encode("utf-16", "surrogatepass").decode("latin-1"),
    ],
)
def test_a_file_that_no_version_wrote_is_refused_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / DIALECT_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=DIALECT_FILE):
        Dialect.load(tmp_path)
