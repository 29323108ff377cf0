import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image

from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.chat_model.engine import TransformersEngine
from llavaplus_graph.chat_model.generation import Piece, Sampling
from llavaplus_graph.errors import ProtocolError

HELLO = "USER: Hello. ASSISTANT:"
LOOK = "USER: <image>\nWhat does the sign say? ASSISTANT:"
WHITE, BLACK = Image.new("RGB", (40, 20), "white"), Image.new("RGB", (20, 40), "black")


@pytest.fixture(scope="module")
def engine(taught: Path) -> TransformersEngine:
    opened = open_checkpoint(str(taught))
    return TransformersEngine(opened.model, opened.processor)


@pytest.fixture(scope="module")
def random_engine(ignorant: Path) -> TransformersEngine:
    opened = open_checkpoint(str(ignorant))
    return TransformersEngine(opened.model, opened.processor)


def joined(pieces: Iterator[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def forced(engine: TransformersEngine, text: str, **sampling: object) -> list[Piece]:
    """What comes out when the grammar leaves no choice but how the text is cut into tokens."""
    escaped = text.replace("\n", "\\n")
    return list(engine.generate(HELLO, [], Sampling(**sampling), f'start: "{escaped}"'))  # type: ignore[arg-type]


def test_it_says_what_it_has_learnt_in_several_pieces(engine: TransformersEngine) -> None:
    pieces = list(engine.generate(HELLO, [], Sampling()))
    assert "".join(piece.text for piece in pieces).endswith('"value👉" Hello, what is in your picture?')
    assert len(pieces) > 5
    assert [piece.finish_reason for piece in pieces[:-1]] == [None] * (len(pieces) - 1)


def test_the_last_piece_says_why_it_ended_and_how_long_both_sides_were(engine: TransformersEngine) -> None:
    *_, last = engine.generate(HELLO, [], Sampling())
    assert last.finish_reason == "stop"
    assert last.input_tokens == engine.count_tokens(HELLO)
    assert last.output_tokens > 5


def test_too_few_tokens_end_it_with_length(engine: TransformersEngine) -> None:
    *_, last = engine.generate(HELLO, [], Sampling(max_tokens=3))
    assert (last.finish_reason, last.output_tokens) == ("length", 3)


def test_every_picture_takes_its_positions_in_the_prompt(engine: TransformersEngine) -> None:
    *_, one = engine.generate(LOOK, [WHITE], Sampling(max_tokens=1))
    *_, two = engine.generate(LOOK.replace("<image>", "<image><image>"), [WHITE, BLACK], Sampling(max_tokens=1))
    assert one.input_tokens == engine.count_tokens(LOOK) - 1 + 4
    assert two.input_tokens == one.input_tokens + 4


@pytest.mark.parametrize(("images", "pictures"), [(0, 1), (1, 0), (1, 2), (2, 1)])
def test_a_picture_without_its_place_or_a_place_without_its_picture_raises(
    engine: TransformersEngine, images: int, pictures: int
) -> None:
    prompt = "USER: " + "<image>\n" * images + "What is it? ASSISTANT:"
    with pytest.raises(ProtocolError, match=f"{images} .*{pictures}"):
        list(engine.generate(prompt, [WHITE] * pictures, Sampling()))


def test_the_picture_reaches_the_model(random_engine: TransformersEngine) -> None:
    def said(picture: Image.Image) -> set[str]:
        warm = [Sampling(max_tokens=12, temperature=1.0, seed=seed) for seed in range(4)]
        return {joined(random_engine.generate(LOOK, [picture], sampling)) for sampling in warm}

    assert said(WHITE) != said(BLACK)
    assert said(WHITE) == said(WHITE)


def test_a_conversation_longer_than_the_context_says_so(engine: TransformersEngine) -> None:
    with pytest.raises(ProtocolError, match=r"takes \d+ tokens, more than the LMM's 2048"):
        list(engine.generate("USER: " + "why " * 3_000 + "ASSISTANT:", [], Sampling()))


def test_greedy_decoding_repeats_itself_and_sampling_does_not(random_engine: TransformersEngine) -> None:
    def say(**sampling: float) -> str:
        return joined(random_engine.generate(HELLO, [], Sampling(max_tokens=12, **sampling)))  # type: ignore[arg-type]

    assert say() == say()
    assert len({say(temperature=1.0) for _ in range(3)}) > 1


def test_a_seed_makes_sampling_repeatable_whatever_is_drawn_elsewhere(random_engine: TransformersEngine) -> None:
    def say(seed: int) -> str:
        torch.rand(3)
        return joined(random_engine.generate(HELLO, [], Sampling(max_tokens=12, temperature=1.0, seed=seed)))

    assert say(7) == say(7)
    assert len({say(1), say(2), say(3)}) > 1


def test_a_small_share_of_the_probability_mass_is_the_greedy_choice(random_engine: TransformersEngine) -> None:
    greedy = joined(random_engine.generate(HELLO, [], Sampling(max_tokens=12)))
    nucleus = Sampling(max_tokens=12, temperature=1.0, top_p=1e-6, seed=1)
    assert joined(random_engine.generate(HELLO, [], nucleus)) == greedy


@pytest.mark.parametrize("text", ["STOP", "a 😀 b", "日本語 é", '"value👉" x', "one\ntwo  three", " lead and trail "])
def test_a_grammar_is_followed_and_no_broken_character_is_given_out(
    random_engine: TransformersEngine, text: str
) -> None:
    pieces = forced(random_engine, text.replace('"', '\\"'))
    assert "".join(piece.text for piece in pieces) == text
    assert not any("\ufffd" in piece.text for piece in pieces)
    assert pieces[-1].finish_reason == "stop"


@pytest.mark.parametrize(
    ("text", "stop", "said"),
    [
        ("one ### two", ["###"], "one "),
        ("one ## two", ["###"], "one ## two"),
        ("one ##", ["###"], "one ##"),
        ("one two three", ["three", "two"], "one "),
        ("###", ["###"], ""),
        ("a caf\u00e9 here", ["f\u00e9"], "a ca"),
        ("a 😀 b", ["😀"], "a "),
        ("aab", ["ab"], "a"),
        ("one two", ["", "xyz"], "one two"),
        ("one\n\ntwo", ["\n\n"], "one"),
    ],
)
def test_a_stop_ends_the_text_before_it_and_no_part_of_it_is_given_out(
    random_engine: TransformersEngine, text: str, stop: list[str], said: str
) -> None:
    pieces = forced(random_engine, text, stop=tuple(stop))
    assert "".join(piece.text for piece in pieces) == said
    assert pieces[-1].finish_reason == "stop"


def test_nothing_is_held_while_the_caller_looks_at_a_piece(engine: TransformersEngine) -> None:
    waiting = engine.generate(HELLO, [], Sampling())
    first = next(waiting)
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()
    other = joined(engine.generate(LOOK, [WHITE], Sampling()))
    assert "read_text" in other
    assert first.text + joined(waiting) == joined(engine.generate(HELLO, [], Sampling()))


def test_every_piece_may_be_taken_in_another_thread(engine: TransformersEngine) -> None:
    expected = joined(engine.generate(HELLO, [], Sampling()))
    stream, text = engine.generate(HELLO, [], Sampling()), ""

    def take() -> None:
        nonlocal text
        text += next(stream).text

    while text != expected:
        worker = threading.Thread(target=take)
        worker.start()
        worker.join()
    assert not torch.is_inference_mode_enabled()


def test_several_threads_get_what_each_asked_for(engine: TransformersEngine) -> None:
    alone = [joined(engine.generate(HELLO, [], Sampling())), joined(engine.generate(LOOK, [WHITE], Sampling()))]
    with ThreadPoolExecutor(4) as pool:
        asked: list[tuple[str, list[Image.Image]]] = [(HELLO, []), (LOOK, [WHITE])] * 4
        answers = list(pool.map(lambda ask: joined(engine.generate(ask[0], ask[1], Sampling())), asked))
    assert answers == alone * 4


def test_tokens_are_counted_without_anything_being_added(engine: TransformersEngine) -> None:
    assert engine.count_tokens("") == 0
    assert engine.count_tokens("</s>") == 1
