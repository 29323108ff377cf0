"""The last node of a round: the LMM reads the results and answers, or plans again. Knows no skill."""

from __future__ import annotations

from langchain_core.messages import AIMessage

from llavaplus_graph.graph.evidence import with_evidence_checked
from llavaplus_graph.graph.limits import Limits
from llavaplus_graph.graph.lmm import Lmm
from llavaplus_graph.graph.node import Node
from llavaplus_graph.graph.state import State, Update


def responder(lmm: Lmm, limits: Limits, *, grounded: bool = False) -> Node[State, Update]:
    """The respond node.

    Args:
        lmm: who answers.
        limits: where they are reached, it has to answer without skills.
        grounded: whether the answer's numbers and quotations are looked for in the results.
    """

    def update(state: State, reply: AIMessage) -> Update:
        return {"messages": [with_evidence_checked(reply, state["messages"]) if grounded else reply]}

    def respond(state: State) -> Update:
        return update(state, lmm.ask(state["messages"], state["images"], may_act=limits.may_act(state)))

    async def arespond(state: State) -> Update:
        return update(state, await lmm.aask(state["messages"], state["images"], may_act=limits.may_act(state)))

    return Node(respond, arespond)
