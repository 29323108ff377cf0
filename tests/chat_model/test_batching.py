"""Generations that share steps must come out as if each had been alone, whoever comes, goes or fails meanwhile."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from PIL import Image

from llavaplus_graph.chat_model.checkpoints import open_checkpoint
from llavaplus_graph.chat_model.engine import TransformersEngine
from llavaplus_graph.chat_model.generation import Piece, Sampling
from llavaplus_graph.chat_model.grammar import ToolSpec, turn_grammar

HELLO = "USER: Hello. ASSISTANT:"
LOOK = "USER: <image>\nWhat does the sign say? ASSISTANT:"
WHITE, BLACK = Image.new("RGB", (40, 20), "white"), Image.new("RGB", (20, 40), "black")
READ = ToolSpec("read_text", {"properties": {"image": {"type": "string"}, "n": {"type": "integer"}}})
GRAMMAR = turn_grammar([READ], choice="any")


@dataclass(frozen=True)
class Wish:
    """What is asked of an engine."""

    prompt: str = HELLO
    pictures: tuple[Image.Image, ...] = ()
    sampling: Sampling = field(default_factory=lambda: Sampling(max_tokens=40))
    grammar: str | None = None

    def of(self, engine: TransformersEngine, **options: Any) -> Iterator[Piece]:
        return engine.generate(self.prompt, self.pictures, self.sampling, self.grammar, **options)


def outcome(pieces: Iterator[Piece]) -> tuple[Any, ...]:
    """The text, why it ended and how long it was."""
    *texts, last = pieces
    text = "".join(piece.text for piece in [*texts, last])
    return text, last.finish_reason, last.input_tokens, last.output_tokens


WISHES = [
    Wish(),
    Wish(LOOK, (WHITE,)),
    Wish(LOOK, (BLACK,)),
    Wish(LOOK.replace("<image>", "<image><image>"), (WHITE, BLACK)),
    Wish("USER: " + "why, " * 60 + "why? ASSISTANT:"),
    Wish(sampling=Sampling(max_tokens=7)),
    Wish(sampling=Sampling(max_tokens=25, temperature=1.0, seed=1)),
    Wish(LOOK, (WHITE,), Sampling(max_tokens=25, temperature=0.7, top_p=0.8, seed=2)),
    Wish(sampling=Sampling(max_tokens=40, stop=("e", "z"))),
    Wish(grammar='start: "STOP" /[a-z]{3,9}/'),
    Wish(LOOK, (BLACK,), Sampling(max_tokens=60, temperature=1.0, seed=3), GRAMMAR),
    Wish(sampling=Sampling(max_tokens=60), grammar=GRAMMAR),
]


@pytest.fixture(scope="module", params=["taught", "ignorant"])
def engine(request: pytest.FixtureRequest) -> TransformersEngine:
    opened = open_checkpoint(str(request.getfixturevalue(request.param)))
    return TransformersEngine(opened.model, opened.processor)


@pytest.fixture
def ignorant_engine(ignorant: Path) -> TransformersEngine:
    opened = open_checkpoint(str(ignorant))
    return TransformersEngine(opened.model, opened.processor)


@contextmanager
def watched(engine: TransformersEngine) -> Iterator[list[tuple[int, int]]]:
    """Rows and columns of every forward pass."""
    passes: list[tuple[int, int]] = []

    def note(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        passes.append(tuple(kwargs["inputs_embeds"].shape[:2]))

    handle = engine.model.register_forward_pre_hook(note, with_kwargs=True)
    yield passes
    handle.remove()


def in_turns(streams: Sequence[Iterator[Piece]], rng: random.Random) -> list[tuple[Any, ...]]:
    """Take the pieces of several streams, now of one, now of another."""
    taken: list[list[Piece]] = [[] for _ in streams]
    left = list(range(len(streams)))
    while left:
        index = rng.choice(left)
        piece = next(streams[index], None)
        if piece is None:
            left.remove(index)
        else:
            taken[index].append(piece)
    return [outcome(iter(pieces)) for pieces in taken]


@pytest.mark.parametrize("prefix_bytes", [0, 10**6, 40_000])
def test_together_everyone_gets_what_they_get_alone(engine: TransformersEngine, prefix_bytes: int) -> None:
    alone = [outcome(wish.of(engine, prefix_bytes=0)) for wish in WISHES]
    for seed in range(3):
        streams = [wish.of(engine, prefix_bytes=prefix_bytes) for wish in WISHES]
        assert in_turns(streams, random.Random(seed)) == alone


@pytest.mark.parametrize("whole", [True, False])
def test_threads_get_what_they_get_alone(engine: TransformersEngine, whole: bool) -> None:
    alone = [outcome(wish.of(engine, prefix_bytes=0)) for wish in WISHES]
    door = Barrier(len(WISHES))

    def ask(wish: Wish) -> tuple[Any, ...]:
        door.wait()
        return outcome(wish.of(engine, whole=whole))

    with ThreadPoolExecutor(len(WISHES)) as pool:
        assert list(pool.map(ask, WISHES)) == alone


def test_those_who_wait_are_read_and_written_in_one_pass(ignorant_engine: TransformersEngine) -> None:
    wishes = [Wish(LOOK, (WHITE,)), Wish(LOOK.replace("sign", "big sign"), (BLACK,)), Wish(LOOK, (BLACK,))]
    streams = [wish.of(ignorant_engine, prefix_bytes=0) for wish in wishes]
    with watched(ignorant_engine) as passes:
        first = next(streams[0])
        alone = len(passes)
        assert {rows for rows, _ in passes} == {1}
        others = in_turns(streams[1:], random.Random(0))
    together = passes[alone:]
    assert together[0][0] == 1  # the second is read
    assert (3, 1) in together
    assert len(together) < 90
    assert [outcome(wish.of(ignorant_engine, prefix_bytes=0)) for wish in wishes[1:]] == others
    assert first.text + "".join(piece.text for piece in streams[0]) == outcome(wishes[0].of(ignorant_engine))[0]


def test_prompts_of_about_one_length_are_read_in_one_pass(ignorant_engine: TransformersEngine) -> None:
    prompts = [f"USER: {'why ' * count}ASSISTANT:" for count in (10, 11, 12, 60)]
    waiting = [Wish(prompt).of(ignorant_engine, prefix_bytes=0, whole=True) for prompt in prompts]
    door = Barrier(len(waiting) + 1)
    stream = Wish(sampling=Sampling(max_tokens=60)).of(ignorant_engine, prefix_bytes=0)

    def ask(pieces: Iterator[Piece]) -> str:
        door.wait()
        return str(outcome(pieces)[0])

    with watched(ignorant_engine) as passes, ThreadPoolExecutor(len(waiting)) as pool:
        next(stream)
        results = [pool.submit(ask, pieces) for pieces in waiting]
        door.wait()
        assert len([result.result() for result in results]) == 4
    assert max(rows for rows, _ in passes) > 1
    assert all(columns < 200 for rows, columns in passes if rows == 4)


def test_a_stream_nobody_looks_at_holds_nobody_up(ignorant_engine: TransformersEngine) -> None:
    waiting = Wish(LOOK, (WHITE,)).of(ignorant_engine)
    first = next(waiting)
    others = [outcome(wish.of(ignorant_engine)) for wish in WISHES]
    assert others == [outcome(wish.of(ignorant_engine)) for wish in WISHES]
    assert first.text + "".join(piece.text for piece in waiting) == outcome(Wish(LOOK, (WHITE,)).of(ignorant_engine))[0]


def test_a_stream_that_is_closed_takes_part_no_longer(ignorant_engine: TransformersEngine) -> None:
    given_up, kept = Wish(LOOK, (WHITE,)).of(ignorant_engine), Wish().of(ignorant_engine)
    next(given_up)
    next(kept)
    with watched(ignorant_engine) as passes:
        given_up.close()  # type: ignore[attr-defined]  # a generator
        rest = list(kept)
    assert rest
    assert {rows for rows, _ in passes} == {1}


def test_a_stream_that_was_never_begun_costs_nothing(ignorant_engine: TransformersEngine) -> None:
    never = Wish(LOOK, (WHITE,)).of(ignorant_engine)
    with watched(ignorant_engine) as passes:
        outcome(Wish().of(ignorant_engine))
        del never
    assert {rows for rows, _ in passes} == {1}


def test_more_than_there_is_room_for_come_one_after_another(ignorant_engine: TransformersEngine) -> None:
    short = Sampling(max_tokens=5)
    wishes = [Wish(f"USER: {'a' * count} ASSISTANT:", sampling=short) for count in range(40)]
    alone = [outcome(wish.of(ignorant_engine)) for wish in wishes]
    with watched(ignorant_engine) as passes:
        streams = [wish.of(ignorant_engine) for wish in wishes]
        assert in_turns(streams, random.Random(1)) == alone
    assert max(rows for rows, _ in passes) <= 16


# --- failures -----------------------------------------------------------------------------------------------------


@contextmanager
def failing(engine: TransformersEngine, when: Callable[[int, int], bool]) -> Iterator[None]:
    """Makes the model run out of memory in passes of certain rows and columns."""

    def fail(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        if when(*kwargs["inputs_embeds"].shape[:2]):
            raise RuntimeError("out of memory")

    handle = engine.model.register_forward_pre_hook(fail, with_kwargs=True)
    yield
    handle.remove()


def test_a_prompt_that_fails_fails_alone(ignorant_engine: TransformersEngine) -> None:
    expected = outcome(Wish().of(ignorant_engine))
    kept, big = Wish().of(ignorant_engine), Wish("USER: " + "why " * 90 + "ASSISTANT:").of(ignorant_engine)
    first = next(kept)
    with failing(ignorant_engine, lambda rows, columns: columns > 50), pytest.raises(RuntimeError, match="memory"):
        next(big)
    assert first.text + "".join(piece.text for piece in kept) == expected[0]
    assert outcome(Wish("USER: " + "why " * 90 + "ASSISTANT:").of(ignorant_engine))[3] > 0


def test_a_step_that_fails_is_told_to_everyone_in_it_and_the_next_one_works(
    ignorant_engine: TransformersEngine,
) -> None:
    expected = outcome(Wish().of(ignorant_engine))
    streams = [Wish().of(ignorant_engine), Wish(LOOK, (WHITE,)).of(ignorant_engine)]
    for stream in streams:
        next(stream)
    with failing(ignorant_engine, lambda rows, columns: True):
        for stream in streams:
            with pytest.raises(RuntimeError, match="memory"):
                list(stream)
    assert outcome(Wish().of(ignorant_engine)) == expected


def test_threads_that_wait_hear_of_a_failure(ignorant_engine: TransformersEngine) -> None:
    def ask(wish: Wish) -> str:
        try:
            return str(outcome(wish.of(ignorant_engine, whole=True))[1])
        except RuntimeError as error:
            return str(error)

    with failing(ignorant_engine, lambda rows, columns: True), ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, WISHES[:6])) == {"out of memory"}
    assert ask(Wish()) in ("stop", "length")
