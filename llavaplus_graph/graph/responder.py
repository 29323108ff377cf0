"""The last node of a round: the LMM reads the results and answers, or plans again. Knows no skill."""

from __future__ import annotations

from langchain_core.runnables import RunnableLambda

from llavaplus_graph.graph.lmm import Lmm
from llavaplus_graph.graph.state import State, Update


def responder(lmm: Lmm, max_rounds: int) -> RunnableLambda[State, Update]:
    """The respond node.

    Args:
        lmm: who answers.
        max_rounds: after so many rounds it has to answer, without skills.
    """

    def respond(state: State) -> Update:
        return {"messages": [lmm.ask(state["messages"], may_act=state["rounds"] < max_rounds)]}

    async def arespond(state: State) -> Update:
        return {"messages": [await lmm.aask(state["messages"], may_act=state["rounds"] < max_rounds)]}

    return RunnableLambda(respond, arespond, name="answer")
