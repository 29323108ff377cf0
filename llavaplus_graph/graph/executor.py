"""Runs one call of a plan and makes a typed result of whatever happens. Knows skills as tools, no model and no pixels.

A call that cannot be prepared, raises, takes too long or returns nonsense gives a `SkillFailure` with one sentence for
the LMM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langchain_core.messages import ToolCall
from langchain_core.runnables import run_in_executor
from langchain_core.tools import BaseTool
from langgraph.cache.base import FullKey
from langgraph.config import get_stream_writer
from langgraph.types import RetryPolicy

from llavaplus_graph.errors import ConfigError, SkillError
from llavaplus_graph.graph.arguments import prepared_arguments
from llavaplus_graph.graph.cache import ResultCache, cache_key
from llavaplus_graph.graph.deadline import awithin, within
from llavaplus_graph.graph.failures import UnusableError, failed, failure_of
from llavaplus_graph.graph.node import Node
from llavaplus_graph.graph.progress import Progress, Tell, nobody
from llavaplus_graph.graph.retrying import Retry, atrying, check_names, policy_for, trying
from llavaplus_graph.graph.state import Artifact, State, Task, Update, newest_masks, newest_scene, results_in
from llavaplus_graph.images import HANDLE
from llavaplus_graph.limits import within_limits
from llavaplus_graph.skills import SkillInfo, canonical_name, skill_info
from llavaplus_graph.types import SkillFailure, parse_result


@dataclass(frozen=True, slots=True)
class _Skill:
    tool: BaseTool
    info: SkillInfo | None
    arguments: frozenset[str]
    retry: RetryPolicy | None

    @classmethod
    def of(cls, tool: BaseTool, retry: Retry | None) -> _Skill:
        if getattr(tool, "response_format", None) != "content_and_artifact":
            raise ConfigError(f"the tool {tool.name!r} returns no skill result; make it a skill with make_skill()")
        return cls(tool, skill_info(tool), frozenset(tool.args), policy_for(tool.name, retry))

    @property
    def follows_mask(self) -> bool:
        return self.info is not None and self.info.follows == "mask"

    @property
    def follows_map(self) -> bool:
        """Whether its layout comes from the conversation."""
        return self.info is not None and self.info.follows == "map"

    def run(self, call: ToolCall) -> Artifact:
        """One or more attempts, each within the deadline."""
        return trying(
            self.retry, lambda: _checked(within(self._deadline, self.tool.name, lambda: self.tool.invoke(call)))
        )

    async def arun(self, call: ToolCall) -> Artifact:
        """As `run`; a skill with a coroutine runs on the event loop, every other one in a thread."""
        if getattr(self.tool, "coroutine", None) is None:
            return await run_in_executor(None, self.run, call)

        async def attempt() -> Artifact:
            return _checked(await awithin(self._deadline, self.tool.name, self.tool.ainvoke(call)))

        return await atrying(self.retry, attempt)

    @property
    def _deadline(self) -> float | None:
        return self.info.deadline if self.info else None


class Executor:
    """Runs the calls of a plan.

    Args:
        skills: every skill that a plan may name.
        cache: results of earlier calls; None finds everything anew.
        retry: which skills are tried again after an unexpected error.

    Raises:
        ConfigError: two skills have one name, a tool is no skill, or `retry` names one that is not there.
    """

    def __init__(
        self, skills: Sequence[BaseTool], *, cache: ResultCache | None = None, retry: Retry | None = None
    ) -> None:
        self._skills: dict[str, _Skill] = {}
        self._cache = cache
        for tool in skills:
            if tool.name in self._skills:
                raise ConfigError(f"two skills are called {tool.name!r}; rename one or leave it out")
            self._skills[tool.name] = _Skill.of(tool, retry)
        check_names(retry, list(self._skills))

    def node(self) -> Node[Task, Update]:
        """The execute node; it is sent one `Task` per call and tells the stream of its progress."""

        def execute(task: Task) -> Update:
            return self.execute(task, get_stream_writer())

        async def aexecute(task: Task) -> Update:
            return await self.aexecute(task, get_stream_writer())

        return Node(execute, aexecute)

    def task(self, call: ToolCall, state: State) -> Task:
        """What the execute node needs to know of the conversation for one call."""
        skill = self._find(call["name"])
        masks = newest_masks(results_in(state["messages"])) if skill and skill.follows_mask else None
        task: Task = {"call": call, "images": list(state["images"]), "masks": masks}
        return {**task, "scene": newest_scene(results_in(state["messages"]))} if skill and skill.follows_map else task

    def execute(self, task: Task, tell: Tell = nobody) -> Update:
        """Runs one call; never raises for anything the skill or the plan did.

        Args:
            task: the call and what it needs of the conversation.
            tell: gets a `SkillEvent` when the call begins and when it ends.
        """
        progress = Progress(task["call"], tell)
        try:
            skill, call = self._prepared(task)
            key = self._key(skill, call)
            artifact = self._cache.get(key) if self._cache else None
            if artifact is None:
                artifact = skill.run(call)
                if self._cache:
                    self._cache.put(key, artifact)
        # The one place where whatever a skill raises becomes a result.
        except Exception as err:  # noqa: BLE001
            artifact = failure_of(task["call"]["name"], err)
        progress.finished(artifact["kind"])
        return {"results": {str(task["call"]["id"]): artifact}}

    async def aexecute(self, task: Task, tell: Tell = nobody) -> Update:
        """As `execute`."""
        progress = Progress(task["call"], tell)
        try:
            skill, call = self._prepared(task)
            key = self._key(skill, call)
            artifact = await self._cache.aget(key) if self._cache else None
            if artifact is None:
                artifact = await skill.arun(call)
                if self._cache:
                    await self._cache.aput(key, artifact)
        # As in `execute`.
        except Exception as err:  # noqa: BLE001
            artifact = failure_of(task["call"]["name"], err)
        progress.finished(artifact["kind"])
        return {"results": {str(task["call"]["id"]): artifact}}

    def _find(self, name: str) -> _Skill | None:
        return self._skills.get(name) or self._skills.get(canonical_name(name) or "")

    def _key(self, skill: _Skill, call: ToolCall) -> FullKey | None:
        return cache_key(skill.tool, skill.info, call["args"]) if self._cache else None

    def _prepared(self, task: Task) -> tuple[_Skill, ToolCall]:
        call = task["call"]
        skill = self._find(call["name"])
        if skill is None:
            known = ", ".join(self._skills) or "none"
            raise SkillError(f"there is no skill {call['name']!r}; there are {known}.")
        arguments = prepared_arguments(
            call["args"], skill.arguments, task, follows_mask=skill.follows_mask, follows_map=skill.follows_map
        )
        return skill, ToolCall(type="tool_call", name=skill.tool.name, args=arguments, id=call["id"])


def _checked(message: object) -> Artifact:
    """The plain form of what a skill returned, validated: numbers are finite, new pictures handles, texts harmless."""
    artifact = getattr(message, "artifact", None)
    if not isinstance(artifact, Mapping):
        raise UnusableError(f"a {type(message).__name__} without a skill result as its artifact")
    try:
        result = within_limits(parse_result(artifact))
    except ValueError as err:
        raise UnusableError(str(err)) from err
    strange = [name for name in result.pictures if not HANDLE.fullmatch(name)]
    if isinstance(result, SkillFailure):
        return failed(result.skill, result.error)
    if strange:
        raise UnusableError(f"{strange[0]!r} is not a handle")
    # Every checkpoint holds every result twice; what says nothing is left out.
    return {"kind": result.kind, **result.model_dump(mode="json", exclude_defaults=True)}
