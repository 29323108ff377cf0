from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from llavaplus_graph.chat_model.binding import Binding
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.chat_model.generation import Piece
from llavaplus_graph.chat_model.reply import Reply
from llavaplus_graph.protocol import Action, Turn, render_turn

SKILLS = Dialect(template="v1", names="skills")
WIRE = Dialect(template="v0", names="wire")
PLAN = render_turn(Turn("Hm.", (Action("sam", {}), Action("ocr", {"a": [1, {"b": "日"}]})), "Wait."))


def pieces(text: str, *, size: int = 5, reason: Any = "stop", reused: int | None = None) -> list[Piece]:
    parts = [Piece(text[at : at + size]) for at in range(0, len(text), size)]
    return [*parts, Piece("", reason, 7, 9, reused)]


def streamed(given: list[Piece], dialect: Dialect = SKILLS, binding: Binding | None = None) -> list[AIMessageChunk]:
    reply = Reply(dialect, "lmm", binding or Binding())
    chunks = [chunk for piece in given for chunk in reply.take(piece)] + reply.rest()
    return [chunk.message for chunk in chunks if isinstance(chunk.message, AIMessageChunk)]


def whole(given: list[Piece], dialect: Dialect = SKILLS, binding: Binding | None = None) -> AIMessage:
    reply = Reply(dialect, "lmm", binding or Binding())
    for piece in given:
        reply.take(piece)
    message = reply.result().generations[0].message
    assert isinstance(message, AIMessage)
    return message


def plain(message: AIMessage) -> dict[str, Any]:
    fields = message.model_dump(exclude={"id", "type", "chunk_position", "tool_call_chunks"})
    return fields | {"tool_calls": [(call["name"], call["args"]) for call in message.tool_calls]}


def added(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    first, *rest = chunks
    return first + rest if rest else first


TEXTS = {"plan": PLAN, "answer": render_turn(Turn("Hm.", (), " An answer. ")), "words": " Just words. ", "nothing": ""}
TEXTS |= {"cut in the plan": PLAN[:60], "cut in the answer": PLAN[:-5], "broken plan": PLAN.replace("]\n", "\n")}


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_chunks_add_up_to_the_message_however_the_text_comes(text: str, size: int) -> None:
    given = pieces(text, size=size, reason="length" if text == PLAN[:60] else "stop")
    assert plain(added(streamed(given))) == plain(whole(given))


def test_thoughts_calls_and_text_have_chunks_of_their_own_in_this_order() -> None:
    kinds = []
    for chunk in streamed(pieces(PLAN)):
        kinds += ["thoughts"] * bool(chunk.additional_kwargs) + ["call"] * bool(chunk.tool_call_chunks)
        kinds += ["text"] * bool(chunk.content) + ["last"] * (chunk.chunk_position == "last")
    assert [kind for at, kind in enumerate(kinds) if kinds[at - 1 : at] != [kind] or kind == "call"] == [
        "thoughts",
        "call",
        "call",
        "text",
        "last",
    ]


def test_what_it_cost_and_what_was_reused_is_told_where_it_is_known() -> None:
    message = whole(pieces("Yes.", reused=5))
    assert message.usage_metadata == {
        "input_tokens": 7,
        "output_tokens": 9,
        "total_tokens": 16,
        "input_token_details": {"cache_read": 5},
    }
    assert message.response_metadata["prefix"] == {"reused_tokens": 5}
    unknown = whole([Piece("Yes."), Piece("", "stop")])
    assert (unknown.usage_metadata, "prefix" in unknown.response_metadata) == (None, False)


def test_names_of_the_original_become_skills_unless_a_bound_tool_is_called_so() -> None:
    own = Binding([{"name": "sam"}])
    assert [call["name"] for call in whole(pieces(PLAN), WIRE).tool_calls] == ["segment_region", "read_text"]
    assert [call["name"] for call in whole(pieces(PLAN), WIRE, own).tool_calls] == ["sam", "read_text"]
    assert [call["name"] for call in added(streamed(pieces(PLAN), WIRE, own)).tool_calls] == ["sam", "read_text"]


@pytest.mark.parametrize("binding", [Binding(choice="none"), Binding(parallel=False)])
def test_calls_that_were_not_wanted_are_told_and_not_made(binding: Binding) -> None:
    for message in (whole(pieces(PLAN), binding=binding), added(streamed(pieces(PLAN), binding=binding))):
        assert (message.tool_calls, message.text) == ([], "Wait.")
        assert message.response_metadata["finish_reason"] == "stop"
        assert "planned" in message.response_metadata["invalid_plan"]


def test_a_call_that_a_plan_repeats_is_made_once_where_that_is_wanted() -> None:
    calls = (Action("sam", {"a": [1]}), Action("ocr", {}), Action("sam", {"a": [1]}), Action("sam", {"a": [2]}))
    given = pieces(render_turn(Turn("Hm.", calls, "Wait.")))

    def made(*, each_once: bool) -> list[tuple[str, dict[str, Any]]]:
        reply = Reply(SKILLS, "lmm", Binding(), each_once=each_once)
        for piece in given:
            reply.take(piece)
        message = reply.result().generations[0].message
        assert isinstance(message, AIMessage)
        return [(call["name"], call["args"]) for call in message.tool_calls]

    assert made(each_once=True) == [("sam", {"a": [1]}), ("ocr", {}), ("sam", {"a": [2]})]
    assert len(made(each_once=False)) == 4
