"""From filled slots to a record: thoughts, holding messages, observations. Pure; what was said comes from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llavaplus_graph.data import wording
from llavaplus_graph.data.curation.labelling import Exchange
from llavaplus_graph.data.curation.plan import Sample
from llavaplus_graph.data.record import Record, gpt, human
from llavaplus_graph.protocol import IMAGE, clean_text, holding_message, render_observation


def compose(sample: Sample, exchanges: Sequence[Exchange]) -> Record:
    """Write the conversation of a sample.

    The picture is shown with the first question. A generated picture has none before it, so such a record has no
    picture unless the context names one.
    """
    image = sample.context.image
    turns: list[dict[str, Any]] = []
    for number, exchange in enumerate(exchanges):
        question = clean_text(exchange.question)
        turns.append(human(f"{IMAGE}\n{question}" if image and not number else question))
        turns += _turns(exchange, question)
    return Record(sample.name, (image,) if image else (), tuple(turns), "curated")


def _turns(exchange: Exchange, question: str) -> list[dict[str, Any]]:
    answer = clean_text(exchange.answer)
    if not exchange.rounds:
        return [gpt(wording.plan_thought([]), (), answer)]
    turns: list[dict[str, Any]] = []
    done: list[str] = []
    for number, results in enumerate(exchange.rounds):
        names = [action.name for action, _ in results]
        later = [action.name for action, _ in exchange.rounds[1][:1]] if len(exchange.rounds) > 1 else []
        thought = (
            wording.next_thought(done[-1], " and ".join(names))
            if number
            else wording.plan_thought(names, then=later[0] if later else None)
        )
        turns.append(gpt(thought, [action for action, _ in results], holding_message(names)))
        turns.append(human(render_observation([(action.name, content) for action, content in results], question)))
        done = names
    turns.append(gpt(wording.answer_thought(done), (), answer))
    return turns
