"""Several calls at once: LangChain's ways of asking for many answers, all of them on their way at the same time.

Knows LangChain's executors and callbacks. That calls which are under way together share every step is the engine's
doing; here it only sees to it that they are.
"""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Final

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, Callbacks
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult, LLMResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ContextThreadPoolExecutor, get_config_list, run_in_executor

AT_ONCE: Final = 16
"""Calls under way at the same time unless `max_concurrency` says otherwise; LangChain takes CPU cores plus four."""


class Together(BaseChatModel):
    """A chat model that is asked for many answers at once; every call keeps its own callbacks, cache and limits."""

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer several conversations, together; as many at a time as `max_concurrency` allows."""
        return super().batch(inputs, _many(config, len(inputs)), return_exceptions=return_exceptions, **kwargs)

    def batch_as_completed(  # type: ignore[override]  # one signature where a Runnable has two overloads
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> Iterator[tuple[int, AIMessage | Exception]]:
        """Answer several conversations, together; gives each as soon as it is there, with its index."""
        configs = _many(config, len(inputs))
        yield from super().batch_as_completed(inputs, configs, return_exceptions=return_exceptions, **kwargs)  # type: ignore[call-overload]

    def generate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        *,
        run_id: uuid.UUID | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        """Answer several conversations, together; `run_id` is that of the first."""
        whole = super().generate
        if len(messages) < 2:
            return whole(messages, stop, callbacks, run_id=run_id, **kwargs)

        def one(index: int) -> LLMResult:
            own_id = run_id if index == 0 else None
            return whole([messages[index]], stop, callbacks, run_id=own_id, **kwargs)

        with ContextThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(one, range(len(messages))))
        return LLMResult(
            generations=[generations for result in results for generations in result.generations],
            llm_output=self._combine_llm_outputs([result.llm_output for result in results]),
            run=[run for result in results for run in result.run or ()] or None,
        )

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        manager = run_manager.get_sync() if run_manager else None
        return await run_in_executor(_POOL, self._generate, messages, stop, manager, **kwargs)


# The event loop's own has CPU cores plus four threads, and whatever else an application does in it waits for them.
_POOL = ContextThreadPoolExecutor(AT_ONCE, thread_name_prefix="llavaplus")


def _many(config: RunnableConfig | Sequence[RunnableConfig] | None, count: int) -> list[RunnableConfig]:
    """Give every call its configuration; LangChain goes by the first one's `max_concurrency`."""
    configs = get_config_list(config, count)
    if configs and not configs[0].get("max_concurrency"):
        configs[0]["max_concurrency"] = AT_ONCE
    return configs
