"""Throughput of several different conversations asked at once, against the same asked one by one.

The bundled LMM is asked through `ChatLlavaPlus.batch` with every skill bound; one with random weights, whose size can
be chosen, through its engine, from as many threads. Run from the repository's root:

    python -m tests.benchmarks.batching [--shape 7b --device cuda] [--rounds 3]
"""

import argparse
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from langchain_core.messages import BaseMessage

from llavaplus_graph import load_skills
from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.chat_model.generation import Sampling
from llavaplus_graph.data.heldout import held_out_questions
from llavaplus_graph.data.pictures import draw_picture
from llavaplus_graph.images import ImageStore
from tests.benchmarks.lmms import SHAPES, random_engine

_COUNTS = (1, 4, 16)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--shape", choices=list(SHAPES), default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(f"{'LMM':8} {'at once':>7} {'one by one':>12} {'together':>12} {'ratio':>6} {'the same':>9}")
    runs: list[tuple[str, Callable[[int, bool], list[str]]]] = [
        ("bundled", bundled_lmm()),
        (given.shape, random_lmm(given.shape, given.device)),
    ]
    for name, ask in runs:
        ask(max(_COUNTS), True)  # warms up
        for count in _COUNTS:
            times: dict[bool, float] = {}
            answers: dict[bool, list[str]] = {}
            for together in (False, True):
                began = time.perf_counter()
                for _ in range(given.rounds):
                    answers[together] = ask(count, together)
                times[together] = (time.perf_counter() - began) / given.rounds / count
            same = sum(one == other for one, other in zip(answers[False], answers[True], strict=True))
            each = f"{times[False] * 1e3:7.1f} ms/c {times[True] * 1e3:7.1f} ms/c"
            print(f"{name:8} {count:7} {each} {times[False] / times[True]:6.2f} {same:5} of {count}")


def bundled_lmm() -> Callable[[int, bool], list[str]]:
    """Give what asks the bundled LMM so many held-out questions; without any reuse, so that every round is the same."""
    store = ImageStore("memory://benchmark")
    rng = random.Random("batching")
    picture = draw_picture("photograph", rng).picture
    questions = rng.sample(held_out_questions("development"), max(_COUNTS))
    asked: list[list[BaseMessage]] = [
        [user_message(question.text, images=[picture] * question.pictures, store=store)] for question in questions
    ]
    lmm = ChatLlavaPlus(store=store, prefix_bytes=0).bind_tools(load_skills())

    def ask(count: int, together: bool) -> list[str]:
        messages = lmm.batch(asked[:count]) if together else [lmm.invoke(one) for one in asked[:count]]  # type: ignore[arg-type]
        calls = [[(call["name"], call["args"]) for call in message.tool_calls] for message in messages]
        return [f"{message.text} {planned}" for message, planned in zip(messages, calls, strict=True)]

    return ask


def random_lmm(shape: str, device: str) -> Callable[[int, bool], list[str]]:
    """Give what lets random weights write 48 tokens behind prompts of different lengths, a picture in each."""
    engine = random_engine(shape, device=device)
    rng = random.Random("batching")
    pictures = [draw_picture("scene", rng).picture for _ in range(max(_COUNTS))]

    def one(index: int) -> str:
        prompt = f"USER: <image>\n{'What is it, please? ' * (1 + index)} ASSISTANT:"
        pieces = engine.generate(prompt, [pictures[index]], Sampling(max_tokens=48), whole=True, prefix_bytes=0)
        return "".join(piece.text for piece in pieces)

    def ask(count: int, together: bool) -> list[str]:
        if not together:
            return [one(index) for index in range(count)]
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    return ask


if __name__ == "__main__":
    main()
