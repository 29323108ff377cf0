"""The graph on one page: which node follows which. Knows the nodes, not what they do.

START -> planner -+-> execute (one per call) -> aggregate -> respond -+-> END
                  |        ^                                          |
                  +-> END  +------------- another round --------------+

Example:
    >>> from langchain_core.messages import HumanMessage
    >>> from llavaplus_graph.testing import ScriptedLmm
    >>> graph = create_llavaplus_graph(ScriptedLmm(["Hello!"]), []).compile()
    >>> graph.invoke({"messages": [HumanMessage("Hi")]})["messages"][-1].text
    'Hello!'
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send

from llavaplus_graph.graph.aggregator import aggregator
from llavaplus_graph.graph.approval import approved
from llavaplus_graph.graph.cache import AnyCache, ResultCache
from llavaplus_graph.graph.captions import Captions
from llavaplus_graph.graph.executor import Executor
from llavaplus_graph.graph.limits import Limits
from llavaplus_graph.graph.lmm import Lmm
from llavaplus_graph.graph.node import Node
from llavaplus_graph.graph.planner import planner
from llavaplus_graph.graph.prompted import PLANNER_PROMPT
from llavaplus_graph.graph.responder import responder as respond_node
from llavaplus_graph.graph.retrying import Retry
from llavaplus_graph.graph.sight import Sight, Vision
from llavaplus_graph.graph.state import InputState, State, Update, pending_calls
from llavaplus_graph.graph.trimming import Trim
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.remote_pictures import Fetcher, fetcher_for

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
    """Builds the conversation of an LMM with its skills; the caller compiles it, and chooses checkpointer and name.

    Args:
        model: any chat model with tool calling. It is sent pixels, which stay out of the state, unless it has
            ``reads_handles = True``; pictures that skills made are among them unless it has ``sees_results = False``.
        skills: tools that return a skill result, for example from `load_skills`; plan and answer need none.
        store: where pictures are, by default the store of the process. Give model and skills the same one.
        responder: who answers, by default `model`; one that calls tools may ask for another round.
        max_rounds: how many times in one turn skills may be run, at least 1.
        max_calls: how many calls in one turn are run, at least 1; the others are answered with a failure.
        cache: any cache of LangGraph. Keeps what skills find, and what they create with a ``seed``.
        retry: which skills are tried again after an unexpected error; one policy of LangGraph's, or one by name.
        grounded: whether ``response_metadata["ungrounded"]`` lists what the answer says and no result does.
        approve: names of skills whose calls a person approves, edits or rejects; wants a checkpointer.
        vision: how the models see pictures; ``captions`` puts words of the skill ``caption_image`` in their place.
        trim: about how many tokens the models are shown, or a function that leaves messages out.
        prompt: what a model is told that is no ChatLlavaPlus, where there are skills.
        fetch_urls: whether public URLs of pictures that the caller gives are fetched, or a `Fetcher` with limits.

    Raises:
        ConfigError: a limit is below 1, a tool is no skill or two have one name, the model calls no tools, `retry` or
            `approve` names a skill that is not there, or nobody makes captions.
    """
    limits, store = Limits(max_rounds, max_calls), store or default_store()
    executor = Executor(skills, cache=None if cache is None else ResultCache(cache, store), retry=retry)
    captioner = Captions(skills) if vision == "captions" else None
    told = prompt if skills else ""
    sight = partial(Sight, store=store, vision=vision, captioner=captioner, trim=trim, prompt=told)
    lmm = Lmm(model, skills, sight(model))
    answering = lmm if responder is None else Lmm(responder, skills, sight(responder), answers_only=True)
    acting = partial(_acting, executor=executor, limits=limits)
    graph: LlavaPlusGraph = StateGraph(State, input_schema=InputState)
    graph.add_node("planner", acting(planner(lmm, store, fetcher_for(fetch_urls))), destinations=("execute", END))
    graph.add_node("execute", approved(executor.node(), approve, skills))
    graph.add_node("aggregate", aggregator(limits))
    answers = respond_node(answering, limits, grounded=grounded)
    graph.add_node("respond", acting(answers), destinations=("execute", END))
    graph.add_edge(START, "planner")
    graph.add_edge("execute", "aggregate")
    graph.add_edge("aggregate", "respond")
    return graph


def _acting(node: Node[State, Update], *, executor: Executor, limits: Limits) -> Node[State, Command[Any]]:
    """A node that says where to go on: as often to execute as it calls skills and calls are allowed, or to the end.

    A conditional edge would say the same, after it has put the whole state together once more.
    """

    def onward(state: State, update: Update) -> Command[Any]:
        known: State = {
            **state,
            "messages": [*state["messages"], *update["messages"]],  # type: ignore[list-item]  # LangChain's union
            "images": [*state["images"], *update.get("images", [])],
            "results": {} if "results" in update else state["results"],  # a new turn has none
        }
        calls = pending_calls(known["messages"])[: limits.calls_left(known)]
        sends = [Send("execute", executor.task(call, known)) for call in calls]
        return Command(update=update, goto=sends or END)

    async def aact(state: State) -> Command[Any]:
        return onward(state, await node.ainvoke(state))

    return Node(lambda state: onward(state, node.invoke(state)), aact)
