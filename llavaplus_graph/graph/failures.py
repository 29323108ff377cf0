"""What the LMM is told of a call that did not work: one sentence, harmless to read. Knows errors, no skill.

What went wrong inside stays in the log.
"""

from __future__ import annotations

import logging

from langchain_core.tools import ToolException
from langgraph.errors import GraphBubbleUp
from pydantic import ValidationError

from llavaplus_graph.errors import LlavaPlusError
from llavaplus_graph.graph.state import Artifact
from llavaplus_graph.protocol import clean_text
from llavaplus_graph.types import SkillFailure

_LOG = logging.getLogger(__name__)
_LONGEST_SENTENCE = 300

EXPECTED = (LlavaPlusError, ToolException, ValidationError, GraphBubbleUp)
"""Errors that say something about the call or the picture; trying again cannot help."""


class UnusableError(Exception):
    """What a skill returned is no skill result."""


def failure_of(name: str, err: Exception) -> Artifact:
    """The plain form of the `SkillFailure` that an exception becomes.

    Args:
        name: as the plan called the skill.
        err: what the skill, or the way to it, raised.

    Raises:
        GraphBubbleUp: an interrupt is no failure.
    """
    if isinstance(err, GraphBubbleUp):
        raise err
    if isinstance(err, UnusableError):
        _LOG.error("skill %s returned something that is no skill result: %s", name, err)
        sentence = f"{name} returned a result that cannot be used."
    elif isinstance(err, ValidationError):
        sentence = _complaint(name, err)
    elif isinstance(err, EXPECTED):
        sentence = str(err)
    else:
        _LOG.error("skill %s failed", name, exc_info=err)
        sentence = f"{name} failed unexpectedly."
    return failed(name, sentence)


def failed(name: str, sentence: str) -> Artifact:
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
