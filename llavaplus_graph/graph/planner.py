"""The first node of a turn: takes the new messages in and lets the LMM plan. Knows no skill."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langchain_core.runnables import run_in_executor

from llavaplus_graph.fetching import Fetcher
from llavaplus_graph.graph.intake import Intake, take_in
from llavaplus_graph.graph.lmm import Lmm
from llavaplus_graph.graph.node import Node
from llavaplus_graph.graph.state import State, Update, results_in
from llavaplus_graph.images import ImageStore


def planner(lmm: Lmm, store: ImageStore, fetcher: Fetcher | None = None) -> Node[State, Update]:
    """The planner node.

    Args:
        lmm: who plans.
        store: where inline pictures are put.
        fetcher: fetches pictures that are given as URLs; None refuses them.
    """

    def plan(state: State) -> Update:
        taken = take_in(state["messages"], state["images"], store, fetcher)
        return _update(state, taken, lmm.ask(taken.messages, [*state["images"], *taken.pictures]))

    async def aplan(state: State) -> Update:
        taken = await run_in_executor(None, take_in, state["messages"], state["images"], store, fetcher)
        return _update(state, taken, await lmm.aask(taken.messages, [*state["images"], *taken.pictures]))

    return Node(plan, aplan)


def _update(state: State, taken: Intake, plan: AIMessage) -> Update:
    return {
        "messages": [*taken.changed, plan],
        "images": taken.pictures,
        # A graph inside another one gets messages alone; what was found in earlier turns is in them.
        "results": results_in(taken.messages, state["results"]),
        "rounds": 0,
        "calls": 0,
    }
