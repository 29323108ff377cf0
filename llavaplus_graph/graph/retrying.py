"""Tries a call again after an error that may pass. Knows policies and errors, no skill."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from langgraph.types import RetryPolicy
from tenacity import (
    AsyncRetrying,
    Retrying,
    before_sleep_log,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.graph.failures import EXPECTED, UnusableError

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

Retry: TypeAlias = RetryPolicy | Mapping[str, RetryPolicy]
"""One policy for every skill, or one for each that is named; a skill that is not named gets one attempt."""


def policy_for(name: str, retry: Retry | None) -> RetryPolicy | None:
    """The policy of one skill; None for a single attempt."""
    policy = retry.get(name) if isinstance(retry, Mapping) else retry
    if policy is not None and policy.max_attempts < 1:
        raise ConfigError(f"the retry policy of {name!r} allows {policy.max_attempts} attempts; it must be at least 1")
    return policy


def check_names(retry: Retry | None, known: Sequence[str]) -> None:
    """Refuses policies for skills that are not there.

    Raises:
        ConfigError: it names the skill and the known ones.
    """
    unknown = [name for name in retry if name not in known] if isinstance(retry, Mapping) else []
    if unknown:
        raise ConfigError(f"there is no skill {unknown[0]!r} to try again; there are {', '.join(known) or 'none'}")


def trying(policy: RetryPolicy | None, work: Callable[[], _T]) -> _T:
    """Does work, again and again as the policy has it; the last error is raised as it is."""
    return work() if policy is None else Retrying(**_course(policy))(work)


async def atrying(policy: RetryPolicy | None, work: Callable[[], Awaitable[_T]]) -> _T:
    """As `trying`."""
    return await work() if policy is None else await AsyncRetrying(**_course(policy))(work)


def _course(policy: RetryPolicy) -> dict[str, Any]:
    wait = wait_exponential(policy.initial_interval, policy.max_interval, policy.backoff_factor)
    return {
        "stop": stop_after_attempt(policy.max_attempts),
        "wait": wait + wait_random(0, policy.initial_interval) if policy.jitter else wait,
        "retry": retry_if_exception(lambda err: _may_pass(err, policy)),
        "before_sleep": before_sleep_log(_LOG, logging.INFO),
        "reraise": True,
    }


def _may_pass(err: BaseException, policy: RetryPolicy) -> bool:
    if not isinstance(err, Exception) or isinstance(err, (*EXPECTED, UnusableError)):
        return False
    if isinstance(policy.retry_on, type):
        return isinstance(err, policy.retry_on)
    if isinstance(policy.retry_on, Sequence):
        return isinstance(err, tuple(policy.retry_on))
    return policy.retry_on(err)
