from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from llavaplus_graph.cli.app import run
from llavaplus_graph.cli.fetching import weights_of
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.skills import CATALOGUE, catalogued
from llavaplus_graph.weights import folder_of

SMALL = {"config.json": b"{}", "model.safetensors": save({"weight": torch.arange(1000.0)})}
DINO, *_ = catalogued("detect_objects").weights


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_the_weights_of_a_skill_come_here_with_size_and_licence_told(
    hub: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.repositories[DINO] = SMALL
    assert run(["skills", "fetch", "detect_objects"]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(folder_of(DINO))
    assert f"{DINO}: 1 MB, licence apache-2.0\n" in told.err
    assert run(["skills", "fetch", "grounding_dino"]) == 0
    assert f"{DINO} is on this machine already" in capsys.readouterr().err


def test_weights_of_ones_own_are_fetched_by_their_id(hub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    hub.repositories["some/model"] = SMALL
    assert run(["skills", "fetch", "some/model@main"]) == 0
    assert capsys.readouterr().out.strip() == str(folder_of("some/model"))


def test_an_unknown_skill_is_the_users_mistake_and_the_known_ones_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["skills", "fetch", "detect_everything"]) == 2
    err = capsys.readouterr().err
    assert "there is no skill 'detect_everything'; there are detect_objects, segment_objects" in err


def test_without_a_connection_there_is_one_sentence_and_it_is_not_the_users_mistake(
    hub: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.server.server_close()
    assert run(["skills", "fetch", "detect_objects"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"Error: {DINO} could not be fetched from {hub.url}: the connection failed")
    assert len(err.splitlines()) == 1


def test_nothing_is_fetched_when_one_of_several_is_not_there(hub: Any, cache: Path) -> None:
    hub.repositories[DINO] = SMALL
    assert run(["skills", "fetch", "detect_objects", "nobody/has-this"]) == 1
    assert folder_of(DINO) is None


def test_a_skill_without_weights_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills", "fetch", "read_text"]) == 0
    assert "read_text needs no weights" in capsys.readouterr().err


def test_each_weights_are_fetched_once_whoever_needs_them() -> None:
    assert weights_of(["segment_objects", "detect_objects"]) == [
        (id_, None) for id_ in catalogued("segment_objects").weights
    ]
    every = {id_ for info in CATALOGUE for id_ in info.weights}
    assert {id_ for id_, _ in weights_of(["all"])} == every
    with pytest.raises(ConfigError, match="no skill 'nothing'"):
        weights_of(["nothing"])
