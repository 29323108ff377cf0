import json

import pytest

from llavaplus_graph.cli.app import run
from llavaplus_graph.cli.catalogue import availability, rows


def test_the_list_has_every_skill_of_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert len(found) >= 18
    assert found["detect_objects"]["arguments"] == ["image", "query", "box_threshold", "text_threshold"]
    assert found["segment_region"]["wire_names"] == ["sam"]
    assert found["read_text"]["offline"] is True


def test_the_table_says_what_works_offline(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills"]) == 0
    out = capsys.readouterr().out
    assert "segment_at_granularities" in out
    assert "…" not in out
    told = {row["name"]: availability(row) for row in rows()}
    assert told["read_text"] == "offline"
    assert "IDEA-Research/grounding-dino-tiny" in told["detect_objects"]
