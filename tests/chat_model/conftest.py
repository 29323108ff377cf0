"""LMMs of some ten thousand weights: one that knows nothing, others that learnt a few turns by heart."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration, LlavaProcessor, PreTrainedTokenizerFast

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.data.recipe import Shape
from llavaplus_graph.images import ImageStore
from llavaplus_graph.protocol import Action, Turn, holding_message, render_observation, render_turn, thanks
from llavaplus_graph.train.build import build_model, build_processor, export
from llavaplus_graph.train.vocabulary import train_tokenizer

SHAPE = Shape(
    vocabulary=300,
    width=32,
    layers=2,
    heads=2,
    feed_forward=64,
    picture=32,
    patch=16,
    vision_width=32,
    vision_layers=1,
    vision_heads=2,
    vision_feed_forward=64,
)
DIALECT = Dialect(template="v1", system="", names="skills", skills=("read_text",))

Lesson = tuple[list[tuple[Any, str]], Turn]
"""What was said, pictures as `<image>`, and what to say next."""

SIGN = "What does the sign say?"
READ_TEXT = Turn("I need read_text.", (Action("read_text", {"image": "latest"}),), holding_message(["read_text"]))
OBSERVED = render_observation([("read_text", {"texts": ["STOP"]})], SIGN)
BOTH = (Action("read_text", {}), Action("tag_image", {"tags": [], "size": 3}))
LESSONS: list[Lesson] = [
    ([("human", "Hello.")], Turn("No skill is needed.", (), "Hello, what is in your picture?")),
    ([("human", "Both.")], Turn("I need both.", BOTH, "Wait.")),
    ([("human", "Silently.")], Turn("", BOTH[:1], "Wait.")),
    ([("human", f"<image>\n{SIGN}")], READ_TEXT),
    (
        [("human", f"<image>\n{SIGN}"), ("gpt", render_turn(READ_TEXT)), ("human", OBSERVED)],
        Turn(thanks(["read_text"]), (), 'It says "STOP".'),
    ),
]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """So small an LMM is slower on several threads, much slower where other work keeps them waiting."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    texts = [DIALECT.conversation.render(turns) + " " + render_turn(turn) for turns, turn in LESSONS]
    return train_tokenizer(texts * 4, ["read_text"], SHAPE.vocabulary)


@pytest.fixture(scope="session")
def ignorant(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Path:
    """A checkpoint with random weights."""
    directory = tmp_path_factory.mktemp("lmm") / "ignorant"
    export(build_model(SHAPE, tokenizer, seed=1), build_processor(SHAPE, tokenizer), directory)
    DIALECT.save(directory)
    return directory


@pytest.fixture(scope="session")
def school(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast
) -> Callable[[Sequence[Lesson]], Path]:
    """Makes checkpoints that know lessons by heart."""

    def make(lessons: Sequence[Lesson]) -> Path:
        model, processor = build_model(SHAPE, tokenizer, seed=1), build_processor(SHAPE, tokenizer)
        _learn(model, processor, lessons)
        directory = tmp_path_factory.mktemp("lmm") / "taught"
        export(model, processor, directory)
        DIALECT.save(directory)
        return directory

    return make


@pytest.fixture(scope="session")
def taught(school: Callable[[Sequence[Lesson]], Path]) -> Path:
    """A checkpoint that knows the lessons above."""
    return school(LESSONS)


def _learn(model: LlavaForConditionalGeneration, processor: LlavaProcessor, lessons: Sequence[Lesson]) -> None:
    prompts = [DIALECT.conversation.render(turns) for turns, _ in lessons]
    answers = [f" {render_turn(turn).strip()}</s>" for _, turn in lessons]
    pictures = [Image.new("RGB", (32, 32), "white")] * sum(prompt.count("<image>") for prompt in prompts)
    texts = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    batch = processor(text=texts, images=pictures or None, padding=True, return_tensors="pt")
    labels = torch.full_like(batch["input_ids"], -100)
    for row, answer in enumerate(answers):  # padding stands on the left
        length = len(processor.tokenizer(answer, add_special_tokens=False)["input_ids"])
        labels[row, -length:] = batch["input_ids"][row, -length:]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(400):
        optimizer.zero_grad()
        loss = model(**batch, labels=labels).loss
        loss.backward()
        optimizer.step()
        if loss < 0.02:
            return
    raise AssertionError(f"the lessons were not learnt; the loss is still {float(loss):.2f}")


@pytest.fixture
def store() -> ImageStore:
    return ImageStore("memory://chat-model")


@pytest.fixture
def lmm(taught: Path, store: ImageStore) -> ChatLlavaPlus:
    return ChatLlavaPlus(model=str(taught), max_tokens=80, store=store)


@pytest.fixture
def clueless(ignorant: Path, store: ImageStore) -> ChatLlavaPlus:
    return ChatLlavaPlus(model=str(ignorant), max_tokens=120, store=store)


@pytest.fixture
def checkpoint(ignorant: Path, tmp_path: Path) -> Path:
    """A copy of the random checkpoint, to be damaged."""
    return shutil.copytree(ignorant, tmp_path / "checkpoint")
