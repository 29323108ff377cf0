"""The skills inside LangChain's `create_agent`: pictures as handles in its state, what the model sees, skill results.

Knows LangChain's agents (the extra ``agents``); what happens to pictures and calls it has from the graph's own parts.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NotRequired

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig, run_in_executor
from langchain_core.tools import BaseTool
from langgraph.types import Command

from llavaplus_graph.errors import MissingExtraError
from llavaplus_graph.graph.aggregator import LONGEST_OBSERVATION
from llavaplus_graph.graph.captions import Captions
from llavaplus_graph.graph.executor import Executor
from llavaplus_graph.graph.intake import take_in
from llavaplus_graph.graph.prompted import PLANNER_PROMPT
from llavaplus_graph.graph.sight import Sight, Vision
from llavaplus_graph.graph.state import Artifact, Task, merge_results, newest_masks, newest_scene
from llavaplus_graph.graph.trimming import Trim
from llavaplus_graph.graph.truncation import shortened
from llavaplus_graph.images import ImageStore, default_store
from llavaplus_graph.types import SkillFailure, parse_result

try:
    from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, ToolCallRequest
except ImportError as error:
    raise MissingExtraError("LlavaPlusMiddleware", "agents") from error


class PicturesState(AgentState[Any]):
    """What the agent's thread holds besides its messages; the same as in the graph of this package."""

    images: NotRequired[Annotated[list[str], operator.add]]
    results: NotRequired[Annotated[dict[str, Artifact], merge_results]]


class LlavaPlusMiddleware(AgentMiddleware[PicturesState, Any, Any]):
    """Gives an agent vision skills.

    The agent's calls of skills are prepared, run and told as in the graph: ``latest`` and ``image_2`` are pictures of
    the conversation, a mask is the one found last, a failure is one sentence. All other tools are left alone.

    Args:
        skills: what the agent may call; they need not be among its tools.
        store: where pictures are; by default the store of the process. Give the skills the same one.
        vision: how the model sees.
        trim: what the model is shown of a long conversation.
        prompt: what a model is told that is not ChatLlavaPlus and has no system text of its own.

    Example:
        >>> from langchain.agents import create_agent
        >>> from llavaplus_graph.testing import ScriptedLmm
        >>> agent = create_agent(ScriptedLmm(["Hello!"]), middleware=[LlavaPlusMiddleware([])])
        >>> agent.invoke({"messages": [("user", "Hi")]})["messages"][-1].text
        'Hello!'
    """

    state_schema = PicturesState

    def __init__(
        self,
        skills: Sequence[BaseTool],
        *,
        store: ImageStore | None = None,
        vision: Vision = "auto",
        trim: Trim | None = None,
        prompt: str = PLANNER_PROMPT,
    ) -> None:
        super().__init__()
        self.tools = list(skills)
        self._names = {skill.name for skill in skills}
        self._executor = Executor(skills)
        self._store, self._vision, self._trim, self._prompt = store or default_store(), vision, trim, prompt
        self._captioner = Captions(skills) if vision == "captions" else None
        self._sights: dict[int, tuple[BaseChatModel, Sight]] = {}

    def before_agent(self, state: PicturesState, runtime: Any) -> dict[str, Any]:  # noqa: ARG002
        """Takes the new messages in: pictures become handles."""
        taken = take_in(state["messages"], state.get("images", []), self._store)
        return {"messages": taken.changed, "images": taken.pictures}

    async def abefore_agent(self, state: PicturesState, runtime: Any) -> dict[str, Any]:
        """As `before_agent`."""
        return await run_in_executor(None, self.before_agent, state, runtime)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Shows the model its pictures; what it is shown never enters the state."""
        return handler(self._shown(request))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """As `wrap_model_call`."""
        return await handler(await run_in_executor(None, self._shown, request))

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Runs a skill as the graph does, behind whatever other middlewares do with the call: ask a person, edit it."""
        if request.tool_call["name"] not in self._names:
            return handler(request)
        return handler(request.override(tool=self._skill_in(request)))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        """As `wrap_tool_call`."""
        if request.tool_call["name"] not in self._names:
            return await handler(request)
        return await handler(request.override(tool=self._skill_in(request)))

    def _skill_in(self, request: ToolCallRequest) -> BaseTool:
        """The skill of a call as a tool that is run by the graph's executor, on the conversation's pictures."""

        def run(call: ToolCall) -> Command[Any]:
            return _command(call, self._executor.execute(_task(call, request.state))["results"])

        async def arun(call: ToolCall) -> Command[Any]:
            return _command(call, (await self._executor.aexecute(_task(call, request.state)))["results"])

        return _Prepared(name=request.tool_call["name"], description="", run_call=run, arun_call=arun)

    def _shown(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        state: Any = request.state  # its type is that of agents without this middleware
        # LangChain's request is typed with its own union of messages, narrower than what models take.
        messages: list[Any] = [*self._sight(request.model).visible(request.messages, state.get("images", ()))]
        foreign = not getattr(request.model, "reads_handles", False)
        if foreign and self._prompt and request.system_message is None:
            return request.override(messages=messages, system_message=SystemMessage(self._prompt))
        return request.override(messages=messages)

    def _sight(self, model: BaseChatModel) -> Sight:
        """An agent may change its model from call to call; the model is kept with its sight, so no id comes twice."""
        known = self._sights.get(id(model))
        if known is None:
            sight = Sight(model, self._store, vision=self._vision, captioner=self._captioner, trim=self._trim)
            known = self._sights[id(model)] = (model, sight)
        return known[1]


class _Prepared(BaseTool):
    """A tool that gets the whole call; what its arguments may be is the executor's business."""

    run_call: Callable[[ToolCall], Command[Any]]
    arun_call: Callable[[ToolCall], Awaitable[Command[Any]]]

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002
        return self.run_call(input)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002, ARG002
        return await self.arun_call(input)

    def _run(self, call: ToolCall) -> Any:  # BaseTool wants it; every call comes through `invoke`
        return self.run_call(call)


def _task(call: ToolCall, state: Any) -> Task:  # Any: the type of a state is that of agents without this middleware
    return {
        "call": call,
        "images": list(state.get("images", ())),
        "masks": newest_masks(state.get("results", {})),
        "scene": newest_scene(state.get("results", {})),
    }


def _command(call: ToolCall, results: dict[str, Artifact]) -> Command[Any]:
    artifact = results[str(call["id"])]
    result = parse_result(artifact)
    content = shortened(result.content(), LONGEST_OBSERVATION)
    if result.pictures:
        # Handles and no numbers: calls that run side by side do not know how many pictures the others make.
        content["pictures"] = list(result.pictures)
    message = ToolMessage(
        content=json.dumps(content, ensure_ascii=False),
        artifact=artifact,
        name=call["name"],
        tool_call_id=str(call["id"]),
        status="error" if isinstance(result, SkillFailure) else "success",
    )
    return Command(update={"messages": [message], "results": results, "images": list(result.pictures)})
