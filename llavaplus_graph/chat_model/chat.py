"""ChatLlavaPlus: a LLaVA-Plus checkpoint as a LangChain chat model that sees, plans skills and answers.

Knows LangChain's contract; how text becomes tokens is the engine's business, how messages become text that of
`messages`.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from llavaplus_graph.chat_model.checkpoints import bundled, check_directory, open_checkpoint
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.grammar import Choice, ToolSpec, quoted, turn_grammar
from llavaplus_graph.chat_model.grounding import answer_rules
from llavaplus_graph.chat_model.messages import Dialogue, ai_fields, read_messages, written_name
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.images import ImageStore, default_store, read_picture
from llavaplus_graph.protocol import ParsedTurn, StreamParser, Turn, TurnOpened


class ChatLlavaPlus(BaseChatModel):
    """A multimodal chat model with LLaVA-Plus's thoughts, actions and value.

    Thoughts appear as `additional_kwargs["reasoning_content"]` (a reasoning block in `content_blocks`), actions as
    `tool_calls`, the value as text. Without arguments it is the LMM that comes with this package: CPU, offline.

    Attributes:
        model: A directory with a `LlavaForConditionalGeneration` checkpoint; None for the bundled one.
        dtype: Name of a torch dtype; `auto` is float32 on a CPU.
        device_map: Passed to transformers, for example `auto`.
        temperature: 0 is greedy.
        top_p: Share of the probability mass that is sampled from, in (0, 1].
        max_tokens: Most tokens of one turn.
        seed: Makes sampling repeatable.
        stop: Texts that end a turn.
        constrained: Decode along the grammar of the bound tools, so that every turn is well formed.
        grounded: Hold the numbers and quotations of an answer to what the skills returned; needs `constrained`.
            None leaves it to the checkpoint.
        store: Where handles lead to pictures; the default store when None.

    Example:
        >>> from llavaplus_graph import ChatLlavaPlus, load_skills, user_message  # doctest: +SKIP
        >>> lmm = ChatLlavaPlus().bind_tools(load_skills())  # doctest: +SKIP
        >>> lmm.invoke([user_message("What does the sign say?", images=["sign.png"])]).tool_calls  # doctest: +SKIP
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: str | None = None
    dtype: str = "auto"
    device_map: Any = None
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=512, gt=0)
    seed: int | None = None
    stop: list[str] | None = None
    constrained: bool = True
    grounded: bool | None = None
    store: ImageStore | None = Field(default=None, exclude=True, repr=False)

    _opened: Any = PrivateAttr(default=None)

    @property
    def reads_handles(self) -> bool:
        """Handles in messages are resolved here, so that pixels need not travel through a graph."""
        return True

    @property
    def dialect(self) -> Dialect:
        """How this checkpoint speaks."""
        return Dialect.load(self._directory)

    def load(self) -> "ChatLlavaPlus":
        """Open the checkpoint now instead of at the first question.

        Raises:
            CheckpointError: If the directory cannot be opened.
        """
        self._engine()
        return self

    @property
    def _llm_type(self) -> str:
        return "llavaplus"

    @property
    def _directory(self) -> Path:
        return bundled() if self.model is None else Path(self.model)

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        fields = ("model", "dtype", "temperature", "top_p", "max_tokens", "seed", "stop", "constrained", "grounded")
        weights = [
            (path.name, path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(self._directory.glob("*.safetensors"))
        ]
        return {**{name: getattr(self, name) for name in fields}, "weights": weights}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "llavaplus"
        params["ls_model_name"] = str(kwargs.get("model") or self._name)
        return params

    def _resolve_model_profile(self) -> Any:
        return {
            "text_inputs": True,
            "image_inputs": True,
            "image_url_inputs": False,
            "image_tool_message": True,
            "tool_calling": True,
            "tool_choice": True,
            "structured_output": True,
            "max_input_tokens": 2048,
            "max_output_tokens": self.max_tokens,
        }

    @property
    def _name(self) -> str:
        return "llavaplus-mini" if self.model is None else Path(self.model).name

    def get_num_tokens(self, text: str) -> int:
        """Count the tokens of a text with the checkpoint's own tokenizer."""
        return int(self._engine().count_tokens(text))

    def bind_tools(
        self,
        tools: Sequence[Any],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool = True,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind the tools that may be called.

        Args:
            tools: LangChain tools, functions, pydantic models or JSON schemas.
            tool_choice: `auto`, `any`, `none` or the name of one of the tools.
            parallel_tool_calls: Whether one turn may call several.
            **kwargs: Passed on to every call.

        Raises:
            ConfigError: If `tool_choice` names a tool that is not bound.
        """
        specs = [_specification(tool) for tool in tools]
        names = [spec["function"]["name"] for spec in specs]
        _choice(tool_choice, names)
        return self.bind(tools=specs, tool_choice=tool_choice, parallel_tool_calls=parallel_tool_calls, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del run_manager
        text, last = "", None
        for last in self._pieces(messages, stop, kwargs):
            text += last.text
        assert last is not None  # noqa: S101 - a generation always ends with a piece
        parser = StreamParser()
        parser.feed(text)
        fields = ai_fields(parser.close(), self.dialect, finish_reason=str(last.finish_reason))
        message = AIMessage(**fields, usage_metadata=_usage(last))
        message.response_metadata |= {"model_name": self._name, "model_provider": "llavaplus"}
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        parser = StreamParser()
        last = None
        for last in self._pieces(messages, stop, kwargs):
            for event in parser.feed(last.text):
                for chunk in self._chunks(event):
                    if run_manager and chunk.text:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        assert last is not None  # noqa: S101 - a generation always ends with a piece
        fields = ai_fields(parser.close(), self.dialect, finish_reason=str(last.finish_reason))
        if rest := fields["content"][parser.given :]:
            yield ChatGenerationChunk(message=AIMessageChunk(content=rest))
        metadata = {**fields["response_metadata"], "model_name": self._name, "model_provider": "llavaplus"}
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="", response_metadata=metadata, usage_metadata=_usage(last), chunk_position="last"
            )
        )

    def _chunks(self, event: TurnOpened | str) -> Iterator[ChatGenerationChunk]:
        """Give a chunk an event, and one every call."""
        if isinstance(event, str):
            yield ChatGenerationChunk(message=AIMessageChunk(content=event))
            return
        if event.thoughts:
            yield ChatGenerationChunk(
                message=AIMessageChunk(content="", additional_kwargs={"reasoning_content": event.thoughts})
            )
        fields = ai_fields(_closed(event), self.dialect, finish_reason="stop")
        for index, call in enumerate(fields["tool_calls"], start=_FIRST_CALL):
            part = tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[part]))

    def _pieces(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any]
    ) -> Iterator[Any]:
        from llavaplus_graph.chat_model.engine import Sampling

        dialect = self.dialect
        dialogue = read_messages(messages, dialect)
        template = dialect.conversation
        stops = [*(self.stop or ()), *(stop or ()), template.stop]
        sampling = Sampling(
            max_tokens=int(kwargs.get("max_tokens") or self.max_tokens),
            temperature=float(self.temperature if kwargs.get("temperature") is None else kwargs["temperature"]),
            top_p=float(kwargs.get("top_p") or self.top_p),
            seed=kwargs.get("seed", self.seed),
            stop=tuple(stops),
        )
        system = f"{template.system} {dialogue.system}".strip()
        prompt = type(template)(template.name, system, template.roles, template.stop).render(dialogue.turns)
        grammar = self._grammar(dialogue, kwargs, dialect) if self.constrained else None
        pictures = [self._picture(source) for source in dialogue.pictures]
        yield from self._engine().generate(prompt, pictures, sampling, grammar)

    def _grammar(self, dialogue: Dialogue, kwargs: Mapping[str, Any], dialect: Dialect) -> str:
        functions = [spec["function"] for spec in kwargs.get("tools") or ()]
        choice, only = _choice(kwargs.get("tool_choice"), [function["name"] for function in functions])
        tools = [
            ToolSpec(written_name(function["name"], dialect), function.get("parameters") or {})
            for function in functions
        ]
        only = written_name(only, dialect) if only else None
        grounded = dialect.grounded if self.grounded is None else self.grounded
        return turn_grammar(
            tools,
            choice=choice,
            instruction=dialogue.instruction,
            parallel=bool(kwargs.get("parallel_tool_calls", True)),
            only_call=only,
            answer=answer_rules("answer", dialogue.results, dialogue.instruction)
            if grounded and dialogue.results
            else (),
        )

    def _picture(self, source: str | bytes) -> Image.Image:
        if isinstance(source, bytes):
            return read_picture(source)
        return (self.store or default_store()).get(source)

    def _engine(self) -> Any:
        if self._opened is None:
            with _OPENING:
                self._opened = _open_engine(self.model, self.dtype, json.dumps(self.device_map))
        return self._opened


# LangChain numbers thoughts, calls and text 0, 1, 2 as they come and merges what has the same number.
_FIRST_CALL = 3

# Two threads that ask for the same checkpoint at the same time must not load it twice.
_OPENING = threading.Lock()


@lru_cache(maxsize=4)
def _open_engine(model: str | None, dtype: str, device_map: str) -> Any:
    check_directory(bundled() if model is None else Path(model))
    from llavaplus_graph.chat_model.engine import TransformersEngine

    opened = open_checkpoint(model, dtype=dtype, device_map=json.loads(device_map))
    return TransformersEngine(opened.model, opened.processor)


def _specification(tool: Any) -> dict[str, Any]:
    """Describe a tool, keeping the marks of quoted arguments, which LangChain's conversion leaves out."""
    spec = convert_to_openai_tool(tool)
    schema = getattr(tool, "args_schema", None)
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        described = spec["function"].get("parameters", {}).get("properties", {})
        for name, value in schema.model_json_schema().get("properties", {}).items():
            if quoted(value) and name in described:
                described[name]["x-quoted"] = True
    return spec


def _choice(tool_choice: Any, names: Sequence[str]) -> tuple[Choice, str | None]:
    """Read LangChain's and OpenAI's spellings of `tool_choice`; gives the choice and the one tool it names."""
    if isinstance(tool_choice, Mapping):
        tool_choice = (tool_choice.get("function") or {}).get("name") or tool_choice.get("name")
    known: dict[Any, Choice] = {
        None: "auto",
        "auto": "auto",
        False: "none",
        "none": "none",
        True: "any",
        "any": "any",
        "required": "any",
    }
    if tool_choice in known:
        return known[tool_choice], None
    if tool_choice not in names:
        raise ConfigError(
            f"tool_choice names {tool_choice!r}, which is not bound; bound are {', '.join(names) or 'no tools'}, "
            "or use auto, any or none."
        )
    return "any", str(tool_choice)


def _closed(event: TurnOpened) -> Any:
    return ParsedTurn(Turn(event.thoughts, event.actions, ""), event.problem)


def _usage(piece: Any) -> UsageMetadata:
    total = piece.input_tokens + piece.output_tokens
    return UsageMetadata(input_tokens=piece.input_tokens, output_tokens=piece.output_tokens, total_tokens=total)
