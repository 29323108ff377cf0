import json

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from llavaplus_graph.graph.evidence import made_up, with_evidence_checked
from llavaplus_graph.testing import call

SAID: list[BaseMessage] = [
    HumanMessage('Is the price under 20 euros, as the "Daily News" says?'),
    call("read_text"),
    ToolMessage('{"texts": ["OPEN 9-5", "Milk  1.50"], "logits": [0.87, 0.5]}', tool_call_id="call_read_text"),
]


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        pytest.param('It says "open 9-5".', [], id="quoted"),
        pytest.param("It says “Milk 1.50”.", [], id="curly-quotes"),
        pytest.param("Milk is 1.5 euros, which is under 20.", [], id="numbers-of-both"),
        pytest.param('The "Daily News" is right.', [], id="the-user's-words"),
        pytest.param("There are 2 texts.", [], id="a-count"),
        pytest.param("I am 87 % sure.", [], id="percent"),
        pytest.param("Look at image_7 again.", [], id="a-name-is-no-number"),
        pytest.param("They are open 9-5.", [], id="a-range"),
        pytest.param('It says "CLOSED".', ["CLOSED"], id="made-up-quotation"),
        pytest.param("Milk is 1.75 euros.", ["1.75"], id="made-up-number"),
        pytest.param("They are open 9-6 on 3 days, 3.", ["9-6", "3"], id="each-once"),
        pytest.param("They open at 9, by 5-9 %.", [], id="a-part-of-a-range-and-a-range-of-shares"),
        pytest.param("Between 10-20 % or 12:30%.", ["10-20 %", "12:30%"], id="what-looks-like-a-share-and-is-none"),
        pytest.param("It says 'CLOSED', ‘DON’T’ and `SHUT`.", ["CLOSED", "DON’T", "SHUT"], id="other-quotes"),
        pytest.param("It's the cats' and the dogs' bowl, isn't it?", [], id="apostrophes"),
    ],
)
def test_what_nobody_has_said_is_found(answer: str, missing: list[str]) -> None:
    assert made_up(answer, SAID) == missing


@pytest.mark.parametrize(
    ("read", "answer", "missing"),
    [
        pytest.param("Open 9:00-17:00", "From 9:00 to 17:00.", [], id="a-range-of-times"),
        pytest.param("2024-01-05", "In 2024.", [], id="a-part-of-a-date"),
        pytest.param("2024-01-05", "On 2024-05-01.", ["2024-05-01"], id="another-date"),
        pytest.param("$1,000", "1000 dollars.", [], id="thousands"),
        pytest.param("1.5 kg", "1,5 kg.", [], id="a-comma"),
        pytest.param("call 123456789", "Call 123456780.", ["123456780"], id="long-numbers-count-to-the-last-digit"),
    ],
)
def test_numbers_are_compared_by_what_they_mean(read: str, answer: str, missing: list[str]) -> None:
    assert made_up(answer, [ToolMessage(json.dumps({"texts": [read]}), tool_call_id="c")]) == missing


def test_what_the_lmm_said_before_is_no_evidence() -> None:
    assert made_up("It costs 42.", [HumanMessage("How much?"), AIMessage("42, I think.")]) == ["42"]


def test_it_stands_in_the_metadata_beside_what_was_there() -> None:
    answer = AIMessage('"NO"', response_metadata={"finish_reason": "stop"}, id="a")
    checked = with_evidence_checked(answer, SAID)
    assert checked.response_metadata == {"finish_reason": "stop", "ungrounded": ["NO"]}
    assert checked.id == "a"
    plan = call("read_text")
    assert with_evidence_checked(plan, SAID) is plan
