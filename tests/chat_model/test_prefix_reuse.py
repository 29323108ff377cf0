"""What is computed once is not computed again, and nobody can tell from the tokens."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.chat_model.engine import TransformersEngine
from llavaplus_graph.chat_model.generation import Piece, Sampling

WHITE, BLACK = Image.new("RGB", (40, 20), "white"), Image.new("RGB", (20, 40), "black")
SIGN = "USER: <image>\nWhat does the sign say? ASSISTANT:"
PLANNED = f'{SIGN} "thoughts🤔" I need read_text.\n"actions🚀" []\n"value👉" Wait.</s>'
CONVERSATIONS: list[tuple[str, list[Image.Image]]] = [
    (SIGN, [WHITE]),
    (f"{PLANNED} USER: It says STOP. ASSISTANT:", [WHITE]),
    (f"{PLANNED} USER: It says OPEN. ASSISTANT:", [WHITE]),
    (f"{PLANNED} USER: <image>\nAnd this? ASSISTANT:", [WHITE, BLACK]),
    (f"{PLANNED} USER: <image>\nAnd this? ASSISTANT:", [WHITE, WHITE]),
    (f"{PLANNED} USER: <image>\nAnd this? ASSISTANT:", [BLACK, WHITE]),
    ("USER: <image>\n<image>\nWhich? ASSISTANT:", [WHITE, BLACK]),
    ("USER: <image>\n<image>\nWhich? ASSISTANT:", [BLACK, WHITE]),
    ("USER: Hello. ASSISTANT:", []),
    ("USER: Hello. ASSISTANT: Hi.</s> USER: Hello. ASSISTANT:", []),
]
SAMPLINGS = [Sampling(max_tokens=20), Sampling(max_tokens=20, temperature=1.0, seed=3)]


def opened(directory: Path | None) -> TransformersEngine:
    checkpoint = open_checkpoint(None if directory is None else str(directory))
    return TransformersEngine(checkpoint.model, checkpoint.processor)


@pytest.fixture
def engine(ignorant: Path) -> TransformersEngine:
    return opened(ignorant)


def said(pieces: Iterator[Piece]) -> tuple[str, Piece]:
    *texts, last = pieces
    return "".join(piece.text for piece in texts), last


def reused(engine: TransformersEngine, prompt: str, pictures: list[Image.Image], **options: Any) -> int:
    _, last = said(engine.generate(prompt, pictures, Sampling(max_tokens=4), **options))
    assert last.reused_tokens is not None
    return last.reused_tokens


@contextmanager
def looks(engine: TransformersEngine) -> Iterator[list[int]]:
    """How many pictures were looked at, every time."""
    counts: list[int] = []
    handle = engine.model.model.vision_tower.register_forward_pre_hook(lambda _, args: counts.append(len(args[0])))
    yield counts
    handle.remove()


@pytest.mark.parametrize("checkpoint", ["taught", "ignorant", "bundled"])
def test_the_same_tokens_come_out_with_and_without(checkpoint: str, request: pytest.FixtureRequest) -> None:
    engine = opened(None if checkpoint == "bundled" else request.getfixturevalue(checkpoint))
    saved = 0
    for prompt, pictures in CONVERSATIONS:
        for sampling in SAMPLINGS:
            without, plain = said(engine.generate(prompt, pictures, sampling, prefix_bytes=0))
            text, last = said(engine.generate(prompt, pictures, sampling))
            assert (text, last.output_tokens) == (without, plain.output_tokens)
            assert plain.reused_tokens == 0
            saved += last.reused_tokens or 0
    assert saved > 300


def test_all_but_the_last_token_of_what_begins_alike_is_reused(engine: TransformersEngine) -> None:
    tokenizer = engine.processor.tokenizer
    one, other = "USER: Hello, what is in your picture? ASSISTANT:", "USER: Hello, what is in the sign? ASSISTANT:"
    assert reused(engine, one, []) == 0
    assert reused(engine, one, []) == len(tokenizer(one)["input_ids"]) - 1
    pairs = zip(*(tokenizer(text)["input_ids"] for text in (one, other)), strict=False)
    assert reused(engine, other, []) == len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def test_what_was_written_is_reused_as_well_as_what_was_read(engine: TransformersEngine) -> None:
    prompt, grammar = "USER: Hello. ASSISTANT:", 'start: "Hello, what is it?" /[ab]/'
    text, last = said(engine.generate(prompt, [], Sampling(), grammar))
    assert reused(engine, f"{prompt}{text} And more.", []) == last.input_tokens + last.output_tokens - 1


def test_a_picture_is_the_same_only_if_its_pixels_are(engine: TransformersEngine) -> None:
    before = len(engine.processor.tokenizer("USER: ")["input_ids"])
    assert reused(engine, SIGN, [WHITE]) == 0
    assert reused(engine, SIGN, [WHITE.copy()]) > before + 4
    assert reused(engine, SIGN, [BLACK]) <= before
    assert reused(engine, SIGN, [WHITE.rotate(90, expand=True)]) <= before


def test_a_picture_is_looked_at_once(engine: TransformersEngine) -> None:
    other = "USER: Look. <image>\nIs it white? ASSISTANT:"
    with looks(engine) as counts:
        reused(engine, SIGN, [WHITE])
        reused(engine, SIGN, [WHITE])
        reused(engine, other, [WHITE])
        assert counts == [1]
        reused(engine, "USER: <image><image><image>Which? ASSISTANT:", [BLACK, WHITE, BLACK])
        assert counts == [1, 1]
        reused(engine, SIGN, [WHITE], prefix_bytes=0)
        assert counts == [1, 1, 1]


def test_nothing_is_kept_of_what_must_not_be_kept(engine: TransformersEngine) -> None:
    assert reused(engine, SIGN, [WHITE], prefix_bytes=0) == 0
    assert reused(engine, SIGN, [WHITE]) == 0
    assert reused(engine, SIGN, [WHITE], prefix_bytes=0) == 0
    assert reused(engine, SIGN, [WHITE]) > 0


def test_the_bytes_are_a_limit(engine: TransformersEngine) -> None:
    position = 2 * 2 * 32 * 4  # keys and values of two layers of 32 numbers
    assert reused(engine, "USER: Hello, what is in your picture? ASSISTANT:", [], prefix_bytes=5 * position) == 0
    assert reused(engine, "USER: Hello, what is in your picture? ASSISTANT:", []) == 5
    assert reused(engine, "USER: Hello, what is in your picture? ASSISTANT:", []) > 5


def test_a_stream_that_is_given_up_leaves_what_it_has_read(engine: TransformersEngine) -> None:
    stream = engine.generate(SIGN, [WHITE], Sampling())
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert reused(engine, SIGN, [WHITE]) > 10


def test_many_threads_may_reuse_the_same_beginning(engine: TransformersEngine) -> None:
    asked = [(*conversation, sampling) for conversation in CONVERSATIONS for sampling in SAMPLINGS] * 2
    expected = [said(engine.generate(*one, prefix_bytes=0))[0] for one in asked]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: said(engine.generate(*one, whole=True, prefix_bytes=200_000))[0], asked))
    assert answers == expected
