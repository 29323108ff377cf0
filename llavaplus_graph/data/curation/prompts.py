"""What a labelling chat model is told, and the form in which it must reply. Pure; sends nothing.

As in the paper (arXiv 2311.05437, section 3.2) the labeller never sees pixels: captions, things with boxes and printed
texts stand for the picture. All wording is this package's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, create_model

from llavaplus_graph.data.curation.labelling import Brief, Results, Wish
from llavaplus_graph.data.curation.spec import Example
from llavaplus_graph.data.curation.targets import MARK_ARGUMENTS
from llavaplus_graph.data.sources.contexts import ImageContext

CALLS = ("first", "second", "third")
"""Names of the calls in a reply, in order."""

INTENTIONS = (
    "as a short command of at most six words",
    "as one full and polite question",
    "with the reason why somebody needs it",
    "casually, as one writes to a friend",
    "as part of work on a report, a shop or a website",
    "as somebody who is unsure whether it is possible",
    "in two sentences, the first of which says something else about the picture",
    "in words that are unusual for it but clear",
    "as a child or somebody who does not know the technical words",
    "with an exact wish for how the answer shall look",
)
"""Ways of asking where a task names none."""

_ROLE = """\
You write training dialogues between a person and an assistant that sees a picture. You do not see the picture; what \
is known of it stands in each message. Write as if you saw it yourself: never hint at captions, lists, annotations, \
coordinates you were given or at any context. Never name a tool, a model or a program."""

_QUESTION = "Write one message of the person, {intention}, in the language {language}. {need}{about}"
_ANSWER = """\
Write what the assistant answers, in the language {language}. It has looked at the picture and at the results below. \
Say only what they support. Every number must stand in a result or count what a result lists. If a result is empty, \
say that nothing of the kind was found. Set answerable to false where the results do not answer the message."""
_CHAT = """\
Write what the assistant answers, in the language {language}, from looking at the picture alone, in one to three \
sentences and without coordinates. Set answerable to false where the picture does not answer the message."""


class AnswerReply(BaseModel):
    """The assistant's answer."""

    answerable: bool = Field(description="Whether the results, or the picture, answer the message.")
    answer: str = Field(description="What the assistant says to the person.")


def question_form(tools: Sequence[BaseTool]) -> type[BaseModel]:
    """Make the form of a question: the person's message and the free arguments of every call."""
    fields: dict[str, Any] = {"question": (str, Field(description="The person's message."))}
    for name, tool in zip(CALLS, tools, strict=False):
        arguments = dict(_free_arguments(tool))
        if arguments:
            form: type[BaseModel] = create_model(f"{name.capitalize()}Call", **arguments)  # type: ignore[call-overload]  # the fields are made here
            fields[name] = (form, Field(description=f"What the message asks for: {_told(tool)}"))
    return create_model("QuestionReply", __doc__="A message of the person and what it asks for.", **fields)


def question_messages(brief: Brief, examples: Sequence[Example]) -> list[BaseMessage]:
    """Ask for a question."""
    task = _QUESTION.format(
        intention=brief.part.intention,
        language=brief.language or "of the examples",
        need=_need(brief),
        about=f" {brief.task.about}" if brief.task.about else "",
    )
    messages: list[BaseMessage] = [SystemMessage(f"{_ROLE}\n\n{task}")]
    for example in examples:
        calls = dict(zip(CALLS, example.arguments, strict=False))
        messages += [
            HumanMessage(context_text(example.context)),
            AIMessage(_json({"question": example.question, **{name: given for name, given in calls.items() if given}})),
        ]
    again = f"\n\nWrite another message than the {brief.part.variation} before." if brief.part.variation else ""
    return [*messages, HumanMessage(context_text(brief.context) + _hints(brief) + again)]


def answer_messages(brief: Brief, wish: Wish, results: Results, examples: Sequence[Example]) -> list[BaseMessage]:
    """Ask for an answer."""
    language = brief.language or "of the message"
    messages: list[BaseMessage] = [
        SystemMessage(f"{_ROLE}\n\n{(_ANSWER if results else _CHAT).format(language=language)}")
    ]
    for example in examples:
        if example.answer and (example.result or not results):
            told = _asked(example.context, example.question, example.result)
            messages += [HumanMessage(told), AIMessage(_json({"answerable": True, "answer": example.answer}))]
    return [*messages, HumanMessage(_asked(brief.context, wish.text, [content for _, content in results]))]


def context_text(context: ImageContext) -> str:
    """Write what is known of a picture: captions, then things with normalised corners, then the rest, one a line."""
    lines = [*context.captions]
    lines += [f"{thing.name}: {[round(number, 2) for number in thing.box]}" for thing in context.objects]
    lines += [f"printed: {text}" for text in context.texts]
    for name, value in (("description", context.prompt), ("wanted change", context.instruction)):
        lines += [f"{name}: {value}"] if value else []
    return "\n".join(lines) or "Nothing is known of the picture."


def _asked(context: ImageContext, question: str, results: Sequence[Mapping[str, Any]]) -> str:
    told = "".join(f"\nResult: {_json(result)}" for result in results)
    return f"{context_text(context)}\n\nMessage: {question}{told}"


def _need(brief: Brief) -> str:
    if not brief.tools:
        return "The message can be answered by looking at the picture; nothing has to be computed or changed."
    joined = " and then ".join(_told(tool) for tool in brief.tools)
    return f"Whoever answers it must be able to do this: {joined}."


def _hints(brief: Brief) -> str:
    hints = ""
    if brief.absent is not None:
        hints += (
            f"\n\nThe message asks for: {brief.absent}. It is not in the picture, and the person does not know that."
        )
    if brief.marks is not None:
        what = "a box around" if brief.marks.boxes else "a point on"
        target = brief.marks.names[0] if brief.marks.names else "a region"
        hints += (
            f"\n\nThe person has drawn {what} {target}. The message speaks of what is marked without naming it "
            "and without numbers."
        )
    if brief.task.kind == "generation" and brief.context.prompt:
        hints += "\n\nThe message is a short wish of a few words; the prompt repeats the whole description."
    if brief.task.kind == "editing" and brief.context.instruction:
        hints += "\n\nThe message wishes for exactly this change."
    return hints


def _free_arguments(tool: BaseTool) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Give the arguments that the person's words decide: no pictures, marks, masks or thresholds."""
    schema = tool.args_schema
    if not isinstance(schema, type) or not issubclass(schema, BaseModel):
        return
    for name, found in schema.model_fields.items():
        followed = name in ("mask", "layout", "seed") or name in MARK_ARGUMENTS
        if not followed and "image" not in name and not name.endswith("_threshold"):
            yield name, (found.annotation, found)


def _told(tool: BaseTool) -> str:
    """Give the first sentence of what the model is told about a skill, without its name."""
    first = tool.description.split("\n\n")[0].split(". ")[0].rstrip(".")
    return first[:1].lower() + " ".join(first[1:].split())


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
