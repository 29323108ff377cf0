"""The first node of a turn: takes the new messages in and lets the LMM plan. Knows no skill."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langchain_core.runnables import run_in_executor
from langgraph.types import Overwrite

from llavaplus_graph.graph.intake import Intake, take_in
from llavaplus_graph.graph.lmm import Lmm
from llavaplus_graph.graph.node import Node
from llavaplus_graph.graph.state import State, Update
from llavaplus_graph.images import ImageStore
from llavaplus_graph.remote_pictures import Fetcher


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
    update: Update = {"messages": [*taken.changed, plan], "rounds": 0}
    if taken.pictures:
        update["images"] = taken.pictures
    if state["results"]:
        update["results"] = Overwrite({})  # type: ignore[typeddict-item]  # LangGraph's word to a channel, never a value
    return update
