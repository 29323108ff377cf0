"""Constrained decoding: is every turn valid, what does it cost, and what does it do for the bundled LMM?

Run from the repository's root, with one of three parts:

    python -m tests.benchmarks.constrained_decoding validity [--count 10000]     random weights, hostile schemas
    python -m tests.benchmarks.constrained_decoding cost [--questions 40] [--shape 7b --device cuda]
    python -m tests.benchmarks.constrained_decoding accuracy [--questions 360] [--held-out test]    on and off
"""

import argparse
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from jsonschema import Draft202012Validator
from langchain_core.callbacks import BaseCallbackHandler
from transformers import PreTrainedTokenizerFast

from llavaplus_graph import load_skills
from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.chat_model.binding import specification
from llavaplus_graph.chat_model.decoding import Chooser, Guide
from llavaplus_graph.chat_model.engine import TransformersEngine
from llavaplus_graph.chat_model.generation import Piece, Sampling
from llavaplus_graph.chat_model.grammar import ToolSpec, turn_grammar, turn_grammars
from llavaplus_graph.data.heldout import held_out_questions
from llavaplus_graph.data.pictures import draw_picture
from llavaplus_graph.data.recipe import Shape
from llavaplus_graph.evaluate.planning import examine, share
from llavaplus_graph.images import ImageStore
from llavaplus_graph.protocol import V1, Action, Turn, parse_turn, render_turn
from llavaplus_graph.train.build import build_model, build_processor
from llavaplus_graph.train.vocabulary import train_tokenizer
from tests.benchmarks.hostile import hostile_tools
from tests.benchmarks.lmms import SHAPES, bundled_engine, random_engine

_TINY = Shape(
    vocabulary=300,
    width=32,
    layers=1,
    heads=2,
    feed_forward=64,
    picture=32,
    patch=16,
    vision_width=32,
    vision_layers=1,
    vision_heads=2,
    vision_feed_forward=64,
)
_AT_ONCE = 16
_PICTURE = draw_picture("photograph", random.Random("constrained decoding")).picture


