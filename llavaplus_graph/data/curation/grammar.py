"""The labeller that needs no model: authored phrasings, filled with what is in the picture. Runs no skill."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from langchain_core.tools import BaseTool

from llavaplus_graph.data import wording
from llavaplus_graph.data.curate import training_phrasings
from llavaplus_graph.data.curation.labelling import Brief, Results, Spent, Wish
from llavaplus_graph.data.curation.plan import Part
from llavaplus_graph.data.curation.spec import Task
from llavaplus_graph.data.lesson import text_argument
from llavaplus_graph.data.noise import as_typed
from llavaplus_graph.data.phrasing import Phrasing, fill, read_phrasings_file
from llavaplus_graph.data.requests import make_request
from llavaplus_graph.data.slots import Slots, plural
from llavaplus_graph.errors import DataError
from llavaplus_graph.skills import canonical_name

_THINGS = ("{thing", "{things")
_SHORT = 8  # words of a long description that somebody would type


class GrammarLabeller:
    """Fills authored phrasings; the same brief always gives the same words.

    Args:
        tools: The skill behind every entry of `skills` in the tasks.
    """

    name = "grammar"
    free = False

    def __init__(self, tools: Mapping[str, BaseTool]) -> None:
        self._tools = dict(tools)
        self._found: dict[str, list[Phrasing]] = {}

    def intentions(self, task: Task) -> Sequence[str]:
        """Give the families of phrasings; raises DataError where there are none."""
        return sorted({phrasing.family for phrasing in self._phrasings(task)})

    def marks(self, part: Part) -> Literal["box", "points"] | None:
        """Give the kind of visual prompt that the words of a family go with."""
        kinds = {p.marks for p in self._phrasings(part.task) if p.family == part.intention}
        return "box" if kinds == {"box"} else "points" if kinds == {"points"} else None

    def ask(self, brief: Brief, spent: Spent) -> Wish:  # noqa: ARG002 - costs nothing
        """Fill a phrasing of the family with what is in the picture."""
        rng = random.Random(brief.seed)
        context = brief.context
        if brief.task.kind == "editing" and context.instruction:
            return Wish(context.instruction, ({"instruction": context.instruction},))
        if brief.task.kind == "knowledge" and context.question:
            return Wish(context.question, ({},))
        family = [p for p in self._phrasings(brief.task) if p.family == brief.part.intention]
        if brief.task.kind == "arguments" and context.names:  # ask for what is there, where the family can
            family = [p for p in family if any(slot in p.text for slot in _THINGS)] or family
        phrasing = rng.choice(family)
        values = _Values(brief, rng)
        if brief.marks is not None:
            return Wish(as_typed(fill(phrasing, values), rng).text, ({},), phrasing.answers)
        request = make_request(phrasing, rng, value_of=values)
        if brief.task.kind == "chat":
            return Wish(request.text, (), phrasing.answers)
        given: list[Mapping[str, Any]] = [action.params for action in request.actions]
        if phrasing.then:
            given.append({"prompt": ""} if "prompt" in brief.tools[-1].args else {})
        if brief.task.kind == "generation" and context.prompt and given and "prompt" in given[0]:
            given[0] = {**given[0], "prompt": context.prompt}
        return Wish(request.text, tuple(given), phrasing.answers)

    def tell(self, brief: Brief, wish: Wish, results: Results, spent: Spent) -> str:  # noqa: ARG002 - costs nothing
        """Fill an authored answer, or word the results as the package always does."""
        if not results:
            return random.Random(brief.seed).choice(wish.answers)
        if wish.answers and not any(_found_nothing(content) for _, content in results):
            form = random.Random(brief.seed).choice(wish.answers)
            known = {key: value for _, content in results for key, value in content.items()}
            try:
                return form.format_map(known)
            except (KeyError, ValueError, IndexError) as error:
                names = ", ".join(f"{{{key}}}" for key in known)
                raise DataError(f"The answer {form!r} cannot be filled from the results; they have {names}.") from error
        told = [wording.answer(action.name, content, action.params) for action, content in results]
        return told[-1] if len(results) > 1 and not brief.task.at_once else " ".join(told)

    def _phrasings(self, task: Task) -> list[Phrasing]:
        if task.name in self._found:
            return self._found[task.name]
        tools = [self._tools[skill] for skill in task.skills]
        names = [tool.name for tool in tools]
        every = _read(task.phrasings) if task.phrasings else tuple(training_phrasings())
        own = task.phrasings is not None
        found = [_named(p, tools) for p in every if _fits(p, task, names, own=own)]
        if not found:
            asked = f"{task.kind}: {', '.join(names) or 'no skill'}"
            raise DataError(
                f"The grammar has no phrasings for the task {task.name!r} ({asked}); "
                "name a file of them with 'phrasings', or a labeller that writes."
            )
        self._found[task.name] = found
        return found


def _found_nothing(content: Mapping[str, Any]) -> bool:
    """Tell whether a skill failed or lists nothing; no authored answer speaks of that."""
    return "error" in content or any(value == [] for value in content.values())


class _Values:
    """Gives values for slots: things of the picture while there are any, and what is wanted where that is known."""

    def __init__(self, brief: Brief, rng: random.Random) -> None:
        self._slots = Slots(rng)
        self._absent = brief.absent
        self._prompt = brief.context.prompt
        names = list(brief.context.names)
        self._left = rng.sample(names, len(names))

    def __call__(self, slot: str) -> str:
        if slot in ("thing", "things"):
            name = self._absent or (self._left.pop() if self._left else self._slots.thing())
            return plural(name) if slot == "things" else name
        if slot == "prompt" and self._prompt:
            return " ".join(self._prompt.split(",")[0].split()[:_SHORT])
        try:
            return self._slots(slot)
        except KeyError:
            raise DataError(f"No vocabulary knows the slot {{{slot}}} of a phrasing.") from None


@cache
def _read(path: Path) -> tuple[Phrasing, ...]:
    return tuple(read_phrasings_file(path))


def _named(phrasing: Phrasing, tools: Sequence[BaseTool]) -> Phrasing:
    """Say which skill and which argument a phrasing of one skill is about, where its file leaves that open."""
    if not tools or phrasing.calls:
        return phrasing
    argument = phrasing.argument or text_argument(tools[0])
    return replace(phrasing, skill=tools[0].name, argument=argument if "[" in phrasing.text else None)


def _fits(phrasing: Phrasing, task: Task, names: Sequence[str], *, own: bool) -> bool:
    """Tell whether a phrasing asks for what the task is about."""
    if task.kind == "chat":
        return phrasing.skill is None and bool(phrasing.answers) and phrasing.plans is None and not phrasing.calls
    if task.kind == "composition":
        if phrasing.calls:
            return [call.skill for call in phrasing.calls] == list(names)
        return [phrasing.skill, phrasing.then] == list(names)
    if phrasing.calls or phrasing.then or phrasing.plans is not None:
        return False
    if task.kind == "visual_prompt" and ("{box" in phrasing.text or "{point" in phrasing.text):
        return False
    if task.kind == "absent" and not (phrasing.text.count("[") == 1 and any(s in phrasing.text for s in _THINGS)):
        return False
    asks = phrasing.skill == names[0] or (own and phrasing.skill is None)
    return asks or (phrasing.skill is not None and canonical_name(phrasing.skill) == names[0])
