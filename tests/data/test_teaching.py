import random
import time
from pathlib import Path

import pytest
from PIL import Image

from llavaplus_graph.data.conversations import Composer, PictureFact
from llavaplus_graph.data.curate import training_phrasings
from llavaplus_graph.data.lesson import Lesson
from llavaplus_graph.data.phrasing import Phrasing
from llavaplus_graph.data.pictures import PICTURE_KINDS
from llavaplus_graph.data.record import Record, gpt_turn
from llavaplus_graph.data.teaching import lesson_records
from llavaplus_graph.errors import DataError, SkillError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skills import PictureArguments, SkillInfo, make_skill, picture_of
from llavaplus_graph.types import SkillResult, Tags


def lesson(*, answers: tuple[str, ...] = (), works: bool = True, broken: bool = False, seconds: float = 0.0) -> Lesson:
    store = ImageStore("memory://teaching")

    def run(image: str | Path | Image.Image) -> SkillResult:
        """Name the size of a picture."""
        if not works:
            raise SkillError("the ruler is broken")
        if broken:
            raise RuntimeError("no ruler")
        time.sleep(seconds)
        _, picture = picture_of(image, store)
        return Tags(tags=(f"{picture.width} wide",), scores=(1.0,))

    tool = make_skill(run, SkillInfo("measure_picture", deadline=1.0), PictureArguments)
    lines = [Phrasing("measure_picture", f"how wide {n}", "measure/plain", answers=answers) for n in range(20)]
    return Lesson(tool, tuple(lines), ())


def records(folder: Path, taught: Lesson, rehearsal: float = 0.75) -> list[Record]:
    facts = []
    for kind in PICTURE_KINDS:
        Image.new("RGB", (30, 20)).save(folder / f"{kind}.jpg")
        facts.append(PictureFact(f"{kind}.jpg", kind))
    rng = random.Random(1)
    known = Composer(training_phrasings(), facts, rng)
    return list(lesson_records(taught, facts, folder, known, 90, rng, rehearsal=rehearsal))


def called(record: Record) -> set[str]:
    turns = (gpt_turn(turn) for turn in record.conversations if turn["from"] == "gpt")
    return {action.name for turn in turns for action in turn.actions or ()}


def test_as_many_records_rehearse_as_asked_for_and_the_others_are_new(tmp_path: Path) -> None:
    for rehearsal, new, skills in [(0.75, 23, range(8, 30)), (0.4, 54, range(5, 30)), (0.0, 90, range(1, 2))]:
        made = records(tmp_path, lesson(), rehearsal)
        assert sum("measure_picture" in called(record) for record in made) == new
        assert len(set.union(*map(called, made))) in skills


def test_answers_repeat_what_the_skill_really_returned(tmp_path: Path) -> None:
    made = [r for r in records(tmp_path, lesson(answers=("It measures {tags}.",))) if "measure_picture" in called(r)]
    told = [record.conversations[-1]["value"] for record in made if len(record.conversations) == 4]
    assert told
    assert set(told) == {"It measures 30 wide."}


def test_a_skill_that_always_fails_cannot_be_taught(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fails on every picture.*the ruler is broken"):
        records(tmp_path, lesson(works=False))


def test_a_skill_that_breaks_is_told_to_its_author(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"measure_picture breaks with \{\} \(RuntimeError: no ruler\); mend it first"):
        records(tmp_path, lesson(broken=True))


def test_a_skill_that_hangs_cannot_be_taught(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"measure_picture: more than 1 s with \{\}, which is its deadline"):
        records(tmp_path, lesson(seconds=3.0))


def test_an_answer_that_names_what_results_lack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"'\{height\}' cannot be filled from a result of measure_picture; it has \{tags\}"
    ):
        records(tmp_path, lesson(answers=("{height}",)))


def test_an_answer_that_reads_a_result_as_it_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be filled from a result of measure_picture"):
        records(tmp_path, lesson(answers=("{tags.first}",)))
