import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from llavaplus_graph.chat_model.checkpoints import bundled
from llavaplus_graph.chat_model.dialect import Dialect
from llavaplus_graph.data.lesson import Lesson
from llavaplus_graph.data.phrasing import Phrasing
from llavaplus_graph.data.recipe import Stage
from llavaplus_graph.errors import ConfigError
from llavaplus_graph.skills import PictureArguments, SkillInfo, make_skill
from llavaplus_graph.train.figure import draw_scores
from llavaplus_graph.train.learn import Learned, Score, learn
from llavaplus_graph.types import SkillResult, Tags


def lesson(name: str = "judge_mood") -> Lesson:
    def run(image: object) -> SkillResult:
        """Judge the mood of a picture."""
        return Tags(tags=("cheerful",), scores=(1.0,))

    lines = [Phrasing(name, f"{verb} the mood", "mood/plain") for verb in ("judge", "rate", "guess", "sense")]
    return Lesson(make_skill(run, SkillInfo(name), PictureArguments), tuple(lines), ())


def scores(known: float, taught: float) -> list[Score]:
    return [Score("all", 100, known, known), Score("judge_mood", 10, taught, taught)]


def taught(folder: Path, examinations: list[list[Score]]) -> Learned:
    stages = (Stage("first", records=12, learning_rate=1e-4), Stage("second", records=12, learning_rate=1e-4))
    row = iter(examinations)
    return learn(lesson(), folder / "out", lambda _: next(row), stages=stages, pictures=1)


def test_the_better_stage_is_kept_and_speaks_of_the_new_skill(tmp_path: Path) -> None:
    learned = taught(tmp_path, [scores(0.9, 0.0), scores(0.9, 0.8), scores(0.9, 0.4)])
    assert learned.after == tuple(scores(0.9, 0.8))
    assert Dialect.load(tmp_path / "out").skills == (*Dialect.load(bundled()).skills, "judge_mood")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))["model_type"] == "llava"


def test_a_stage_that_forgets_is_worse_than_one_that_learned_a_little_less(tmp_path: Path) -> None:
    learned = taught(tmp_path, [scores(0.9, 0.0), scores(0.8, 1.0), scores(0.89, 0.9)])
    assert learned.after == tuple(scores(0.89, 0.9))


def test_a_lesson_without_stages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no stage to train"):
        learn(lesson(), tmp_path / "out", lambda _: [], stages=())


def test_a_place_that_cannot_be_is_refused_before_anybody_is_examined(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=r"file/out' cannot be made: .*; name another directory"):
        learn(lesson(), tmp_path / "file" / "out", lambda _: pytest.fail("examined"))


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exists already and is not overwritten"):
        learn(lesson(), tmp_path, lambda base: [])


def test_what_is_known_is_not_taught_again(tmp_path: Path) -> None:
    known = replace(lesson(), tool=lesson("read_text").tool)
    with pytest.raises(ConfigError, match="has learned read_text already"):
        learn(known, tmp_path / "out", lambda base: [])


def test_the_figure_shows_every_group(tmp_path: Path) -> None:
    groups = [Score(name, 10, random.Random(name).random(), 0.5) for name in ("all", "read_text", "judge_mood")]
    draw_scores(groups, groups, "judge_mood", tmp_path / "scores.png")
    assert (tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")
