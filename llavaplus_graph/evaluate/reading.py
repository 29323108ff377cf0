"""Faithful answers: what a reader found on generated signs must come back in the answer to the letter."""

import json
import random
from collections.abc import Iterator, Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool
from PIL import Image

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.evaluate.metrics import quotes_exactly
from llavaplus_graph.images import ImageStore

_QUESTIONS = ("What does the sign say?", "Read it to me please.", "what's written there", "Can you make out the words?")


def repeat_texts(
    lmm: BaseChatModel,
    tools: Sequence[BaseTool],
    signs: Sequence[tuple[Image.Image, tuple[str, ...]]],
    store: ImageStore,
) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Ask for the text of every sign, give the reader's result and judge the answer.

    Args:
        lmm: The chat model.
        tools: What it may call.
        signs: Pictures and the texts a reader found on them.
        store: Where the pictures go.

    Yields:
        The texts, the answer, and whether it repeats every text exactly.
    """
    bound = lmm.bind_tools(tools)
    rng = random.Random(0)
    for picture, texts in signs:
        asked = user_message(rng.choice(_QUESTIONS), images=[picture], store=store)
        plan = AIMessage(
            "I will use read_text to help to answer the question. Please wait for a moment.",
            tool_calls=[{"name": "read_text", "args": {}, "id": "call_1", "type": "tool_call"}],
            additional_kwargs={"reasoning_content": "I see a sign. I need read_text."},
        )
        found = ToolMessage(
            json.dumps({"texts": list(texts)}, ensure_ascii=False), tool_call_id="call_1", name="read_text"
        )
        answer = bound.invoke([asked, plan, found]).text
        yield texts, answer, quotes_exactly(answer, texts)
