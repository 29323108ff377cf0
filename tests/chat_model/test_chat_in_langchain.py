"""What LangChain wants to know of a chat model besides its answers: cost, identity, profile, errors in time."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.errors import CheckpointError


def test_usage_callbacks_count_by_model(lmm: ChatLlavaPlus) -> None:
    with get_usage_metadata_callback() as usage:
        lmm.invoke("Hello.")
        list(lmm.stream("Hello."))
    single = lmm.invoke("Hello.").usage_metadata
    assert single is not None
    assert usage.usage_metadata["taught"]["total_tokens"] == 2 * single["total_tokens"]


def test_what_decides_an_answer_identifies_the_model(taught: Path) -> None:
    lmm = ChatLlavaPlus(model=str(taught))
    changes: list[dict[str, Any]] = [
        {"temperature": 0.5},
        {"seed": 1},
        {"max_tokens": 9},
        {"stop": ["x"]},
        {"top_p": 0.5},
    ]
    keys = {str(lmm.model_copy(update=change)._identifying_params) for change in [{}, *changes, {"constrained": False}]}
    assert len(keys) == len(changes) + 2


def test_tracing_knows_provider_and_name(lmm: ChatLlavaPlus) -> None:
    params = lmm._get_ls_params()
    assert (params["ls_provider"], params["ls_model_name"]) == ("llavaplus", "taught")
    served = ChatLlavaPlus(model="one", base_url="http://127.0.0.1:9/v1")
    assert served._get_ls_params()["ls_model_name"] == "one"
    assert served._get_ls_params(model="two")["ls_model_name"] == "two"


def test_its_profile_says_what_it_takes(lmm: ChatLlavaPlus) -> None:
    profile = lmm.profile
    assert profile is not None
    assert profile["image_inputs"]
    assert not profile["image_url_inputs"]
    assert profile["max_output_tokens"] == 80


def test_tokens_are_counted_with_its_own_tokenizer(lmm: ChatLlavaPlus) -> None:
    assert lmm.get_num_tokens("read_text") == 1


def test_loading_early_finds_errors_early(tmp_path: Path, lmm: ChatLlavaPlus) -> None:
    assert lmm.load() is lmm
    with pytest.raises(CheckpointError, match="no model directory"):
        ChatLlavaPlus(model=str(tmp_path / "nowhere")).load()
