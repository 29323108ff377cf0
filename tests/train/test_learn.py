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
from llavaplus_graph.train.learn import Score, learn
from llavaplus_graph.types import SkillResult, Tags


def lesson(name: str = "judge_mood") -> Lesson:
    def run(image: object) -> SkillResult:
        """Judge the mood of a picture."""
        return Tags(tags=("cheerful",), scores=(1.0,))

    lines = [Phrasing(name, f"{verb} the mood", "mood/plain") for verb in ("judge", "rate", "guess", "sense")]
    return Lesson(make_skill(run, SkillInfo(name), PictureArguments), tuple(lines), ())


def test_the_better_stage_is_kept_and_speaks_of_the_new_skill(tmp_path: Path) -> None:
    shares = iter([0.0, 0.9, 0.4])
    examined: list[str | None] = []

    def examine(base: str | None) -> list[Score]:
        examined.append(base)
        return [Score("all", 1, 1.0, 1.0), Score("judge_mood", 1, (share := next(shares)), share)]

    stages = (Stage("first", records=12, learning_rate=1e-4), Stage("second", records=12, learning_rate=1e-4))
    learned = learn(lesson(), tmp_path / "out", examine, stages=stages, pictures=1)
    assert [score.call for score in learned.after] == [1.0, 0.9]
    assert examined[0] is None
    assert Dialect.load(tmp_path / "out").skills == (*Dialect.load(bundled()).skills, "judge_mood")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))["model_type"] == "llava"


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
