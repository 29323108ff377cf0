import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from llavaplus_graph.data.curation.gathering import GatherSpec, gather, load_gather_spec
from llavaplus_graph.data.record import read_records
from llavaplus_graph.errors import DataError

LLAVA = {
    "id": "000000033471",
    "image": "a.jpg",
    "conversations": [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "A bus."}],
}


def spec(folder: Path, *bodies: Any, **changes: Any) -> GatherSpec:
    (folder / "one.json").write_text(json.dumps(bodies), "utf-8")
    (folder / "two.jsonl").write_text(json.dumps(LLAVA) + "\n", "utf-8")
    body = {"kind": "records", "out": "out", "files": ["one.json", "two.jsonl"], **changes}
    (folder / "spec.yaml").write_text(yaml.safe_dump(body), "utf-8")
    return load_gather_spec(folder / "spec.yaml")


def test_llava_data_get_thoughts_and_no_actions_and_keep_their_order(tmp_path: Path) -> None:
    tally = gather(spec(tmp_path, {**LLAVA, "id": "first"}))
    first, second = read_records(tmp_path / "out" / "records.jsonl")
    assert tally.kept == 2
    assert (first.unique_id, second.unique_id) == ("first", "000000033471")
    assert first.conversations[1]["actions"] == []
    assert first.conversations[1]["thoughts"]
    assert first.conversations[1]["value"] == "A bus."


def test_what_is_left_out_is_reported_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    gather(spec(tmp_path, {**LLAVA, "image": "b.jpg"}, "broken", folders=["."]))
    assert json.loads((tmp_path / "out" / "report.json").read_text("utf-8")) == {
        "kept": 1,
        "dropped": {"its picture is in none of the folders": 1, "it is not an object": 1},
        "examples": {"its picture is in none of the folders": "000000033471", "it is not an object": "record 2"},
    }


def test_progress_ends_with_all_bytes(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    gather(spec(tmp_path, *[LLAVA] * 600), progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] == sum((tmp_path / name).stat().st_size for name in ("one.json", "two.jsonl"))


def test_a_file_that_stops_leaves_what_was_gathered_before(tmp_path: Path) -> None:
    gather(spec(tmp_path, LLAVA))
    before = (tmp_path / "out" / "records.jsonl").read_bytes()
    broken = spec(tmp_path, LLAVA, LLAVA)
    (tmp_path / "one.json").write_text(json.dumps([LLAVA, LLAVA])[:-20], "utf-8")
    with pytest.raises(DataError, match=r"one\.json stops being JSON"):
        gather(broken)
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == before
    assert not list((tmp_path / "out").glob("*.partial"))


def test_nothing_left_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"Nothing is left of one\.json, two\.jsonl: 1 because its picture is in none"):
        gather(spec(tmp_path, folders=["none"]))
