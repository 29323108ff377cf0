"""Runs one call of a plan and makes a typed result of whatever happens. Knows skills as tools, no model and no pixels.

A call that cannot be prepared, raises, takes too long or returns nonsense gives a `SkillFailure` with one sentence for
the LMM. What went wrong inside stays in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langchain_core.messages import ToolCall
from langchain_core.runnables import RunnableLambda, run_in_executor
from langchain_core.tools import BaseTool, ToolException
from langgraph.errors import GraphBubbleUp
from pydantic import ValidationError

from llavaplus_graph.errors import ConfigError, LlavaPlusError, SkillError
from llavaplus_graph.graph.arguments import prepared_arguments
from llavaplus_graph.graph.deadline import awithin, within
from llavaplus_graph.graph.state import Artifact, State, Task, Update, newest_masks
from llavaplus_graph.images import HANDLE
from llavaplus_graph.protocol import clean_text
from llavaplus_graph.skills import canonical_name, skill_info
from llavaplus_graph.types import SkillFailure, parse_result

_LOG = logging.getLogger(__name__)
_LONGEST_SENTENCE = 300


class _UnusableError(Exception):
    """What a skill returned is no skill result."""


@dataclass(frozen=True, slots=True)
class _Skill:
    tool: BaseTool
    arguments: frozenset[str]
    follows_mask: bool
    deadline: float | None

    @classmethod
    def of(cls, tool: BaseTool) -> _Skill:
        if getattr(tool, "response_format", None) != "content_and_artifact":
            raise ConfigError(f"the tool {tool.name!r} returns no skill result; make it a skill with make_skill()")
        info = skill_info(tool)
        return cls(
            tool,
            frozenset(tool.args),
            follows_mask=info is not None and info.follows == "mask",
            deadline=info.deadline if info else None,
        )


class Executor:
    """Runs the calls of a plan.

    Args:
        skills: every skill that a plan may name.

    Raises:
        ConfigError: two skills have one name, or a tool is no skill.
    """

    def __init__(self, skills: Sequence[BaseTool]) -> None:
        self._skills: dict[str, _Skill] = {}
        for tool in skills:
            if tool.name in self._skills:
                raise ConfigError(f"two skills are called {tool.name!r}; rename one or leave it out")
            self._skills[tool.name] = _Skill.of(tool)

    def node(self) -> RunnableLambda[Task, Update]:
        """The execute node; it is sent one `Task` per call."""
        return RunnableLambda(self.execute, self.aexecute, name="run_skill")

    def task(self, call: ToolCall, state: State) -> Task:
        """What the execute node needs to know of the conversation for one call."""
        skill = self._find(call["name"])
        masks = newest_masks(state["results"]) if skill and skill.follows_mask else None
        return {"call": call, "images": list(state["images"]), "masks": masks}

    def execute(self, task: Task) -> Update:
        """Runs one call; never raises for anything the skill or the plan did."""
        try:
            skill, call = self._prepared(task)
            artifact = _checked(within(skill.deadline, skill.tool.name, lambda: skill.tool.invoke(call)))
        # The one place where whatever a skill raises becomes a result.
        except Exception as err:  # noqa: BLE001
            artifact = _failure(task["call"]["name"], err)
        return {"results": {str(task["call"]["id"]): artifact}}

    async def aexecute(self, task: Task) -> Update:
        """As `execute`; a skill with a coroutine runs on the event loop, every other one in a thread."""
        found = self._find(task["call"]["name"])
        if found is None or getattr(found.tool, "coroutine", None) is None:
            return await run_in_executor(None, self.execute, task)
        try:
            skill, call = self._prepared(task)
            artifact = _checked(await awithin(skill.deadline, skill.tool.name, skill.tool.ainvoke(call)))
        # As in `execute`.
        except Exception as err:  # noqa: BLE001
            artifact = _failure(task["call"]["name"], err)
        return {"results": {str(task["call"]["id"]): artifact}}

    def _find(self, name: str) -> _Skill | None:
        return self._skills.get(name) or self._skills.get(canonical_name(name) or "")

    def _prepared(self, task: Task) -> tuple[_Skill, ToolCall]:
        call = task["call"]
        skill = self._find(call["name"])
        if skill is None:
            known = ", ".join(self._skills) or "none"
            raise SkillError(f"there is no skill {call['name']!r}; there are {known}.")
        arguments = prepared_arguments(call["args"], skill.arguments, task, follows_mask=skill.follows_mask)
        return skill, ToolCall(type="tool_call", name=skill.tool.name, args=arguments, id=call["id"])


def _checked(message: object) -> Artifact:
    """The plain form of what a skill returned, validated: numbers are finite and new pictures are handles."""
    artifact = getattr(message, "artifact", None)
    if not isinstance(artifact, Mapping):
        raise _UnusableError(f"a {type(message).__name__} without a skill result as its artifact")
    try:
        result = parse_result(artifact)
    except ValueError as err:
        raise _UnusableError(str(err)) from err
    strange = [name for name in result.pictures if not HANDLE.fullmatch(name)]
    if isinstance(result, SkillFailure):
        return _failed(result.skill, result.error)
    if strange:
        raise _UnusableError(f"{strange[0]!r} is not a handle")
    plain: Artifact = result.model_dump(mode="json")
    return plain


def _failure(name: str, err: Exception) -> Artifact:
    """The plain form of the `SkillFailure` that an exception becomes.

    Raises:
        GraphBubbleUp: an interrupt is no failure.
    """
    if isinstance(err, GraphBubbleUp):
        raise err
    if isinstance(err, _UnusableError):
        _LOG.error("skill %s returned something that is no skill result: %s", name, err)
        sentence = f"{name} returned a result that cannot be used."
    elif isinstance(err, ValidationError):
        sentence = _complaint(name, err)
    elif isinstance(err, LlavaPlusError | ToolException):
        sentence = str(err)
    else:
        _LOG.error("skill %s failed", name, exc_info=err)
        sentence = f"{name} failed unexpectedly."
    return _failed(name, sentence)


def _failed(name: str, sentence: str) -> Artifact:
    """A failure that is safe for a model to read: one line, none of the protocol's markers."""
    line = " ".join(clean_text(sentence).split())
    if len(line) > _LONGEST_SENTENCE:
        line = f"{line[: _LONGEST_SENTENCE - 1]}…"
    return SkillFailure(skill=name, error=line).model_dump(mode="json")


def _complaint(name: str, err: ValidationError) -> str:
    """The first thing that is wrong with a call's arguments, for tools that do not say it themselves."""
    first = err.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "arguments"
    return f"{name} cannot be called like this: {where}: {first['msg']}"
