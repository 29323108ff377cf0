import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

from llavaplus_graph.downloads import fetch, fetched_files, offer_of
from llavaplus_graph.errors import DownloadError
from llavaplus_graph.weights import folder_of

TENSORS = save({"weight": torch.arange(1000.0)})
SMALL = {"config.json": b'{"model_type": "small"}', "model.safetensors": TENSORS}


def test_weights_are_fetched_whole_and_found_afterwards(hub: Any, tmp_path: Path) -> None:
    hub.repositories["some/model"] = {
        **SMALL,
        "README.md": b"words",
        "pytorch_model.bin": b"a pickle",
        "model.fp16.safetensors": b"a variant",
        "tokenizer.json": b"{}",
        "onnx/model.onnx": b"another format",
    }
    assert folder_of("some/model", cache=tmp_path) is None
    offer = offer_of("some/model")
    assert (offer.licence, offer.bytes) == ("apache-2.0", len(TENSORS) + len(SMALL["config.json"]) + 2)
    folder = fetch(offer, cache=tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert load_file(folder / "model.safetensors")["weight"].sum() == 499_500
    assert folder_of("some/model", cache=tmp_path) == folder


def test_a_connection_that_breaks_is_resumed(hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repositories["some/model"] = SMALL
    hub.cuts = 1
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 512)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    folder = fetch(offer_of("some/model"), cache=tmp_path)
    assert (folder / "model.safetensors").read_bytes() == TENSORS
    ranges = [asked for method, path, asked in hub.asked if method == "GET" and path.endswith(".safetensors")]
    assert ranges == [None, "bytes=1024-"]


def test_a_connection_that_stays_broken_leaves_nothing_that_is_used(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["some/model"] = SMALL
    hub.cuts = 100
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    offer = offer_of("some/model")
    with pytest.raises(DownloadError, match=r"some/model could not be fetched from http://127.0.0.1.*run the command"):
        fetch(offer, cache=tmp_path)
    assert folder_of("some/model", cache=tmp_path) is None
    assert not list(tmp_path.rglob("config.json"))
    hub.cuts = 0
    assert (fetch(offer, cache=tmp_path) / "model.safetensors").read_bytes() == TENSORS


def test_who_watches_is_told_the_bytes_and_sees_no_bars(
    hub: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.repositories["some/model"] = SMALL
    offer, told = offer_of("some/model"), [0]
    fetch(offer, cache=tmp_path, watch=told.append)
    assert told[-1] == offer.bytes
    assert capsys.readouterr().err == ""


def test_what_is_here_is_not_fetched_again(hub: Any, tmp_path: Path) -> None:
    hub.repositories["some/model"] = SMALL
    offer = offer_of("some/model")
    fetch(offer, cache=tmp_path)
    hub.asked.clear()
    fetch(offer, cache=tmp_path)
    assert not [path for method, path, _ in hub.asked if method == "GET" and "/resolve/" in path]


def test_a_hub_that_does_not_answer_is_a_sentence(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.server.server_close()
    with pytest.raises(DownloadError, match=r"some/model could not be fetched from http://127.0.0.1:\d+: the connect"):
        offer_of("some/model")


@pytest.mark.parametrize("id_", ["nobody/has-this", "no such id"])
def test_weights_that_the_hub_does_not_have_are_named(hub: Any, id_: str) -> None:
    with pytest.raises(DownloadError, match=f"the hub has no weights '{id_}'"):
        offer_of(id_)


def test_weights_that_are_there_only_as_pickles_are_refused(hub: Any) -> None:
    hub.repositories["old/model"] = {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}
    with pytest.raises(DownloadError, match="old/model has no safetensors on the hub"):
        offer_of("old/model")


def test_a_full_disk_is_said_before_anything_is_fetched(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["some/model"] = SMALL
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with pytest.raises(DownloadError, match=r"some/model takes 0 MB and .* has 0 MB left; make room"):
        fetch(offer_of("some/model"), cache=tmp_path / "not" / "yet")
    assert not [path for method, path, _ in hub.asked if "/resolve/" in path]


def test_of_a_pipeline_the_parts_are_fetched_and_no_single_file_beside_them() -> None:
    names = [
        "model_index.json",
        "README.md",
        "v1-5-pruned-emaonly.safetensors",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
    ]
    assert sorted(fetched_files(names)) == [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
    ]


def test_of_shards_and_a_whole_file_only_the_whole_file_is_fetched() -> None:
    shards = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = "model.safetensors.index.json"
    assert fetched_files(["config.json", *shards, index]) == ["config.json", index, *shards]
    assert fetched_files(["config.json", *shards, "model.safetensors"]) == ["config.json", "model.safetensors"]


def test_a_sharded_model_is_on_this_machine_only_with_all_its_shards(hub: Any, tmp_path: Path) -> None:
    shards = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = json.dumps({"weight_map": {"a": shards[0], "b": shards[1]}}).encode()
    files = {"config.json": b"{}", "model.safetensors.index.json": index, **dict.fromkeys(shards, TENSORS)}
    hub.repositories["some/large"] = files
    folder = fetch(offer_of("some/large"), cache=tmp_path)
    assert folder_of("some/large", cache=tmp_path) == folder
    (folder / shards[1]).unlink()
    assert folder_of("some/large", cache=tmp_path) is None
