"""Labellers of a spec: a chat model that is told what is on the picture, or the grammar. Opens them; keeps no reply."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from pydantic import BaseModel, SecretStr

from llavaplus_graph.data.curation.asking import Asking
from llavaplus_graph.data.curation.grammar import GrammarLabeller
from llavaplus_graph.data.curation.labelling import Brief, DroppedError, Labeller, Results, Spent, Wish
from llavaplus_graph.data.curation.plan import Part
from llavaplus_graph.data.curation.prompts import (
    CALLS,
    INTENTIONS,
    AnswerReply,
    answer_messages,
    question_form,
    question_messages,
)
from llavaplus_graph.data.curation.replies import Replies
from llavaplus_graph.data.curation.spec import LabellerSpec, Spec, Task
from llavaplus_graph.errors import ConfigError, MissingExtraError

UNANSWERED = "what was found does not answer the question"


class ModelLabeller:
    """A chat model that writes questions and answers.

    Args:
        asking: The chat model behind its cache.
    """

    free = True

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self.name = asking.name

    def intentions(self, task: Task) -> Sequence[str]:
        """Give the task's ways of asking, or ten general ones."""
        return task.intentions or INTENTIONS

    def marks(self, part: Part) -> Literal["box", "points"] | None:  # noqa: ARG002 - it writes words for any
        """Any kind of mark will do."""
        return None

    def ask(self, brief: Brief, spent: Spent) -> Wish:
        """Let the model write a question, unless the context brings one; raises DroppedError."""
        if brief.task.kind == "knowledge" and brief.context.question:
            return Wish(brief.context.question, ({},))
        form = question_form(brief.tools)
        reply = self._asking.fill(form, question_messages(brief, brief.task.examples), spent)
        arguments = [_given(getattr(reply, name, None)) for name, _ in zip(CALLS, brief.tools, strict=False)]
        if brief.task.kind == "generation" and brief.context.prompt and "prompt" in brief.tools[0].args:
            arguments[0]["prompt"] = brief.context.prompt
        if brief.task.kind == "editing" and brief.context.instruction and "instruction" in brief.tools[0].args:
            arguments[0]["instruction"] = brief.context.instruction
        return Wish(str(getattr(reply, "question", "")).strip(), tuple(arguments))

    def tell(self, brief: Brief, wish: Wish, results: Results, spent: Spent) -> str:
        """Let the model write an answer; raises DroppedError, also where it says that there is none."""
        reply = self._asking.fill(AnswerReply, answer_messages(brief, wish, results, brief.task.examples), spent)
        if not reply.answerable:
            raise DroppedError(UNANSWERED, wish.text)
        return reply.answer.strip()


def open_labeller(
    spec: Spec, tools: Mapping[str, BaseTool], folder: Path, model: BaseChatModel | None = None
) -> Labeller:
    """Open the labeller of a spec.

    Args:
        spec: What is asked for; its folder keeps the replies.
        tools: The skill behind every entry of `skills` in the tasks.
        folder: The folder of the spec, from which a `module:factory` may be imported.
        model: A chat model to use instead of the spec's.

    Raises:
        ConfigError: If there is no such labeller, or the key for it.
        MissingExtraError: If the extra `labeller` is not installed.
    """
    if model is not None:
        return ModelLabeller(_asking(spec, model))
    if isinstance(spec.labeller, LabellerSpec):
        where = f"The labeller {spec.labeller.model!r} at {spec.labeller.base_url or 'OpenAI'}"
        return ModelLabeller(_asking(spec, _served(spec.labeller), method=spec.labeller.method, where=where))
    if spec.labeller == "grammar":
        return GrammarLabeller(tools)
    return ModelLabeller(_asking(spec, _imported(spec.labeller, folder), where=f"The labeller {spec.labeller!r}"))


def _asking(spec: Spec, model: BaseChatModel, *, method: str | None = None, where: str = "") -> Asking:
    return Asking(
        model,
        Replies(spec.out / "replies"),
        retries=spec.retries,
        wait=spec.wait,
        attempts=spec.attempts,
        method=method,
        where=where,
    )


def _served(spec: LabellerSpec) -> BaseChatModel:
    try:
        from langchain_openai import ChatOpenAI
    except ImportError as error:
        raise MissingExtraError("A labeller behind an OpenAI-compatible interface", extra="labeller") from error
    key = os.environ.get(spec.api_key_env)
    if not key and spec.base_url is None:
        raise ConfigError(
            f"The labeller {spec.model!r} needs a key: set the environment variable {spec.api_key_env}, "
            "or name another one with 'api_key_env'."
        )
    return ChatOpenAI(
        model=spec.model,
        base_url=spec.base_url,
        api_key=SecretStr(key or "none"),  # a server of one's own often wants no key, and the client wants one
        temperature=spec.temperature,
        max_tokens=spec.max_tokens,
        timeout=spec.timeout,
        max_retries=0,  # retrying is done here, for every provider alike
    )


def _imported(path: str, folder: Path) -> BaseChatModel:
    module, _, name = path.partition(":")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        factory = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"there is no labeller {path!r}: {error}; give module:factory of a chat model.") from error
    # Whatever somebody's module or factory does wrong becomes a sentence for its author.
    except Exception as error:
        raise ConfigError(f"the labeller {path!r} cannot be imported: {type(error).__name__}: {error}") from error
    try:
        made = factory()
    except Exception as error:
        raise ConfigError(f"the labeller {path!r} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(made, BaseChatModel):
        raise ConfigError(f"the labeller {path!r} must give a LangChain chat model, not {type(made).__name__}.")
    return made


def _given(arguments: Any) -> dict[str, Any]:
    """Give the arguments that the model wrote; what it left out keeps the skill's default."""
    return (
        arguments.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        if isinstance(arguments, BaseModel)
        else {}
    )
