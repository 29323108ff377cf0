from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from llavaplus_graph.errors import SkillError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import skill_info
from llavaplus_graph.types import Detections, SkillFailure, SkillResult
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools._backends.weights import Weights
from llavaplus_tools.detection import MOST_PHRASES, detect_objects, detected, phrases_of
from llavaplus_tools.protocols import Found

Ask = Callable[..., SkillResult]
EVERYTHING = {"box_threshold": 0, "text_threshold": 0}


def noise(size: tuple[int, int] = (300, 200)) -> Image.Image:
    return Image.radial_gradient("L").resize(size).convert("RGB")


@pytest.fixture(scope="module")
def pool() -> ModelPool:
    return ModelPool()


@pytest.mark.parametrize("weights", ["grounding_dino", "mm_grounding_dino", "owlv2"])
@pytest.mark.parametrize("size", [(300, 200), (64, 64), (1, 1), (3, 2000)], ids=str)
def test_a_detector_runs_from_its_directory_to_the_drawing(
    ask: Ask, request: pytest.FixtureRequest, weights: str, size: tuple[int, int]
) -> None:
    model = request.getfixturevalue(weights)
    result = ask(partial(detect_objects, model=str(model)), image=noise(size), query="red cup . cat", **EVERYTHING)
    assert isinstance(result, Detections)
    assert set(result.labels) <= {"red cup", "cat"}
    assert list(result.scores) == sorted(result.scores, reverse=True)
    assert len(result.boxes) <= 500
    assert max(result.draw().size) >= 256
    if size == (300, 200):
        assert result.boxes


@pytest.mark.parametrize("weights", ["grounding_dino", "owlv2"])
def test_a_detector_runs_in_half_precision(ask: Ask, request: pytest.FixtureRequest, weights: str) -> None:
    skill = partial(detect_objects, model=str(request.getfixturevalue(weights)), dtype="bfloat16")
    result = ask(skill, image=noise(), query="cat", **EVERYTHING)
    assert isinstance(result, Detections)
    assert result.boxes


def test_nothing_found_is_no_error(ask: Ask, grounding_dino: Path) -> None:
    result = ask(partial(detect_objects, model=str(grounding_dino)), image=noise(), query="cat", box_threshold=1)
    assert result.content() == {"boxes": [], "logits": [], "phrases": []}
    assert result.draw().size == (300, 200)


def test_the_same_question_gets_the_same_answer(ask: Ask, grounding_dino: Path) -> None:
    skill = partial(detect_objects, model=str(grounding_dino))
    first, second = (ask(skill, image=noise(), query="cat", **EVERYTHING) for _ in range(2))
    assert first == second


def test_the_originals_name_of_the_query_is_understood(ask: Ask, grounding_dino: Path) -> None:
    skill = partial(detect_objects, model=str(grounding_dino))
    ours, theirs = (ask(skill, image=noise(), **EVERYTHING, **{name: "cat . dog"}) for name in ("query", "caption"))
    assert ours == theirs


def test_what_a_detector_of_ones_own_finds_is_checked(ask: Ask) -> None:
    def careless(picture: Image.Image, phrases: Sequence[str], *, box_threshold: float, text_threshold: float) -> Found:
        assert (phrases, box_threshold, text_threshold) == (["cup", "fork"], 0.3, 0.25)
        return Found(((0.1, 0.1, 1.4, 0.5), (0.2, float("nan"), 0.3, 0.4)), (0.8, 0.9), ("cup", "fork"))

    result = ask(partial(detect_objects, backend=careless), image=noise(), query="cup, fork")
    assert result.content() == {"boxes": [[0.1, 0.1, 1.0, 0.5]], "logits": [0.8], "phrases": ["cup"]}


def test_no_phrases_need_no_detector() -> None:
    assert detected(lambda *_, **__: pytest.fail("was asked"), noise(), []) == Found()


@pytest.mark.parametrize(
    ("query", "phrases"),
    [
        ("cup", ["cup"]),
        ("bird . human . head", ["bird", "human", "head"]),
        ("the frisbee .", ["the frisbee"]),
        ("red cup, fork ,spoon", ["red cup", "fork", "spoon"]),
        ("cat. dog.", ["cat", "dog"]),
        ("Cat . cat .  CAT", ["Cat"]),
        ("3.5 inch disk . St.Gallen", ["3.5 inch disk", "St.Gallen"]),
        ("a\n b; c|d", ["a", "b", "c", "d"]),
        ("杯子 . 叉子", ["杯子", "叉子"]),
    ],
)
def test_a_query_is_split_where_phrases_end(query: str, phrases: list[str]) -> None:
    assert phrases_of(query) == phrases


