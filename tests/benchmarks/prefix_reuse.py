"""Time to the first token of an answer, with and without what the plan's step has computed.

A question with a picture is planned, the skill's result comes back, and the answer begins; every round is a new picture
and a new question, so that nothing is shared but a conversation with its own past. Times are medians; the last column
counts answers whose tokens are the same both ways. Run from the repository's root:

    python -m tests.benchmarks.prefix_reuse [--shape 7b --device cuda] [--rounds 7]
"""

import argparse
import random
import statistics
import time

from PIL import Image

from llavaplus_graph.chat_model.engine import PREFIX_BYTES, TransformersEngine
from llavaplus_graph.chat_model.generation import Piece, Sampling
from llavaplus_graph.data.pictures import draw_picture
from llavaplus_graph.protocol import V1, Action, Turn, holding_message, render_observation, render_turn
from tests.benchmarks.lmms import SHAPES, bundled_engine, random_engine

_PLAN = render_turn(Turn("I need read_text.", (Action("read_text", {}),), holding_message(["read_text"]))).strip()


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--shape", choices=list(SHAPES), default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    print(f"{'LMM':8} {'places':>7} {'prompt':>7} {'reused':>7} {'without':>10} {'with':>10} {'ratio':>6} same tokens")
    engines = {(given.shape, n): random_engine(given.shape, places=n, device=given.device) for n in (256, 576)}
    for (name, places), engine in {**engines, ("bundled", 36): bundled_engine()}.items():
        rows = [measure(engine, index) for index in range(given.rounds + 1)][1:]  # the first one warms up
        without, reusing, ratio, prompt, reused = (
            statistics.median(row[key] for row in rows) for key in ("without", "with", "ratio", "prompt", "reused")
        )
        times = f"{without * 1e3:7.1f} ms {reusing * 1e3:7.1f} ms {ratio:6.2f}"
        same = sum(row["same"] for row in rows)
        print(f"{name:8} {places:7} {prompt:7.0f} {reused:7.0f} {times} {same:5.0f} of {len(rows)}")


def measure(engine: TransformersEngine, index: int) -> dict[str, float]:
    """Go through one conversation; gives seconds to the first token, how much was reused, and 1 for equal answers."""
    rng = random.Random(index)
    picture = draw_picture("sign", rng).picture
    question = f"What does sign {index} say?"
    turns = [("human", f"<image>\n{question}")]
    plan = _PLAN.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    list(engine.generate(V1.render(turns), [picture], Sampling(), f'start: " {plan}" " "?'))  # type: ignore[arg-type]
    turns += [("gpt", _PLAN), ("human", render_observation([("read_text", {"texts": ["OPEN"]})], question))]
    prompt = V1.render(turns)  # type: ignore[arg-type]  # a list of pairs of texts
    without, _ = first_token(engine, prompt, picture, prefix_bytes=0)
    reusing, last = first_token(engine, prompt, picture, prefix_bytes=PREFIX_BYTES)
    alone, shared = (answer(engine, prompt, picture, prefix_bytes=size) for size in (0, PREFIX_BYTES))
    times = {"without": without, "with": reusing, "ratio": reusing / without}
    return {**times, "prompt": last.input_tokens, "reused": last.reused_tokens or 0, "same": float(alone == shared)}


def first_token(
    engine: TransformersEngine, prompt: str, picture: Image.Image, *, prefix_bytes: int
) -> tuple[float, Piece]:
    """Generate one token; gives the seconds it took and the last piece."""
    began = time.perf_counter()
    *_, last = engine.generate(prompt, [picture], Sampling(max_tokens=1), prefix_bytes=prefix_bytes)
    return time.perf_counter() - began, last


def answer(engine: TransformersEngine, prompt: str, picture: Image.Image, *, prefix_bytes: int) -> str:
    """Generate some tokens greedily."""
    pieces = engine.generate(prompt, [picture], Sampling(max_tokens=24), prefix_bytes=prefix_bytes, whole=True)
    return "".join(piece.text for piece in pieces)


if __name__ == "__main__":
    main()
