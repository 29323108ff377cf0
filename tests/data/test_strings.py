import random

from llavaplus_graph.data.strings import printed, printed_lines
from llavaplus_graph.protocol import clean_text

LINES = [printed(random.Random(seed)) for seed in range(2_000)]


def test_lines_are_short_and_never_blank() -> None:
    assert all(line.strip() for line in LINES)
    assert max(map(len, LINES)) < 140


def test_lines_hardly_repeat() -> None:
    assert len(set(LINES)) > 1_900


def test_lines_are_what_the_lmm_would_read() -> None:
    assert all(clean_text(line) == line for line in LINES)


def test_there_are_letters_digits_signs_and_foreign_scripts() -> None:
    everything = "".join(LINES)
    assert set("aZ0€£@:/%+-é日П") <= set(everything)


def test_a_picture_has_one_to_eight_lines_and_few_more_often_than_many() -> None:
    counts = [len(printed_lines(random.Random(seed))) for seed in range(300)]
    assert (min(counts), max(counts)) == (1, 8)
    assert counts.count(1) > counts.count(4)


def test_the_same_seed_prints_the_same() -> None:
    assert printed_lines(random.Random(8)) == printed_lines(random.Random(8))
