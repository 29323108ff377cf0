"""Carries out ``llavaplus learn``: teaches a checkpoint a new skill and prints what it knew before and after."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.data.heldout import held_out_questions
from llavaplus_graph.data.lesson import Lesson, read_lesson
from llavaplus_graph.data.teaching import REHEARSAL
from llavaplus_graph.evaluate.planning import examine, report
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills
from llavaplus_graph.train.figure import draw_scores
from llavaplus_graph.train.learn import RECORDS, STAGES, Learned, Score, learn

_PICTURES = 60  # a kind, for so many records; fewer records need fewer


def run_learn(
    skill: Path,
    examples: Path,
    out: Path,
    *,
    model: str | None = None,
    limit: int | None = None,
    records: int = RECORDS,
    rehearsal: float = REHEARSAL,
) -> None:
    """Teaches, examines before and after, and writes ``OUT``, ``OUT/learned.json`` and ``OUT/learned.png``.

    Args:
        skill: the Python file that makes the new skill.
        examples: ways to ask for it.
        out: the directory of the new checkpoint; must not exist.
        model: the checkpoint that learns; None is the bundled one.
        limit: ask at most so many questions about the old skills, and about the new one.
        records: conversations to train on.
        rehearsal: share of them, in [0, 1), that rehearse what the checkpoint knows.

    Raises:
        ConfigError: the skill file or `out` cannot be used.
        DataError: the phrasings cannot be used.
        CheckpointError: the model cannot be opened.
    """
    log = logging.getLogger("llavaplus_graph")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
    with tempfile.TemporaryDirectory() as folder:
        store = ImageStore(folder)
        lesson = read_lesson(skill, examples, store)
        for warning in lesson.warnings:
            log.warning("%s", warning)
        stages = [replace(stage, records=max(1, records * stage.records // RECORDS)) for stage in STAGES]
        learned = learn(
            lesson,
            out,
            lambda base: _scores(base, lesson, store, limit),
            base=model,
            stages=stages,
            rehearsal=rehearsal,
            pictures=max(2, min(_PICTURES, _PICTURES * records // RECORDS)),
        )
    (out / "learned.json").write_text(json.dumps(_plain(learned), indent=2) + "\n", encoding="utf-8")
    draw_scores(learned.before, learned.after, lesson.tool.name, out / "learned.png")
    Console().print(_table(learned))
    print(out)


def _scores(base: str | None, lesson: Lesson, store: ImageStore, limit: int | None) -> list[Score]:
    """Examines a checkpoint on what it should know already, and on the held-out ways to ask for the new skill."""
    lmm = ChatLlavaPlus(model=base, store=store)
    tools = [*load_skills(store=store), lesson.tool]
    known = report(list(examine(lmm, tools, held_out_questions("development")[:limit], store)))
    new = report(list(examine(lmm, tools, lesson.questions()[:limit], store)))
    return [Score(*row) for row in (*known, (lesson.tool.name, *new[0][1:]))]


def _plain(learned: Learned) -> dict[str, object]:
    return {
        "minutes": round(learned.minutes, 1),
        "before": [asdict(score) for score in learned.before],
        "after": [asdict(score) for score in learned.after],
    }


def _table(learned: Learned) -> Table:
    title = f"learned in {learned.minutes:.0f} minutes"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, title=title, title_justify="left")
    table.add_column(no_wrap=True)
    for column in ("asked", "skill before", "skill after", "arguments before", "arguments after"):
        table.add_column(column, justify="right")
    after: dict[str, Score] = {score.group: score for score in learned.after}
    rows: Sequence[Score] = learned.before
    for old in rows:
        new = after[old.group]
        shares = (old.skill, new.skill, old.call, new.call)
        table.add_row(old.group, str(old.questions), *(f"{share:.1%}" for share in shares))
    return table
