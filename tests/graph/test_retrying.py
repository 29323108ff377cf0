import asyncio
from typing import Any

import pytest
from langchain_core.tools import StructuredTool
from langgraph.types import RetryPolicy

from llavaplus_graph.errors import ConfigError, SkillError
from llavaplus_graph.graph.executor import Executor
from llavaplus_graph.graph.retrying import Retry
from llavaplus_graph.graph.state import Task
from llavaplus_graph.testing import call, scripted_skill
from llavaplus_graph.types import Tags

AT_ONCE = RetryPolicy(initial_interval=0, max_attempts=3, jitter=False, retry_on=OSError)
TASK: Task = {"call": call("look", id="c1").tool_calls[0], "images": ["img_00000000000000a1"], "masks": None}
SEEN = Tags(tags=("cup",), scores=(1.0,))


def tried(err: Exception, retry: Retry | None, *, failures: int = 1) -> tuple[int, str]:
    """How often a skill was run that fails so many times, and the kind of its result."""
    runs = 0

    def look(**_: Any) -> Tags:
        nonlocal runs
        runs += 1
        if runs <= failures:
            raise err
        return SEEN

    result = Executor([scripted_skill("look", look)], retry=retry).execute(TASK)["results"]["c1"]
    return runs, result["kind"]


def test_an_error_that_passes_is_not_the_result() -> None:
    assert tried(OSError("busy"), AT_ONCE) == (2, "tags")
    assert tried(OSError("busy"), {"look": AT_ONCE}) == (2, "tags")


def test_there_is_one_attempt_unless_told_otherwise() -> None:
    assert tried(OSError("busy"), None) == (1, "failure")
    assert tried(OSError("busy"), {}) == (1, "failure")


def test_the_last_attempt_fails_like_a_single_one() -> None:
    assert tried(OSError("busy"), AT_ONCE, failures=9) == (3, "failure")


@pytest.mark.parametrize("err", [SkillError("there is no cup"), KeyError("cup")], ids=["skill-error", "other-error"])
def test_an_error_that_would_come_again_is_the_result(err: Exception) -> None:
    assert tried(err, AT_ONCE) == (1, "failure")


@pytest.mark.parametrize("errors", [(OSError, KeyError), lambda err: isinstance(err, OSError)], ids=["some", "rule"])
def test_the_policy_says_which_errors_pass(errors: Any) -> None:
    assert tried(OSError("busy"), AT_ONCE._replace(retry_on=errors)) == (2, "tags")


def test_a_coroutine_is_tried_again_too() -> None:
    runs = 0

    async def look(image: str) -> tuple[str, dict[str, Any]]:
        """Looks."""
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ConnectionError(image)
        return "", SEEN.model_dump(mode="json")

    skill = StructuredTool.from_function(coroutine=look, response_format="content_and_artifact")
    result = asyncio.run(Executor([skill], retry=AT_ONCE).aexecute(TASK))["results"]["c1"]
    assert (runs, result["kind"]) == (2, "tags")


def test_a_policy_that_cannot_be_meant_is_refused() -> None:
    skill = scripted_skill("look", SEEN)
    with pytest.raises(ConfigError, match="there is no skill 'lok' to try again; there are look"):
        Executor([skill], retry={"lok": AT_ONCE})
    with pytest.raises(ConfigError, match="'look' allows 0 attempts; it must be at least 1"):
        Executor([skill], retry=AT_ONCE._replace(max_attempts=0))
