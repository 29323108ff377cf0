import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llavaplus_graph.data.record import Record
from llavaplus_graph.data.sources.released import Tally, read_released
from llavaplus_graph.errors import DataError

ASKED = {"from": "human", "value": "<image>\nOutline the mug."}
PLAN = {
    "from": "gpt",
    "thoughts": "SAM can do this.",
    "actions": [{"API_name": "sam", "API_params": {"boxes": [[0.1, 0.2, 0.3, 0.4]]}}],
    "value": "Please wait.",
}


def body(*turns: Any, **fields: Any) -> dict[str, Any]:
    return {
        "unique_id": "1.5",
        "image": "a.jpg",
        "data_source": "coco",
        "conversations": turns or (ASKED, PLAN),
        **fields,
    }


def read(folder: Path, *bodies: Any, **options: Any) -> tuple[list[Record], Tally]:
    path, tally = folder / "records.json", Tally()
    path.write_text(json.dumps(bodies), encoding="utf-8")
    return list(read_released(path, tally=tally, **options)), tally


def test_a_released_record_comes_back_as_it_was(tmp_path: Path) -> None:
    released = body(image_id=7, metadata={"split": "train"})
    (record,), tally = read(tmp_path, released)
    assert json.loads(record.to_json()) == json.loads(json.dumps(released))
    assert tally.kept == 1


def test_keys_of_mixed_types_are_read(tmp_path: Path) -> None:
    loose = body(unique_id=1700000000.25, image_id="7", image=["a.jpg"])
    renamed = body({"from": "user", "value": "<image>\nRead."}, {"from": "assistant", "value": 12}, file_name="b.jpg")
    del renamed["image"]
    (first, second), _ = read(tmp_path, loose, renamed)
    assert (first.unique_id, first.images) == ("1700000000.25", ("a.jpg",))
    assert second.images == ("b.jpg",)
    assert second.conversations[1]["value"] == "12"


def test_plain_llava_answers_get_the_thought_that_no_skill_is_needed(tmp_path: Path) -> None:
    (record,), _ = read(tmp_path, body(ASKED, {"from": "gpt", "value": "A mug."}))
    assert record.conversations[1]["actions"] == []
    assert "No skill is needed" in record.conversations[1]["thoughts"]


def test_the_picture_is_not_placed_again_in_the_question_that_comes_back(tmp_path: Path) -> None:
    again = {"from": "human", "value": "sam output: {}\n\nAnswer my first question: <image>\nOutline the mug."}
    (record,), _ = read(tmp_path, body(ASKED, PLAN, again, {**PLAN, "actions": "[]"}))
    assert [turn["value"].count("<image>") for turn in record.conversations] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("text", "it is not an object"),
        (body(conversations=[]), "it has no conversation"),
        (body(PLAN, ASKED), "its speakers do not take turns"),
        (body(ASKED), "nobody answers in it"),
        (body(ASKED, {"from": "gpt", "value": None}), "a turn has no text"),
        (body(ASKED, {**PLAN, "actions": [{"name": "sam"}]}), "an action names no skill"),
        (body(ASKED, {**PLAN, "actions": "[{"}), "its actions are not JSON"),
        (body(image=["a.jpg", "b.jpg"]), "it has 1 places for 2 pictures"),
        (body({"from": "system", "value": "x"}), "a turn is neither the user's nor the assistant's"),
    ],
)
def test_broken_records_are_counted_with_their_reason_and_the_rest_is_kept(
    tmp_path: Path, broken: Any, reason: str
) -> None:
    records, tally = read(tmp_path, broken, body())
    assert len(records) == tally.kept == 1
    assert dict(tally.dropped) == {reason: 1}
    assert tally.examples[reason] in ("1.5", "record 1")


def test_pictures_are_looked_for_in_every_folder(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "a.jpg").touch()
    records, tally = read(tmp_path, body(), body(image="b.jpg"), images=[tmp_path / "first", tmp_path / "second"])
    assert [record.images for record in records] == [("a.jpg",)]
    assert dict(tally.dropped) == {"its picture is in none of the folders": 1}


def test_a_file_is_read_as_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "many.json"
    seen: list[int] = []
    path.write_text(json.dumps([body()] * 20_000), encoding="utf-8")
    records = read_released(path, progress=seen.append)
    next(records)
    next(records)
    assert 0 < seen[0] < path.stat().st_size / 10


def test_one_record_a_line_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join([json.dumps(body())] * 3), encoding="utf-8")
    assert len(list(read_released(path))) == 3


def test_a_file_that_stops_in_the_middle_is_named_after_what_stood_before(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text(json.dumps([body(), body()])[:-30], encoding="utf-8")
    records = read_released(path)
    assert next(records).unique_id == "1.5"
    with pytest.raises(DataError, match=r"cut\.json stops being JSON near byte"):
        next(records)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json' cannot be read"):
        next(read_released(tmp_path / "none.json"))


def test_whatever_the_file_writes_in_its_own_way_is_written_back(tmp_path: Path) -> None:
    odd = body(unique_id=1700000000.1, image=["a.jpg"], image_id="7", data_source=None, metadata={"x": [1, 2.5, None]})
    odd["conversations"] = ({**ASKED, "turn": 1}, {**PLAN, "score": 0.30000000000000004})
    (record,), _ = read(tmp_path, odd)
    assert json.loads(record.to_json()) == json.loads(json.dumps(odd))
    assert Record.from_json(record.to_json()) == record


def test_actions_that_are_one_object_count_and_others_do_not(tmp_path: Path) -> None:
    records, tally = read(
        tmp_path, body(ASKED, {**PLAN, "actions": PLAN["actions"][0]}), body(ASKED, {**PLAN, "actions": 3})
    )
    assert [record.conversations[1]["actions"] for record in records] == [PLAN["actions"]]
    assert dict(tally.dropped) == {"its actions are not a list": 1}


MEMORY = """
import resource, sys
from pathlib import Path
from llavaplus_graph.data.sources.released import Tally, read_released
tally = Tally()
records = read_released(Path(sys.argv[1]), tally=tally)
for _ in range(2_000):
    next(records)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in records:
    pass
print(tally.kept, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_the_size_of_a_file_does_not_matter_for_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    one = json.dumps(body(metadata={"text": "x" * 900}))
    with path.open("w", encoding="utf-8") as out:
        out.write("[" + ",".join([one] * 20_000) + "]")
    assert path.stat().st_size > 24e6
    done = subprocess.run([sys.executable, "-c", MEMORY, str(path)], check=True, capture_output=True, text=True)
    kept, grown = map(int, done.stdout.split())
    assert kept == 20_000
    assert grown < 4_000  # kilobytes; the file held whole would take ten times its size


def test_a_picture_whose_name_no_file_can_have_is_counted_like_one_that_is_not_there(tmp_path: Path) -> None:
    records, tally = read(tmp_path, body(image="x" * 5_000), images=[tmp_path])
    assert (records, dict(tally.dropped)) == ([], {"its picture is in none of the folders": 1})
