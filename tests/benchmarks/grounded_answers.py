"""Answers held to results, and answers left free, by the same weights: what is invented, and what it costs.

Results are drawn as skills would give them: signs, receipts, boxes, codes and tags. Every question is asked both ways,
greedily, and judged by other means than those that hold it. Run from the repository's root:

    python -m tests.benchmarks.grounded_answers [--questions 60] [--kinds signs receipts] [--model DIRECTORY]
"""

import argparse
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from llavaplus_graph import load_skills
from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.data.pictures import draw_picture
from llavaplus_graph.data.results import draw_content
from llavaplus_graph.data.slots import vocabulary
from llavaplus_graph.images import ImageStore

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the call that was made for it, and what came of it."""

    question: str
    skill: str
    args: Mapping[str, Any]
    content: Content
    picture: Literal["sign", "receipt", "scene", "qr_code", "photograph"]


def sign(rng: random.Random) -> Asked:
    """Draw the lines of a sign."""
    return Asked("What does the sign say?", "read_text", {}, draw_content("read_text", {}, rng), "sign")


def receipt(rng: random.Random) -> Asked:
    """Draw a receipt with its prices, a total, a time and a discount."""
    lines = [f"{rng.choice(vocabulary()['things'])} {rng.randint(0, 99)}.{rng.randint(0, 99):02}" for _ in range(5)]
    lines += [f"TOTAL {rng.randint(1, 9)},{rng.randint(0, 999):03}.{rng.randint(0, 99):02}", f"{rng.randint(1, 12)}:30"]
    lines += [f"-{rng.randint(1, 60)}%"]
    return Asked("What is printed on this receipt?", "read_text", {}, {"texts": lines}, "receipt")


def boxes(rng: random.Random) -> Asked:
    """Draw what a detector found."""
    query = " . ".join(rng.sample(vocabulary()["things"], rng.randint(1, 3)))
    found = draw_content("detect_objects", {"query": query}, rng)
    return Asked(f"Find {query.replace(' . ', ' and ')}.", "detect_objects", {"query": query}, found, "scene")


def codes(rng: random.Random) -> Asked:
    """Draw what codes hold."""
    return Asked("What is in the codes?", "read_codes", {}, draw_content("read_codes", {}, rng), "qr_code")


def tags(rng: random.Random) -> Asked:
    """Draw tags."""
    return Asked("Tag this picture.", "tag_image", {}, draw_content("tag_image", {}, rng), "photograph")


KINDS: dict[str, Callable[[random.Random], Asked]] = {
    "signs": sign,
    "receipts": receipt,
    "boxes": boxes,
    "codes": codes,
    "tags": tags,
}
COLUMNS = ("invented number", "changed quotation", "ends", "says all of it")


def main() -> None:
    """Measure and print the table: shares of answers, then the time that a token took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--questions", type=int, default=60, help="of every kind")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--model", default=None, help="the directory of a checkpoint; the bundled LMM if left out")
    given = parser.parse_args()
    print(f"{'':9} {'grounded':8} {'answers':>7} {'  '.join(COLUMNS)}  ms a token")
    store = ImageStore("memory://benchmark")
    lmm = ChatLlavaPlus(model=given.model, store=store, max_tokens=400, prefix_bytes=0)
    tools = load_skills()
    ways = {way: lmm.model_copy(update={"grounded": way}).bind_tools(tools) for way in (True, False)}
    totals = {way: Tally() for way in ways}
    ways[True].invoke(conversation(sign(random.Random(0)), store))  # warms up
    for kind in given.kinds:
        rows = {way: Tally() for way in ways}
        for index in range(given.questions):
            asked = KINDS[kind](random.Random(f"{kind}/{index}"))
            for way, bound in ways.items():
                began = time.perf_counter()
                reply = bound.invoke(conversation(asked, store))
                for tally in (rows[way], totals[way]):
                    tally.add(asked, reply, time.perf_counter() - began)
        for way, tally in rows.items():
            print(tally.row(kind, way))
    for way, tally in totals.items():
        print(tally.row("all", way))


