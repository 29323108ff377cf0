"""What a labeller is told and what it gives back. Knows no chat model and no grammar; both keep to this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from langchain_core.tools import BaseTool

from llavaplus_graph.data.curation.plan import Part
from llavaplus_graph.data.curation.spec import Task
from llavaplus_graph.data.sources.contexts import ImageContext
from llavaplus_graph.protocol import Action, render_boxes, render_points


class DroppedError(Exception):
    """A sample is given up.

    Attributes:
        reason: Why, in words that many samples share.
        detail: What it was in this one.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Spent:
    """What labelling took: requests that were sent, replies that were on disk already, and tokens."""

    requests: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, other: Spent) -> None:
        """Add what something else took."""
        self.requests += other.requests
        self.cached += other.cached
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens


@dataclass(frozen=True, slots=True)
class Marks:
    """What the user drew: boxes or points, normalised, and the names of what they mark where that is known."""

    boxes: tuple[tuple[float, ...], ...] = ()
    points: tuple[tuple[float, ...], ...] = ()
    names: tuple[str, ...] = ()

    def text(self) -> str:
        """Write them as they follow the user's words in the released data."""
        return render_boxes(self.boxes) if self.boxes else render_points(self.points)


@dataclass(frozen=True, slots=True)
class Brief:
    """What a labeller is told before it writes a question.

    Attributes:
        part: Task, way of asking and variation.
        context: What is known of the picture.
        tools: The skills that the question shall need, in order.
        seed: Seeds every draw.
        language: What is written in; None leaves it open.
        absent: A thing that is not in the picture and shall be asked for.
        marks: What the user drew; the words refer to it and do not repeat it.
    """

    part: Part
    context: ImageContext
    tools: tuple[BaseTool, ...]
    seed: str
    language: str | None = "en"
    absent: str | None = None
    marks: Marks | None = None

    @property
    def task(self) -> Task:
        """The task it belongs to."""
        return self.part.task


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user writes, the arguments of every call, and forms of the answer where there are authored ones."""

    text: str
    arguments: tuple[Mapping[str, Any], ...]
    answers: tuple[str, ...] = ()


Results = Sequence[tuple[Action, Mapping[str, Any]]]
"""The calls that were made and what each gave, as the LMM reads it."""


class Labeller(Protocol):
    """Writes questions and answers.

    Attributes:
        name: Tells it from others; another name means that samples are made anew.
        free: Whether it writes words of its own, so that equal questions are worth nothing.
    """

    name: str
    free: bool

    def intentions(self, task: Task) -> Sequence[str]:
        """Give the ways of asking that it knows for a task.

        Raises:
            DataError: If it knows none.
        """
        ...

    def marks(self, part: Part) -> Literal["box", "points"] | None:
        """Give the kind of visual prompt that a way of asking speaks of; None where any will do."""
        ...

    def ask(self, brief: Brief, spent: Spent) -> Wish:
        """Write a question.

        Raises:
            DroppedError: If nothing usable was written.
        """
        ...

    def tell(self, brief: Brief, wish: Wish, results: Results, spent: Spent) -> str:
        """Write the answer to a question whose skills have run; raises as `ask`."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """The four slots of one question: question, skill_use, skill_result and answer.

    Attributes:
        question: What the user writes, with the visual prompt.
        rounds: The calls of every round and what each gave.
        answer: What is said at last.
    """

    question: str
    rounds: tuple[Results, ...] = field(default=())
    answer: str = ""

    @property
    def results(self) -> Results:
        """The calls of all rounds in order."""
        return [result for turn in self.rounds for result in turn]

    def slots(self) -> dict[str, Any]:
        """Give the four slots as plain JSON."""
        return {
            "question": self.question,
            "skill_use": [{"API_name": action.name, "API_params": dict(action.params)} for action, _ in self.results],
            "skill_result": [dict(content) for _, content in self.results],
            "answer": self.answer,
        }
