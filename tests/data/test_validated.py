from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from llavaplus_graph.data.validated import read_validated
from llavaplus_graph.errors import ConfigError


class Leg(BaseModel):
    model_config = ConfigDict(extra="forbid")

    length: int = Field(ge=1)


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    legs: list[Leg] = []


def read(folder: Path, text: str) -> Table:
    path = folder / "table.yaml"
    path.write_text(text, "utf-8")
    return read_validated(path, Table)


def test_a_file_becomes_a_model(tmp_path: Path) -> None:
    assert read(tmp_path, "name: oak\nlegs: [{length: 3}]\n").legs == [Leg(length=3)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: [oak\nlegs: 3\n", r"table\.yaml, line 2 is not YAML: "),
        ("name: oak\n\tlegs: 3\n", r"table\.yaml, line 2 is not YAML: "),
        (
            "name: oak\nlegs:\n  - length: 1\n    width: 2\n",
            r"line 4: legs\.1\.width is a key that is not known there\.$",
        ),
        (
            "name: oak\nlegs:\n  - length: 1\n  - length: 0\n",
            r"line 4: legs\.2\.length: .*greater than or equal to 1, not 0",
        ),
        ("legs: []\n", r"line 1: name is missing\.$"),
        ("name: oak\n\nname: elm\n", r"line 3: the key 'name' stands there twice"),
        ("- name\n", r"must be keys and values, and it is list\.$"),
        ("", r"must be keys and values, and it is NoneType\.$"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read(tmp_path, text)
