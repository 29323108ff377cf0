"""ChatLlavaPlus: a LLaVA-Plus checkpoint as a LangChain chat model that sees, plans skills and answers.

Knows LangChain's contract; how text becomes tokens is the engine's business, how messages become text that of
`messages`.
"""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils import secret_from_env
from PIL import Image
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from llavaplus_graph.chat_model.binding import Binding, specification
from llavaplus_graph.chat_model.checkpoints import check_directory, directory_of, open_checkpoint
from llavaplus_graph.chat_model.counting import context_length, picture_length, text_length
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.generation import Piece, Request, Sampling
from llavaplus_graph.chat_model.loading import Attention, Quantization
from llavaplus_graph.chat_model.messages import message_text, read_messages
from llavaplus_graph.chat_model.openai_wire import Guided
from llavaplus_graph.chat_model.reply import PROVIDER, Reply
from llavaplus_graph.chat_model.served import ServedEngine
from llavaplus_graph.chat_model.together import Together
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.images import ImageStore, default_store, read_picture
from llavaplus_graph.protocol import IMAGE


class ChatLlavaPlus(Together):
    """A multimodal chat model with LLaVA-Plus's thoughts, actions and value.

    Thoughts appear as `additional_kwargs["reasoning_content"]` (a reasoning block in `content_blocks`), actions as
    `tool_calls`, the value as text. Without arguments it is the LMM that comes with this package: CPU, offline. With
    `base_url` an OpenAI-compatible server runs the LMM, and everything else stays the same.

    Attributes:
        model: A directory with a `LlavaForConditionalGeneration` checkpoint, or the hub id of one that is in the local
            cache; None for the bundled one. Nothing is ever downloaded. With `base_url`, the name under which the
            server knows it.
        dtype: Name of a torch dtype; `auto` is float32 on a CPU.
        device_map: Where the weights go, as transformers takes it, for example `auto` or `cuda:0`; None is the CPU.
        quantization: Load the language model in `4bit` or `8bit`; needs the extra `quantized`.
        attention: Which implementation of attention computes; None leaves it to transformers.
        adapter: A directory with a LoRA adapter for the checkpoint; needs the extra `train`.
        temperature: 0 is greedy.
        top_p: Share of the probability mass that is sampled from, in (0, 1].
        max_tokens: Most tokens of one turn.
        seed: Makes sampling repeatable.
        stop: Texts that end what is said to the user; a plan is never cut off by them.
        constrained: Decode along the grammar of the bound tools, so that every turn is well formed.
        grounded: Hold the numbers and quotations of an answer to what the skills returned, and numbers among the
            arguments of tools that the checkpoint has not learned to those of the conversation; needs `constrained`.
            A call that a plan repeats word for word is made once. None leaves it to the checkpoint.
        store: Where handles lead to pictures; the default store when None.
        prefix_bytes: Most bytes in which the engine keeps what it computed for the beginnings of conversations, so that
            an answer does not read again what its plan has read; 0 keeps nothing.
        base_url: Address of an OpenAI-compatible server, up to and including `/v1`.
        api_key: What that server wants to be shown; $LLAVAPLUS_API_KEY when not given.
        timeout: Seconds the server may be silent; None waits for ever.
        max_retries: How often a request is repeated that got no answer.
        guided: How the server takes a grammar: `vllm` or `sglang`, started with llguidance as their backend. With None
            a served LMM decodes freely, and a forced call is refused.
        speaks: How the LMM speaks, or a directory whose `llavaplus.json` says so; None looks into the directory that
            `model` names, and without one takes the dialect of the released v0 checkpoint.

    Example:
        >>> from llavaplus_graph import ChatLlavaPlus, load_skills, user_message  # doctest: +SKIP
        >>> lmm = ChatLlavaPlus().bind_tools(load_skills())  # doctest: +SKIP
        >>> lmm.invoke([user_message("What does the sign say?", images=["sign.png"])]).tool_calls  # doctest: +SKIP
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: str | None = None
    dtype: str = "auto"
    device_map: Any = None
    quantization: Quantization | None = None
    attention: Attention | None = None
    adapter: str | None = None
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int = Field(default=512, gt=0)
    seed: int | None = None
    stop: list[str] | None = None
    constrained: bool = True
    grounded: bool | None = None
    store: ImageStore | None = Field(default=None, exclude=True, repr=False)
    prefix_bytes: int = Field(default=512 * 2**20, ge=0)
    base_url: str | None = None
    api_key: SecretStr | None = Field(default_factory=secret_from_env("LLAVAPLUS_API_KEY", default=None))
    timeout: float | None = Field(default=120.0, gt=0)
    max_retries: int = Field(default=2, ge=0)
    guided: Guided | None = None
    speaks: Dialect | Path | str | None = None

    _opened: tuple["_State", Any] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _served_by_name(self) -> Self:
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ConfigError(f"base_url is {self.base_url!r}; give an address such as http://localhost:8000/v1.")
        if self.base_url is not None and not self.model:
            raise ConfigError(f"A model that {self.base_url} serves has a name; pass it as model.")
        return self

    @property
    def reads_handles(self) -> bool:
        """Handles in messages are resolved here, so that pixels need not travel through a graph."""
        return True

    @property
    def dialect(self) -> Dialect:
        """How this checkpoint speaks."""
        if isinstance(self.speaks, Dialect):
            return self.speaks
        return Dialect.load(self._files)

    def load(self) -> "ChatLlavaPlus":
        """Open the checkpoint, or ask its server for it, now instead of at the first question.

        Raises:
            CheckpointError: If the directory cannot be opened.
            ServerError: If the server cannot be reached or fails.
            ConfigError: If the server does not know the key or the model.
        """
        if self.base_url:
            self._server({}).check()
        else:
            self._engine()
        return self

    @property
    def _llm_type(self) -> str:
        return "llavaplus"

    @property
    def _directory(self) -> Path:
        return Path(self.model) if self.model and self.base_url else directory_of(self.model)

    @property
    def _files(self) -> Path:
        """Where tokenizer and configuration lie, if they are on this machine."""
        return self._directory if self.speaks is None or isinstance(self.speaks, Dialect) else Path(self.speaks)

    @property
    def _loading(self) -> str:
        """The load options in a form that can be compared and kept."""
        return json.dumps({name: getattr(self, name) for name in _LOADING})

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        fields = ["model", "temperature", "top_p", "max_tokens", "seed", "stop", "constrained", "grounded"]
        fields += ["base_url", "guided", *_LOADING]
        values = {name: getattr(self, name) for name in fields}
        files = list(self._state)
        return {**values, "dialect": asdict(self.dialect), "files": files, "version": version("llavaplus-graph")}

    @property
    def _state(self) -> "_State":
        """Tell checkpoints apart that were trained anew in the same place; that of the opened one stays as it was."""
        if self._opened is not None:
            return self._opened[0]
        folders = [self._directory, *([Path(self.adapter).expanduser()] if self.adapter else [])]
        files = [path for folder in folders for kind in _KINDS for path in sorted(folder.glob(kind))]
        return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = PROVIDER
        params["ls_model_name"] = str(kwargs.get("model") or self._name)
        return params

    def _resolve_model_profile(self) -> Any:
        profile = {
            "text_inputs": True,
            "image_inputs": True,
            "image_url_inputs": False,
            "image_tool_message": True,
            "tool_calling": True,
            "tool_choice": self._guides,
            "tool_call_streaming": True,
            "structured_output": self._guides,
            "reasoning_output": True,
            "max_output_tokens": self.max_tokens,
        }
        context = context_length(self._files)
        return profile | ({"max_input_tokens": context} if context else {})

    @property
    def _name(self) -> str:
        if self.model is None:
            return "llavaplus-mini"
        return self.model if self.base_url else Path(self.model).name

    def get_num_tokens(self, text: str) -> int:
        """Count the tokens of a text; an estimate for a served LMM whose tokenizer is not in the directory `speaks`."""
        return text_length(self._files, text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Count the tokens of messages with their pictures; tools take none, because the LMM is not shown them."""
        del tools
        texts = [message_text(message, self.dialect) for message in messages]
        pictures = sum(text.count(IMAGE) for text in texts)
        words = sum(self.get_num_tokens(text.replace(IMAGE, "")) for text in texts)
        return words + pictures * picture_length(self._files)

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
        specs = [specification(tool) for tool in tools]
        if "ls_structured_output_format" in kwargs:
            parallel_tool_calls = False  # with_structured_output wants one answer and reads no other
        Binding.of(specs, tool_choice, parallel_tool_calls)
        return self.bind(tools=specs, tool_choice=tool_choice, parallel_tool_calls=parallel_tool_calls, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del run_manager
        reply = self._reply(kwargs)
        for piece in self._pieces(messages, stop, kwargs, whole=True):
            reply.take(piece)
        return reply.result()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if not self.base_url:
            return await super()._agenerate(messages, stop, run_manager, **kwargs)
        reply = self._reply(kwargs)
        async for piece in await self._apieces(messages, stop, kwargs):
            reply.take(piece)
        return reply.result()

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(kwargs)
        for piece in self._pieces(messages, stop, kwargs):
            for chunk in reply.take(piece):
                if run_manager and chunk.text:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        yield from reply.rest()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        if not self.base_url:
            async for chunk in super()._astream(messages, stop, run_manager, **kwargs):
                yield chunk
            return
        reply = self._reply(kwargs)
        async with aclosing(await self._apieces(messages, stop, kwargs)) as pieces:
            async for piece in pieces:
                for chunk in reply.take(piece):
                    if run_manager and chunk.text:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        for chunk in reply.rest():
            yield chunk

    def _reply(self, kwargs: Mapping[str, Any]) -> Reply:
        return Reply(self.dialect, self._called(kwargs), self._binding(kwargs), each_once=self._grounds)

    def _binding(self, kwargs: Mapping[str, Any]) -> Binding:
        binding = Binding.of(
            kwargs.get("tools") or (), kwargs.get("tool_choice"), bool(kwargs.get("parallel_tool_calls", True))
        )
        if binding.choice == "any" and not self._guides:
            how = "guided='vllm' or guided='sglang'" if self.base_url and not self.guided else "constrained=True"
            raise ConfigError(f"Only guided decoding can force a call; pass {how}, or leave tool_choice to the LMM.")
        return binding

    def _pieces(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any], *, whole: bool = False
    ) -> Iterator[Piece]:
        request = self._request(messages, stop, kwargs)
        if self.base_url:
            yield from self._server(kwargs).generate(request)
        else:
            yield from self._engine().generate(
                request.prompt,
                request.pictures,
                request.sampling,
                request.grammars,
                whole=whole,
                prefix_bytes=self.prefix_bytes,
            )

    async def _apieces(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any]
    ) -> AsyncGenerator[Piece, None]:
        request = await asyncio.to_thread(self._request, messages, stop, kwargs)
        return self._server(kwargs).agenerate(request)

    def _server(self, kwargs: Mapping[str, Any]) -> ServedEngine:
        return ServedEngine(
            url=str(self.base_url).rstrip("/"),
            model=self._called(kwargs),
            api_key=self.api_key.get_secret_value() if self.api_key else None,
            timeout=self.timeout,
            max_retries=self.max_retries,
            guided=self.guided,
        )

    def _called(self, kwargs: Mapping[str, Any]) -> str:
        """Give the name of the model that answers a call."""
        wanted = kwargs.get("model")
        if wanted in (None, self.model):
            return self._name
        if not self.base_url:
            raise ConfigError(f"A call cannot change the checkpoint to {wanted!r}; make another ChatLlavaPlus.")
        return str(wanted)

    def _request(self, messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any]) -> Request:
        dialect = self.dialect
        dialogue = read_messages(messages, dialect)
        template = dialect.conversation
        sampling = Sampling(
            max_tokens=int(kwargs.get("max_tokens") or self.max_tokens),
            temperature=float(self.temperature if kwargs.get("temperature") is None else kwargs["temperature"]),
            top_p=float(kwargs.get("top_p") or self.top_p),
            seed=kwargs.get("seed", self.seed),
            # A plan that is held to a grammar ends by itself; a separator inside an argument is only text.
            stop=() if self._guides else (template.stop,),
            answer_stop=(*(self.stop or ()), *(stop or ()), template.stop),
        )
        return Request(
            template=replace(template, system=f"{template.system} {dialogue.system}".strip()),
            turns=dialogue.turns,
            pictures=[self._picture(source) for source in dialogue.pictures],
            sampling=sampling,
            grammars=self._binding(kwargs).grammars(
                dialogue, dialect, grounded=self._grounds, apart=self.base_url is None
            )
            if self._guides
            else (),
        )

    @property
    def _guides(self) -> bool:
        """Whether decoding follows a grammar."""
        return self.constrained and (self.base_url is None or self.guided is not None)

    @property
    def _grounds(self) -> bool:
        """Whether what is said and called is held to the conversation."""
        return self.dialect.grounded if self.grounded is None else self.grounded

    def _picture(self, source: str | bytes) -> Image.Image:
        if isinstance(source, bytes):
            return read_picture(source)
        return (self.store or default_store()).get(source)

    def _engine(self) -> Any:
        if self._opened is None:
            state = self._state
            with _OPENING:
                self._opened = state, _open_engine(self.model, self._loading, state)
        return self._opened[1]


_State = tuple[tuple[str, int, int], ...]
"""Name, bytes and time of the last change (nanoseconds) of the files that make a checkpoint what it is."""

_KINDS = ("*.safetensors", "*.json")
_LOADING = ("dtype", "device_map", "quantization", "attention", "adapter")

# Two threads that ask for the same checkpoint at the same time must not load it twice.
_OPENING = threading.Lock()


@lru_cache(maxsize=4)
def _open_engine(model: str | None, loading: str, state: _State) -> Any:
    del state  # only tells a directory from what it was before somebody trained into it again
    check_directory(directory_of(model))
    from llavaplus_graph.chat_model.engine import TransformersEngine

    opened = open_checkpoint(model, **json.loads(loading))
    return TransformersEngine(opened.model, opened.processor)
