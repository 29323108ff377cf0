import json
from pathlib import Path

import pytest

from llavaplus_graph.cli.app import run
from llavaplus_graph.cli.catalogue import Row, availability, rows
from llavaplus_graph.held import HeldModel, announce


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the hub is here, and no process has loaded anything."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LLAVAPLUS_KNOWLEDGE", raising=False)
    return tmp_path / "hub"


def told() -> dict[str, str]:
    return {row["name"]: availability(row) for row in rows()}


def test_the_list_has_every_skill_of_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert len(found) >= 18
    assert found["detect_objects"]["arguments"] == ["image", "query", "box_threshold", "text_threshold"]
    assert found["segment_region"]["wire_names"] == ["sam"]
    assert found["read_text"]["works"] is True
    assert found["detect_objects"]["missing_weights"] == found["detect_objects"]["weights"] != []
    assert found["detect_objects"]["works"] is False


def test_the_table_says_what_works_on_a_bare_machine_and_what_to_do_for_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["skills"]) == 0
    out = capsys.readouterr().out
    assert "segment_at_granularities" in out
    assert "…" not in out
    assert told()["read_text"] == "offline"
    assert told()["detect_objects"] == "needs weights, 690 MB"
    assert told()["detect_objects"] in out
    assert told()["retrieve_knowledge"] == "needs a collection"
    assert "\nTo make a collection for retrieve_knowledge run: llavaplus knowledge build FOLDER --out DIR\n" in out
    assert out.endswith("To fetch the weights of a skill run: llavaplus skills fetch SKILL\n")


def test_weights_that_are_here_are_said_to_be(bare_machine: Path) -> None:
    repository = bare_machine / "models--IDEA-Research--grounding-dino-tiny"
    snapshot = repository / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123")
    (snapshot / "config.json").write_text("{}")
    assert told()["detect_objects"].startswith("needs")
    (snapshot / "model.safetensors").write_bytes(b"")
    assert told()["detect_objects"] == "offline, with weights on this machine"
    assert told()["segment_objects"] == "needs weights, 185 MB"


ROW: Row = {
    "name": "paint",
    "wire_names": [],
    "arguments": [],
    "installed": True,
    "offline": False,
    "weights": ["some/model"],
    "missing_weights": ["some/model"],
    "missing_extra": None,
    "needs": None,
    "works": False,
}


def test_what_is_missing_is_told_in_the_order_in_which_it_has_to_be_done() -> None:
    assert availability({**ROW, "installed": False}) == "not installed"
    assert availability({**ROW, "missing_extra": "generation"}) == "needs pip install 'llavaplus-graph[generation]'"
    assert availability({**ROW, "needs": "a brush: buy brush"}) == "needs a brush"
    assert availability(ROW) == "needs weights"
    assert availability({**ROW, "offline": True}) == "offline; does more with weights"
    assert availability({**ROW, "missing_weights": []}) == "offline, with weights on this machine"
    assert availability({**ROW, "weights": [], "missing_weights": []}) == "offline"


def test_nobody_holds_a_model_on_a_bare_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills", "--loaded"]) == 0
    assert capsys.readouterr().out.startswith("No running process holds a model")


def test_models_that_a_process_holds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    announce([HeldModel("detector", "some/model", "cuda:0", 690_000_000)])
    assert run(["skills", "--loaded"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("some/model", "detector", "cuda:0", "690"))
    assert run(["skills", "--loaded", "--json"]) == 0
    (held,) = json.loads(capsys.readouterr().out)
    assert held["bytes"] == 690_000_000
    announce([])