def main() -> None:
    """Run one part and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("part", choices=["validity", "cost", "accuracy"])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--shape", choices=list(SHAPES), default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--questions", type=int, default=None, help="40 for the cost, all for the accuracy")
    parser.add_argument("--held-out", choices=["development", "test"], default="development")
    given = parser.parse_args()
    if given.part == "validity":
        validity(given.count)
    elif given.part == "cost":
        for name, engine in {
            "bundled": bundled_engine(),
            given.shape: random_engine(given.shape, device=given.device),
        }.items():
            cost(name, engine, given.questions or 40)
    else:
        accuracy(given.held_out, given.questions)


# --- validity -----------------------------------------------------------------------------------------------------


def validity(count: int) -> None:
    """Let random weights plan with hostile tools and judge every turn; each is asked until it ends."""
    torch.set_num_threads(1)  # so small an LMM is slower on several
    engine, began = tiny_engine(), time.perf_counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        verdicts = list(pool.map(lambda index: one_turn(engine, index), range(count)))
    counts = Counter(verdict for verdict, _ in verdicts)
    asked = sum(attempts for _, attempts in verdicts)
    print(
        f"{counts['valid']} of {count} turns valid; {asked - count} were cut off at their most tokens and asked again,"
    )
    print(f"none of them with a call; {time.perf_counter() - began:.0f} s")
    for verdict, number in counts.most_common():
        if verdict != "valid":
            print(f"{number:6} {verdict}")


def tiny_engine() -> TransformersEngine:
    """Build an LMM of a few thousand random weights whose tokens are pieces of plans."""
    plan = Turn("I see a sign. I need read_text.", (Action("read_text", {"n": [1, 2.5, None, True]}),), "It says.")
    tokenizer: PreTrainedTokenizerFast = train_tokenizer([render_turn(plan)] * 4, ["read_text"], _TINY.vocabulary)
    return TransformersEngine(build_model(_TINY, tokenizer, seed=1).eval(), build_processor(_TINY, tokenizer))


def one_turn(engine: TransformersEngine, index: int) -> tuple[str, int]:
    """Generate until a turn is complete; gives the verdict and how often it was asked for."""
    tools = [tool["function"] for tool in hostile_tools(random.Random(index))]
    specs = [ToolSpec(tool["name"], tool["parameters"]) for tool in tools]
    grammar = turn_grammar(specs, choice="any", instruction="find it", parallel=False)
    for attempt in range(1, 100):
        seed = 100 * index + attempt
        sampling = Sampling(max_tokens=600, temperature=1.0, seed=seed, answer_stop=("e", "a", "o", " "))
        *pieces, last = engine.generate("USER: find it ASSISTANT:", [], sampling, grammar, whole=True, prefix_bytes=0)
        text = "".join(piece.text for piece in [*pieces, last])
        verdict = judge(text, {tool["name"]: tool["parameters"] for tool in tools})
        if last.finish_reason == "stop":
            return verdict, attempt
        if verdict == "valid" and parse_turn(text).turn.value is None:
            return "a call came out of a turn that was cut off", attempt
    return "no turn came to its end", 100


def judge(text: str, schemas: dict[str, Any]) -> str:
    """Say whether a turn is well formed and its calls fit their schemas."""
    parsed = parse_turn(text)
    if parsed.problem is not None:
        return f"malformed: {parsed.problem}"
    for action in parsed.turn.actions or ():
        if action.name not in schemas:
            return "an unknown tool"
        if not Draft202012Validator(schemas[action.name]).is_valid(dict(action.params)):
            return "arguments that do not fit"
    return "valid" if parsed.turn.actions else "no call"


# --- cost ---------------------------------------------------------------------------------------------------------


def cost(name: str, engine: TransformersEngine, rounds: int) -> None:
    """Plan with every skill bound; print which share of the time the grammar took, and each part of it."""
    tools = [
        ToolSpec(tool["function"]["name"], tool["function"]["parameters"]) for tool in map(specification, load_skills())
    ]
    asked = [question for question in held_out_questions("development") if question.pictures == 1][: rounds + 1]
    shares: list[float] = []
    spent: dict[str, float] = defaultdict(float)
    tokens = 0
    for number, question in enumerate(asked):
        with timed() as parts:
            began = time.perf_counter()
            grammars = turn_grammars(tools, instruction=question.text)  # as the chat model does for this engine
            parts["write"] += time.perf_counter() - began
            last = consumed(engine, question.text, grammars)
            whole = time.perf_counter() - began
        if number:  # the first one warms up
            shares.append(sum(parts.values()) / whole)
            for part, seconds in {**parts, "all": whole}.items():
                spent[part] += seconds
            tokens += last.output_tokens
    each = ", ".join(
        f"{part} {spent[part] / len(shares) * 1e3:.2f} ms" for part in ("write", "compile", "follow", "all")
    )
    print(f"{name:8} {statistics.median(shares):6.1%} of decoding; a turn of {tokens / len(shares):.0f} tokens: {each}")


def consumed(engine: TransformersEngine, question: str, grammars: Sequence[str]) -> Piece:
    """Plan for a question about a picture, as it is asked for the first time; gives the last piece."""
    prompt = V1.render([("human", f"<image>\n{question}")])
    *_, last = engine.generate(prompt, [_PICTURE], Sampling(max_tokens=64), grammars, prefix_bytes=0)
    return last


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Take the time of what constrained decoding does beyond free decoding."""
    parts: dict[str, float] = defaultdict(float)
    watched: list[tuple[Any, str, str]] = [
        (Guide, "__init__", "compile"),
        (Guide, "forced", "follow"),
        (Guide, "take", "follow"),
        (Guide, "mask", "follow"),
        (Chooser, "finished", "follow"),
    ]
    before = [(owner, name, owner.__dict__[name]) for owner, name, _ in watched]
    for owner, name, part in watched:
        setattr(owner, name, stopwatch(owner.__dict__[name], parts, part))
    try:
        yield parts
    finally:
        for owner, name, original in before:
            setattr(owner, name, original)


def stopwatch(original: Any, parts: dict[str, float], part: str) -> Any:
    """Wrap a method or a property so that its time is added up."""
    call: Any = original.fget if isinstance(original, property) else original

    def measured(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(*args, **kwargs)
        finally:
            parts[part] += time.perf_counter() - began

    return property(measured) if isinstance(original, property) else measured


# --- accuracy -----------------------------------------------------------------------------------------------------


class Plans(BaseCallbackHandler):
    """Counts plans that cannot be used, and calls whose arguments do not fit the schemas of the skills."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        self.turns = self.invalid = self.unfit = 0

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        """Judge a reply."""
        message = response.generations[0][0].message
        self.turns += 1
        self.invalid += "invalid_plan" in message.response_metadata
        calls = [call for call in message.tool_calls if call["name"] in self.schemas]
        self.unfit += any(not Draft202012Validator(self.schemas[call["name"]]).is_valid(call["args"]) for call in calls)


def accuracy(part: str, limit: int | None) -> None:
    """Ask the bundled LMM the held-out questions with a grammar and without."""
    store, tools = ImageStore("memory://benchmark"), load_skills()
    questions = held_out_questions(part)[:limit]
    schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in map(specification, tools)}
    print(f"{len(questions)} questions of {part}")
    print(f"{'':12} {'skill':>7} {'arguments':>10} {'invalid plans':>14} {'unfit arguments':>16} {'s':>6}")
    for constrained in (True, False):
        ear, began = Plans(schemas), time.perf_counter()
        lmm = ChatLlavaPlus(constrained=constrained, store=store, callbacks=[ear])
        results = list(examine(lmm, tools, questions, store))
        skill, arguments = share(one.skill_right for one in results), share(one.arguments_right for one in results)
        name = "constrained" if constrained else "free"
        seconds = time.perf_counter() - began
        print(f"{name:12} {skill:7.1%} {arguments:10.1%} {ear.invalid:14} {ear.unfit:16} {seconds:6.0f}")


if __name__ == "__main__":
    main()
