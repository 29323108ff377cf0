import random
import re
import sys

import pytest

from llavaplus_graph.data.slots import Slots, dictionary, invented, plural, random_box, random_point, vocabulary
from llavaplus_graph.errors import MissingExtraError

NUMBER = re.compile(r"\d+(?:\.\d+)?")
SEEDS = range(200)


def values(slot: str) -> set[str]:
    return {Slots(random.Random(seed))(slot) for seed in SEEDS}


def test_the_same_seed_gives_the_same_values() -> None:
    first, second = Slots(random.Random(5)), Slots(random.Random(5))
    names = ["thing", "things", "place", "style", "prompt", "box", "point", "degrees", "factor", "percent", "width"]
    assert [first(name) for name in names] == [second(name) for name in names]


@pytest.mark.parametrize(
    ("slot", "least", "most"),
    [
        ("degrees", 1, 359),
        ("factor", 0.1, 4),
        ("percent", 5, 200),
        ("width", 64, 1920),
        ("height", 64, 1920),
        ("radius", 1, 25),
    ],
)
def test_numbers_are_written_plainly_and_stay_in_range(slot: str, least: float, most: float) -> None:
    written = values(slot)
    assert all(NUMBER.fullmatch(text) and least <= float(text) <= most for text in written)
    assert len(written) > 10


@pytest.mark.parametrize(("slot", "count"), [("box", 4), ("point", 2)])
def test_written_marks_hold_their_normalised_numbers(slot: str, count: int) -> None:
    for text in values(slot):
        numbers = [float(number) for number in NUMBER.findall(text)]
        assert len(numbers) == count
        assert all(0 <= number <= 1 for number in numbers)


def test_boxes_have_two_decimals_and_sides_that_can_be_seen() -> None:
    for seed in SEEDS:
        x1, y1, x2, y2 = box = random_box(random.Random(seed))
        assert min(x2 - x1, y2 - y1) > 0.0499
        assert min(box) >= 0
        assert max(box) <= 1
        assert box == [round(number, 2) for number in box]


def test_points_lie_inside_the_picture() -> None:
    assert all(0 < number < 1 for seed in SEEDS for number in random_point(random.Random(seed)))


def test_things_are_varied_and_hold_nothing_that_has_a_meaning_in_a_phrasing() -> None:
    things = values("thing") | values("things") | values("prompt")
    assert len(things) > 500
    assert not any(set(thing) & set("[]{}.") or thing != thing.strip() for thing in things)


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("kettle", "kettles"),
        ("school bus", "school buses"),
        ("paint brush", "paint brushes"),
        ("cherry", "cherries"),
        ("toy", "toys"),
        ("bread knife", "bread knives"),
        ("elderly woman", "elderly women"),
        ("scissors", "scissors"),
    ],
)
def test_the_last_word_of_a_noun_phrase_takes_the_plural(one: str, many: str) -> None:
    assert plural(one) == many


def test_the_vocabulary_lists_nothing_twice() -> None:
    lists = {key: words for key, words in vocabulary().items() if isinstance(words, list)}
    assert len(lists) >= 6
    assert all(
        len(set(words)) == len(words) and all(isinstance(word, str) for word in words) for words in lists.values()
    )


def test_the_dictionary_holds_plain_words() -> None:
    words = dictionary(2_000)
    assert len(words) > 1_500
    assert all(re.fullmatch(r"[a-z]{3,}", word) for word in words)


def test_invented_words_can_be_read_and_hardly_repeat() -> None:
    words = [invented(random.Random(seed)) for seed in SEEDS]
    assert all(re.fullmatch(r"[a-z]{2,16}", word) for word in words)
    assert len(set(words)) > 190


def test_without_the_training_extra_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(MissingExtraError, match=r"llavaplus-graph\[train\]"):
        dictionary.__wrapped__()


def test_a_slot_without_a_vocabulary_is_an_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        Slots(random.Random(0))("colour")
