from pathlib import Path

import pytest

from llavaplus_graph.errors import ConfigError
from llavaplus_graph.images import ImageStore
from llavaplus_graph.skill_files import load_skill_file

SKILL = '''
from langchain_core.tools import BaseTool
from llavaplus_graph.skills import PictureArguments, SkillInfo, make_skill
from llavaplus_graph.types import Tags

def judge_mood(*, store=None) -> BaseTool:
    def run(image):
        """Judge the mood of a picture."""
        return Tags(tags=("calm",), scores=(1.0,))
    return make_skill(run, SkillInfo("judge_mood"), PictureArguments)
'''


def made(folder: Path, code: str) -> str:
    (folder / "skill.py").write_text(code, encoding="utf-8")
    return load_skill_file(folder / "skill.py", ImageStore("memory://skill")).name


def test_a_file_makes_its_skill(tmp_path: Path) -> None:
    assert made(tmp_path, SKILL) == "judge_mood"


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("x = 1", "must make exactly one skill with make_skill\\(\\); it makes none"),
        ("1 / 0", "cannot be run: ZeroDivisionError"),
        ("def broken(", "cannot be run: SyntaxError"),
        ("import sys; sys.exit(3)", "cannot be run: SystemExit: 3"),
        ("SKILLS = 3", "cannot be run: TypeError"),
        (SKILL.replace("    def run", "    1 / 0\n    def run"), "cannot be run: ZeroDivisionError"),
        (SKILL.replace("*, store=None", ""), "cannot be run: TypeError: .*unexpected keyword argument 'store'"),
        (SKILL.replace("return make_skill", "make_skill"), "judge_mood' must return a tool, not NoneType"),
        (SKILL.replace('"""Judge the mood of a picture."""', ""), "has no description"),
    ],
)
def test_a_file_that_makes_no_skill_is_refused(tmp_path: Path, code: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        made(tmp_path, code)


def test_a_skill_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no skill file"):
        load_skill_file(tmp_path / "nothing.py", ImageStore("memory://skill"))
