"""The graph on one page: which node follows which. Knows the nodes, not what they do.

START -> planner -+-> execute (one per call) -> aggregate -> respond -+-> END
                  |        ^                                          |
                  +-> END  +------------- another round --------------+
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph.aggregator import aggregate
from llavaplus_graph.graph.executor import Executor
from llavaplus_graph.graph.lmm import Lmm
from llavaplus_graph.graph.planner import planner
from llavaplus_graph.graph.responder import responder
from llavaplus_graph.graph.state import InputState, State, pending_calls
from llavaplus_graph.images import ImageStore, default_store

if TYPE_CHECKING:
    LlavaPlusGraph = StateGraph[State, None, InputState, State]


def create_llavaplus_graph(
    model: BaseChatModel,
    skills: Sequence[BaseTool],
    *,
    store: ImageStore | None = None,
    max_rounds: int = 3,
) -> LlavaPlusGraph:
    """Builds the conversation of an LMM with its skills.

    The LMM plans, every planned call runs on its own (a failure is a typed result and the others stand), the results
    go back in the order of the plan, and the LMM answers or plans again. Inline pictures are put into the store before
    the first node's result is written; `user_message` does so before the graph sees the message at all, which keeps
    pixels out of the very first checkpoint too.

    Args:
        model: any chat model with tool calling. One that sees handles itself says so with ``reads_handles = True``;
            every other model is sent the pixels, which stay out of the state.
        skills: tools that return a skill result, for example from `load_skills`; plan and answer need none.
        store: where pictures are; by default the store of the process. Give the model and the skills the same one.
        max_rounds: how many times in one turn the LMM may have skills run, at least 1.

    Returns:
        The graph, not compiled: the caller chooses checkpointer and name.

    Raises:
        ConfigError: `max_rounds` is below 1, a tool is no skill or two have one name, or the model calls no tools.

    Example:
        >>> from langchain_core.messages import HumanMessage
        >>> from llavaplus_graph.testing import ScriptedLmm
        >>> graph = create_llavaplus_graph(ScriptedLmm(["Hello!"]), []).compile()
        >>> graph.invoke({"messages": [HumanMessage("Hi")]})["messages"][-1].text
        'Hello!'
    """
    if max_rounds < 1:
        raise ConfigError(f"max_rounds must be at least 1, not {max_rounds}: without a round no skill could ever run")
    store = store or default_store()
    executor = Executor(skills)
    lmm = Lmm(model, skills, store)

    def next_step(state: State) -> list[Send] | str:
        sends = [Send("execute", executor.task(call, state)) for call in pending_calls(state["messages"])]
        return sends or END

    steps: list[Any] = ["execute", END]
    graph: LlavaPlusGraph = StateGraph(State, input_schema=InputState)
    graph.add_node("planner", planner(lmm, store))
    graph.add_node("execute", executor.node())
    graph.add_node("aggregate", aggregate)
    graph.add_node("respond", responder(lmm, max_rounds))
    graph.add_edge(START, "planner")
    graph.add_conditional_edges("planner", next_step, steps)
    graph.add_edge("execute", "aggregate")
    graph.add_edge("aggregate", "respond")
    graph.add_conditional_edges("respond", next_step, steps)
    return graph
