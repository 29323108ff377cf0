"""Seeing: are kinds of picture told apart, and does one question lead to the plan that its picture asks for."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.data.pictures import PICTURE_KINDS, PictureKind, draw_picture
from llavaplus_graph.images import ImageStore

QUESTIONS: Mapping[str, Mapping[str, str]] = {
    "So, what's the story with this one?": {"code": "read_codes", "text": "read_text", "view": "caption_image"},
    "pls tell me whats in it": {"code": "read_codes", "text": "read_text", "view": "caption_image"},
    "Could you have a go at this for me?": {"code": "read_codes", "text": "read_text", "view": "caption_image"},
}
"""Questions that stand in no training file, and the skill a group of pictures asks for; blank ones ask for none."""

_GROUPS = {"qr_code": "code", "barcode": "code", "scene": "view", "photograph": "view", "blank": "none"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture, the question asked about it, and whether the plan is the one it asks for."""

    kind: PictureKind
    question: str
    planned: tuple[str, ...]
    right: bool


def look(
    lmm: BaseChatModel, tools: Sequence[Any], per_kind: int, store: ImageStore, *, blanked: bool = False
) -> Iterator[Seen]:
    """Ask every question about pictures of every kind.

    Args:
        lmm: The chat model.
        tools: What it may call.
        per_kind: Pictures of each kind.
        store: Where the pictures go.
        blanked: Show a grey canvas in place of each picture: what is right then is right by chance.
    """
    bound = lmm.bind_tools(tools)
    questions = list(QUESTIONS)
    for kind in PICTURE_KINDS:
        wanted_group = _GROUPS.get(kind, "text")
        for index in range(per_kind):
            rng = random.Random(f"sight/{kind}/{index}")
            picture = draw_picture(kind, rng).picture
            question = questions[index % len(questions)]
            shown = picture.point(lambda _: 127) if blanked else picture
            reply = bound.invoke([user_message(question, images=[shown], store=store)])
            planned = tuple(call["name"] for call in reply.tool_calls)
            wanted = QUESTIONS[question].get(wanted_group)
            yield Seen(kind, question, planned, planned == ((wanted,) if wanted else ()))
