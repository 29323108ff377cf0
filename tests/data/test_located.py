from pathlib import Path

import pytest

from llavaplus_graph.data.located import Document, parse_yaml, read_yaml, shown
from llavaplus_graph.errors import ConfigError

PATH = Path("table.yaml")


def test_a_place_has_a_value_and_a_line() -> None:
    document = parse_yaml("name: oak\nlegs:\n- {length: 3}\n- width: 1\n  length: 4\n", PATH)
    assert document.at(("legs", 1, "length")) == 4
    assert document.where(("legs", 1, "length")) == "table.yaml, line 5"


def test_of_a_place_that_is_not_there_the_line_around_it_is_told() -> None:
    document = parse_yaml("name: oak\nlegs:\n- {length: 3}\n", PATH)
    assert document.at(("legs", 0, "width")) is None
    assert document.at(("name", "first")) is None
    assert document.where(("legs", 0, "width")) == "table.yaml, line 3"
    assert document.found(("legs", "A model's name", 0, "width")) == (3, ("legs", 0, "width"))
    assert document.where() == "table.yaml"
    assert Document(PATH, None).where(("legs",)) == "table.yaml"


def test_what_a_merge_brings_along_may_be_said_otherwise() -> None:
    document = parse_yaml("a: &a\n  length: 1\n  width: 2\nb:\n  <<: *a\n  length: 3\n", PATH)
    assert document.at(("b",)) == {"length": 3, "width": 2}
    assert document.where(("b", "length")) == "table.yaml, line 6"
    assert document.where(("b", "width")) == "table.yaml, line 3"


def test_an_anchor_may_lead_to_itself_and_many_to_much() -> None:
    assert len(parse_yaml("a: &a [1, *a]\n", PATH).body["a"]) == 2
    levels = "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    document = parse_yaml(f"a0: &a0 [laugh]\n{levels}", PATH)
    assert len(shown(document.body)) < 2_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: [oak\nlegs: 3\n", r"table\.yaml, line 2 is not YAML: "),
        ("name: oak\n\tlegs: 3\n", r"table\.yaml, line 2 is not YAML: "),
        ("name: oak\n--- more", r"line 2 is not YAML: but found another document"),
        ("a: 1\nb: 2024-13-45\n", r"line 2 is not YAML: month must be in 1\.\.12"),
        ("a: 1\nb: \x07\n", r"line 2 is not YAML: it holds a character that no text has"),
        ("a: " + 2_000 * "[", r"nest too deep"),
        ("name: oak\n\nlegs:\n  - {size: 1, size: 2}\n", r"line 4: the key 'size' stands there twice; leave one"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        parse_yaml(text, PATH)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml' cannot be read: No such file"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff")
    with pytest.raises(ConfigError, match=r"picture\.yaml' is not a text in UTF-8"):
        read_yaml(tmp_path / "picture.yaml")
