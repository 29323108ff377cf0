from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import LlavaProcessor

from llavaplus_graph.data.recipe import Shape
from llavaplus_graph.train.build import build_processor
from llavaplus_graph.train.pixels import Pixels
from llavaplus_graph.train.vocabulary import train_tokenizer


@pytest.fixture(scope="module")
def processor(shape: Shape) -> LlavaProcessor:
    return build_processor(shape, train_tokenizer(["what does it say"] * 8, [], 300))


def test_pictures_are_what_the_processor_makes_of_them(processor: LlavaProcessor, tmp_path: Path) -> None:
    picture = Image.effect_noise((50, 40), 70).convert("RGB")
    picture.save(tmp_path / "a.png")
    pixels = Pixels(tmp_path, processor)
    first, again = pixels["a.png"], pixels["a.png"]
    expected = processor.image_processor(picture, return_tensors="pt")["pixel_values"][0]
    assert torch.allclose(first, expected, atol=0.02)  # kept as bytes
    assert torch.equal(first, again)
    assert (list(pixels), len(pixels)) == (["a.png"], 1)


def test_no_more_pictures_are_kept_than_there_is_room_for(processor: LlavaProcessor, tmp_path: Path) -> None:
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (32, 32), colour).save(tmp_path / name)
    pixels = Pixels(tmp_path, processor, most_bytes=4_000)  # one takes 3,072
    assert not torch.equal(pixels["a.png"], pixels["b.png"])
    assert list(pixels) == ["a.png"]
    assert pixels["b.png"].shape == (3, 32, 32)
