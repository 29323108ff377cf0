from pathlib import Path

import pytest

from llavaplus_graph.data.lesson import FEWEST, Lesson, read_lesson
from llavaplus_graph.errors import ConfigError, DataError
from llavaplus_graph.images import ImageStore

SKILL = '''
from langchain_core.tools import BaseTool
from pydantic import Field
from llavaplus_graph.skills import PictureArguments, SkillInfo, make_skill
from llavaplus_graph.types import Tags

class Arguments(PictureArguments):
    topic: str = Field(description="What it is about.")

def {name}(*, store=None) -> BaseTool:
    def run(image, topic):
        """Judge the mood of a picture."""
        return Tags(tags=(topic,), scores=(1.0,))
    return make_skill(run, SkillInfo("{name}", ({alias})), Arguments)
'''
VERBS = (
    *("judge", "rate", "measure", "weigh", "sense", "gauge", "guess", "tell"),
    *("read", "state", "assess", "value", "name", "check", "probe"),
)
LINES = [f"{verb} the mood of my [{{thing}}]" for verb in VERBS] + [
    f"how do you {verb} a [{{thing}}]" for verb in VERBS
]


def files(
    folder: Path, lines: list[str], name: str = "judge_mood", alias: str = "", skill: str = "judge_mood"
) -> Lesson:
    code, examples = folder / "mood.py", folder / "mood.yaml"
    code.write_text(SKILL.format(name=name, alias=alias), encoding="utf-8")
    quoted = "".join(f"      - '{line}'\n" for line in lines)
    examples.write_text(f"skill: {skill}\nfamilies:\n  - name: plain\n    phrasings:\n{quoted}", encoding="utf-8")
    return read_lesson(code, examples, ImageStore("memory://lesson"))


def test_what_is_examined_is_not_trained_and_nothing_is_lost(tmp_path: Path) -> None:
    lesson = files(tmp_path, LINES)
    trained, examined = ({p.text for p in part} for part in (lesson.phrasings, lesson.held_out))
    assert not trained & examined
    assert trained | examined == set(LINES)
    assert 4 <= len(examined) <= 8


def test_brackets_fill_the_only_text_that_the_skill_takes(tmp_path: Path) -> None:
    for question in files(tmp_path, LINES).questions():
        ((name, args),) = question.calls
        assert name == "judge_mood"
        assert args.keys() == {"topic"}
        assert str(args["topic"]) in question.text


def test_phrasings_that_are_few_or_alike_are_mentioned(tmp_path: Path) -> None:
    few, alike = files(tmp_path, LINES).warnings
    assert "30 phrasings are few" in few
    assert "differ from another one in hardly a word" in alike


@pytest.mark.parametrize(
    ("lines", "skill", "complaint"),
    [
        (LINES[: FEWEST - 1], "judge_mood", "has 19 different phrasings; at least 20"),
        ([LINES[0]] * 30, "judge_mood", "has 1 different phrasings"),
        (LINES, "tag_image", "phrasings for 'tag_image' and the file makes 'judge_mood'"),
    ],
)
def test_phrasings_that_teach_nothing_are_refused(tmp_path: Path, lines: list[str], skill: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        files(tmp_path, lines, skill=skill)


def test_names_and_aliases_that_are_taken_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'read_text' belongs to the skill read_text"):
        files(tmp_path, LINES, name="read_text")
    with pytest.raises(ConfigError, match="'sam' belongs to the skill segment_region"):
        files(tmp_path, LINES, alias="'sam',")


def test_phrasings_that_are_not_there_are_named(tmp_path: Path) -> None:
    files(tmp_path, LINES)
    with pytest.raises(DataError, match=r"none\.yaml' cannot be read"):
        read_lesson(tmp_path / "mood.py", tmp_path / "none.yaml", ImageStore("memory://lesson"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("weigh the [{}]", r"plain: a bracket or brace of 'weigh the \[\{\}\]' marks nothing"),
        ("weigh the [cup", r"plain: a bracket or brace of 'weigh the \[cup' marks nothing"),
        ("weigh the [{thng}]", "plain: 'weigh the .*' has no slot 'thng' that any vocabulary knows"),
        ("", r"mood\.yaml, line 35: families\.1\.phrasings\.31: .*at least 1 character"),
    ],
)
def test_a_phrasing_that_cannot_be_filled_is_refused_before_anything_is_trained(
    tmp_path: Path, line: str, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        files(tmp_path, [*LINES, line])


def test_an_argument_that_the_skill_does_not_have_is_refused(tmp_path: Path) -> None:
    files(tmp_path, LINES)
    examples = tmp_path / "mood.yaml"
    examples.write_text(f"argument: subject\n{examples.read_text('utf-8')}", encoding="utf-8")
    with pytest.raises(DataError, match=r"judge_mood has no argument 'subject'; it has .*topic"):
        read_lesson(tmp_path / "mood.py", examples, ImageStore("memory://lesson"))


def test_phrasings_that_are_no_text_are_named(tmp_path: Path) -> None:
    files(tmp_path, LINES)
    (tmp_path / "latin.yaml").write_bytes("skill: caf\xe9".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.yaml' are not a text in UTF-8"):
        read_lesson(tmp_path / "mood.py", tmp_path / "latin.yaml", ImageStore("memory://lesson"))
