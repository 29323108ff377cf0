import json
from pathlib import Path

import pytest

from llavaplus_graph.chat_model.checkpoints import bundled
from llavaplus_graph.chat_model.counting import context_length, picture_length, text_length


def test_the_files_of_a_checkpoint_say_what_fits() -> None:
    assert (context_length(bundled()), picture_length(bundled())) == (2048, 64)
    assert text_length(bundled(), "read_text") == 1


def test_where_nothing_is_known_the_released_lmm_is_assumed(tmp_path: Path) -> None:
    assert (context_length(tmp_path), picture_length(tmp_path)) == (None, 576)
    assert [text_length(tmp_path, text) for text in ("", "abcd", "abcde")] == [0, 1, 2]


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"vision_config": {}}'])
def test_a_config_without_sizes_is_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert (context_length(tmp_path), picture_length(tmp_path)) == (None, 576)


@pytest.mark.parametrize(("strategy", "tokens"), [("default", 4), ("full", 5)])
def test_a_picture_takes_a_token_a_patch(tmp_path: Path, strategy: str, tokens: int) -> None:
    config = {"vision_config": {"image_size": 28, "patch_size": 14}, "vision_feature_select_strategy": strategy}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert picture_length(tmp_path) == tokens
