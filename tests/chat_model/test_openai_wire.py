import json
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from llavaplus_graph.chat_model.generation import Piece, Request, Sampling
from llavaplus_graph.chat_model.openai_wire import Events, Guided, chat_body
from llavaplus_graph.errors import ServerError
from llavaplus_graph.images import read_picture
from llavaplus_graph.protocol import V0, V1

HELLO = Request(V1, [("human", "Hello.")], [], Sampling())
LARK = 'start: "a"'


def event(text: str, reason: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return f"data: {json.dumps({'choices': [choice], **fields}, ensure_ascii=False)}\n\n".encode()


def told(data: bytes, *, sampling: Sampling | None = None, size: int = 1_000_000) -> list[Piece]:
    events = Events("here", sampling or Sampling())
    pieces = [piece for at in range(0, len(data), size) for piece in events.take(data[at : at + size])]
    return [*pieces, events.last()]


# --- requests -----------------------------------------------------------------------------------------------------


def test_a_request_has_the_turns_of_the_protocol_and_how_to_sample() -> None:
    turns = [("human", "Hello."), ("gpt", "Hi."), ("human", "Why?")]
    sampling = Sampling(max_tokens=9, temperature=0.5, top_p=0.9, seed=3, stop=("###", "###"))
    assert chat_body(Request(V0, turns, [], sampling), "lmm", None) == {  # type: ignore[arg-type]
        "model": "lmm",
        "messages": [
            {"role": "system", "content": V0.system},
            {"role": "user", "content": "Hello."},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "Why?"},
        ],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "stop": ["###"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_pictures_go_as_exact_data_uris_in_their_turns() -> None:
    red, blue = Image.new("RGB", (3, 2), "red"), Image.new("RGB", (2, 5), "blue")
    turns = [("human", "<image>\n<image>\nQ"), ("gpt", "A."), ("human", "<image>\nR")]
    body = chat_body(Request(V1, turns, [red, blue, red], Sampling()), "lmm", None)  # type: ignore[arg-type]
    first, last = body["messages"][1]["content"], body["messages"][3]["content"]
    assert [part["type"] for part in first] == ["image_url", "image_url", "text"]
    assert (first[2]["text"], last[1]["text"]) == ("Q", "R")
    sent = [part["image_url"]["url"] for part in [*first, *last] if part["type"] == "image_url"]
    head = "data:image/png;base64,"
    pictures = [read_picture(b64decode(url.removeprefix(head))) for url in sent]
    assert [picture.tobytes() for picture in pictures] == [picture.tobytes() for picture in (red, blue, red)]


@pytest.mark.parametrize(
    ("guided", "fields"),
    [
        (None, {}),
        ("vllm", {"add_special_tokens": True, "structured_outputs": {"grammar": f"%llguidance {{}}\n{LARK}"}}),
        ("sglang", {"ebnf": f"%llguidance {{}}\n{LARK}"}),
    ],
)
def test_a_grammar_goes_under_the_name_that_the_server_knows(guided: Guided | None, fields: dict[str, Any]) -> None:
    asked = Request(V1, [("human", "Hello.")], [], Sampling(), (LARK,))
    body = chat_body(asked, "lmm", guided)
    known = {"model", "messages", "max_tokens", "temperature", "top_p", "stream", "stream_options"}
    assert {name: value for name, value in body.items() if name not in known} == fields


def test_what_ends_an_answer_is_not_sent_because_it_would_end_a_plan_too() -> None:
    body = chat_body(Request(V1, [("human", "Q")], [], Sampling(answer_stop=("\n",))), "lmm", None)
    assert "stop" not in body


# --- streams ------------------------------------------------------------------------------------------------------

WHOLE = event("Hel") + event("lo 日本\u2028") + event("", "stop") + b'data: {"choices": [], "usage": '
WHOLE += (
    b'{"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}}}\n\ndata: [DONE]\n\n'
)


@given(size=st.integers(1, 40))
def test_a_stream_reads_the_same_however_it_is_cut_into_packets(size: int) -> None:
    *pieces, last = told(WHOLE, size=size)
    assert "".join(piece.text for piece in pieces) == "Hello 日本\u2028"
    assert last == Piece("", "stop", 7, 3, 5)


@pytest.mark.parametrize(
    "noise", [b": keep-alive\n\n", b"event: message\n", b"id: 7\n", b"\n", b"\r\n", event("").replace(b"\n", b"\r\n")]
)
def test_what_is_no_text_is_passed_over(noise: bytes) -> None:
    *pieces, last = told(noise + event("Yes") + noise + event(".", "stop") + noise)
    assert "".join(piece.text for piece in pieces) == "Yes."
    assert last.finish_reason == "stop"


def test_where_nothing_is_told_of_the_cost_nothing_is_made_up() -> None:
    last = told(event("Yes.", "length"))[-1]
    assert (last.finish_reason, last.input_tokens, last.output_tokens, last.reused_tokens) == ("length", 0, 0, None)


def test_the_answer_ends_before_a_text_that_is_to_end_it_and_what_it_cost_so_far_is_known() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    data = event("One tw", usage=usage) + event("o three", usage=usage) + event(" four", "length", usage=usage)
    *pieces, last = told(data, sampling=Sampling(answer_stop=("two",)))
    assert "".join(piece.text for piece in pieces) == "One "
    assert (last.finish_reason, last.output_tokens) == ("stop", 2)


def test_a_text_that_ends_everything_ends_it_here_where_a_server_does_not_keep_to_it() -> None:
    data = event("One t") + event("wo USER: Three?", "length")
    *pieces, last = told(data, sampling=Sampling(stop=("USER:",)))
    assert "".join(piece.text for piece in [*pieces, last]) == "One two "
    assert last.finish_reason == "stop"


def test_a_plan_does_not_end_where_an_answer_would() -> None:
    plan = '"thoughts🤔" Hm.\n"actions🚀" []\n"value👉" One.\nTwo.\n'
    *pieces, last = told(event(plan), sampling=Sampling(answer_stop=("\n",)))
    assert "".join(piece.text for piece in pieces) == plan.removesuffix("\nTwo.\n")
    assert last.finish_reason == "stop"


@pytest.mark.parametrize("cut", range(0, len(WHOLE) - 150, 7))
def test_a_stream_that_ends_anywhere_before_its_end_is_no_answer(cut: int) -> None:
    with pytest.raises(ServerError, match="broke off"):
        told(WHOLE[: min(cut, WHOLE.index(b'"stop"'))])
