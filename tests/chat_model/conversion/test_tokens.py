import json
import sys
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from llavaplus_graph.chat_model.conversion.tokens import build_tokenizer, picture_mark
from llavaplus_graph.errors import CheckpointError, MissingExtraError

PLAIN = {"mm_use_im_patch_token": False}
TEXTS = [
    "sign: ",
    "\nWhat?",
    " two",
    "  three  ",
    "12 345",
    "caf\u00e9 \u65e5 \U0001f914",
    "",
    " ",
    "\u2581x",
    "a\tb\r\n",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_has_the_pieces_that_sentencepiece_gives(make: Any, text: str) -> None:
    original = make()
    tokenizer = build_tokenizer(original.path, PLAIN)
    assert tokenizer(text)["input_ids"] == [1, *original.pieces.encode(text)]
    assert tokenizer.decode(original.pieces.encode(text)) == original.pieces.decode(original.pieces.encode(text))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, sentencepiece_model: bytes) -> tuple[Any, Any]:
    """A converted tokenizer and what it was made of."""
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.model").write_bytes(sentencepiece_model)
    return build_tokenizer(folder, PLAIN), sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model)


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<"), max_size=30))
def test_any_text_has(text: str, both: tuple[Any, Any]) -> None:
    converted, pieces = both
    assert converted(text, add_special_tokens=False)["input_ids"] == pieces.encode(text)


def test_a_picture_has_a_lone_mark_on_both_sides_as_in_the_original(make: Any) -> None:
    original = make()
    tokenizer = build_tokenizer(original.path, PLAIN)
    (mark,) = original.pieces.encode(" ")[:1]
    image = tokenizer.convert_tokens_to_ids("<image>")
    found = tokenizer("Human: <image>\nWhat?")["input_ids"]
    at = found.index(image)
    assert found == [1, *original.pieces.encode("Human: "), image, *original.pieces.encode("\nWhat?")]
    assert (found[at - 1], found[at + 1]) == (mark, mark)


def test_tokens_that_training_added_swallow_the_space_beside_them(make: Any) -> None:
    original = make(added=("[PAD]", "<im_start>", "<im_end>"))
    tokenizer = build_tokenizer(original.path, {**PLAIN, "mm_use_im_start_end": True})
    start, end = original.added["<im_start>"], original.added["<im_end>"]
    image = tokenizer.convert_tokens_to_ids("<image>")
    found = tokenizer("Human: <im_start><image><im_end>\nWhat?")["input_ids"]
    assert found == [1, *original.pieces.encode("Human:"), start, image, end, *original.pieces.encode("What?")]


def test_the_end_of_a_turn_cuts_the_text_and_keeps_its_space(make: Any) -> None:
    original = make()
    found = build_tokenizer(original.path, PLAIN)("red. </s>USER: the")["input_ids"]
    assert found == [1, *original.pieces.encode("red. "), 2, *original.pieces.encode("USER: the")]


@pytest.mark.parametrize(
    ("added", "config", "image", "vocabulary"),
    [
        (("[PAD]",), PLAIN, 421, 422),
        ((), PLAIN, 420, 421),
        (("[PAD]",), {}, 422, 423),  # the original loader adds <im_patch> unless it is told not to
        (("[PAD]",), {"mm_use_im_start_end": True}, 424, 425),
        (("[PAD]", "<im_patch>", "<im_start>", "<im_end>"), {"mm_use_im_start_end": True}, 424, 425),
        (("[PAD]", "<image>", "<im_start>"), PLAIN, 421, 423),
    ],
)
def test_the_picture_token_comes_after_those_of_the_original_loader(
    make: Any, added: tuple[str, ...], config: dict[str, Any], image: int, vocabulary: int
) -> None:
    tokenizer = build_tokenizer(make(added=added).path, config)
    assert tokenizer.convert_tokens_to_ids("<image>") == image
    assert len(tokenizer) == vocabulary
    assert tokenizer.pad_token == ("[PAD]" if "[PAD]" in added else "<unk>")
    assert (tokenizer.padding_side, tokenizer.model_max_length) == ("left", 2048)


def test_added_tokens_may_stand_in_the_settings_as_newer_directories_have_them(make: Any) -> None:
    path = make(added=()).path
    (path / "added_tokens.json").unlink()
    listed = {"2": {"content": "</s>"}, "420": {"content": "[PAD]", "special": True}}
    (path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": listed}))
    assert build_tokenizer(path, PLAIN).convert_tokens_to_ids("[PAD]") == 420


def test_added_tokens_of_another_checkpoint_are_refused(make: Any) -> None:
    path = make().path
    (path / "added_tokens.json").write_text('{"[PAD]": 32000}')
    with pytest.raises(CheckpointError, match=r"'\[PAD\]' the id 32000, where 420 comes next"):
        build_tokenizer(path, PLAIN)


def test_without_sentencepiece_the_extra_is_named(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make().path
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(MissingExtraError, match=r"converting tokenizer.model needs .*llavaplus-graph\[convert\]"):
        build_tokenizer(path, PLAIN)


def test_a_tokenizer_json_needs_no_extra_and_gives_the_same(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make().path
    before = build_tokenizer(path, PLAIN)
    before.save_pretrained(path)
    (path / "tokenizer.model").unlink()
    (path / "added_tokens.json").unlink()
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    text = "Human: <image>\nWhat? 12"
    assert build_tokenizer(path, PLAIN)(text)["input_ids"] == before(text)["input_ids"]


@pytest.mark.parametrize("file", ["added_tokens.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ['{"added_tokens_decoder": {"x": 3}}', '{"added_tokens_decoder": 3}', "[]", "{"])
def test_a_damaged_list_of_tokens_is_refused(make: Any, file: str, content: str) -> None:
    path = make().path
    (path / file).write_text(content)
    with pytest.raises(CheckpointError, match=r"[Aa] list of added tokens|cannot be read as JSON|not a JSON object"):
        build_tokenizer(path, PLAIN)


@pytest.mark.parametrize(("file", "content"), [("tokenizer.model", b"\x00junk"), ("tokenizer.json", b"{"), (None, b"")])
def test_a_directory_without_a_readable_tokenizer_is_refused(tmp_path: Path, file: str | None, content: bytes) -> None:
    if file:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"cannot be read as a tokenizer|has neither tokenizer.model"):
        build_tokenizer(tmp_path, PLAIN)


def test_old_checkpoints_want_marks_around_a_picture() -> None:
    assert picture_mark({"mm_use_im_start_end": True}) == "<im_start><image><im_end>"
    assert picture_mark({}) == "<image>"
