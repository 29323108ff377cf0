"""The planning examination: the held-out instructions, asked through the public chat model with every skill bound."""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from PIL import Image

from llavaplus_graph.chat_model import user_message
from llavaplus_graph.data.heldout import Question
from llavaplus_graph.evaluate.metrics import Call, same_calls, same_skills
from llavaplus_graph.images import ImageStore


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
    lmm: BaseChatModel,
    tools: Sequence[Any],
    questions: Sequence[Question],
    pictures: Sequence[Image.Image],
    store: ImageStore,
) -> Iterator[Planned]:
    """Ask every question once and judge the plan.

    Args:
        lmm: Any chat model that calls tools.
        tools: What it may call.
        questions: The examination.
        pictures: Pictures to draw from where a question comes with some; the same draw every time.
        store: Where the pictures go.
    """
    bound = lmm.bind_tools(tools)
    rng = random.Random(0)
    for question in questions:
        reply = bound.invoke(_conversation(question, [rng.choice(pictures) for _ in range(question.pictures)], store))
        planned = tuple((call["name"], call["args"]) for call in reply.tool_calls)
        yield Planned(question, planned, same_skills(question.calls, planned), same_calls(question.calls, planned))


def report(results: Sequence[Planned]) -> list[tuple[str, int, float, float]]:
    """Give questions, share of right skills and share of right calls for every skill and, first, for all."""
    groups: dict[str, list[Planned]] = defaultdict(list)
    for result in results:
        groups["all"].append(result)
        groups[result.group].append(result)
    return [
        (name, len(group), _share(r.skill_right for r in group), _share(r.arguments_right for r in group))
        for name, group in groups.items()
    ]


def _share(marks: Iterator[bool]) -> float:
    judged = list(marks)
    return sum(judged) / len(judged)


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


_BOX = (0.2, 0.3, 0.6, 0.8)


def _segmented() -> list[BaseMessage]:
    """Give the turn in which a mask was made, as the graph would have left it."""
    args: Mapping[str, Any] = {"boxes": [list(_BOX)]}
    plan = AIMessage(
        "I will use segment_region to help to answer the question. Please wait for a moment.",
        tool_calls=[{"name": "segment_region", "args": dict(args), "id": "call_before", "type": "tool_call"}],
        additional_kwargs={"reasoning_content": "I need segment_region."},
    )
    result = ToolMessage('{"boxes": [[0.2, 0.3, 0.6, 0.8]]}', tool_call_id="call_before", name="segment_region")
    answer = AIMessage(
        "I found 1: region [0.2, 0.3, 0.6, 0.8].",
        additional_kwargs={
            "reasoning_content": "Thanks to the output of segment_region. I can answer the question better."
        },
    )
    return [plan, result, answer]