@pytest.mark.parametrize("query", ["", " . ", "...", ",,,", "?!"])
def test_a_query_that_names_nothing_is_told(query: str) -> None:
    with pytest.raises(SkillError, match="names nothing to look for"):
        phrases_of(query)


def test_too_many_phrases_are_told_by_their_number() -> None:
    assert len(phrases_of(" . ".join(f"thing {n}" for n in range(MOST_PHRASES)))) == MOST_PHRASES
    with pytest.raises(SkillError, match="names 300 things and at most 100"):
        phrases_of(" . ".join(f"thing {n}" for n in range(300)))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param({"query": ""}, "query: String should have at least 1 character", id="empty"),
        pytest.param({"query": " . "}, "names nothing to look for", id="full stop"),
        pytest.param({}, "query: Field required", id="no query"),
        pytest.param({"query": ["cat"]}, "query: Input should be a valid string", id="list"),
        pytest.param({"query": "cat", "box_threshold": 1.5}, "box_threshold: Input should be less", id="threshold"),
        pytest.param({"query": "cat", "box_threshold": float("nan")}, "box_threshold", id="NaN"),
        pytest.param({"query": "cat", "text_threshold": "much"}, "text_threshold", id="word"),
        pytest.param({"query": "cat", "image": "latest"}, "'latest' names no picture", id="latest"),
        pytest.param({"query": "cat", "image": "img_0000000000000000"}, "img_0000000000000000", id="no such handle"),
        pytest.param({"query": " . ".join(map(str, range(300)))}, "300 things", id="300 phrases"),
        pytest.param({"query": "q" * 70}, "too long to look for", id="too long"),
    ],
)
def test_what_cannot_be_looked_for_is_told_and_the_pool_stays_healthy(
    ask: Ask, pool: ModelPool, grounding_dino: Path, arguments: dict[str, Any], complaint: str
) -> None:
    skill = partial(detect_objects, model=str(grounding_dino), pool=pool)
    result = ask(skill, **{"image": noise(), **arguments})
    assert isinstance(result, SkillFailure)
    assert complaint in result.error
    assert isinstance(ask(skill, image=noise((64, 64)), query="cat"), Detections)
    assert [(one.kind, one.idle) for one in pool.loaded()] == [("detector", True)]


def test_missing_weights_are_told_with_the_command_that_fetches_them(ask: Ask, tmp_path: Path) -> None:
    result = ask(partial(detect_objects, model="nobody/has-these"), image=noise(), query="cat")
    assert isinstance(result, SkillFailure)
    assert result.error == (
        "detect_objects needs the weights nobody/has-these, which are not on this machine; "
        "to fetch them run: llavaplus skills fetch nobody/has-these"
    )


def test_weights_of_another_kind_are_told_by_their_kind(ask: Ask, sam: Path) -> None:
    result = ask(partial(detect_objects, model=str(sam)), image=noise(), query="cat")
    assert isinstance(result, SkillFailure)
    assert "belong to a sam, which finds nothing by its name; choose a Grounding DINO" in result.error


def test_a_skill_says_which_weights_it_uses(tmp_path: Path) -> None:
    usual = skill_info(detect_objects(store=ImageStore(tmp_path)))
    assert usual is not None
    assert usual.weights == ("IDEA-Research/grounding-dino-tiny",)


def test_memory_that_runs_out_inside_the_model_is_a_sentence_and_the_next_call_works(
    ask: Ask, grounding_dino: Path
) -> None:
    pool = ModelPool()
    skill = partial(detect_objects, model=str(grounding_dino), pool=pool)

    def exhausted(*given: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    assert isinstance(ask(skill, image=noise(), query="cat", **EVERYTHING), Detections)
    with pool.borrow(Weights(str(grounding_dino)), "detector", exhausted) as detector:  # which is loaded
        hook = detector.model.model.decoder.register_forward_pre_hook(exhausted)
    result = ask(skill, image=noise(), query="cat", **EVERYTHING)
    assert isinstance(result, SkillFailure)
    assert result.error == (
        f"cpu has too little memory free for {grounding_dino}; choose a smaller picture or smaller weights"
    )
    hook.remove()
    assert isinstance(ask(skill, image=noise(), query="cat", **EVERYTHING), Detections)
    assert [loaded.idle for loaded in pool.loaded()] == [True]


def test_three_hundred_things_are_too_many_at_once(ask: Ask) -> None:
    query = " . ".join(str(number) for number in range(300))
    result = ask(detect_objects, image=noise(), query=query)
    assert isinstance(result, SkillFailure)
    assert result.error == "the query names 300 things and at most 100 can be looked for at once; ask for fewer"
