"""What a server renders must be what the local engine renders; Jinja is what servers use."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment
from transformers import PreTrainedTokenizerFast

from llavaplus_graph.chat_model.chat_template import chat_template
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.protocol import IMAGE

TEXTS = st.text("ab \n\u00e9\u4f60<{%}\"'\\.", max_size=12)
Speaker = Literal["human", "gpt"]


def rendered(dialect: Dialect, messages: list[dict[str, Any]]) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)  # as transformers compiles it
    return environment.from_string(chat_template(dialect)).render(messages=messages, add_generation_prompt=True)


def message(speaker: Speaker, text: str, pictures: int, parts: bool) -> dict[str, Any]:
    role = "user" if speaker == "human" else "assistant"
    if not parts and not pictures:
        return {"role": role, "content": text}
    return {"role": role, "content": [*[{"type": "image"}] * pictures, {"type": "text", "text": text}]}


@given(
    template=st.sampled_from(["v0", "v1"]),
    system=st.none() | TEXTS,
    said=st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 2)), max_size=3),
    last=st.tuples(TEXTS, st.integers(0, 2)),
    parts=st.booleans(),
)
def test_a_server_renders_what_the_engine_renders(
    template: Literal["v0", "v1"],
    system: str | None,
    said: list[tuple[str, str, int]],
    last: tuple[str, int],
    parts: bool,
) -> None:
    dialect = Dialect(template=template, system=system)
    turns: list[tuple[Speaker, str, int]] = []
    for question, answer, pictures in said:
        turns += [("human", question, pictures), ("gpt", answer, 0)]
    turns.append(("human", *last))
    turns = [(speaker, text.strip() if pictures else text, pictures) for speaker, text, pictures in turns]
    messages = [message(*turn, parts) for turn in turns]
    expected = dialect.conversation.render(
        [(speaker, f"{IMAGE}\n" * pictures + text) for speaker, text, pictures in turns]
    )
    assert rendered(dialect, messages) == expected


@pytest.mark.parametrize("content", ["Be kind.", [{"type": "text", "text": "Be kind."}]], ids=["string", "parts"])
def test_a_system_message_takes_the_place_of_the_dialects_own(content: Any) -> None:
    messages = [{"role": "system", "content": content}, {"role": "user", "content": "Hello."}]
    assert rendered(Dialect(template="v1"), messages) == "Be kind. USER: Hello. ASSISTANT:"


def test_a_picture_is_written_as_the_dialect_writes_it() -> None:
    dialect = Dialect(template="v0", picture="<im_start><image><im_end>")
    expected = dialect.conversation.render([("human", "<image>\nWhat?")])
    assert rendered(dialect, [message("human", "What?", 1, parts=True)]) == expected


def test_a_tokenizer_renders_with_it(tokenizer: PreTrainedTokenizerFast) -> None:
    dialect = Dialect(template="v0", system="S.")
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello."}],
        chat_template=chat_template(dialect),
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text == "S.###Human: Hello.###Assistant:"
