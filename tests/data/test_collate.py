from dataclasses import replace

import pytest
import torch
from PIL import Image
from transformers import LlavaProcessor, PreTrainedTokenizerFast

from llavaplus_graph.data.collate import IGNORED, Collator, Sample, tokenize
from llavaplus_graph.data.recipe import Shape
from llavaplus_graph.data.record import Record, gpt, human
from llavaplus_graph.protocol import IMAGE, V0, V1, Action, Template
from llavaplus_graph.train.build import build_processor, image_tokens
from llavaplus_graph.train.vocabulary import train_tokenizer

SHAPE = Shape(picture=32, patch=16)
BARE = replace(V1, system="")
ERASE = Record(
    "mini-1",
    ("a.jpg", "b.jpg"),
    (
        human(f"{IMAGE}\n{IMAGE}\nErase the  cup, please."),
        gpt("I need segment_objects.", [Action("segment_objects", {"query": "cup"})], "Please wait."),
        human("segment_objects model outputs: {'boxes': [[0.1, 0.25, 0.5, 1.0]]}\n\nErase the  cup, please."),
        gpt("Thanks.", [], 'Done: "½ Café".'),
        human("thx"),
        gpt("No skill is needed.", [], "You are welcome."),
    ),
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer([BARE.render(ERASE.turns())] * 8, ["segment_objects"], 400)


@pytest.fixture(scope="module")
def processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    return build_processor(SHAPE, tokenizer)


def test_only_the_assistants_words_with_their_stop_are_trained(tokenizer: PreTrainedTokenizerFast) -> None:
    turns = (human(f"{IMAGE}\nhi"), gpt("No.", [], "A b."), human("thx"), gpt("No.", [], "OK"))
    sample = tokenize(Record("mini-2", ("a.jpg",), turns), tokenizer, BARE, 4)
    thought = [' "thoughts🤔" ', "No", ".", '\n"actions🚀" ', "[]", '\n"value👉" ']
    expected = [
        *((token, False) for token in ["USER: ", *[IMAGE] * 4, "\n", "h", "i", " ASSISTANT:"]),
        *((token, True) for token in [*thought, "A", " ", "b", ".", "</s>"]),
        *((token, False) for token in ["USER: ", "thx", " ASSISTANT:"]),
        *((token, True) for token in [*thought, "O", "K", "</s>"]),
    ]
    assert list(zip(map(tokenizer.decode, sample.ids), sample.trained, strict=True)) == expected
    assert sample.images == ("a.jpg",)


@pytest.mark.parametrize("template", [BARE, V1, V0], ids=["mini", "v1", "v0"])
def test_what_is_trained_is_what_is_sent(
    template: Template, tokenizer: PreTrainedTokenizerFast, processor: LlavaProcessor
) -> None:
    turns = ERASE.turns()
    pictures = [Image.new("RGB", (20, 30)), Image.new("RGB", (30, 20))]
    sample = tokenize(ERASE, tokenizer, template, image_tokens(SHAPE))
    for asked in (1, 3, 5):
        prompt = template.render(turns[:asked])
        sent = processor(images=pictures, text=prompt, return_tensors="pt")["input_ids"][0].tolist()
        assert sample.ids[: len(sent)] == sent
        assert not sample.trained[len(sent) - 1]
        assert sample.trained[len(sent)]
    assert [tokenizer.decode(token) for token in sample.ids].count(IMAGE) == 2 * image_tokens(SHAPE)


@pytest.mark.parametrize("template", [BARE, V1, V0], ids=["mini", "v1", "v0"])
def test_the_trained_stretches_are_the_assistants_turns(template: Template, tokenizer: PreTrainedTokenizerFast) -> None:
    sample = tokenize(ERASE, tokenizer, template, 1)
    text = tokenizer.decode([token for token, trained in zip(sample.ids, sample.trained, strict=True) if trained])
    assert text == "".join(f" {said.strip()}{template.stop}" for who, said in ERASE.turns() if who == "gpt")


def test_a_batch_is_padded_on_the_right_and_padding_is_not_trained() -> None:
    samples = [Sample([5, 6, 7, 8], [False, False, True, True], ()), Sample([9, 10], [False, True], ())]
    batch = Collator({}, 3)(samples)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8], [9, 10, 3, 3]]
    assert batch["labels"].tolist() == [[IGNORED, IGNORED, 7, 8], [IGNORED, 10, IGNORED, IGNORED]]
    assert "pixel_values" not in batch


def test_pictures_are_stacked_in_the_order_of_their_tokens() -> None:
    pixels = {name: torch.full((3, 2, 2), float(value)) for value, name in enumerate("abc")}
    samples = [Sample([1], [True], ("c", "a")), Sample([1], [True], ()), Sample([1], [True], ("b",))]
    batch = Collator(pixels, 0)(samples)
    assert batch["pixel_values"].shape == (3, 3, 2, 2)
    assert batch["pixel_values"][:, 0, 0, 0].tolist() == [2, 0, 1]
