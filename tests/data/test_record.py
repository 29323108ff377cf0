import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llavaplus_graph.data.record import Record, gpt, gpt_turn, human, read_records
from llavaplus_graph.errors import DataError
from llavaplus_graph.protocol import Action, Turn

PLAN = gpt("I need read_text.", [Action("read_text", {"image": "image_2"})], "Please wait.")


def record(*images: str) -> Record:
    return Record("words-1", images, (human("What does it say?"), PLAN))


@pytest.mark.parametrize("images", [(), ("pictures/sign/00001.jpg",), ("a.jpg", "b.jpg")])
def test_a_record_comes_back_from_its_json(images: tuple[str, ...]) -> None:
    assert Record.from_json(record(*images).to_json()) == record(*images)


def test_the_json_has_the_keys_of_the_released_files() -> None:
    assert json.loads(record("a.jpg").to_json()) == {
        "unique_id": "words-1",
        "image": "a.jpg",
        "data_source": "mini",
        "conversations": [
            {"from": "human", "value": "What does it say?"},
            {
                "from": "gpt",
                "thoughts": "I need read_text.",
                "actions": [{"API_name": "read_text", "API_params": {"image": "image_2"}}],
                "value": "Please wait.",
            },
        ],
    }
    assert "image" not in json.loads(record().to_json())


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_record_is_one_line_whatever_it_says(text: str) -> None:
    line = Record("x", (), (human(text),)).to_json()
    assert "\n" not in line
    assert Record.from_json(line).conversations == (human(text),)


def test_turns_are_in_the_wire_format() -> None:
    (asker, asked), (planner, planned) = record().turns()
    assert (asker, asked, planner) == ("human", "What does it say?", "gpt")
    assert planned == (
        '"thoughts🤔" I need read_text.\n'
        '"actions🚀" [{"API_name": "read_text", "API_params": {"image": "image_2"}}]\n'
        '"value👉" Please wait.\n'
    )


def test_keys_that_a_released_turn_lacks_stay_absent() -> None:
    assert gpt_turn({"from": "gpt", "value": "A cat."}) == Turn(None, None, "A cat.")
    assert gpt_turn({"from": "gpt", "actions": [{"API_name": "ram"}], "value": ""}).actions == (Action("ram", {}),)


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '"text"',
        "{}",
        '{"conversations": 3}',
        '{"conversations": ["hello"]}',
        '{"conversations": [{"value": "from whom?"}]}',
        '{"conversations": [{"from": "human"}]}',
        '{"conversations": [{"from": "robot", "value": "hello"}]}',
        '{"conversations": [{"from": "gpt", "actions": [{"API_params": {}}]}]}',
        '{"conversations": [{"from": "gpt", "actions": 3}]}',
        '{"image": 3, "conversations": []}',
    ],
)
def test_what_is_no_record_is_refused_with_its_beginning(line: str) -> None:
    with pytest.raises(DataError, match=r"^Not a record: "):
        Record.from_json(line)


def test_a_file_is_read_line_by_line_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "words-000.jsonl"
    path.write_text(f"{record().to_json()}\n\n{record('a.jpg').to_json()}\n", "utf-8")
    assert list(read_records(path)) == [record(), record("a.jpg")]


def test_a_broken_line_is_named_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "words-000.jsonl"
    path.write_text(f"{record().to_json()}\n{record().to_json()[:40]}\n", "utf-8")
    with pytest.raises(DataError, match=r"words-000\.jsonl, line 2: Not a record"):
        list(read_records(path))
