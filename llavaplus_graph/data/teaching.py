"""Instruction data for a new skill: its phrasings, the skill really run on drawn pictures, and rehearsal of the old.

Knows records; what is trained on them is the business of `train`.
"""

from __future__ import annotations

import json
import logging
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llavaplus_graph.data import wording
from llavaplus_graph.data.conversations import Composer, PictureFact
from llavaplus_graph.data.deadline import OverdueError, invoke_in_time
from llavaplus_graph.data.lesson import Lesson
from llavaplus_graph.data.phrasing import Phrasing
from llavaplus_graph.data.record import Record, gpt, human
from llavaplus_graph.data.requests import Request, make_request
from llavaplus_graph.errors import DataError
from llavaplus_graph.protocol import IMAGE, holding_message, render_observation
from llavaplus_graph.types import parse_result

_log = logging.getLogger(__name__)
REHEARSAL = 0.8
"""Share of a lesson that rehearses what the LMM knows: enough to keep it, with a fifth left for the new skill."""
_DRILLS = 0.13  # share of the rehearsal that copies and names kinds of pictures
_PICTURED = 0.7  # share of the rehearsed conversations that show a picture
_MOST_RUNS = 160
_MOST_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class _Run:
    request: Request
    fact: PictureFact
    content: Mapping[str, Any]


def lesson_records(
    lesson: Lesson,
    facts: Sequence[PictureFact],
    folder: Path,
    known: Composer,
    count: int,
    rng: random.Random,
    *,
    rehearsal: float = REHEARSAL,
) -> Iterator[Record]:
    """Compose the records of a lesson: some about the new skill, the others about everything known before.

    Args:
        lesson: What is taught.
        facts: Drawn pictures; the skill is run on them.
        folder: Where the files of the pictures are.
        known: Composes what the LMM knows already.
        count: How many records.
        rng: Source of chance.
        rehearsal: Share of the records, in [0, 1), that rehearse what is known; the new ones are spread evenly.

    Raises:
        DataError: If the skill fails on every picture, or an authored answer names what its results lack.
    """
    runs = _run_for_real(lesson, facts, folder, rng)
    new = 1 - rehearsal
    for index in range(count):
        name = f"lesson-{index}"
        if math.ceil((index + 1) * new) > math.ceil(index * new):
            yield _new(name, lesson, facts, runs, rng)
        elif rng.random() < _DRILLS:
            yield rng.choice([known.answer_drill, known.plan_drill, known.sight_drill])(name)
        else:
            yield known.conversation(name, pictured=rng.random() < _PICTURED)


def _run_for_real(lesson: Lesson, facts: Sequence[PictureFact], folder: Path, rng: random.Random) -> list[_Run]:
    runs: list[_Run] = []
    deadline = time.monotonic() + _MOST_SECONDS
    while len(runs) < _MOST_RUNS and (time.monotonic() < deadline or not runs):
        request, fact = make_request(rng.choice(lesson.phrasings), rng), rng.choice(facts)
        assert request.action is not None  # noqa: S101 - phrasings of a lesson ask for its skill
        args = dict(request.action.params)
        if "image" in lesson.tool.args:
            args["image"] = folder / fact.file
        try:
            message = invoke_in_time(lesson.tool, args)
            content = json.loads(str(message.content))
            made = parse_result(message.artifact).pictures
        except OverdueError as error:
            raise DataError(f"{error} with {request.action.params}, which is its deadline; make it faster.") from None
        # Whatever somebody's skill does wrong becomes a sentence for its author.
        except Exception as error:
            told = f"{lesson.tool.name} breaks with {request.action.params} ({type(error).__name__}: {error})"
            raise DataError(f"{told}; mend it first.") from error
        content |= {"pictures": [f"image_{2 + number}" for number in range(len(made))]} if made else {}
        runs.append(_Run(request, fact, content))
    failed = [run for run in runs if "error" in run.content]
    if len(failed) == len(runs):
        raise DataError(f"{lesson.tool.name} fails on every picture, so nothing can be taught: {failed[0].content}")
    _log.info("%s was run %d times, %d failed", lesson.tool.name, len(runs), len(failed))
    return runs


def _new(name: str, lesson: Lesson, facts: Sequence[PictureFact], runs: Sequence[_Run], rng: random.Random) -> Record:
    """Ask for the new skill: half of the time only the plan, else a result that it really gave and the answer."""
    if rng.random() < 0.55:
        request = make_request(rng.choice(lesson.phrasings), rng)
        shown = [rng.choice(facts)] if rng.random() < 0.8 else []
        return Record(name, tuple(fact.file for fact in shown), tuple(_plan(request, shown)), "lesson")
    run = rng.choice(runs)
    shown = [run.fact] if rng.random() < 0.8 else []
    skill = lesson.tool.name
    turns = [
        *_plan(run.request, shown),
        human(render_observation([(skill, run.content)], run.request.text)),
        gpt(wording.answer_thought([skill]), (), _answer(run, skill, rng)),
    ]
    return Record(name, tuple(fact.file for fact in shown), tuple(turns), "lesson")


def _plan(request: Request, shown: Sequence[PictureFact]) -> list[dict[str, Any]]:
    names = [action.name for action in request.actions]
    thought = wording.plan_thought(names, kinds=[fact.kind for fact in shown])
    return [human(f"{IMAGE}\n" * len(shown) + request.text), gpt(thought, request.actions, holding_message(names))]


def _answer(run: _Run, skill: str, rng: random.Random) -> str:
    phrasing: Phrasing = run.request.phrasing
    action = run.request.action
    if "error" in run.content or not phrasing.answers:
        return wording.answer(skill, run.content, action.params if action else {})
    form = rng.choice(phrasing.answers)
    try:
        return form.format_map(run.content)
    except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
        known = ", ".join(f"{{{key}}}" for key in run.content)
        raise DataError(f"The answer {form!r} cannot be filled from a result of {skill}; it has {known}.") from error