class Tally:
    """Adds up verdicts, tokens and seconds."""

    def __init__(self) -> None:
        self.answers = self.tokens = 0
        self.seconds = 0.0
        self.marks: Counter[str] = Counter()

    def add(self, asked: Asked, reply: AIMessage, seconds: float) -> None:
        """Add an answer."""
        self.answers += 1
        self.seconds += seconds
        self.tokens += reply.usage_metadata["output_tokens"] if reply.usage_metadata else 0
        self.marks.update(judged(asked, reply))

    def row(self, kind: str, grounded: bool) -> str:
        """Write a line of the table."""
        shares = "  ".join(f"{self.marks[name] / self.answers:{len(name)}.1%}" for name in COLUMNS)
        each = self.seconds / self.tokens * 1e3
        return f"{kind:9} {'on' if grounded else 'off':8} {self.answers:7} {shares}  {each:10.2f}"


def conversation(asked: Asked, store: ImageStore) -> list[BaseMessage]:
    """Give the conversation up to the result."""
    picture = draw_picture(asked.picture, random.Random(asked.question)).picture
    plan = AIMessage(
        f"I will use {asked.skill} to help to answer the question. Please wait for a moment.",
        tool_calls=[{"name": asked.skill, "args": dict(asked.args), "id": "call_1", "type": "tool_call"}],
        additional_kwargs={"reasoning_content": f"I need {asked.skill}."},
    )
    result = ToolMessage(json.dumps(asked.content, ensure_ascii=False), tool_call_id="call_1", name=asked.skill)
    return [user_message(asked.question, images=[picture], store=store), plan, result]


# --- judging, by other means than the grammar's -------------------------------------------------------------------


def judged(asked: Asked, reply: AIMessage) -> list[str]:
    """Say which columns an answer counts in."""
    answer = reply.text
    texts = [text for value in asked.content.values() if isinstance(value, list) for text in value]
    texts = [text for text in texts if isinstance(text, str)]
    known = {part for number in numbers(f"{asked.content} {asked.question}") for part in parts(number)}
    known |= {str(count) for count in counts(asked.content)}
    verdicts = {
        "invented number": not numbers(without(answer, texts)) <= known,
        "changed quotation": any(quoted not in asked.question for quoted in quotations(without(answer, texts))),
        "ends": reply.response_metadata["finish_reason"] != "length",
        "says all of it": bool(answer.strip()) and all(text in answer for text in wanted(asked.content)),
    }
    return [name for name, holds in verdicts.items() if holds]


def numbers(text: str) -> set[str]:
    """Read the numbers of a text, whole: with a sign, thousands, a time, a range."""
    return set(re.findall(r"(?<![\w.)\]])-?\d+(?:[.,:/\-]\d+)*|\d+(?:[.,:/\-]\d+)*", text))


def parts(number: str) -> Iterator[str]:
    """Give what a number may be told as: itself, without its sign, and the numbers it is joined from."""
    yield number
    yield from re.split(r"[:/\-]", number)


def quotations(answer: str) -> list[str]:
    """Read what stands between quotation marks."""
    return re.findall(r'"([^"]*)"', answer)


def without(answer: str, texts: Sequence[str]) -> str:
    """Take out whole quotations of texts, which may hold quotation marks themselves; longer ones first."""
    for text in sorted(texts, key=len, reverse=True):
        answer = answer.replace(f'"{text}"', " ")
    return answer


def counts(content: Content) -> Iterator[int]:
    """Count what is listed: all of it, and each thing."""
    for value in content.values():
        if isinstance(value, list):
            yield from (len(value), len(value) + int(content.get("omitted", 0)))
            yield from (value.count(item) for item in value)


def wanted(content: Content) -> list[str]:
    """List what an answer has to name: every text that was read, every thing that was found, every tag."""
    listed = content.get("texts") or content.get("phrases") or str(content.get("tags", "")).split(", ")
    return list(listed)


if __name__ == "__main__":
    main()
