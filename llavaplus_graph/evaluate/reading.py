"""Faithful answers: what the reader really finds on generated signs must come back in the answer to the letter."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.data.pictures import draw_picture
from llavaplus_graph.errors import SkillError
from llavaplus_graph.evaluate.metrics import quotes_exactly
from llavaplus_graph.images import ImageStore
from llavaplus_graph.types import Texts

_MOST_TRIES = 5  # signs rendered for each one that is wanted
_QUESTIONS = ("What does the sign say?", "Read it to me please.", "what's written there", "Can you make out the words?")


@dataclass(frozen=True, slots=True)
class Read:
    """One sign: what the reader found, what the LMM answered, and whether every text stands in it exactly."""

    texts: tuple[str, ...]
    answer: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign that the reader can read: the question about it, the reader's call and result, the texts in it."""

    asked: HumanMessage
    call: ToolCall
    result: ToolMessage
    texts: tuple[str, ...]


def repeat_signs(
    lmm: BaseChatModel, tools: Sequence[BaseTool], count: int, store: ImageStore, *, seed: str = "signs"
) -> Iterator[Read]:
    """Read generated signs with the real skill, let the LMM answer and judge the answer.

    Signs on which the reader finds nothing are passed over and replaced by others.

    Args:
        lmm: The chat model.
        tools: What it may call; `read_text` must be among them.
        count: How many signs.
        store: Where the pictures go.
        seed: Names the series of signs.

    Raises:
        SkillError: If the reader finds nothing on most signs.
    """
    bound = lmm.bind_tools(tools)
    reader = next(tool for tool in tools if tool.name == "read_text")
    for sign in legible_signs(reader, count, store, seed=seed):
        plan = AIMessage(
            "I will use read_text to help to answer the question. Please wait for a moment.",
            tool_calls=[{**sign.call, "args": {}}],
            additional_kwargs={"reasoning_content": "I see a sign. I need read_text."},
        )
        answer = bound.invoke([sign.asked, plan, sign.result]).text
        yield Read(sign.texts, answer, quotes_exactly(answer, sign.texts))


def legible_signs(reader: BaseTool, count: int, store: ImageStore, *, seed: str = "signs") -> Iterator[Sign]:
    """Draw signs and read them with the real skill, until there are enough on which it finds something.

    Args:
        reader: The skill `read_text`.
        count: How many signs.
        store: Where the pictures go.
        seed: Names the series of signs.

    Raises:
        SkillError: If the reader finds nothing on most signs.
    """
    rng = random.Random(seed)
    found = 0
    for _ in range(count * _MOST_TRIES):
        if found == count:
            return
        asked = user_message(rng.choice(_QUESTIONS), images=[draw_picture("sign", rng).picture], store=store)
        handle = str(asked.content[0]["file_id"])  # type: ignore[index]  # the first block is the picture
        call = ToolCall(name="read_text", args={"image": handle}, id="call_1", type="tool_call")
        result = reader.invoke(call)
        texts = Texts.model_validate(result.artifact).texts
        if texts:
            found += 1
            yield Sign(asked, call, result, texts)
    if found < count:
        raise SkillError(f"read_text found a text on only {found} of {count * _MOST_TRIES} signs; check its backend.")
