"""Carries out ``llavaplus evaluate``: asks the examinations and prints what came out. Knows no metric."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from llavaplus_graph.chat_model import ChatLlavaPlus
from llavaplus_graph.data.heldout import Question, held_out_questions
from llavaplus_graph.data.pictures import PICTURE_KINDS
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.evaluate.planning import examine, report, share
from llavaplus_graph.evaluate.reading import repeat_signs
from llavaplus_graph.evaluate.sight import look
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import load_skills

Examination = Callable[[ChatLlavaPlus, Sequence[Any], ImageStore, int | None], dict[str, Any]]


def run_evaluate(which: Sequence[str], *, model: str | None, limit: int | None, as_json: bool) -> None:
    """Asks the examinations that were named, or all of them.

    Args:
        which: some of ``planning``, ``unseen``, ``development``, ``reading`` and ``sight``.
        model: a model directory; None is the bundled LMM.
        limit: ask at most so many questions of each examination.
        as_json: one JSON document instead of tables.

    Raises:
        ConfigError: an examination has another name.
        CheckpointError: the model cannot be opened.
    """
    for name in which:
        if name not in _EXAMINATIONS:
            raise ConfigError(f"there is no examination {name!r}; there are {', '.join(_EXAMINATIONS)}")
    outcome: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = ImageStore(folder)
        lmm = ChatLlavaPlus(model=model, store=store).load()
        tools = load_skills(store=store)
        for name in which or _EXAMINATIONS:
            started = time.monotonic()
            outcome[name] = _EXAMINATIONS[name](lmm, tools, store, limit)
            if not as_json:
                _print(name, outcome[name], time.monotonic() - started)
    if as_json:
        print(json.dumps(outcome, ensure_ascii=False, indent=2))


def _planning(lmm: ChatLlavaPlus, tools: Sequence[Any], store: ImageStore, limit: int | None) -> dict[str, Any]:
    return _planned(lmm, tools, store, held_out_questions("test")[:limit])


def _unseen(lmm: ChatLlavaPlus, tools: Sequence[Any], store: ImageStore, limit: int | None) -> dict[str, Any]:
    return _planned(lmm, tools, store, held_out_questions("unseen")[:limit])


def _development(lmm: ChatLlavaPlus, tools: Sequence[Any], store: ImageStore, limit: int | None) -> dict[str, Any]:
    return _planned(lmm, tools, store, held_out_questions("development")[:limit])


def _planned(
    lmm: ChatLlavaPlus, tools: Sequence[Any], store: ImageStore, questions: Sequence[Question]
) -> dict[str, Any]:
    results = list(examine(lmm, tools, questions, store))
    rows = [[name, count, f"{skill:.1%}", f"{call:.1%}"] for name, count, skill, call in report(results)]
    missed = [
        {"question": r.question.text, "expected": list(r.question.calls), "planned": list(r.planned)}
        for r in results
        if not r.arguments_right
    ]
    return {
        "columns": ["skill", "questions", "right skill", "right skill and arguments"],
        "rows": rows,
        "missed": missed,
    }


def _reading(lmm: ChatLlavaPlus, tools: Sequence[Any], store: ImageStore, limit: int | None) -> dict[str, Any]:
    results = list(repeat_signs(lmm, tools, limit or 200, store))
    missed = [{"texts": r.texts, "answer": r.answer} for r in results if not r.exact]
    row = [len(results), f"{share(r.exact for r in results):.1%}"]
    return {"columns": ["signs", "every text repeated exactly"], "rows": [row], "missed": missed}


def _sight(lmm: ChatLlavaPlus, tools: Sequence[Any], store: ImageStore, limit: int | None) -> dict[str, Any]:
    per_kind = limit or 12
    seen = list(look(lmm, tools, per_kind, store))
    blind = list(look(lmm, tools, per_kind, store, blanked=True))
    rows = [
        [
            kind,
            per_kind,
            f"{share(r.right for r in seen if r.kind == kind):.1%}",
            f"{share(r.right for r in blind if r.kind == kind):.1%}",
        ]
        for kind in PICTURE_KINDS
    ]
    rows.insert(0, ["all", len(seen), f"{share(r.right for r in seen):.1%}", f"{share(r.right for r in blind):.1%}"])
    missed = [{"kind": r.kind, "question": r.question, "planned": r.planned} for r in seen if not r.right]
    return {
        "columns": ["kind", "pictures", "right plan", "right plan, picture blanked"],
        "rows": rows,
        "missed": missed,
    }


_EXAMINATIONS: dict[str, Examination] = {
    "planning": _planning,
    "unseen": _unseen,
    "development": _development,
    "reading": _reading,
    "sight": _sight,
}


def _print(name: str, outcome: dict[str, Any], seconds: float) -> None:
    table = Table(*outcome["columns"], title=f"{name} ({seconds:.0f} s)", title_justify="left")
    for row in outcome["rows"]:
        table.add_row(*map(str, row))
    Console().print(table)
