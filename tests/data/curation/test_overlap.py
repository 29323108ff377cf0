import itertools
import random

import pytest

from llavaplus_graph.data.curation.overlap import Overlap, ngrams


def test_texts_that_share_their_triples_are_the_same() -> None:
    overlap = Overlap(0.8)
    assert overlap.add("a", "Where in this picture is the red cup that I lost?") == ""
    assert overlap.add("b", "where in THIS picture is the red cup that I lost!!") == "a"
    assert overlap.add("c", "Tell me about the weather.") == ""
    assert overlap.add("d", "weather") == ""
    assert overlap.add("e", "Weather!") == "d"


def test_the_order_of_words_counts() -> None:
    overlap = Overlap(0.5)
    assert overlap.add("a", "one two three four five six") == ""
    assert overlap.add("b", "six five four three two one") == ""


@pytest.mark.parametrize("least", [0.3, 0.5, 0.8, 1.0])
def test_nothing_is_missed_that_comparing_all_pairs_finds(least: float) -> None:
    rng = random.Random(7)
    texts = [" ".join(rng.choices("abcd", k=rng.randint(1, 7))) for _ in range(150)]
    overlap, kept = Overlap(least), list[str]()
    for number, text in enumerate(texts):
        grams = ngrams(f"_ _ {text} _ _", 3)
        alike = any(
            len(grams & other) >= least * len(grams | other) for other in (ngrams(f"_ _ {k} _ _", 3) for k in kept)
        )
        assert bool(overlap.add(str(number), text)) == alike
        if not alike:
            kept.append(text)
    assert 10 < len(kept) < len(texts)
    assert len(set(itertools.chain(kept))) == len(kept)
