"""Many conversations at once through LangChain: equal to one by one, and each with its own callbacks and limits."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool
from PIL import Image

from llavaplus_graph.chat_model import ChatLlavaPlus, user_message
from llavaplus_graph.errors import PictureError
from llavaplus_graph.images import ImageStore

WHITE, BLACK = Image.new("RGB", (32, 32), "white"), Image.new("RGB", (32, 32), "black")
MISSING = [HumanMessage([{"type": "image", "file_id": "img_0000000000000000"}])]


@tool
def read_text(image: str = "latest") -> str:
    """Reads the text in a picture."""
    return image


def conversations(store: ImageStore) -> list[list[BaseMessage]]:
    sign = "What does the sign say?"
    return [
        [user_message(sign, images=[WHITE], store=store)],
        [HumanMessage("Hello.")],
        [user_message(sign, images=[BLACK, WHITE], store=store)],
        [HumanMessage("Both."), AIMessage("Wait."), HumanMessage("Silently.")],
        [HumanMessage("Hello.")],
    ]


def plain(message: Any) -> Any:
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    usage = message.usage_metadata
    reason = message.response_metadata["finish_reason"]
    return message.text, calls, reason, usage["input_tokens"], usage["output_tokens"]


@contextmanager
def passes(lmm: ChatLlavaPlus) -> Iterator[list[int]]:
    """How many conversations took part in every step of the LMM."""
    rows: list[int] = []

    def note(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        rows.append(len(kwargs["inputs_embeds"]))

    handle = lmm._engine().model.register_forward_pre_hook(note, with_kwargs=True)
    yield rows
    handle.remove()


def test_every_way_to_ask_for_many_gives_what_one_by_one_gives(lmm: ChatLlavaPlus, store: ImageStore) -> None:
    talks = conversations(store)
    asked: list[LanguageModelInput] = [*talks]
    bound = lmm.bind_tools([read_text])
    expected = [plain(bound.invoke(messages)) for messages in asked]
    tools = bound.kwargs  # type: ignore[attr-defined]  # a binding
    assert [plain(message) for message in bound.batch(asked)] == expected
    assert [plain(message) for message in asyncio.run(bound.abatch(asked))] == expected
    completed = dict(bound.batch_as_completed(asked))
    assert [plain(completed[index]) for index in range(len(asked))] == expected
    for result in (lmm.generate(talks, **tools), asyncio.run(lmm.agenerate(talks, **tools))):
        assert [plain(generations[0].message) for generations in result.generations] == expected  # type: ignore[union-attr]


def test_what_is_bound_and_what_is_passed_reaches_all_of_them(clueless: ChatLlavaPlus) -> None:
    bound = clueless.bind_tools([read_text], tool_choice="any")
    messages = bound.batch(["Hello.", "Both."], stop=["e"], seed=1, temperature=1.0, max_tokens=200)
    assert [plain(message) for message in messages] == [
        plain(bound.invoke(words, stop=["e"], seed=1, temperature=1.0, max_tokens=200)) for words in ("Hello.", "Both.")
    ]


@pytest.mark.parametrize("way", ["batch", "abatch", "generate", "agenerate"])
def test_they_share_steps(clueless: ChatLlavaPlus, way: str) -> None:
    asked: list[list[BaseMessage]] = [[HumanMessage(f"Tell me {number}.")] for number in range(12)]
    with passes(clueless) as rows:
        found = getattr(clueless, way)(asked)
        if way.startswith("a"):
            asyncio.run(found)
    assert 4 < max(rows) <= 12


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_are_under_way_than_is_allowed(clueless: ChatLlavaPlus, most: int) -> None:
    asked: list[LanguageModelInput] = [f"Tell me {number}." for number in range(9)]
    with passes(clueless) as rows:
        clueless.batch(asked, {"max_concurrency": most}, max_tokens=20)
        asyncio.run(clueless.abatch(asked, {"max_concurrency": most}, max_tokens=20))
    assert max(rows) <= most


def test_one_that_fails_is_an_exception_among_answers_if_that_is_wanted(lmm: ChatLlavaPlus) -> None:
    asked: list[Any] = ["Hello.", MISSING, "Hello."]
    for answers in (
        lmm.batch(asked, return_exceptions=True),
        asyncio.run(lmm.abatch(asked, return_exceptions=True)),
    ):
        assert [type(answer) for answer in answers] == [AIMessage, PictureError, AIMessage]
    for ask in (lmm.batch, lambda asked: asyncio.run(lmm.abatch(asked))):
        with pytest.raises(PictureError):
            ask(asked)
    with pytest.raises(PictureError):
        lmm.generate([[HumanMessage("Hello.")], *[MISSING], [HumanMessage("Hello.")]])  # type: ignore[list-item]


def test_nothing_is_asked_where_nothing_is_given(lmm: ChatLlavaPlus) -> None:
    assert lmm.batch([]) == []
    assert asyncio.run(lmm.abatch([])) == []
    assert lmm.generate([]).generations == []


class Ear(BaseCallbackHandler):
    """Notes what begins and ends, and under which tags."""

    def __init__(self) -> None:
        self.began: dict[UUID, list[str]] = {}
        self.ended: list[UUID] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.began[run_id] = list(kwargs["tags"] or ())

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        assert response.generations[0][0].message.usage_metadata["total_tokens"] > 0
        self.ended.append(run_id)


def test_every_one_of_them_has_its_own_run_and_configuration(lmm: ChatLlavaPlus) -> None:
    ear, first = Ear(), uuid4()
    lmm.batch(["Hello.", "Both."], [{"callbacks": [ear], "tags": ["a"], "run_id": first}, {"callbacks": [ear]}])
    assert sorted(ear.began.values()) == [[], ["a"]]
    assert ear.began[first] == ["a"]
    assert set(ear.ended) == set(ear.began)


def test_generate_tells_the_runs_of_all_of_them(lmm: ChatLlavaPlus) -> None:
    ear, first = Ear(), uuid4()
    result = lmm.generate(
        [[HumanMessage("Hello.")], [HumanMessage("Both.")]], callbacks=[ear], run_id=first, tags=["t"]
    )
    assert result.run is not None
    assert {run.run_id for run in result.run} == set(ear.began)  # who begins first is up to the threads
    assert result.run[0].run_id == first
    assert list(ear.began.values()) == [["t"], ["t"]]
    assert [len(generations) for generations in result.generations] == [1, 1]


def test_what_the_cache_knows_is_not_generated(clueless: ChatLlavaPlus) -> None:
    cached = clueless.model_copy(update={"cache": InMemoryCache(), "max_tokens": 20})
    first = cached.batch(["Hello.", "Both."])
    with passes(cached) as rows:
        again = cached.batch(["Hello.", "Both."])
        assert rows == []
        more = cached.batch(["Hello.", "Silently."])
    assert max(rows) == 1
    assert [message.text for message in (*again, more[0])] == [message.text for message in (*first, first[0])]
