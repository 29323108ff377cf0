"""Fills the four slots of a sample: asks the labeller, runs the skills, asks for the answer. Writes no file."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from llavaplus_graph.data.curation.composing import compose
from llavaplus_graph.data.curation.filters import check_answer, check_question
from llavaplus_graph.data.curation.labelling import Brief, DroppedError, Exchange, Labeller, Results, Spent, Wish
from llavaplus_graph.data.curation.plan import Part, Sample
from llavaplus_graph.data.curation.running import Running
from llavaplus_graph.data.curation.spec import Filters
from llavaplus_graph.data.curation.targets import MARK_ARGUMENTS, draw_absent, draw_marks, mark_arguments
from llavaplus_graph.images import ImageStore


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a sample: a record, or the reason why there is none.

    Attributes:
        name: The sample's.
        task: The name of its task.
        split: Where its record goes.
        image: Its picture.
        record: The record as JSON; empty when it was dropped.
        slots: The four slots of every question.
        reason: Why it was dropped.
        detail: What it was in this sample.
        spent: What labelling took.
    """

    name: str
    task: str
    split: str
    image: str
    record: str = ""
    slots: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""
    detail: str = ""
    spent: Spent = field(default_factory=Spent)


class Filler:
    """Makes samples; may be used by several threads.

    Args:
        labeller: Writes questions and answers.
        tools: The skill behind every entry of `skills` in the tasks.
        folders: Where pictures are looked for.
        store: Where skills find and put pictures.
        filters: What is thrown away.
        things: Names of the things in all pictures, of which absent ones are drawn.
    """

    def __init__(
        self,
        labeller: Labeller,
        tools: Mapping[str, BaseTool],
        folders: Sequence[Path],
        store: ImageStore,
        filters: Filters,
        things: Sequence[str],
    ) -> None:
        self._labeller = labeller
        self._tools = tools
        self._folders = folders
        self._store = store
        self._filters = filters
        self._things = things

    def fill(self, sample: Sample) -> Outcome:
        """Make a sample; whatever is wrong with it becomes its reason.

        Raises:
            LlavaPlusError: If not this sample but all of the work cannot go on.
        """
        spent = Spent()
        same = (sample.name, sample.task.name, sample.split, sample.context.image)
        try:
            running = Running.on(sample.context, self._folders, self._store)
            exchanges = [
                self._exchange(sample, number, part, running, spent) for number, part in enumerate(sample.parts)
            ]
        except DroppedError as error:
            return Outcome(*same, reason=error.reason, detail=error.detail[:300], spent=spent)
        record = compose(sample, exchanges)
        return Outcome(*same, record=record.to_json(), slots=tuple(e.slots() for e in exchanges), spent=spent)

    def _exchange(self, sample: Sample, number: int, part: Part, running: Running, spent: Spent) -> Exchange:
        brief = self._brief(sample, f"{sample.seed}/{number}", part)
        wish = self._labeller.ask(brief, spent)
        question = wish.text + (brief.marks.text() if brief.marks else "")
        check_question(wish.text, brief, self._filters)
        calls = [dict(arguments) for arguments in wish.arguments]
        if brief.marks is not None:
            calls[0] |= mark_arguments(brief.marks, brief.tools[0])
        rounds = self._rounds(brief, calls, running)
        results = [result for turn in rounds for result in turn]
        self._check_results(brief, results)
        answer = self._labeller.tell(brief, Wish(question, wish.arguments, wish.answers), results, spent)
        exchange = Exchange(question, tuple(rounds), answer)
        check_answer(exchange, brief, self._filters)
        return exchange

    def _brief(self, sample: Sample, seed: str, part: Part) -> Brief:
        task, context = part.task, sample.context
        rng = random.Random(f"{seed}/target")
        tools = tuple(self._tools[entry] for entry in task.skills)
        marks = None
        # The grammar's phrasings of several calls bring their marks along.
        led = task.kind == "composition" and self._labeller.free and not MARK_ARGUMENTS.isdisjoint(tools[0].args)
        if task.kind == "visual_prompt" or led:
            marks = draw_marks(context, tools[0], task.marks or self._labeller.marks(part), rng)
        absent = draw_absent(context, self._things, rng) if task.kind == "absent" else None
        return Brief(part, context, tools, seed, self._filters.language, absent, marks)

    @staticmethod
    def _rounds(brief: Brief, calls: Sequence[Mapping[str, Any]], running: Running) -> list[Results]:
        made = []
        for tool, arguments in zip(brief.tools, calls, strict=True):
            made.append(running.run(tool, arguments))
            if "error" in made[-1][1]:
                break  # what follows would work on nothing
        return [made] if brief.task.at_once and made else [[result] for result in made]

    def _check_results(self, brief: Brief, results: Results) -> None:
        for action, content in results:
            if "error" in content and not self._filters.keep_failures:
                kind = "the skill cannot be called like this" if "cannot be called" in str(content["error"]) else ""
                raise DroppedError(kind or "the skill failed", str(content["error"]))
            if brief.absent is not None and any(value for value in content.values() if isinstance(value, list)):
                raise DroppedError("the skill found what is not there", f"{brief.absent}: {action.name}")
        gold = brief.context.answer if brief.task.kind == "knowledge" else None
        if gold and gold.lower() not in json.dumps([content for _, content in results], ensure_ascii=False).lower():
            raise DroppedError("what was found does not hold the true answer", gold)
