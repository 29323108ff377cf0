from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.types import Detections, SkillFailure, SkillResult, Tags
from llavaplus_tools import tag_and_detect, tag_image
from llavaplus_tools._backends.pool import ModelPool
from llavaplus_tools.detection import zero_shot_detector
from llavaplus_tools.protocols import Found
from llavaplus_tools.tagging import common_things, surest, zero_shot_tagger

Ask = Callable[..., SkillResult]
WORDS = ["cat", "dog", "red cup", "cup"]


def noise(size: tuple[int, int] = (90, 60)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), dtype=np.uint8))


@pytest.mark.parametrize("weights", ["siglip", "siglip2_of_any_shape", "clip"])
@pytest.mark.parametrize("size", [(90, 60), (1, 1), (2_000, 3)], ids=str)
def test_a_tagger_runs_from_its_directory_to_the_drawing(
    ask: Ask, request: pytest.FixtureRequest, weights: str, size: tuple[int, int]
) -> None:
    pool = ModelPool()
    model = str(request.getfixturevalue(weights))
    result = ask(partial(tag_image, model=model, vocabulary=WORDS, threshold=0.0, pool=pool), image=noise(size))
    assert isinstance(result, Tags)
    assert sorted(result.tags) == sorted(WORDS)
    assert list(result.scores) == sorted(result.scores, reverse=True)
    assert result.content() == {"tags": ", ".join(result.tags)}
    if weights == "clip":
        assert sum(result.scores) == pytest.approx(1, abs=1e-5)
    assert max(result.draw().size) >= 256
    assert [(one.kind, one.idle) for one in pool.loaded()] == [("pictures and words", True)]


def test_the_vocabulary_that_comes_along_has_each_word_once(ask: Ask, siglip: Path) -> None:
    assert len(common_things()) == len(set(common_things())) > 500
    result = ask(partial(tag_image, model=str(siglip), threshold=0.0), image=noise((32, 32)))
    assert isinstance(result, Tags)
    assert len(result.tags) == 20
    assert set(result.tags) <= set(common_things())


def test_only_sure_tags_are_told_surest_first() -> None:
    tags = [("dog", 0.2), ("cat", 1.0000001), ("cup", 0.05), ("fork", 0.01), ("spoon", float("nan"))]
    assert surest(tags, 0.05) == [("cat", 1.0), ("dog", 0.2), ("cup", 0.05)]
    assert len(surest([(f"thing {number}", 0.5) for number in range(100)], 0.0)) == 20


def test_tags_are_boxed_and_told_with_the_boxes(ask: Ask) -> None:
    asked: list[list[str]] = []

    def detector(picture: Image.Image, phrases: Any, **thresholds: float) -> Found:
        asked.append(list(phrases))
        return Found(((0.1, 0.2, 0.3, 0.4),), (0.9,), ("cat",))

    skill = partial(tag_and_detect, tagger=lambda _: [("sofa", 0.3), ("cat", 0.8)], detector=detector)
    result = ask(skill, image=noise())
    assert asked == [["cat", "sofa"]]
    assert result.content() == {
        "boxes": [[0.1, 0.2, 0.3, 0.4]],
        "logits": [0.9],
        "phrases": ["cat"],
        "tags": "cat, sofa",
    }


def test_tagger_and_detector_run_one_after_the_other(ask: Ask, siglip: Path, grounding_dino: Path) -> None:
    pool = ModelPool()
    tagger = zero_shot_tagger(str(siglip), vocabulary=WORDS, pool=pool)
    detector = zero_shot_detector(str(grounding_dino), pool=pool)
    result = ask(partial(tag_and_detect, tagger=tagger, detector=detector, threshold=0.0), image=noise())
    assert isinstance(result, Detections)
    assert sorted(result.tags or ()) == sorted(WORDS)


def test_an_empty_vocabulary_is_the_developers_mistake() -> None:
    with pytest.raises(ConfigError, match="vocabulary of the tagger is empty"):
        tag_image(vocabulary=[" "])


def test_missing_weights_are_told_with_the_command_that_fetches_them(ask: Ask) -> None:
    result = ask(tag_image, image=noise())
    assert isinstance(result, SkillFailure)
    assert result.error == (
        "tag_image needs the weights google/siglip2-base-patch16-224, which are not on this machine; "
        "to fetch them run: llavaplus skills fetch tag_image"
    )


def test_weights_of_another_kind_are_told_by_their_kind(ask: Ask, sam: Path) -> None:
    result = ask(partial(tag_image, model=str(sam)), image=noise())
    assert isinstance(result, SkillFailure)
    assert "belong to a sam, which compares no pictures with words; choose a SigLIP" in result.error
