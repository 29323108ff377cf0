import random

import pytest

from llavaplus_graph.data.joining import join, lowered, raised


def joined(first: str, second: str, quoted: str) -> set[str]:
    return {join(first, second, quoted, random.Random(seed)) for seed in range(300)}


def test_both_instructions_stand_in_the_whole_in_many_forms() -> None:
    texts = joined("Read the sign.", "Count the bikes?", "bikes")
    assert len(texts) > 50
    assert all("read the sign" in text.lower() and "count the bikes" in text.lower() for text in texts)
    assert not any("sign.," in text or "bikes?," in text for text in texts)


def test_what_becomes_an_argument_keeps_its_letters() -> None:
    assert all(
        "make it snow" in text for text in joined("What is it?", "make it snow", "{'instruction': 'make it snow'}")
    )
    assert all("Van Gogh" in text for text in joined("Van Gogh it", "Crop it", "{'instruction': 'Van Gogh it'}"))


def test_the_same_seed_joins_the_same() -> None:
    first, second = (join("Read it", "Crop it", "", random.Random(4)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("text", "within"),
    [("Read it", "read it"), ("I want it", "I want it"), ("QR code please", "QR code please"), ("Paris?", "Paris?")],
)
def test_names_and_i_keep_their_capital_within_a_sentence(text: str, within: str) -> None:
    assert lowered(text, "Paris?") == within


def test_a_sentence_of_its_own_gets_a_capital_unless_an_argument_begins_it() -> None:
    assert raised("read it", "") == "Read it"
    assert raised("make it snow", "make it snow") == "make it snow"
    assert raised("snow, masked", "{'query': 'snow'}") == "snow, masked"
