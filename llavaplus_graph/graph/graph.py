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
from llavaplus_graph.fetching import Fetcher, fetcher_for
from llavaplus_graph.graph.aggregator import aggregator
from llavaplus_graph.graph.approval import approved
from llavaplus_graph.graph.cache import AnyCache, ResultCache
from llavaplus_graph.graph.captions import Captions
from llavaplus_graph.graph.executor import Executor
from llavaplus_graph.graph.lmm import Lmm
from llavaplus_graph.graph.planner import planner
from llavaplus_graph.graph.prompted import PLANNER_PROMPT
from llavaplus_graph.graph.responder import responder as respond_node
from llavaplus_graph.graph.retrying import Retry
from llavaplus_graph.graph.sight import Sight, Vision
from llavaplus_graph.graph.state import InputState, State, pending_calls
from llavaplus_graph.graph.trimming import Trim
from llavaplus_graph.images import ImageStore, default_store

if TYPE_CHECKING:
    LlavaPlusGraph = StateGraph[State, None, InputState, State]


def create_llavaplus_graph(
    model: BaseChatModel,
    skills: Sequence[BaseTool],
    *,
    store: ImageStore | None = None,
    responder: BaseChatModel | None = None,
    max_rounds: int = 3,
    max_calls: int = 12,
    cache: AnyCache | None = None,
    retry: Retry | None = None,
    grounded: bool = False,
    approve: Sequence[str] = (),
    vision: Vision = "auto",
    trim: Trim | None = None,
    prompt: str = PLANNER_PROMPT,
    fetch_urls: bool | Fetcher = False,
) -> LlavaPlusGraph:
    """Builds the conversation of an LMM with its skills.

    The LMM plans, every planned call runs on its own (a failure is a typed result and the others stand), the results
    go back in the order of the plan, and the LMM answers or plans again. Inline pictures are put into the store before
    the first node's result is written; `user_message` does so before the graph sees the message at all, which keeps
    pixels out of the very first checkpoint too.

    Args:
        model: any chat model with tool calling. One that sees handles itself says so with ``reads_handles = True``;
            every other model is sent the pixels, which stay out of the state. It is shown the pictures that skills
            made unless it says ``sees_results = False``.
        skills: tools that return a skill result, for example from `load_skills`; plan and answer need none.
        store: where pictures are; by default the store of the process. Give the model and the skills the same one.
        responder: who reads the results and answers; by default `model`. One that can call tools may ask for another
            round, any other answers at once.
        max_rounds: how many times in one turn the LMM may have skills run, at least 1.
        max_calls: how many calls in one turn are run, at least 1; the others are answered with a failure that says so.
        cache: keeps results, so that no skill looks twice at the same picture with the same arguments; any cache of
            LangGraph. What a skill creates is kept only when it was given a ``seed`` or is declared repeatable.
        retry: which skills are tried again after an error that is not their own `SkillError`; LangGraph's policy, for
            all or by name. Every attempt has the skill's whole deadline.
        grounded: whether to look for the answer's numbers and quotations in the results; what occurs in none stands in
            ``response_metadata["ungrounded"]``.
        approve: names of skills that wait for a person, who approves, edits or rejects the call; wants a checkpointer.
        vision: how the models see pictures: ``auto`` goes by what they say of themselves, ``captions`` puts words of
            the skill ``caption_image`` in place of pixels, for models that see nothing.
        trim: about how many tokens of a long conversation the models are shown, or a function that leaves messages
            out; the first and the newest picture stay in any case.
        prompt: what a model is told that was not tuned on the skills; a ChatLlavaPlus never is, nor is anyone without
            skills.
        fetch_urls: whether pictures that the caller gives as public URLs are fetched, or a `Fetcher` with limits of
            yours; what an LMM writes is never fetched.

    Returns:
        The graph, not compiled: the caller chooses checkpointer and name.

    Raises:
        ConfigError: `max_rounds` or `max_calls` is below 1, a tool is no skill or two have one name, the model calls
            no tools, `retry` or `approve` names a skill that is not there, or nobody makes captions.

    Example:
        >>> from langchain_core.messages import HumanMessage
        >>> from llavaplus_graph.testing import ScriptedLmm
        >>> graph = create_llavaplus_graph(ScriptedLmm(["Hello!"]), []).compile()
        >>> graph.invoke({"messages": [HumanMessage("Hi")]})["messages"][-1].text
        'Hello!'
    """
    if max_rounds < 1:
        raise ConfigError(f"max_rounds must be at least 1, not {max_rounds}: without a round no skill could ever run")
    if max_calls < 1:
        raise ConfigError(f"max_calls must be at least 1, not {max_calls}: without a call no skill could ever run")
    store = store or default_store()
    executor = Executor(skills, cache=ResultCache(cache, store) if cache is not None else None, retry=retry)
    captioner = Captions(skills) if vision == "captions" else None

    def sight(of: BaseChatModel) -> Sight:
        told = prompt if skills else ""
        return Sight(of, store, vision=vision, captioner=captioner, trim=trim, prompt=told)

    lmm = Lmm(model, skills, sight(model))
    answering = lmm if responder is None else Lmm(responder, skills, sight(responder), answers_only=True)

    def next_step(state: State) -> list[Send] | str:
        calls = pending_calls(state["messages"])[: max(0, max_calls - state["calls"])]
        return [Send("execute", executor.task(call, state)) for call in calls] or END

    steps: list[Any] = ["execute", END]
    graph: LlavaPlusGraph = StateGraph(State, input_schema=InputState)
    graph.add_node("planner", planner(lmm, store, fetcher_for(fetch_urls)))
    graph.add_node("execute", approved(executor.node(), approve, skills))
    graph.add_node("aggregate", aggregator(max_calls))
    answer = respond_node(answering, max_rounds=max_rounds, max_calls=max_calls, grounded=grounded)
    graph.add_node("respond", answer)
    graph.add_edge(START, "planner")
    graph.add_conditional_edges("planner", next_step, steps)
    graph.add_edge("execute", "aggregate")
    graph.add_edge("aggregate", "respond")
    graph.add_conditional_edges("respond", next_step, steps)
    return graph
