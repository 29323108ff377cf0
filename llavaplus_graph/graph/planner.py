"""The first node of a turn: takes the new messages in and lets the LMM plan. Knows no skill."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda, run_in_executor

from llavaplus_graph.graph.intake import Intake, take_in
from llavaplus_graph.graph.lmm import Lmm
from llavaplus_graph.graph.state import State, Update
from llavaplus_graph.images import ImageStore


def planner(lmm: Lmm, store: ImageStore) -> RunnableLambda[State, Update]:
    """The planner node.

    Args:
        lmm: who plans.
        store: where inline pictures are put.
    """

    def plan(state: State) -> Update:
        taken = take_in(state["messages"], state["images"], store)
        return _update(taken, lmm.ask(taken.messages))

    async def aplan(state: State) -> Update:
        taken = await run_in_executor(None, take_in, state["messages"], state["images"], store)
        return _update(taken, await lmm.aask(taken.messages))

    return RunnableLambda(plan, aplan, name="plan")


def _update(taken: Intake, plan: AIMessage) -> Update:
    return {"messages": [*taken.changed, plan], "images": taken.pictures, "rounds": 0}
