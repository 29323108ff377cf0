import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from llavaplus_graph.graph.truncation import shortened, within_room


def test_what_fits_stays_as_it_is() -> None:
    contents: list[dict[str, JsonValue]] = [{"texts": ["STOP"]}, {"caption": "A cup."}]
    assert within_room(contents, 100) == contents


def test_the_most_certain_rows_stay_in_their_order_and_the_others_are_counted() -> None:
    content: dict[str, JsonValue] = {
        "boxes": [[0.1, 0.1, 0.2, 0.2]] * 40,
        "logits": [row / 100 for row in range(40)],
        "phrases": ["cup"] * 40,
        "left_out": 2,
    }
    cut = shortened(content, 300)
    logits = cut["logits"]
    assert isinstance(logits, list)
    assert isinstance(cut["boxes"], list)
    assert len(json.dumps(cut)) <= 300
    assert logits == [row / 100 for row in range(40 - len(logits), 40)]
    assert len(cut["boxes"]) == len(logits) >= 3
    assert cut["left_out"] == 40 - len(logits) + 2


def test_a_single_long_text_says_how_much_it_has_lost() -> None:
    cut = shortened({"caption": "word " * 2000}, 400)["caption"]
    assert isinstance(cut, str)
    kept, _, note = cut.partition("…")
    assert note == f" ({10_000 - len(kept):,} more characters)"
    assert len(kept) >= 100


def test_a_long_text_in_a_list_leaves_room_for_the_others() -> None:
    texts = shortened({"texts": ["STOP", "x" * 5000, "EXIT"]}, 300)["texts"]
    assert isinstance(texts, list)
    assert (texts[0], texts[2]) == ("STOP", "EXIT")
    assert str(texts[1]).endswith("more characters)")


def test_a_short_result_keeps_everything_beside_a_long_one() -> None:
    short: dict[str, JsonValue] = {"texts": ["STOP"]}
    cut, kept = within_room([{"texts": [f"line {row}" for row in range(500)]}, short], 500)
    assert kept == short
    assert len(json.dumps(cut)) > 350


_VALUES = st.recursive(
    st.text(max_size=200) | st.integers(0, 9) | st.floats(0, 1),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=30,
)


# On a busy machine it takes long to think up such values, which says nothing about them.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["boxes", "logits", "texts", "a"]), _VALUES), max_size=3))
def test_whatever_a_result_looks_like_it_can_be_cut(contents: list[dict[str, JsonValue]]) -> None:
    cut = within_room(contents, 200)
    assert len(cut) == len(contents)
    assert len(json.dumps(cut)) <= len(json.dumps(contents)) + 40 * len(json.dumps(contents)) // 20
