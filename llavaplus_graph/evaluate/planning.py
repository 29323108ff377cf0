"""The planning examination: the held-out instructions, asked through the public chat model with every skill bound."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from PIL import Image

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.data.heldout import Question
from llavaplus_graph.data.pictures import PictureKind, draw_picture
from llavaplus_graph.evaluate.metrics import Call, same_calls, same_skills
from llavaplus_graph.images import ImageStore

_SUITED: dict[str, tuple[PictureKind, ...]] = {
    "read_text": ("page", "sign", "receipt", "screen"),
    "read_codes": ("qr_code", "barcode"),
}
_BOX = [0.2, 0.3, 0.6, 0.8]


@dataclass(frozen=True, slots=True)
class Planned:
    """One question, what was expected, what was planned, and how that is judged."""

    question: Question
    planned: tuple[Call, ...]
    skill_right: bool
    arguments_right: bool

    @property
    def group(self) -> str:
        """The skill the question belongs to in the report."""
        names = [name for name, _ in self.question.calls]
        return "two skills" if len(names) > 1 else names[0] if names else "no skill"


def examine(
    lmm: BaseChatModel, tools: Sequence[Any], questions: Sequence[Question], store: ImageStore
) -> Iterator[Planned]:
    """Ask every question once and judge the plan.

    Args:
        lmm: Any chat model that calls tools.
        tools: What it may call.
        questions: The examination; a question that comes with pictures gets rendered ones of a kind that suits it.
        store: Where the pictures go.
    """
    bound = lmm.bind_tools(tools)
    for index, question in enumerate(questions):
        reply = bound.invoke(_conversation(question, _pictures(question, index), store))
        planned = tuple((call["name"], call["args"]) for call in reply.tool_calls)
        yield Planned(question, planned, same_skills(question.calls, planned), same_calls(question.calls, planned))


def report(results: Sequence[Planned]) -> list[tuple[str, int, float, float]]:
    """Give questions, share of right skills and share of right calls: for all, then for every skill."""
    groups: dict[str, list[Planned]] = defaultdict(list)
    for result in results:
        groups[result.group].append(result)
    rows = [("all", list(results)), *sorted(groups.items())]
    return [
        (name, len(group), share(r.skill_right for r in group), share(r.arguments_right for r in group))
        for name, group in rows
    ]


def share(marks: Iterable[bool]) -> float:
    """Give the share of marks that are true; 0 when there are none."""
    judged = list(marks)
    return sum(judged) / max(len(judged), 1)


def _pictures(question: Question, index: int) -> list[Image.Image]:
    rng = random.Random(f"examination/{index}")
    skill = question.calls[0][0] if question.calls else ""
    kinds = _SUITED.get(skill, ("photograph", "photograph", "scene"))
    return [draw_picture(rng.choice(kinds), rng).picture for _ in range(question.pictures)]


def _conversation(question: Question, pictures: Sequence[Image.Image], store: ImageStore) -> list[BaseMessage]:
    asked = user_message(
        question.text,
        images=pictures,
        boxes=question.boxes,
        points=question.points,
        point_labels=question.labels,
        store=store,
    )
    if question.after != "segmented":
        return [asked]
    before = user_message("Cut out what I marked.", images=pictures, boxes=[_BOX], store=store)
    return [before, *_segmented(), HumanMessage(asked.content[len(pictures) :])]


def _segmented() -> list[BaseMessage]:
    """Give the turn in which a mask was made, as the graph would have left it."""
    name = "segment_region"
    plan = AIMessage(
        f"I will use {name} to help to answer the question. Please wait for a moment.",
        tool_calls=[{"name": name, "args": {"boxes": [_BOX]}, "id": "call_before", "type": "tool_call"}],
        additional_kwargs={"reasoning_content": f"I need {name}."},
    )
    result = ToolMessage(f'{{"boxes": [{_BOX}]}}', tool_call_id="call_before", name=name)
    thanks = f"Thanks to the output of {name}. I can answer the question better."
    answer = AIMessage(f"I found 1: region {_BOX}.", additional_kwargs={"reasoning_content": thanks})
    return [plan, result, answer]
